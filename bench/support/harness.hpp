#pragma once
// How the benchmarks measure: in many short blocks, of which the median is the figure, since the machine may switch
// between a fast and a slow state. Two rivals take turns block by block, and their ratio is the median of the pairs'.
//
//   bench::Report report;
//   report.Add("task_sync_us", bench::Repeat(100, [] { return SecondsPerTask() * 1e6; }), "us");

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace bench {

inline double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The value below which `part` (0 to 1) of the values lie. Not empty.
inline double Quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1) + 0.5)];
}
inline double Median(std::vector<double> values) { return Quantile(std::move(values), 0.5); }

/// Seconds of one call of `body`, averaged over as many as fit into `block_seconds`, at least one.
template <class Body>
double SecondsEach(double block_seconds, Body body) {
  const double start = Now();
  std::size_t calls = 0;
  double spent = 0;
  do {
    body();
    ++calls;
    spent = Now() - start;
  } while (spent < block_seconds);
  return spent / static_cast<double>(calls);
}

/// What `block` returns, each of `blocks` times, after one that does not count.
template <class Block>
std::vector<double> Repeat(int blocks, Block block) {
  block();
  std::vector<double> values;
  for (int i = 0; i < blocks; ++i) values.push_back(block());
  return values;
}

/// Two rivals' figures, taken in turns.
struct Pairs {
  std::vector<double> first, second;
  std::vector<double> Ratios() const {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < first.size(); ++i) ratios.push_back(first[i] / second[i]);
    return ratios;
  }
};
template <class First, class Second>
Pairs Alternate(int blocks, First first, Second second) {
  first();
  second();
  Pairs pairs;
  for (int i = 0; i < blocks; ++i) {
    pairs.first.push_back(first());
    pairs.second.push_back(second());
  }
  return pairs;
}

/// Prints a row a metric, `name value unit`, and its spread in a comment line before it.
class Report {
 public:
  void Add(const std::string& name, const std::vector<double>& blocks, const std::string& unit) const {
    std::printf("# %s: min %.4g, quartiles %.4g and %.4g, max %.4g of %zu blocks\n", name.c_str(), Quantile(blocks, 0),
                Quantile(blocks, 0.25), Quantile(blocks, 0.75), Quantile(blocks, 1), blocks.size());
    const double value = Median(blocks);
    std::printf(value >= 1000 ? "%s %.0f %s\n" : "%s %.3f %s\n", name.c_str(), value, unit.c_str());
    std::fflush(stdout);
  }
};

}  // namespace bench
