#include "split.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

namespace housing {
namespace {

// numpy's random_interval: uniform on [0, max]; draws masked to the bits of max, those above it thrown away.
std::uint32_t UniformUpTo(std::uint32_t max, std::mt19937& generator) {
  const std::uint32_t mask = std::numeric_limits<std::uint32_t>::max() >> std::countl_zero(max);
  std::uint32_t value = 0;
  do {
    value = static_cast<std::uint32_t>(generator()) & mask;
  } while (value > max);
  return value;
}

}  // namespace

std::vector<std::size_t> LegacyPermutation(std::size_t n, std::uint32_t seed) {
  if (n > std::numeric_limits<std::uint32_t>::max()) throw std::invalid_argument("found 2^32 rows or more to shuffle");
  // RandomState(int) seeds by init_genrand, which is also what the C++ standard gives std::mt19937.
  std::mt19937 generator(seed);
  std::vector<std::size_t> permutation(n);
  std::iota(permutation.begin(), permutation.end(), std::size_t{0});
  // Fisher and Yates from the back, as RandomState.shuffle. std::shuffle is not specified to the draw.
  for (std::size_t i = n; i-- > 1;) {
    std::swap(permutation[i], permutation[UniformUpTo(static_cast<std::uint32_t>(i), generator)]);
  }
  return permutation;
}

Split TrainTestSplit(std::size_t num_rows, double test_fraction, std::uint32_t seed) {
  const double num_test = std::ceil(test_fraction * static_cast<double>(num_rows));
  if (!(num_test >= 1 && num_test < static_cast<double>(num_rows))) {
    throw std::invalid_argument("found " + std::to_string(num_rows) + " rows and a test fraction of " +
                                std::to_string(test_fraction) + ", wanted at least one row on each side");
  }
  const std::vector<std::size_t> permutation = LegacyPermutation(num_rows, seed);
  const auto middle = permutation.begin() + static_cast<std::ptrdiff_t>(num_test);
  return {.train = {middle, permutation.end()}, .test = {permutation.begin(), middle}};
}

}  // namespace housing
