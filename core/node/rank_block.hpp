#pragma once
// What a rank tells the other ranks of its node in words that they may read at any time: whether it has to be woken,
// how busy it is, and the CPUs it may still give to tasks. One block a rank, in the node segment.
//
//   RankBlock& mine = BlockOf(segment.bytes(), layout, my_index);
//   mine.running.fetch_add(1, std::memory_order_relaxed);

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/node/segment_layout.hpp"

namespace manta::node {

/// What a sender has to do so that a rank sees its message.
enum class Duty : std::uint32_t {
  kPolled = 0,  // nothing: a thread of the rank polls, or its service thread looks within 250 µs
  kBusy = 1,    // nothing: it was rung and is about to look
  kArmed = 2,   // ring: a thread of the rank sleeps on `doorbell` or is about to (doorbell.hpp)
};

/// Zero is the valid start of every word. Words with different writers lie in groups 128 bytes apart.
struct alignas(kApart) RankBlock {
  // Written by the threads of the rank, and by whoever rings. Orders: doorbell.hpp.
  std::atomic<Duty> duty;
  std::atomic<std::uint32_t> doorbell;  // futex word: counts the rings, wraps
  // Written by the rank before its first sleep: 1 if Arm makes the fence of both sides.
  std::atomic<std::uint32_t> arms_heavily;

  // Written by the threads of the rank, read by all ranks of the node to choose between spinning and sleeping. Relaxed:
  // each is a hint of its own, and nothing else is read on its word.
  alignas(kApart) std::atomic<std::int32_t> running;  // threads that compute, and go on to spin
  std::atomic<std::int32_t> spinning;                 // threads that spin or yield
  std::atomic<std::int64_t> backlog;                  // unstarted tasks, for idle ranks that look for work

  // Written by the threads of the rank (slot_table.hpp), read by all. In units of 1/10,000 CPU.
  alignas(kApart) std::atomic<std::int64_t> free_slots;

  // Of tasks' arguments in the node's store; orders: argument_admission.cpp. The first is written by the threads of the rank
  // and read by all; the second, of the node's first rank, is written by who takes the turn (its index + 1) and gives it back.
  std::atomic<std::uint64_t> admitted_bytes;
  std::atomic<std::uint32_t> admission_turn;
};

static_assert(sizeof(RankBlock) == 3 * kApart);
static_assert(std::atomic<Duty>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free,
              "atomics between processes must not hide a lock");

/// The blocks of the node's ranks, by index on the node. `segment` begins at a page.
inline std::span<RankBlock> BlocksOf(std::span<std::byte> segment, const SegmentLayout& layout) {
  return {reinterpret_cast<RankBlock*>(segment.data() + layout.rank_blocks), layout.ranks};
}
inline RankBlock& BlockOf(std::span<std::byte> segment, const SegmentLayout& layout, std::uint32_t index) {
  return BlocksOf(segment, layout)[index];
}

/// How many threads of the node compute and spin. A snapshot; costs a cache line a rank.
struct NodeLoad {
  std::int64_t running = 0;
  std::int64_t spinning = 0;
};
inline NodeLoad SumLoad(std::span<const RankBlock> blocks) {
  NodeLoad load;
  for (const RankBlock& block : blocks) {
    load.running += block.running.load(std::memory_order_relaxed);
    load.spinning += block.spinning.load(std::memory_order_relaxed);
  }
  return load;
}

}  // namespace manta::node
