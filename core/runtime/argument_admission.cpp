#include "core/runtime/argument_admission.hpp"

#include <utility>

#include "core/base/clock.hpp"
#include "core/runtime/wait_point.hpp"

namespace manta::runtime {
namespace {
constexpr std::int64_t kLookNs = 500'000;             // between looks at other ranks' words
constexpr std::int64_t kTurnAfterNs = 20'000'000;     // of waiting
constexpr std::int64_t kGoAfterNs = 1'000'000'000;    // of having the turn
constexpr std::int64_t kOthersEndNs = 100'000'000'000;
constexpr std::int64_t kLetGoNs = 10'000'000;
}  // namespace

ArgumentAdmission::ArgumentAdmission(std::span<node::RankBlock> blocks, std::uint32_t my_index,
                                     std::uint64_t store_bytes, worker::Progress& progress)
    : blocks_(blocks), my_index_(my_index), store_bytes_(store_bytes), progress_(progress) {}

ArgumentAdmission::Ticket ArgumentAdmission::Raise(std::uint64_t bytes, bool even_if_full) {
  std::atomic<std::uint64_t>& mine = blocks_[my_index_].admitted_bytes;
  // Mine first, then the look at all: whoever raised at the same time sees this or is seen.
  const std::uint64_t mine_before = mine.fetch_add(bytes, std::memory_order_seq_cst);
  std::uint64_t before = mine_before;
  for (std::uint32_t rank = 0; rank < blocks_.size(); ++rank)
    if (rank != my_index_) before += blocks_[rank].admitted_bytes.load(std::memory_order_seq_cst);
  if (!even_if_full && before != 0 && before + bytes > store_bytes_ / 5 * 4) {
    mine.fetch_sub(bytes, std::memory_order_relaxed);  // nothing was read on its word
    return {};
  }
  return Ticket(&mine, [bytes](const void* word) {
    // Relaxed: the store's own words guard the bytes.
    const_cast<std::atomic<std::uint64_t>*>(static_cast<const std::atomic<std::uint64_t>*>(word))
        ->fetch_sub(bytes, std::memory_order_relaxed);
  });
}

ArgumentAdmission::Ticket ArgumentAdmission::TryAdmit(std::uint64_t bytes) {
  if (blocks_.front().admission_turn.load(std::memory_order_relaxed) != 0) return {};
  return Raise(bytes, false);
}

ArgumentAdmission::Entry ArgumentAdmission::Admit(std::uint64_t bytes, bool nested) {
  Entry entry;
  if (entry.ticket_ = nested ? Raise(bytes, true) : TryAdmit(bytes); entry.ticket_ != nullptr) return entry;
  std::atomic<std::uint32_t>& turn = blocks_.front().admission_turn;
  std::int64_t since = base::NowNanoseconds();
  for (;;) {
    WaitPoint nobody_tells(progress_);
    nobody_tells.Wait(base::NowNanoseconds() + kLookNs);
    const std::int64_t waited = base::NowNanoseconds() - since;
    std::uint32_t nobodys = 0;
    // Relaxed: the word guards nothing but who goes first.
    if (entry.turn_ == nullptr && waited > kTurnAfterNs &&
        turn.compare_exchange_strong(nobodys, my_index_ + 1, std::memory_order_relaxed)) {
      entry.turn_ = &turn;
      since += waited;
      continue;
    }
    entry.ticket_ = entry.turn_ != nullptr ? Raise(bytes, waited > kGoAfterNs) : TryAdmit(bytes);
    if (entry.ticket_ != nullptr) return entry;
  }
}

bool ArgumentAdmission::OthersMayEnd(std::uint64_t bytes, std::int64_t since_ns) const {
  std::uint64_t all = 0;
  for (const node::RankBlock& block : blocks_) all += block.admitted_bytes.load(std::memory_order_relaxed);
  if (all <= bytes) return false;
  // Who has hooks counts as running itself; a lane does not.
  const std::int64_t own = WaitHooks::OfThisThread() != nullptr ? 1 : 0;
  return node::SumLoad(blocks_).running > own || base::NowNanoseconds() - since_ns < kOthersEndNs;
}

void ArgumentAdmission::LetOthersGo() const {
  WaitPoint nobody_tells(progress_);
  nobody_tells.Wait(base::NowNanoseconds() + kLetGoNs);
}

void ArgumentAdmission::Entry::EndTurn() {
  if (turn_ != nullptr) std::exchange(turn_, nullptr)->store(0, std::memory_order_relaxed);
}

}  // namespace manta::runtime
