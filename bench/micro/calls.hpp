#pragma once
// The two shapes in which calls are timed: one at a time, and many submitted before the first is waited for.

#include <manta/manta.hpp>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "bench/micro/micro.hpp"
#include "bench/support/plain_mpi.hpp"
#include "bench/support/harness.hpp"

namespace micro {

constexpr int kSyncStride = 16;  // calls for each look at the clock
constexpr int kSyncTrips = 2000;
constexpr int kAsyncRounds = 100;  // 1 to 3 ms
constexpr int kAsyncFloors = 7;

using Refs = std::vector<manta::ObjectRef<void>>;

/// Seconds from the first submit to the last result, and seconds that giving up the refs took after that.
struct AsyncTimes {
  double submit = 0, got = 0, dropped = 0;
};
template <class Submit>
AsyncTimes TimeAsync(std::size_t count, Refs& refs, Submit submit) {
  refs.clear();
  refs.reserve(count);
  AsyncTimes times;
  const double start = bench::Now();
  for (std::size_t i = 0; i < count; ++i) refs.push_back(submit());
  times.submit = bench::Now() - start;
  manta::Get(refs);
  times.got = bench::Now() - start;
  refs.clear();
  times.dropped = bench::Now() - start - times.got;
  return times;
}

/// Plain MPI beside a long block: the median of some short ones, so that a moment in which a process had to give its
/// core away does not make the floor low.
inline double PipelinedFloor() {
  std::vector<double> floors;
  for (int i = 0; i < kAsyncFloors; ++i) floors.push_back(plain_mpi::PipelinedPerSecond(kAsyncRounds));
  return bench::Median(floors);
}

/// Rows <name>_us and <name>_ratio of calls one at a time, and the floor beside them.
template <class Call>
void AddSync(Micro& micro, const std::string& name, Call call) {
  const auto block = [&] { return 1e6 * bench::SecondsEach(kBlock, call, kSyncStride); };
  const auto pairs =
      bench::Alternate(micro.settings.pairs, block, [] { return plain_mpi::PingPongMicroseconds(kSyncTrips); });
  micro.report.Add("mpi_pingpong_64B_us", pairs.second, "us");
  micro.report.Add(name + "_us", pairs.first, "us");
  micro.report.Add(name + "_ratio", pairs.Ratios(), "times");
}

/// Rows <name>_per_s and <name>_ratio of `count` calls at once, and the floor beside them.
template <class Submit>
void AddAsync(Micro& micro, const std::string& name, std::size_t count, Submit submit) {
  Refs refs;
  std::vector<double> submit_ns, drop_ns;
  const auto block = [&] {
    const AsyncTimes times = TimeAsync(count, refs, submit);
    submit_ns.push_back(1e9 * times.submit / static_cast<double>(count));
    drop_ns.push_back(1e9 * times.dropped / static_cast<double>(count));
    return static_cast<double>(count) / times.got;
  };
  const auto pairs = bench::Bracket(micro.settings.long_pairs, block, PipelinedFloor);
  std::printf(
      "# %s: %zu calls a block; submitting one took %.0f ns, giving up its ref afterwards %.0f ns (not counted)\n",
      name.c_str(), count, bench::Median(submit_ns), bench::Median(drop_ns));
  micro.report.Add("mpi_pipelined_per_s", pairs.second, "1/s");
  micro.report.Add(name + "_per_s", pairs.first, "1/s");
  micro.report.Add(name + "_ratio", pairs.Ratios(), "times");
}

/// Strings of 0 to 200 random bytes, the same in every run.
class RandomTexts {
 public:
  RandomTexts() {
    std::mt19937 random(7);
    for (auto& text : texts_) {
      text.resize(random() % 201);
      for (char& c : text) c = static_cast<char>(random());
    }
  }
  const std::string& Next() { return texts_[next_++ % texts_.size()]; }

 private:
  std::vector<std::string> texts_ = std::vector<std::string>(1024);
  std::size_t next_ = 0;
};

}  // namespace micro
