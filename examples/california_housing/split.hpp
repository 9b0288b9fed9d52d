#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Which rows train and which test: the same rows that scikit-learn's train_test_split picks.

namespace housing {

struct Split {
  std::vector<std::size_t> train;
  std::vector<std::size_t> test;
};

/// numpy.random.RandomState(seed).permutation(n): MT19937 and numpy's legacy shuffle. n is below 2^32.
std::vector<std::size_t> LegacyPermutation(std::size_t n, std::uint32_t seed);

/// train_test_split(range(num_rows), test_size=test_fraction, random_state=seed): the test rows are the first
/// ceil(test_fraction * num_rows) of the permutation, the training rows follow. Throws std::invalid_argument when
/// either would be empty.
Split TrainTestSplit(std::size_t num_rows, double test_fraction, std::uint32_t seed);

}  // namespace housing
