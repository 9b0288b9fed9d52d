#include "mpi/handles/communicator.hpp"

#include <utility>

namespace manta::mpi {

Communicator::Communicator(MPI_Comm owned) : comm_(owned) {
  MANTA_MPI_TRY(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN));
  MANTA_MPI_TRY(MPI_Comm_rank(comm_, &rank_));
  MANTA_MPI_TRY(MPI_Comm_size(comm_, &size_));
}

Communicator Communicator::CollectiveDup(MPI_Comm parent) {
  MPI_Comm made = MPI_COMM_NULL;
  MANTA_MPI_TRY(MPI_Comm_dup(parent, &made));
  return Communicator(made);
}

Communicator::~Communicator() {
  if (comm_ != MPI_COMM_NULL && IsRunning()) MANTA_MPI_LOG(MPI_Comm_free(&comm_));
}

Communicator Communicator::CollectiveSplitShared() const {
  MPI_Comm made = MPI_COMM_NULL;
  MANTA_MPI_TRY(MPI_Comm_split_type(comm_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &made));
  return Communicator(made);
}

Communicator Communicator::CollectiveSplit(int color) const {
  MPI_Comm made = MPI_COMM_NULL;
  MANTA_MPI_TRY(MPI_Comm_split(comm_, color, rank_, &made));
  return Communicator(made);
}

void Communicator::CollectiveBarrier() const { MANTA_MPI_TRY(MPI_Barrier(comm_)); }

std::uint64_t Communicator::CollectiveMin(std::uint64_t value) const {
  MANTA_MPI_TRY(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_UINT64_T, MPI_MIN, comm_));
  return value;
}

std::uint64_t Communicator::CollectiveMax(std::uint64_t value) const {
  MANTA_MPI_TRY(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_UINT64_T, MPI_MAX, comm_));
  return value;
}

std::uint64_t Communicator::CollectiveBroadcast(std::uint64_t value) const {
  MANTA_MPI_TRY(MPI_Bcast(&value, 1, MPI_UINT64_T, 0, comm_));
  return value;
}

void Communicator::Close() {
  if (comm_ == MPI_COMM_NULL) return;
  MANTA_MPI_TRY(MPI_Comm_free(&comm_));
  *this = Communicator();
}

void Communicator::Swap(Communicator& other) noexcept {
  std::swap(comm_, other.comm_);
  std::swap(rank_, other.rank_);
  std::swap(size_, other.size_);
}

}  // namespace manta::mpi
