#pragma once
// Stacks for fibers: address space in large regions, memory only where it is touched, a guard page below each.
//
// A guard by mprotect splits the mapping, and a process may have 65,530 of them: so MADV_GUARD_INSTALL (Linux 6.13) is
// tried first, which splits nothing; else the first 16,000 stacks get mprotect, and the rest none.

#include <cstddef>
#include <mutex>
#include <vector>

namespace manta::worker {

struct Stack {
  std::byte* low = nullptr;  // lowest usable byte, above the guard
  std::size_t size_bytes = 0;
  std::byte* top() const { return low + size_bytes; }
};

/// Any thread. Stacks are used again; regions are never given back before the end.
class StackPool {
 public:
  static constexpr std::size_t kStackBytes = 8u << 20;
  StackPool() = default;
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  /// Throws OutOfMemoryError when the address space is used up.
  Stack Take();
  /// Gives the memory of the stack back to the system, and keeps its addresses.
  void GiveBack(Stack stack);

 private:
  static constexpr std::size_t kStacksPerRegion = 64;
  static constexpr std::size_t kMprotectedStacks = 16'000;
  void AddRegion();

  std::mutex mutex_;
  std::vector<std::byte*> regions_;  // guarded by mutex_
  std::vector<Stack> free_;          // guarded by mutex_
  std::size_t made_ = 0;             // guarded by mutex_
};

}  // namespace manta::worker
