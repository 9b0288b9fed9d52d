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

/// The processor's cycle counter (constant rate, GHz; not trapped in virtual machines), where there is none nanoseconds.
/// About 8 ns a call: for "has it been long?", not for times. Any thread.
inline std::uint64_t CycleTicks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return static_cast<std::uint64_t>(NowNanoseconds());
#endif
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
