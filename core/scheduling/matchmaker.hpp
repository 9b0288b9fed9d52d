#pragma once
// Rank 0 introduces ranks that have nothing to do to ranks with one-CPU tasks that nobody has started. The hungry one
// then asks the supplier for work; rank 0 sees no task.
//
//   matchmaker.Backlog(Rank(0), true);   // on Backlog
//   matchmaker.Hungry(Rank(2));          // on Hungry
//   matchmaker.Decide();                 // {{Rank(2), Rank(0)}}: a WorkHint to rank 2
//
// Hungry ranks are served in the order in which they said so, suppliers take turns, and nobody is sent to itself. A
// hungry rank is introduced once: if it got nothing it says Hungry again. Without a supplier it stays hungry.

#include <optional>
#include <set>
#include <vector>

#include "core/base/ids.hpp"

namespace manta::scheduling {

struct Hint {
  Rank hungry;    // whom to send it to
  Rank supplier;
};

/// One thread at a time. Deterministic.
class Matchmaker {
 public:
  void Hungry(Rank rank);
  /// Whether `rank` has unstarted one-CPU tasks that may move. One that has is not hungry.
  void Backlog(Rank rank, bool has);
  std::vector<Hint> Decide();

 private:
  std::optional<Rank> NextSupplier(Rank hungry) const;

  std::vector<Rank> hungry_;  // by arrival, each once
  std::set<Rank> suppliers_;
  Rank last_supplier_;
};

}  // namespace manta::scheduling
