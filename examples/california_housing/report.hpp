#pragma once

#include <chrono>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "forest.hpp"
#include "progress_bar.hpp"

// What is trained, and what is said about it: the same for both ways of running.

namespace housing {

/// The sizes of `models` forests, 8 + 4 j trees each, longest first, so that the last to finish are short.
std::vector<int> ForestSizes(int models);

/// `n_estimators=8, mse=0.2812, took: 1.23 seconds`
std::string FormatScore(const ModelScore& score);

/// Prints a line a model as they come in, then the best and what it all cost. The wall time counts from the
/// construction to Finish().
class Report {
 public:
  /// Lines go to `out`, a progress bar to `bar_out` if `show_bar`.
  Report(std::ostream& out, std::ostream& bar_out, bool show_bar, std::span<const int> forest_sizes);

  void Add(const ModelScore& score);

  /// Prints the summary. At least one model was added.
  void Finish();

  /// The lowest mse so far; of equals the smallest forest, so that the order of completion does not matter.
  const std::optional<ModelScore>& best() const { return best_; }

 private:
  std::ostream& out_;
  ProgressBar bar_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::optional<ModelScore> best_;
  double training_cpu_seconds_ = 0;
};

}  // namespace housing
