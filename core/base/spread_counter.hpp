#pragma once
// A counter that each thread adds to in a place of its own, so that counting takes no locked instruction and no line from
// another core.
//
//   counter.Add();                        // a load and a store
//   counter.Sum();                        // all threads' parts

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace manta::base {

namespace detail {
inline constexpr std::size_t kCounterCells = 16;  // the last is for all threads beyond the first fifteen
/// The calling thread's cell: it alone writes it until it ends, but for the last, which is shared.
std::size_t CounterCell();
}  // namespace detail

/// Any thread. A kilobyte.
class SpreadCounter {
 public:
  /// Release: who reads the sum (acquire) sees what was done before what it counts.
  void Add(std::uint64_t n = 1) {
    const std::size_t index = detail::CounterCell();
    std::atomic<std::uint64_t>& cell = cells_[index].value;
    if (index + 1 < detail::kCounterCells)
      cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_release);
    else
      cell.fetch_add(n, std::memory_order_release);
  }
  /// No snapshot: what is added meanwhile may be missed, and nothing that happened before.
  std::uint64_t Sum() const {
    std::uint64_t sum = 0;
    for (const Cell& cell : cells_) sum += cell.value.load(std::memory_order_acquire);
    return sum;
  }

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Cell, detail::kCounterCells> cells_;
};

}  // namespace manta::base
