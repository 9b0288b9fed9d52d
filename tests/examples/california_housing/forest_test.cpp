#include "forest.hpp"

#include <dlib/random_forest.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <future>
#include <iostream>
#include <random>
#include <stdexcept>
#include <vector>

#include "features.hpp"

namespace housing {
namespace {

// Rows whose label is a known function of two features, with a little noise.
Dataset MakeRows(std::size_t num_rows, unsigned seed) {
  std::mt19937 generator(seed);
  const auto uniform = [&] { return static_cast<double>(generator()) / 4294967296.0; };
  Dataset data;
  for (std::size_t row = 0; row < num_rows; ++row) {
    for (std::size_t i = 0; i < kNumFeatures; ++i) data.features.push_back(uniform());
    const double* const x = &data.features[row * kNumFeatures];
    data.labels.push_back(2 * x[0] - x[5] + 0.01 * uniform());
  }
  return data;
}

class Forest : public testing::Test {
 protected:
  static void SetUpTestSuite() { TrainInCallingThread(); }

  ModelScore Train(int n_estimators) const {
    return TrainAndScore(train_.features, train_.labels, test_.features, test_.labels, n_estimators);
  }

  const Dataset train_ = MakeRows(400, 1);
  const Dataset test_ = MakeRows(100, 2);
};

TEST_F(Forest, LearnsTheFunctionBehindTheRows) {
  const ModelScore score = Train(20);

  EXPECT_EQ(score.n_estimators, 20);
  EXPECT_LT(score.mse, 0.02);  // the labels' variance is 0.42
  EXPECT_GT(score.mse, 0);
  EXPECT_GT(score.training_cpu_seconds, 0);
  EXPECT_GT(score.seconds, 0);
}

TEST_F(Forest, GivesTheSameMseEachTime) { EXPECT_EQ(Train(8).mse, Train(8).mse); }

TEST_F(Forest, GivesTheSameMseInConcurrentThreads) {
  const double alone = Train(8).mse;

  auto one = std::async(std::launch::async, [&] { return Train(8).mse; });
  auto two = std::async(std::launch::async, [&] { return Train(12).mse; });

  EXPECT_EQ(one.get(), alone);
  EXPECT_EQ(two.get(), Train(12).mse);
}

TEST_F(Forest, GrowsTheTreesOfDlibsOwnExtractor) {
  std::vector<dlib::matrix<double, 0, 1>> samples(train_.num_rows());
  for (std::size_t row = 0; row < samples.size(); ++row) {
    samples[row] = dlib::mat(&train_.features[row * kNumFeatures], static_cast<long>(kNumFeatures));
  }
  dlib::random_forest_regression_trainer<dlib::dense_feature_extractor> trainer;
  trainer.set_num_trees(5);
  trainer.set_min_samples_per_leaf(1);
  trainer.set_feature_subsampling_fraction(1.0);
  trainer.set_seed("201");
  const auto forest = trainer.train(samples, train_.labels);
  double squares = 0;
  for (std::size_t row = 0; row < test_.num_rows(); ++row) {
    const dlib::matrix<double, 0, 1> sample =
        dlib::mat(&test_.features[row * kNumFeatures], static_cast<long>(kNumFeatures));
    const double error = forest(sample) - test_.labels[row];
    squares += error * error;
  }

  EXPECT_EQ(Train(5).mse, squares / static_cast<double>(test_.num_rows()));
}

TEST_F(Forest, RefusesShapesThatDoNotFit) {
  const std::vector<double> short_labels(train_.labels.begin(), train_.labels.end() - 1);
  const std::vector<double> none;

  EXPECT_THROW(TrainAndScore(train_.features, short_labels, test_.features, test_.labels, 1), std::invalid_argument);
  EXPECT_THROW(TrainAndScore(train_.features, train_.labels, none, none, 1), std::invalid_argument);
  EXPECT_THROW(Train(0), std::invalid_argument);
}

// In a process of its own, as dlib reads the variable once.
TEST_F(Forest, RefusesToTrainInDlibsOwnThreads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");

  const auto train_with_pool = [this] {
    setenv("DLIB_NUM_THREADS", "2", 1);
    try {
      Train(1);
    } catch (const std::logic_error& error) {
      std::cerr << error.what() << '\n';
      std::_Exit(7);
    }
  };
  EXPECT_EXIT(train_with_pool(), testing::ExitedWithCode(7),
              "found dlib with a thread pool, wanted TrainInCallingThread\\(\\) first in main");
}

}  // namespace
}  // namespace housing
