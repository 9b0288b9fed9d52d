#pragma once
// How large a node's store gets and what it lies in. Numbers in, decision out.
//
//   StoreChoice choice = ChooseStore({.asked_bytes = 0, .memory_bytes = memory, .shared_memory_free = free});

#include <cstdint>
#include <string>

#include "core/runtime/settings.hpp"

namespace manta::launch {

/// Of one node. Nodes that are pretended on one machine have shared its memory out among themselves before.
struct StoreRoom {
  std::uint64_t asked_bytes = 0;         // 0: the default, 30 % of memory
  std::uint64_t memory_bytes = 0;        // what the job may have, see topology::MemoryLimitBytes
  std::uint64_t shared_memory_free = 0;  // of /dev/shm
  SegmentMode mode = SegmentMode::kAuto;
  bool has_memfd = true;  // false: it was tried in vain, so whatever the mode is, it is the window
};

struct StoreChoice {
  bool is_memfd = false;  // else the MPI window
  std::uint64_t store_bytes = 0;
  std::string warning;  // one line where the store is smaller than it should be: why, and how to raise it; else empty
};

/// The default: 30 % of memory, in whole pages.
std::uint64_t DefaultStoreBytes(std::uint64_t memory_bytes);

/// A store takes at most 60 % of memory, and one in the MPI window at most 60 % of what /dev/shm has free. auto is the
/// window; or memfd, where the window is too small: for what was asked, or for three quarters of the default, which
/// nobody asked for to the byte. What is too small otherwise is a warning.
StoreChoice ChooseStore(const StoreRoom& room);

}  // namespace manta::launch
