#include "core/worker/stack_pool.hpp"

#include <manta/error.hpp>

#include <sys/mman.h>

#include <string>

namespace manta::worker {
namespace {

constexpr int kMadvGuardInstall = 102;  // MADV_GUARD_INSTALL, newer than Debian 12's headers
constexpr std::size_t kGuardBytes = 4096;

}  // namespace

StackPool::~StackPool() {
  for (std::byte* region : regions_) ::munmap(region, kStackBytes * kStacksPerRegion);
}

void StackPool::AddRegion() {
  const std::size_t size = kStackBytes * kStacksPerRegion;
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    throw OutOfMemoryError("no address space for " + std::to_string(kStacksPerRegion) + " more task stacks (" +
                               std::to_string(made_) + " are in use); let fewer tasks wait at once",
                           size, 0);
  // A huge page a stack would be 2 MiB of memory for a few touched kilobytes.
  ::madvise(at, size, MADV_NOHUGEPAGE);
  auto* region = static_cast<std::byte*>(at);
  regions_.push_back(region);
  for (std::size_t i = kStacksPerRegion; i-- > 0;) {
    std::byte* low = region + i * kStackBytes;
    if (::madvise(low, kGuardBytes, kMadvGuardInstall) != 0 && made_ < kMprotectedStacks)
      ::mprotect(low, kGuardBytes, PROT_NONE);
    ++made_;
    free_.push_back({low + kGuardBytes, kStackBytes - kGuardBytes});
  }
}

Stack StackPool::Take() {
  std::lock_guard lock(mutex_);
  if (free_.empty()) AddRegion();
  Stack stack = free_.back();
  free_.pop_back();
  return stack;
}

void StackPool::GiveBack(Stack stack) {
  ::madvise(stack.low, stack.size_bytes, MADV_DONTNEED);
  std::lock_guard lock(mutex_);
  free_.push_back(stack);
}

}  // namespace manta::worker
