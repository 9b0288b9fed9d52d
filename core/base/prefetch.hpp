#pragma once
// Brings a cache line into the calling core's cache ahead of its use.

namespace manta::base {

/// For a line that will be written: it comes without copies in other cores, so that the store needs not wait for them to
/// go. For x86-64 GCC makes PREFETCHW of __builtin_prefetch(p, 1) only under -mprfchw, and else a prefetch to read; yet
/// every processor of it takes the instruction (those without it as a no-op: AMD64 Architecture Programmer's Manual,
/// volume 3, "PREFETCH").
inline void PrefetchToWrite(const void* line) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
#else
  __builtin_prefetch(line, 1);
#endif
}

}  // namespace manta::base
