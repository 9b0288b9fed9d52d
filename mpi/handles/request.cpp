#include "mpi/handles/request.hpp"

#include "core/base/check.hpp"

namespace manta::mpi {

Request& Request::operator=(Request&& other) noexcept {
  if (this != &other) {
    Drop();
    request_ = other.request_;
    active_ = other.active_;
    other.Forget();
  }
  return *this;
}

void Request::Drop() noexcept {
  // What is idle but not null is persistent. An active one must not be freed: a collective's never may be.
  if (request_ != MPI_REQUEST_NULL && !active_ && IsRunning()) MANTA_MPI_LOG(MPI_Request_free(&request_));
  Forget();
}

void Request::Send(const void* buffer, int size_bytes, int destination, int tag, MPI_Comm comm) {
  MANTA_ASSERT(request_ == MPI_REQUEST_NULL);
  MANTA_MPI_TRY(MPI_Isend(buffer, size_bytes, MPI_BYTE, destination, tag, comm, &request_));
  active_ = true;
}

void Request::SynchronousSend(const void* buffer, int size_bytes, int destination, int tag, MPI_Comm comm) {
  MANTA_ASSERT(request_ == MPI_REQUEST_NULL);
  MANTA_MPI_TRY(MPI_Issend(buffer, size_bytes, MPI_BYTE, destination, tag, comm, &request_));
  active_ = true;
}

void Request::Receive(void* buffer, int size_bytes, int source, int tag, MPI_Comm comm) {
  MANTA_ASSERT(request_ == MPI_REQUEST_NULL);
  MANTA_MPI_TRY(MPI_Irecv(buffer, size_bytes, MPI_BYTE, source, tag, comm, &request_));
  active_ = true;
}

void Request::ReceiveInit(void* buffer, int size_bytes, int source, int tag, MPI_Comm comm) {
  MANTA_ASSERT(request_ == MPI_REQUEST_NULL);
  MANTA_MPI_TRY(MPI_Recv_init(buffer, size_bytes, MPI_BYTE, source, tag, comm, &request_));
}

void Request::Start() {
  MANTA_ASSERT(!active_);
  MANTA_MPI_TRY(MPI_Start(&request_));
  active_ = true;
}

void Request::Get(void* buffer, int size_bytes, int target, MPI_Aint offset, MPI_Win window) {
  MANTA_ASSERT(request_ == MPI_REQUEST_NULL);
  MANTA_MPI_TRY(MPI_Rget(buffer, size_bytes, MPI_BYTE, target, offset, size_bytes, MPI_BYTE, window, &request_));
  active_ = true;
}

void Request::CollectiveReduceScatter(const std::uint64_t* contributions, std::uint64_t* sum, MPI_Comm comm) {
  MANTA_ASSERT(request_ == MPI_REQUEST_NULL);
  MANTA_MPI_TRY(MPI_Ireduce_scatter_block(contributions, sum, 1, MPI_UINT64_T, MPI_SUM, comm, &request_));
  active_ = true;
}

bool Request::Test(MPI_Status* status) {
  if (!active_) return true;
  int done = 0;
  active_ = false;  // a failed operation is over too
  MANTA_MPI_TRY(MPI_Test(&request_, &done, status != nullptr ? status : MPI_STATUS_IGNORE));
  active_ = done == 0;
  return done != 0;
}

void Request::Wait(MPI_Status* status) {
  MANTA_ASSERT(active_);
  active_ = false;
  MANTA_MPI_TRY(MPI_Wait(&request_, status != nullptr ? status : MPI_STATUS_IGNORE));
}

void Request::CancelReceive() {
  if (!active_) return;
  MANTA_MPI_TRY(MPI_Cancel(&request_));
  Wait();
}

}  // namespace manta::mpi
