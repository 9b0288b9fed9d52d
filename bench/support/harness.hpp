#pragma once
// How the benchmarks measure: in many short blocks, of which the median is the figure, since the machine may switch
// between a fast and a slow state. Two rivals take turns block by block, and their ratio is the median of the pairs'.
//
//   bench::Report report(bars);
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
  const auto place = static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + place, values.end());
  return values[static_cast<std::size_t>(place)];
}
inline double Median(std::vector<double> values) { return Quantile(std::move(values), 0.5); }

/// Seconds of one call of `body`, averaged over as many as fit into `block_seconds`. The clock is read once in `stride`
/// calls, so that reading it does not count where a call is about as short.
template <class Body>
double SecondsEach(double block_seconds, Body body, int stride = 1) {
  const double start = Now();
  std::size_t calls = 0;
  double spent = 0;
  do {
    for (int i = 0; i < stride; ++i) body();
    calls += static_cast<std::size_t>(stride);
    spent = Now() - start;
  } while (spent < block_seconds);
  return spent / static_cast<double>(calls);
}

/// On a machine that others load, blocks may take many times longer. Who has three stops after so long.
class Patience {
 public:
  bool Over(int blocks_done) const { return blocks_done >= 3 && Now() - start_ > 10; }

 private:
  double start_ = Now();
};

/// What `block` returns, each of `blocks` times, after one that does not count.
template <class Block>
std::vector<double> Repeat(int blocks, Block block) {
  block();
  std::vector<double> values;
  const Patience patience;
  for (int i = 0; i < blocks && !patience.Over(i); ++i) values.push_back(block());
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
  const Patience patience;
  for (int i = 0; i < blocks && !patience.Over(i); ++i) {
    pairs.first.push_back(first());
    pairs.second.push_back(second());
  }
  return pairs;
}

/// The same where a block of `first` is long (a tenth of a second or more): `second` is taken before and after it, and
/// their mean is its rival.
template <class First, class Second>
Pairs Bracket(int blocks, First first, Second second) {
  first();
  second();
  Pairs pairs;
  double before = second();
  const Patience patience;
  for (int i = 0; i < blocks && !patience.Over(i); ++i) {
    pairs.first.push_back(first());
    const double after = second();
    pairs.second.push_back((before + after) / 2);
    before = after;
  }
  return pairs;
}

/// What is asked of a row.
struct Bar {
  std::string name;
  bool less;  // whether less is better
  double least, aim;
};

/// Prints a row a metric, `name value unit`; before it a comment line with the spread and with what is asked.
class Report {
 public:
  explicit Report(std::vector<Bar> bars = {}) : bars_(std::move(bars)) {}

  /// The median of `blocks` and their spread. `unmet` says why the row fails whatever its figure is; empty: it does
  /// not.
  void Add(const std::string& name, const std::vector<double>& blocks, const std::string& unit,
           const std::string& unmet = {}) const {
    const double value = Median(blocks);
    std::printf("# %s: min %.4g, quartiles %.4g and %.4g, max %.4g of %zu blocks", name.c_str(), Quantile(blocks, 0),
                Quantile(blocks, 0.25), Quantile(blocks, 0.75), Quantile(blocks, 1), blocks.size());
    for (const Bar& bar : bars_) {
      if (bar.name != name) continue;
      PrintBar("at least", bar, bar.least, value, unmet.empty());
      PrintBar("aim", bar, bar.aim, value, unmet.empty());
    }
    if (!unmet.empty()) std::printf(" (%s)", unmet.c_str());
    std::printf(value >= 1000 ? "\n%s %.0f %s\n" : "\n%s %.3f %s\n", name.c_str(), value, unit.c_str());
    std::fflush(stdout);
  }
  void Add(const std::string& name, double value, const std::string& unit, const std::string& unmet = {}) const {
    Add(name, std::vector<double>{value}, unit, unmet);
  }

  /// Something is not as it must be: a value, a rank, an order. The program fails in the end.
  void Wrong(const std::string& what) {
    std::printf("# WRONG %s\n", what.c_str());
    std::fflush(stdout);
    ++wrong_;
  }
  int wrong() const { return wrong_; }

 private:
  static void PrintBar(const char* kind, const Bar& bar, double limit, double value, bool may_be_met) {
    const bool met = may_be_met && (bar.less ? value <= limit : value >= limit);
    std::printf("; %s %s %.6g: %s", kind, bar.less ? "<=" : ">=", limit, met ? "met" : "MISSED");
  }

  std::vector<Bar> bars_;
  int wrong_ = 0;
};

}  // namespace bench
