#pragma once
// Makes a node's segment: how large, of which kind, laid out and checked.

#include <cstdint>
#include <memory>

#include "core/node/segment_layout.hpp"
#include "core/ports/segment.hpp"
#include "core/runtime/settings.hpp"
#include "mpi/handles/communicator.hpp"
#include "mpi/rma/shared_segment.hpp"

namespace manta::launch {

struct NodeStore {
  std::unique_ptr<Segment> segment;
  MpiSharedSegment* window = nullptr;  // segment, where it is one: to be closed by all ranks of the node
  node::SegmentLayout layout;
};

struct NodeStoreOptions {
  std::uint64_t machine_memory_bytes = 0;
  int nodes_on_machine = 1;  // pretended ones share it out
  int node_number = 0;       // for what is printed
};

/// The first rank of the node decides for all; it prints one line where the store is smaller than it should be. Ranks
/// that can't open a memfd segment take the MPI window together. Collective over `node`. Throws OutOfMemoryError,
/// MpiError.
NodeStore CollectiveMakeNodeStore(const mpi::Communicator& node, const Settings& settings,
                                  const NodeStoreOptions& options);

}  // namespace manta::launch
