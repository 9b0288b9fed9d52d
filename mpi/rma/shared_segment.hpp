#pragma once
// The segment of a node in an MPI shared window. All its bytes belong to the node's first rank, as one piece: who may
// use which of them is for core/node to say.
//
//   auto segment = MpiSharedSegment::CollectiveCreate(node_communicator, mpi::StoreBytesThatFit(wanted, node_memory));

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "core/ports/segment.hpp"
#include "mpi/handles/communicator.hpp"
#include "mpi/handles/window.hpp"

namespace manta {

class MpiSharedSegment final : public Segment {
 public:
  /// A zeroed segment of the size that the first rank of `node` asks for. Collective over `node`, whose ranks share
  /// memory (CollectiveSplitShared, or a part of that). Pages are taken from the machine at first touch.
  /// Throws OutOfMemoryError, on all ranks, if /dev/shm has less free: touching what it has not would be SIGBUS.
  /// Throws MpiError.
  static std::unique_ptr<MpiSharedSegment> CollectiveCreate(const mpi::Communicator& node, std::size_t size_bytes);
  /// Keeps the memory mapped until the process ends unless CollectiveClose came before, see mpi::Window.
  ~MpiSharedSegment() override = default;

  std::span<std::byte> bytes() const override { return bytes_; }
  std::string_view kind() const override { return "mpi shared window"; }

  /// Unmaps the segment, when no rank of the node uses it any more. Collective. Throws MpiError.
  void CollectiveClose();

 private:
  MpiSharedSegment() = default;

  mpi::Window window_;
  std::span<std::byte> bytes_;
};

namespace mpi {

/// What /dev/shm has free, in bytes; the largest number where there is no /dev/shm to ask.
std::size_t FreeSharedMemoryBytes();

/// `wanted`, but at most 60 % of `shared_memory_free` and of `node_memory` (all bytes of the node): other jobs, and
/// MPI's own buffers, live there too, and what was free at start may be gone later. A multiple of 4,096.
/// Nodes that are pretended on one machine must share `shared_memory_free` out among themselves.
std::size_t StoreBytesThatFit(std::size_t wanted, std::size_t node_memory, std::size_t shared_memory_free);
inline std::size_t StoreBytesThatFit(std::size_t wanted, std::size_t node_memory) {
  return StoreBytesThatFit(wanted, node_memory, FreeSharedMemoryBytes());
}

}  // namespace mpi
}  // namespace manta
