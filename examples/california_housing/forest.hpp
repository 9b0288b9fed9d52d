#pragma once

#include <span>

// Trains one random forest and scores it. All of dlib is behind this header.

namespace housing {

/// How one forest did, and what it cost.
struct ModelScore {
  int n_estimators = 0;
  double mse = 0;                   // mean squared error on the test rows, (100,000 USD)^2
  double seconds = 0;               // wall time of training and scoring
  double training_cpu_seconds = 0;  // CPU time of the calling thread in training alone

  template <class Archive>
  void serialize(Archive& archive) {
    archive(n_estimators, mse, seconds, training_cpu_seconds);
  }
};

/// Makes dlib train in the thread that asks, not in a pool of its own, where concurrent callers would queue up behind
/// each other. Call it first in main, before any thread starts: it sets an environment variable that dlib reads once.
void TrainInCallingThread();

/// Trains a forest of `n_estimators` fully grown trees, each on a bootstrap sample with all features at every split,
/// and scores it on the test rows. Features are [rows, kNumFeatures] row-major, labels [rows]; they are read in place.
/// The result depends on the arguments alone (seed 201), not on where or beside what it runs. Thread-safe.
/// About 0.1 s a tree for 16,512 rows. Throws std::invalid_argument when the shapes do not fit, and
/// std::logic_error when TrainInCallingThread() did not come first.
ModelScore TrainAndScore(std::span<const double> train_features, std::span<const double> train_labels,
                         std::span<const double> test_features, std::span<const double> test_labels, int n_estimators);

}  // namespace housing
