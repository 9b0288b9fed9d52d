#pragma once
// What requests of one kind have in common, worked out once: amounts by number, and which nodes may ever grant them.

#include <cstdint>
#include <set>
#include <vector>

#include "core/scheduling/demand.hpp"
#include "core/scheduling/durations.hpp"
#include "core/wire/request_messages.hpp"

namespace manta::scheduling {

struct ClassChoice {
  Demand demand;
  wire::Shape shape;    // as it was asked for
  wire::Target target;
  DurationId duration = 0;
  /// Only `candidates` (positions, rising) may grant it; else all nodes.
  bool restricted = false;
  std::vector<int> candidates;
  std::vector<int> preferred;  // those of them that are to be tried first
  int running = 0;             // leases of this choice that are out,
  std::multiset<std::int64_t> started_ns;  // and since when; kept for classes with earliest_finish

  Rank home() const { return target.rank ? *target.rank : Rank(); }
  bool InGroup() const { return target.group != 0; }
};

using ClassId = std::int32_t;

struct RequestClass {
  ClassId id = -1;
  std::vector<ClassChoice> choices;
  bool earliest_finish = false;
  int priority = 0;

  bool InGroup() const { return choices.front().InGroup(); }
};

}  // namespace manta::scheduling
