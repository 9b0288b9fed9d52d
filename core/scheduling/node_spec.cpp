#include "core/scheduling/node_spec.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>

namespace manta::scheduling {
namespace {

std::string Number(double value) {
  std::array<char, 32> text;  // the shortest form of any double fits
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return std::string(text.data(), end);
}

std::string Count(Amount amount, const char* unit) {
  const bool one = amount > Amount() && amount <= Amount::Whole(1);
  return Number(amount.value()) + " " + unit + (one ? "" : "s");
}

std::string Bytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits{"bytes", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + " " + kUnits[unit] + " of memory";
}

std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i)
    text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return parts.empty() ? "nothing" : text;
}

/// What a node could grant at most to requests like the one in question.
struct Total {
  Amount cpus, gpus;
  std::uint64_t memory_bytes = 0;
  std::map<std::string, Amount> custom;
};

Total TotalOf(const NodeSpec& node, std::optional<Rank> home) {
  Total total;
  for (const auto& [rank, slots] : node.slots) total.cpus += WholePart(slots);
  for (const DeviceSpec& device : node.gpus)
    if (!home || device.home == *home) total.gpus += Amount::Whole(1);
  total.memory_bytes = node.memory_bytes;
  total.custom = node.custom;
  return total;
}

Amount CustomOf(const Total& total, const std::string& name) {
  const auto found = total.custom.find(name);
  return found == total.custom.end() ? Amount() : found->second;
}

/// A share counts as the device it lies on.
Amount GpusNeeded(const wire::Shape& shape) { return Amount::Whole(WholeDevices(Amount::FromUnits(shape.gpus))); }

/// How many of the kinds asked for are there in the amount asked for.
int KindsMet(const Total& total, const wire::Shape& shape) {
  int met = (total.cpus.units() >= shape.cpus) + (total.gpus >= GpusNeeded(shape)) +
            (total.memory_bytes >= shape.memory_bytes);
  for (const auto& [name, units] : shape.custom) met += CustomOf(total, name).units() >= units;
  return met;
}

/// Of the kinds that were asked for.
std::string DescribeTotal(const Total& total, const wire::Shape& shape) {
  std::vector<std::string> parts;
  if (shape.gpus != 0) parts.push_back(Count(total.gpus, "GPU"));
  if (shape.cpus != 0) parts.push_back(Count(total.cpus, "CPU"));
  if (shape.memory_bytes != 0) parts.push_back(Bytes(total.memory_bytes));
  for (const auto& [name, units] : shape.custom)
    parts.push_back(Number(CustomOf(total, name).value()) + " of \"" + name + "\"");
  return Join(parts);
}

}  // namespace

std::string Describe(const wire::Shape& shape) {
  std::vector<std::string> parts;
  if (shape.gpus != 0) parts.push_back(Count(Amount::FromUnits(shape.gpus), "GPU"));
  if (shape.cpus != 0) parts.push_back(Count(Amount::FromUnits(shape.cpus), "CPU"));
  if (shape.memory_bytes != 0) parts.push_back(Bytes(shape.memory_bytes));
  for (const auto& [name, units] : shape.custom)
    if (units != 0) parts.push_back(Number(Amount::FromUnits(units).value()) + " of \"" + name + "\"");
  return Join(parts);
}

std::optional<std::string> WhyInfeasible(const std::vector<NodeSpec>& nodes, const wire::Shape& shape,
                                         std::optional<Rank> rank) {
  const int kinds = 3 + static_cast<int>(shape.custom.size());
  const std::string asked = "asked for " + Describe(shape);

  if (rank) {
    const std::string which = "rank " + std::to_string(rank->value);
    for (const NodeSpec& node : nodes) {
      if (std::find(node.ranks.begin(), node.ranks.end(), *rank) == node.ranks.end()) continue;
      const Total total = TotalOf(node, rank);
      if (KindsMet(total, shape) == kinds) return std::nullopt;
      const std::string gpus = shape.gpus != 0 ? " (counting the GPUs that are at home on it)" : "";
      return asked + " on " + which + "; its node has " + DescribeTotal(total, shape) + gpus;
    }
    return asked + " on " + which + "; there is no such rank";
  }

  for (const auto& [name, units] : shape.custom) {
    const bool somewhere = std::any_of(nodes.begin(), nodes.end(), [&name = name](const NodeSpec& node) {
      const auto found = node.custom.find(name);
      return found != node.custom.end() && !found->second.IsZero();
    });
    if (units != 0 && !somewhere) return asked + "; no node has any \"" + name + "\"";
  }

  // The largest node is the one that meets most of the kinds asked for, then the one with most of them.
  std::optional<Total> largest;
  const auto size = [&](const Total& total) {
    return std::tuple(KindsMet(total, shape), shape.gpus != 0 ? total.gpus : Amount(),
                      shape.cpus != 0 ? total.cpus : Amount(), shape.memory_bytes != 0 ? total.memory_bytes : 0);
  };
  for (const NodeSpec& node : nodes) {
    Total total = TotalOf(node, std::nullopt);
    if (KindsMet(total, shape) == kinds) return std::nullopt;
    if (!largest || size(total) > size(*largest)) largest = std::move(total);
  }
  return asked + "; the largest node has " + DescribeTotal(largest.value_or(Total()), shape);
}

}  // namespace manta::scheduling
