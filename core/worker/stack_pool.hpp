#pragma once
// Stacks for fibers: address space in large regions, memory only where it is touched, a red zone below each.
//
// A red zone by mprotect splits the mapping, and a process may have 65,530 of them: so MADV_GUARD_INSTALL (Linux 6.13)
// is tried first, which splits nothing; else the first 16,000 stacks get mprotect. The rest have a red zone that must
// stay zero, which is looked at whenever the fiber parks.

#include <cstddef>
#include <mutex>
#include <vector>

namespace manta::worker {

struct Stack {
  std::byte* low = nullptr;  // lowest usable byte, above the red zone
  std::size_t size_bytes = 0;
  bool guarded = true;  // a touch of the red zone faults
  std::byte* top() const { return low + size_bytes; }
};

/// Any thread. Stacks are used again; regions are never given back before the end.
class StackPool {
 public:
  static constexpr std::size_t kStackBytes = 8u << 20;
  /// What every task finds, one that runs in place on the stack of a task that waits for it too.
  static constexpr std::size_t kTaskStackBytes = 5u << 20;
  static constexpr std::size_t kRedZoneBytes = 64u << 10;  // wide, for frames that leave out the bytes below them

  struct Guards {
    bool install = true;               // try MADV_GUARD_INSTALL
    std::size_t mprotected = 16'000;  // else so many by mprotect
  };
  explicit StackPool(Guards guards = {true, 16'000}) : guards_(guards) {}
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  /// Throws OutOfMemoryError when the address space is used up.
  Stack Take();
  /// Gives the memory of the stack back to the system, and keeps its addresses.
  void GiveBack(Stack stack);

 private:
  struct Region {
    std::byte* at;
    std::size_t size_bytes;
  };
  void AddRegion();              // with mutex_ held
  bool Guard(std::byte* bottom);  // with mutex_ held

  std::mutex mutex_;
  Guards guards_;                // guarded by mutex_: what is left of them
  std::vector<Region> regions_;  // guarded by mutex_
  std::vector<Stack> free_;      // guarded by mutex_
  std::size_t made_ = 0;         // guarded by mutex_
};

/// Whether something wrote into the red zone right below the stack. Only for stacks without a guard.
bool RedZoneIsDamaged(const Stack& stack);

}  // namespace manta::worker
