#pragma once
// Memory for small records that are made and freed millions of times a second, often on different threads: free blocks
// are kept by size, in a cache a thread and in a common stock that the caches trade with 64 blocks at a time. Blocks
// are never given back to the system.
//
//   void* block = base::SlabAllocate(72);
//   base::SlabFree(block, 72);                    // the size that was asked for
//
// Builds with the address or thread sanitizer use operator new, so that misuse is seen.

#include <cstddef>

namespace manta::base {

/// Aligned to 8 bytes. Above 512 bytes it is operator new. Any thread; throws std::bad_alloc.
void* SlabAllocate(std::size_t size_bytes);
void SlabFree(void* block, std::size_t size_bytes) noexcept;

}  // namespace manta::base
