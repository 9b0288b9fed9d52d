#pragma once
// Amounts as the ledger computes with them: whole numbers of 1/10,000, custom resources by number instead of by name.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/amount.hpp"
#include "core/wire/messages.hpp"

namespace manta::scheduling {

/// Gives each name of a custom resource a number, from 0.
class ResourceNames {
 public:
  int NumberOf(const std::string& name) {
    const auto [found, is_new] = numbers_.try_emplace(name, static_cast<int>(names_.size()));
    if (is_new) names_.push_back(name);
    return found->second;
  }
  const std::string& NameOf(int number) const { return names_[static_cast<std::size_t>(number)]; }
  std::size_t size() const { return names_.size(); }

 private:
  std::unordered_map<std::string, int> numbers_;
  std::vector<std::string> names_;
};

struct Demand {
  std::int64_t cpus = 0, gpus = 0;  // in 1/10,000
  std::int64_t memory_bytes = 0;
  std::vector<std::pair<int, std::int64_t>> custom;  // by number; none is 0

  Demand() = default;
  Demand(const wire::Shape& shape, ResourceNames& names)
      : cpus(shape.cpus), gpus(shape.gpus), memory_bytes(static_cast<std::int64_t>(shape.memory_bytes)) {
    for (const auto& [name, units] : shape.custom)
      if (units != 0) custom.emplace_back(names.NumberOf(name), units);
  }
  /// A share of one device.
  bool IsShare() const { return gpus > 0 && gpus < Amount::kUnitsPerOne; }
  /// How many devices of which nothing is in use; 0 for a share.
  int WholeDevices() const {
    return IsShare() ? 0 : static_cast<int>((gpus + Amount::kUnitsPerOne - 1) / Amount::kUnitsPerOne);
  }
};

}  // namespace manta::scheduling
