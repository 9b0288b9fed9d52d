#pragma once
// How long tasks take, learned from those that ended: by function, by shape, and by whether they hold a device (StarPU
// calls this a history-based performance model: Augonnet et al. 2011).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "core/wire/messages.hpp"

namespace manta::scheduling {

/// 0: of nothing that is learned.
using DurationId = std::uint32_t;

struct Duration {
  std::uint32_t runs = 0;
  double mean_ns = 0;
  double deviation_ns = 0;  // mean of the distance to the mean
  double upper_ns = 0;      // few take longer: the longest of late, which fades
};

/// One thread at a time.
class Durations {
 public:
  /// The same for the same function and shape. `function` 0 is learned too, by the shape alone.
  DurationId IdOf(std::uint64_t function, const wire::Shape& shape) {
    const auto [found, is_new] =
        ids_.try_emplace(Key(function, shape.cpus, shape.gpus, shape.memory_bytes, shape.custom),
                         static_cast<DurationId>(known_.size()));
    if (is_new) known_.emplace_back();
    return found->second;
  }
  void Add(DurationId id, double ns) {
    Duration& of = known_[id];
    ++of.runs;
    // The mean of all at first, then of about the last 32.
    const double weight = 1.0 / std::min<std::uint32_t>(of.runs, 32);
    const double distance = ns - of.mean_ns;
    of.mean_ns += weight * distance;
    if (of.runs > 1) of.deviation_ns += weight * (std::abs(distance) - of.deviation_ns);
    of.upper_ns = std::max(ns, of.upper_ns + 0.05 * (of.mean_ns - of.upper_ns));
  }
  const Duration& Of(DurationId id) const { return known_[id]; }

 private:
  using Key = std::tuple<std::uint64_t, std::int64_t, std::int64_t, std::uint64_t,
                         std::vector<std::pair<std::string, std::int64_t>>>;
  std::map<Key, DurationId> ids_;
  std::vector<Duration> known_{1};
};

}  // namespace manta::scheduling
