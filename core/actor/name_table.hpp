#pragma once
// Rank 0's register of actors by name. Holds no actor alive: a name goes with its actor.

#include <map>
#include <optional>
#include <string>

#include "core/base/ids.hpp"

namespace manta::actor {

/// A plain state machine; the caller locks.
class NameTable {
 public:
  /// False when the name is taken.
  bool Register(const std::string& name, const ObjectId& actor) { return names_.emplace(name, actor).second; }
  std::optional<ObjectId> Find(const std::string& name) const {
    auto it = names_.find(name);
    if (it == names_.end()) return std::nullopt;
    return it->second;
  }
  /// Only if it still names this actor: a later one may have taken the name.
  void Drop(const std::string& name, const ObjectId& actor) {
    auto it = names_.find(name);
    if (it != names_.end() && it->second == actor) names_.erase(it);
  }

 private:
  std::map<std::string, ObjectId> names_;
};

}  // namespace manta::actor
