#pragma once
// When nothing goes on: the decision that it is a hang, and the text that says who waits for whom. Plain data in, a
// decision or text out; hang_watch.hpp asks the ranks.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/base/ids.hpp"
#include "core/wire/hang_messages.hpp"

namespace manta::runtime {

/// All ranks together, at about one time.
struct HangTotals {
  std::uint64_t progress = 0;  // grows with each thing that is done
  std::uint64_t computing = 0; // tasks and calls that run and wait for nothing
  std::uint64_t endless = 0;   // waits without a time limit
  std::uint64_t timed = 0;     // waits with one
  bool driver_waits = false;   // without a time limit
  /// Somebody may still begin something by himself: then only a circle is a hang.
  bool SomebodyMayAct() const { return timed > 0 || !driver_waits; }
};
HangTotals SumOf(const std::vector<wire::HangReply>& replies);

/// Says when for `seconds` nothing has moved, nothing computed, and something waited.
class HangClock {
 public:
  explicit HangClock(double seconds) : limit_ns_(static_cast<std::int64_t>(seconds * 1e9)) {}
  /// Whether it is time to look into it.
  bool Observe(std::int64_t now_ns, const HangTotals& totals);
  /// It was no hang, or not one that is sure: the time begins anew.
  void Restart(std::int64_t now_ns) { since_ns_ = now_ns; }
  /// It was said: not again before something has moved.
  void Said() { said_ = true; }

 private:
  const std::int64_t limit_ns_;
  std::int64_t since_ns_ = -1;
  std::uint64_t progress_ = 0;
  bool said_ = false;
};

/// What the ranks told about it. A task that two ranks know of (its owner and its runner) is there twice.
struct HangFacts {
  double seconds = 0;
  std::vector<std::pair<Rank, wire::HangWait>> waits;
  std::uint64_t more_waits = 0;
  std::vector<std::pair<Rank, wire::HangTask>> tasks;
  std::vector<wire::HangHolder> holders;
  std::vector<std::string> resources;  // for people: which requests wait, who holds what, what is free
};
/// The tasks and calls that stand behind `facts` and that nobody has told about yet: to be asked for next.
std::vector<ObjectId> NotYetTold(const HangFacts& facts);

struct HangText {
  std::vector<std::string> lines;
  bool circle = false;  // some wait for each other: it can't end by itself
};
HangText DescribeHang(const HangFacts& facts);

}  // namespace manta::runtime
