#pragma once
// An MPI window, owned, with a passive epoch to all ranks (MPI 3.1 section 11.5.3) from creation to Close.

#include <cstddef>

#include "mpi/handles/communicator.hpp"

namespace manta::mpi {

/// Move-only. Freeing a window waits for all its ranks, so the destructor does not: after an error, or the death of a
/// rank, that would hang. What was not closed is left to the end of the process.
class Window {
 public:
  Window() = default;
  /// `size_bytes` of new memory that all ranks of `comm` can map, given by this rank. Collective over `comm`, whose
  /// ranks must be able to share memory. Throws MpiError.
  static Window CollectiveAllocateShared(const Communicator& comm, std::size_t size_bytes);
  /// Makes [base, base + size_bytes) readable by all ranks of `comm`, addressed in bytes. Collective. Throws MpiError
  /// where MPI has no way to serve it (Open MPI 4.1 over TCP); windows that other ranks got are then dropped.
  static Window CollectiveCreate(const Communicator& comm, std::byte* base, std::size_t size_bytes);

  Window(Window&& other) noexcept : window_(other.window_) { other.window_ = MPI_WIN_NULL; }
  Window& operator=(Window&& other) noexcept {
    window_ = other.window_;
    other.window_ = MPI_WIN_NULL;
    return *this;
  }

  /// Where this process sees the memory that `rank` gave to a shared window. Throws MpiError.
  std::byte* SharedAddress(int rank) const;
  /// Makes what other processes have stored before a barrier visible here (a compiler and memory fence in practice).
  void Sync() const;
  /// Ends the epoch and frees the window. Collective. Throws MpiError.
  void CollectiveClose();

  MPI_Win get() const { return window_; }
  explicit operator bool() const { return window_ != MPI_WIN_NULL; }

 private:
  void OpenEpoch();

  MPI_Win window_ = MPI_WIN_NULL;
};

}  // namespace manta::mpi
