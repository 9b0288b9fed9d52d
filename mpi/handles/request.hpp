#pragma once
// One MPI request, plain or persistent, owned. MPI reads or writes the buffer of an active request, so whoever owns
// the Request also keeps the buffer until Test or Wait has said that it is done.

#include <cstdint>

#include "mpi/handles/error.hpp"

namespace manta::mpi {

/// Move-only. Holder of the progress token only.
class Request {
 public:
  Request() = default;
  Request(Request&& other) noexcept : request_(other.request_), active_(other.active_) { other.Forget(); }
  Request& operator=(Request&& other) noexcept;
  /// Frees what is idle. An active request is let go; its buffer stays MPI's until it ends by itself.
  ~Request() { Drop(); }

  /// Each makes this request active (ReceiveInit does not; Start does); all throw MpiError. The buffer must stay.
  void Send(const void* buffer, int size_bytes, int destination, int tag, MPI_Comm comm);
  /// The same, not over before the receiver has a receive for it: what is over is not on its way any more.
  void SynchronousSend(const void* buffer, int size_bytes, int destination, int tag, MPI_Comm comm);
  void Receive(void* buffer, int size_bytes, int source, int tag, MPI_Comm comm);
  void ReceiveInit(void* buffer, int size_bytes, int source, int tag, MPI_Comm comm);
  void Start();
  void Get(void* buffer, int size_bytes, int target, MPI_Aint offset, MPI_Win window);
  /// Sum over ranks of contributions[rank], to each rank its own. Collective; `contributions` of communicator size.
  void CollectiveReduceScatter(const std::uint64_t* contributions, std::uint64_t* sum, MPI_Comm comm);

  /// Whether the operation is over; then the request is idle (and can be started again if persistent). `status` may
  /// be null, and is set when an active request ends. Throws MpiError for a failed operation, which is then over too.
  bool Test(MPI_Status* status = nullptr);
  void Wait(MPI_Status* status = nullptr);
  /// Ends an active receive, matched or not: returns without help from other ranks (MPI 3.1 section 3.8.4).
  void CancelReceive();

  bool active() const { return active_; }

 private:
  void Forget() { request_ = MPI_REQUEST_NULL, active_ = false; }
  void Drop() noexcept;

  MPI_Request request_ = MPI_REQUEST_NULL;
  bool active_ = false;
};

}  // namespace manta::mpi
