#pragma once
// A memfd segment for all ranks of a node: the first one makes it, the others open it.
//
//   SharedMemfd made = CollectiveCreateMemfd(node, layout.total);
//   if (made.segment == nullptr) ...   // on all ranks or on none; made.why_not says why

#include <cstddef>
#include <memory>
#include <string>

#include "core/node/memfd_segment.hpp"
#include "mpi/handles/communicator.hpp"

namespace manta {

struct SharedMemfd {
  std::unique_ptr<node::MemfdSegment> segment;
  std::string why_not;  // on every rank that of the lowest rank that could not
};

/// A zeroed segment of the size that the first rank of `node` asks for. Collective over `node`, whose ranks are of one
/// machine. That a rank can't have it is no error: then no rank does, and the node takes another kind of segment.
/// Throws MpiError.
SharedMemfd CollectiveCreateMemfd(const mpi::Communicator& node, std::size_t size_bytes);

}  // namespace manta
