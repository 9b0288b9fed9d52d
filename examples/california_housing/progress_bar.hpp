#pragma once

#include <chrono>
#include <ostream>

namespace housing {

/// A line that is redrawn in place: `[#########...........] 9/20 models, 31 s`. The bar fills by trees, as models
/// differ in size. Does nothing when not enabled. Not thread-safe.
class ProgressBar {
 public:
  ProgressBar(std::ostream& out, bool enabled, int num_models, int num_trees);
  ~ProgressBar() { Clear(); }

  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Counts a finished model of `trees` trees.
  void Advance(int trees);

  void Draw();

  /// Wipes the line, so that others can print there; Draw() brings it back.
  void Clear();

 private:
  std::ostream& out_;
  const bool enabled_;
  const int num_models_;
  const int num_trees_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  int models_done_ = 0;
  int trees_done_ = 0;
};

}  // namespace housing
