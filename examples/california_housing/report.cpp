#include "report.hpp"

#include <cstdio>
#include <numeric>
#include <tuple>

namespace housing {
namespace {

std::string FormatFixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace

std::vector<int> ForestSizes(int models) {
  std::vector<int> sizes;
  for (int j = models - 1; j >= 0; --j) sizes.push_back(8 + 4 * j);
  return sizes;
}

std::string FormatScore(const ModelScore& score) {
  return "n_estimators=" + std::to_string(score.n_estimators) + ", mse=" + FormatFixed(score.mse, 4) +
         ", took: " + FormatFixed(score.seconds, 2) + " seconds";
}

Report::Report(std::ostream& out, std::ostream& bar_out, bool show_bar, std::span<const int> forest_sizes)
    : out_(out),
      bar_(bar_out, show_bar, static_cast<int>(forest_sizes.size()),
           std::accumulate(forest_sizes.begin(), forest_sizes.end(), 0)) {
  bar_.Draw();
}

void Report::Add(const ModelScore& score) {
  const auto rank = [](const ModelScore& s) { return std::tuple(s.mse, s.n_estimators); };
  if (!best_ || rank(score) < rank(*best_)) best_ = score;
  training_cpu_seconds_ += score.training_cpu_seconds;
  bar_.Clear();
  out_ << FormatScore(score) << std::endl;
  bar_.Advance(score.n_estimators);
  bar_.Draw();
}

void Report::Finish() {
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start_;
  bar_.Clear();
  out_ << "Best model: mse=" << FormatFixed(best_->mse, 4) << ", n_estimators=" << best_->n_estimators << '\n'
       << "wall time: " << FormatFixed(wall.count(), 2) << " seconds\n"
       << "CPU time in training: " << FormatFixed(training_cpu_seconds_, 2) << " seconds\n"
       << "ratio: " << FormatFixed(training_cpu_seconds_ / wall.count(), 3) << std::endl;
}

}  // namespace housing
