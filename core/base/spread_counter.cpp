#include "core/base/spread_counter.hpp"

#include <bit>

namespace manta::base::detail {
namespace {

constexpr std::size_t kShared = kCounterCells - 1;
constexpr std::uint32_t kAll = (1u << kShared) - 1;

// The cells that threads have. Acquire and release: the next thread of a cell goes on from the last one's numbers.
std::atomic<std::uint32_t> taken{0};

thread_local constinit std::size_t mine = kCounterCells;  // kCounterCells: not asked for yet

/// Gives a thread's cell back when it ends; what it counts after that goes to the shared one.
struct Return {
  ~Return() {
    const std::size_t cell = mine;
    mine = kShared;
    if (cell < kShared) taken.fetch_and(~(1u << cell), std::memory_order_release);
  }
};

__attribute__((noinline)) std::size_t Take() {
  std::uint32_t seen = taken.load(std::memory_order_relaxed);
  for (;;) {
    if ((seen & kAll) == kAll) return mine = kShared;
    const auto free = static_cast<std::size_t>(std::countr_one(seen));
    if (!taken.compare_exchange_weak(seen, seen | 1u << free, std::memory_order_acquire, std::memory_order_relaxed))
      continue;
    thread_local Return at_end;
    static_cast<void>(at_end);
    return mine = free;
  }
}

}  // namespace

std::size_t CounterCell() { return mine != kCounterCells ? mine : Take(); }

}  // namespace manta::base::detail
