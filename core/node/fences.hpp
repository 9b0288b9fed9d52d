#pragma once
// Fences for Dekker's argument between the ranks of a node: a full one, and a pair of which one side is nearly free.
//
//   often:    write a; LightFence();  read b;        seldom:   write b; HeavyFence(); read a;
//
// One of the two sees what the other wrote, as with full fences on both sides. A full fence waits until the core has
// brought the lines that it wrote before: 50 ns and more for a message just written to a ring, a fifth of what a task
// costs. HeavyFence has the kernel run a fence on every core that runs a thread of a registered process (membarrier,
// MEMBARRIER_CMD_GLOBAL_EXPEDITED, Linux 4.16), so the other side needs to keep the compiler's order only; a thread that
// does not run has fenced when it was switched out. It costs 0.5 to 5 µs, and interrupts the others for a part of that.

#include <atomic>

namespace manta::node {

/// GCC's thread sanitizer refuses std::atomic_thread_fence under -Werror, since it does not model it; no data is handed
/// over by these fences alone (that is done by release and acquire), so it has no need to.
inline void FullFence() {
#if defined(__SANITIZE_THREAD__)
  __sync_synchronize();
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

/// Registers this process as one whose threads HeavyFence reaches, whoever calls that. False where the kernel can't:
/// then this process has neither of the two. Any thread, any number of times.
bool RegisterForHeavyFences();
/// Of a registered process.
inline void LightFence() { std::atomic_signal_fence(std::memory_order_seq_cst); }
/// Of a registered process. Any thread.
void HeavyFence();

namespace detail {
// Set once, by RegisterForHeavyFences. Relaxed: who reads an old "false" makes a full fence instead.
inline std::atomic<bool> registered_for_heavy_fences{false};
}  // namespace detail

}  // namespace manta::node
