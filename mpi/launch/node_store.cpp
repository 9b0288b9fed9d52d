#include "mpi/launch/node_store.hpp"

#include <algorithm>
#include <string>

#include "core/base/log.hpp"
#include "core/node/private_segment.hpp"
#include "core/topology/memory_limit.hpp"
#include "mpi/launch/store_size.hpp"
#include "mpi/rma/shared_memfd.hpp"

namespace manta::launch {
namespace {

/// The first rank's choice, on all ranks, and the layout for it.
StoreChoice CollectiveChoose(const mpi::Communicator& node, const StoreRoom& room, node::SegmentLayout* layout) {
  StoreChoice choice = ChooseStore(room);
  choice.store_bytes = node.CollectiveBroadcast(choice.store_bytes);
  *layout = node::SegmentLayout::Compute(node.size(), choice.store_bytes);
  // With a small store the rings are most of the segment: they need room too.
  if (room.mode == SegmentMode::kAuto && room.has_memfd && layout->total + node::kPageBytes > room.shared_memory_free)
    choice.is_memfd = true;
  choice.is_memfd = node.CollectiveBroadcast(choice.is_memfd ? 1 : 0) != 0;
  return choice;
}

void CollectiveShare(const mpi::Communicator& node, StoreRoom room, int node_number, NodeStore* store) {
  const auto say = [&](const std::string& text) {
    if (node.rank() == 0 && !text.empty())
      base::SayLine("the object store of node " + std::to_string(node_number) + " " + text);
  };
  StoreChoice choice = CollectiveChoose(node, room, &store->layout);
  if (choice.is_memfd) {
    SharedMemfd made = CollectiveCreateMemfd(node, store->layout.total);
    store->segment = std::move(made.segment);
    if (store->segment == nullptr) {
      say("can't be a memfd segment: " + made.why_not);
      room.has_memfd = false;
      choice = CollectiveChoose(node, room, &store->layout);
    }
  }
  if (store->segment == nullptr) {
    auto window = MpiSharedSegment::CollectiveCreate(node, store->layout.total);
    store->window = window.get();
    store->segment = std::move(window);
  }
  say(choice.warning);
}

}  // namespace

NodeStore CollectiveMakeNodeStore(const mpi::Communicator& node, const Settings& settings,
                                  const NodeStoreOptions& options) {
  const auto parts = static_cast<std::uint64_t>(options.nodes_on_machine);
  StoreRoom room;
  room.asked_bytes = settings.object_store_bytes;
  room.memory_bytes = std::min(options.machine_memory_bytes, topology::MemoryLimitBytes()) / parts;
  room.mode = settings.segment;

  NodeStore store;
  if (node.size() > 1) {
    room.shared_memory_free = mpi::FreeSharedMemoryBytes() / parts;
    CollectiveShare(node, room, options.node_number, &store);
  } else {
    // Nobody shares it: address space, of which as much is used as there are objects.
    const std::uint64_t wanted = room.asked_bytes != 0 ? room.asked_bytes : DefaultStoreBytes(room.memory_bytes);
    store.layout = node::SegmentLayout::Compute(1, wanted);
    auto segment = std::make_unique<node::PrivateSegment>(store.layout.total);
    segment->PreferLargePages(store.layout.heap, store.layout.heap_bytes);
    store.segment = std::move(segment);
  }
  if (node.rank() == 0) node::WriteSegmentHeader(store.segment->bytes(), store.layout);
  node.CollectiveBarrier();
  node::CheckSegmentHeader(store.segment->bytes(), store.layout);
  return store;
}

}  // namespace manta::launch
