#pragma once
// Monotonic time in nanoseconds, and its cheapest form.

#include <time.h>

#include <cstdint>

namespace manta::base {

/// Nanoseconds of CLOCK_MONOTONIC: the same clock for all processes of a node. About 25 ns a call. Any thread.
inline std::int64_t NowNanoseconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
}

/// Tells the core that this is a spin-wait (and lets a sibling hardware thread run).
inline void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

}  // namespace manta::base
