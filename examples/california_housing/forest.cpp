#include "forest.hpp"

#include <dlib/random_forest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "features.hpp"

namespace housing {
namespace {

constexpr const char* kSeed = "201";

// dlib's feature extractor for rows that lie in a flat table: a sample is a pointer to its first feature, so nothing
// is copied. Draws features as dlib's dense_feature_extractor does, and hence grows the same trees.
class RowExtractor {
 public:
  using feature = std::uint32_t;
  using sample_type = const double*;

  void setup(const std::vector<sample_type>&, const std::vector<double>&) {}

  void get_random_features(dlib::rand& random, std::size_t num, std::vector<feature>& features) const {
    features.resize(kNumFeatures);
    std::iota(features.begin(), features.end(), feature{0});
    num = std::min(num, kNumFeatures);
    for (std::size_t i = 0; i < num; ++i) {
      std::swap(features[i], features[static_cast<std::size_t>(random.get_integer_in_range(
                                 static_cast<long long>(i), static_cast<long long>(kNumFeatures)))]);
    }
    features.resize(num);
  }

  double extract_feature_value(sample_type sample, feature index) const { return sample[index]; }

  std::size_t max_num_feats() const { return kNumFeatures; }
};

void CheckShapes(std::span<const double> features, std::span<const double> labels, const char* which) {
  if (!labels.empty() && features.size() == labels.size() * kNumFeatures) return;
  throw std::invalid_argument(std::string(which) + ": found " + std::to_string(features.size()) +
                              " feature values and " + std::to_string(labels.size()) + " labels, wanted " +
                              std::to_string(kNumFeatures) + " values a label and at least one label");
}

std::vector<const double*> Rows(std::span<const double> features) {
  std::vector<const double*> rows;
  rows.reserve(features.size() / kNumFeatures);
  for (std::size_t i = 0; i < features.size(); i += kNumFeatures) rows.push_back(&features[i]);
  return rows;
}

double ThreadCpuSeconds() {
  std::timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

void TrainInCallingThread() { setenv("DLIB_NUM_THREADS", "0", 1); }

ModelScore TrainAndScore(std::span<const double> train_features, std::span<const double> train_labels,
                         std::span<const double> test_features, std::span<const double> test_labels, int n_estimators) {
  const auto start = std::chrono::steady_clock::now();
  CheckShapes(train_features, train_labels, "training rows");
  CheckShapes(test_features, test_labels, "test rows");
  if (n_estimators < 1) {
    throw std::invalid_argument("found n_estimators " + std::to_string(n_estimators) + ", wanted 1 or more");
  }
  if (dlib::default_thread_pool().num_threads_in_pool() != 0) {
    throw std::logic_error("found dlib with a thread pool, wanted TrainInCallingThread() first in main");
  }

  dlib::random_forest_regression_trainer<RowExtractor> trainer;
  trainer.set_num_trees(static_cast<std::size_t>(n_estimators));
  trainer.set_min_samples_per_leaf(1);
  trainer.set_feature_subsampling_fraction(1.0);
  trainer.set_seed(kSeed);

  const double cpu_start = ThreadCpuSeconds();
  const auto forest = trainer.train(Rows(train_features), {train_labels.begin(), train_labels.end()});
  const double training_cpu_seconds = ThreadCpuSeconds() - cpu_start;

  double squares = 0;
  for (std::size_t i = 0; i < test_labels.size(); ++i) {
    const double error = forest(&test_features[i * kNumFeatures]) - test_labels[i];
    squares += error * error;
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return {.n_estimators = n_estimators,
          .mse = squares / static_cast<double>(test_labels.size()),
          .seconds = elapsed.count(),
          .training_cpu_seconds = training_cpu_seconds};
}

}  // namespace housing
