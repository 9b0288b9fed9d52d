#pragma once
// A communicator of our own: errors are returned (MPI 3.1 section 8.3), and freed with its owner.
//
//   auto world = Communicator::CollectiveDup(MPI_COMM_WORLD);
//   auto node = world.CollectiveSplitShared();           // the ranks that share memory
//   auto fake = node.CollectiveSplit(node.rank() % 2);   // two pretended nodes, for tests

#include <cstdint>

#include "mpi/handles/error.hpp"

namespace manta::mpi {

/// Move-only. An empty one (default, moved from, closed) has no rank. Calls are those of MPI: under the progress token.
class Communicator {
 public:
  Communicator() = default;
  /// A duplicate of `parent`: same ranks, its own messages. Collective over `parent`, whose own error handler rules
  /// the call itself. Throws MpiError.
  static Communicator CollectiveDup(MPI_Comm parent);

  Communicator(Communicator&& other) noexcept { Swap(other); }
  Communicator& operator=(Communicator&& other) noexcept {
    Communicator old(static_cast<Communicator&&>(*this));
    Swap(other);
    return *this;
  }
  /// Frees it. Both MPIs make that a local act, though the standard calls it collective.
  ~Communicator();

  /// Collective over this communicator, as all that begin so; throw MpiError.
  Communicator CollectiveDup() const { return CollectiveDup(comm_); }
  /// The ranks with which this one can share memory, in the order of this communicator.
  Communicator CollectiveSplitShared() const;
  /// The ranks that gave the same `color` (0 or more), in the order of this communicator.
  Communicator CollectiveSplit(int color) const;
  void CollectiveBarrier() const;
  /// The smallest, the largest and the first rank's value. Wait in MPI for the slowest rank.
  std::uint64_t CollectiveMin(std::uint64_t value) const;
  std::uint64_t CollectiveMax(std::uint64_t value) const;
  std::uint64_t CollectiveBroadcast(std::uint64_t value) const;
  /// Frees it and throws what the destructor would only log.
  void Close();

  MPI_Comm get() const { return comm_; }
  int rank() const { return rank_; }
  int size() const { return size_; }
  explicit operator bool() const { return comm_ != MPI_COMM_NULL; }

 private:
  explicit Communicator(MPI_Comm owned);
  void Swap(Communicator& other) noexcept;

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = -1;
  int size_ = 0;
};

}  // namespace manta::mpi
