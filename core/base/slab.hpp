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

/// Aligned to 8 bytes, and to 16 where the size is a multiple of that. Above 512 bytes it is operator new. Any thread;
/// throws std::bad_alloc.
void* SlabAllocate(std::size_t size_bytes);
void SlabFree(void* block, std::size_t size_bytes) noexcept;

/// Base of types that are made and freed by `new` and `delete`. Not for bases of other such types without a virtual
/// destructor: the block's size is that of the type that is deleted.
struct InSlab {
  static void* operator new(std::size_t size_bytes) { return SlabAllocate(size_bytes); }
  static void operator delete(void* block, std::size_t size_bytes) noexcept { SlabFree(block, size_bytes); }
};

/// For containers whose nodes come and go one at a time.
template <class T>
struct SlabAllocator {
  using value_type = T;
  SlabAllocator() = default;
  template <class U>
  SlabAllocator(const SlabAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(SlabAllocate(count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) noexcept { SlabFree(block, count * sizeof(T)); }
  template <class U>
  bool operator==(const SlabAllocator<U>&) const { return true; }
};

}  // namespace manta::base
