#include "core/worker/stack_pool.hpp"

#include <manta/error.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace manta::worker {
namespace {

constexpr int kMadvGuardInstall = 102;  // MADV_GUARD_INSTALL, newer than Debian 12's headers
constexpr std::size_t kPageBytes = 4096;
// What one page of page tables maps. A parked fiber touches the top of its stack; its red zone has entries too. With
// the border of two stacks in the middle of such a page, the top of one and the red zone of the next share it.
constexpr std::size_t kTableSpan = 2u << 20;
static_assert(StackPool::kStackBytes % kTableSpan == 0);

}  // namespace

StackPool::~StackPool() {
  for (const Region& region : regions_) ::munmap(region.at, region.size_bytes);
}

bool StackPool::Guard(std::byte* bottom) {
  if (guards_.install) {
    if (::madvise(bottom, kRedZoneBytes, kMadvGuardInstall) == 0) return true;
    guards_.install = false;
  }
  if (guards_.mprotected == 0) return false;
  --guards_.mprotected;
  return ::mprotect(bottom, kRedZoneBytes, PROT_NONE) == 0;
}

void StackPool::AddRegion() {
  // Fewer at once where the address space is limited.
  void* at = MAP_FAILED;
  std::size_t stacks = 64, size = 0;
  for (; at == MAP_FAILED && stacks > 0; stacks /= 8) {
    size = kStackBytes * stacks + 2 * kTableSpan;
    at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at != MAP_FAILED) break;
  }
  if (at == MAP_FAILED)
    throw OutOfMemoryError("no address space for the " + std::to_string(kStackBytes >> 20) +
                               " MiB of one more task stack (" + std::to_string(made_) +
                               " are in use); let fewer tasks wait at once, or raise the limit (ulimit -v, "
                               "vm.overcommit_memory)",
                           size, 0);
  // A huge page a stack would be 2 MiB of memory for a few touched kilobytes.
  ::madvise(at, size, MADV_NOHUGEPAGE);
  regions_.push_back({static_cast<std::byte*>(at), size});
  const std::size_t past = reinterpret_cast<std::uintptr_t>(at) % kTableSpan;
  std::byte* first = static_cast<std::byte*>(at) + (kTableSpan - past) + kTableSpan / 2;
  for (std::size_t i = stacks; i-- > 0;) {
    std::byte* bottom = first + i * kStackBytes;
    const bool guarded = Guard(bottom);
    ++made_;
    free_.push_back({bottom + kRedZoneBytes, kStackBytes - kRedZoneBytes, guarded});
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

bool RedZoneIsDamaged(const Stack& stack) {
  // Read, never written: the system shows one shared page of zeros for it, so that it costs no memory.
  const auto* words = reinterpret_cast<const std::uint64_t*>(stack.low - kPageBytes);
  return std::any_of(words, words + kPageBytes / sizeof(*words), [](std::uint64_t word) { return word != 0; });
}

}  // namespace manta::worker
