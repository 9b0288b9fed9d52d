#pragma once
// What is asked of rank 0's ledger: leases and placement groups, and its answers (docs/protocol.md, "Leases").

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/wire/messages.hpp"

namespace manta::wire {

enum class LabelOp : std::uint8_t { kIn, kNotIn, kExists, kDoesNotExist };
/// On one label of a node. A node without the label meets kNotIn and kDoesNotExist.
struct LabelRule {
  std::string key;
  LabelOp op = LabelOp::kExists;
  std::vector<std::string> values;  // of kIn and kNotIn
  template <class V>
  void Fields(V& v) { v(key); v(op); v(values); }
};

enum class Strategy : std::uint8_t { kDefault, kSpread };

/// Where a request may run: all that is given holds.
struct Target {
  std::optional<Rank> rank;
  Strategy strategy = Strategy::kDefault;
  NodeId node;                       // affinity; not valid: any
  std::uint8_t soft = 0;             // elsewhere when that node is gone or could never grant it
  std::vector<LabelRule> labels;     // a node must meet these,
  std::vector<LabelRule> preferred;  // and one that meets these too comes first
  std::uint64_t group = 0;           // a placement group's id; 0: none
  std::int32_t bundle = -1;          // of the group; below 0: any
  template <class V>
  void Fields(V& v) { v(rank); v(strategy); v(node); v(soft); v(labels); v(preferred); v(group); v(bundle); }
};

/// One way to meet a request.
struct Choice {
  Shape shape;
  Target target;
  std::uint64_t function = 0;  // whose durations are learned together; 0: none
  template <class V>
  void Fields(V& v) { v(shape); v(target); v(function); }
};

/// What all requests of one builder have in common.
struct RequestClass {
  std::vector<Choice> choices;        // at least one, in order of preference
  std::uint8_t earliest_finish = 0;   // not in order: the one expected to end first
  std::int32_t priority = 0;          // higher goes first
  template <class V>
  void Fields(V& v) { v(choices); v(earliest_finish); v(priority); }
};

/// As in Ray: kPack on as few nodes as possible, kSpread over as many as possible; the strict ones on one node, or on
/// a node for each bundle, or not at all.
enum class GroupStrategy : std::uint8_t { kPack, kSpread, kStrictPack, kStrictSpread };

/// Where some of a task's arguments lie.
struct NodeBytes {
  NodeId node;
  std::uint64_t bytes = 0;
};

}  // namespace manta::wire
