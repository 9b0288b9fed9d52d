#pragma once
// What simulated jobs ask for.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "core/wire/request_messages.hpp"

namespace scheduler_sim {

struct Kind {
  double cpus = 0, gpus = 0;
  double share = 1;         // of the requests
  double mean_seconds = 1;  // of its tasks' durations, which lie evenly between half and one and a half times that
};

struct Mix {
  std::string name;
  std::vector<Kind> kinds;
};

manta::wire::RequestClass ClassOf(const Kind& kind, std::uint64_t function);

/// Fractions, whole devices and CPUs, for the rates.
const Mix& RateMix();
/// For the use of GPUs; CPUs are never short in them, and the requests of each could keep every GPU busy all the time
/// but for their integral amounts (see gpu_use.cpp).
const std::vector<Mix>& GpuMixes();

/// Requests of a mix, from a seed.
class Source {
 public:
  Source(const Mix& mix, std::uint64_t seed);
  struct Task {
    int kind = 0;
    std::int64_t duration_ns = 0;
  };
  Task Next();

 private:
  const Mix& mix_;
  std::mt19937_64 random_;
  std::discrete_distribution<int> kinds_;
};

}  // namespace scheduler_sim
