#include "bench/scheduler_sim/mixes.hpp"

#include "core/base/amount.hpp"

namespace scheduler_sim {

using manta::Amount;

manta::wire::RequestClass ClassOf(const Kind& kind, std::uint64_t function) {
  manta::wire::RequestClass content;
  manta::wire::Choice& choice = content.choices.emplace_back();
  choice.shape.cpus = Amount::FromDouble(kind.cpus).units();
  choice.shape.gpus = Amount::FromDouble(kind.gpus).units();
  choice.function = function;
  return content;
}

const Mix& RateMix() {
  static const Mix mix{"rates",
                       {{.cpus = 1, .gpus = 0.25, .share = 0.30},
                        {.cpus = 2, .gpus = 0.5, .share = 0.20},
                        {.cpus = 1, .gpus = 0.6, .share = 0.10},
                        {.cpus = 4, .gpus = 1, .share = 0.15},
                        {.cpus = 8, .gpus = 2, .share = 0.04},
                        {.cpus = 32, .gpus = 8, .share = 0.01},
                        {.cpus = 0.5, .share = 0.10},
                        {.cpus = 4, .share = 0.10}}};
  return mix;
}

const std::vector<Mix>& GpuMixes() {
  static const std::vector<Mix> mixes{
      {"shares", {{.cpus = 1, .gpus = 0.25, .share = 0.5}, {.cpus = 1, .gpus = 0.5, .share = 0.3},
                  {.cpus = 2, .gpus = 1, .share = 0.2}}},
      {"whole", {{.cpus = 2, .gpus = 1, .share = 0.6}, {.cpus = 4, .gpus = 2, .share = 0.25},
                 {.cpus = 8, .gpus = 4, .share = 0.1}, {.cpus = 16, .gpus = 8, .share = 0.05}}},
      {"both", {{.cpus = 1, .gpus = 0.125, .share = 0.4}, {.cpus = 1, .gpus = 0.4, .share = 0.15},
                {.cpus = 1, .gpus = 0.6, .share = 0.15}, {.cpus = 2, .gpus = 1, .share = 0.25},
                {.cpus = 16, .gpus = 8, .share = 0.05}}},
  };
  return mixes;
}

Source::Source(const Mix& mix, std::uint64_t seed) : mix_(mix), random_(seed) {
  std::vector<double> shares;
  for (const Kind& kind : mix.kinds) shares.push_back(kind.share);
  kinds_ = std::discrete_distribution<int>(shares.begin(), shares.end());
}

Source::Task Source::Next() {
  Task task;
  task.kind = kinds_(random_);
  std::uniform_real_distribution<double> around(0.5, 1.5);
  task.duration_ns =
      static_cast<std::int64_t>(mix_.kinds[static_cast<std::size_t>(task.kind)].mean_seconds * around(random_) * 1e9);
  return task;
}

}  // namespace scheduler_sim
