#include "preprocess.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <span>

namespace pipeline {
namespace {

constexpr std::size_t kImage = kPlanes * kSide * kSide;

// Mean of the squared differences of neighbours in a row.
double Roughness(std::span<const float> image) {
  double sum = 0;
  for (std::size_t i = 0; i + 1 < image.size(); ++i) sum += std::pow(image[i + 1] - image[i], 2);
  return sum / static_cast<double>(image.size());
}

TEST(Preprocess, GivesTheSameNumbersAgain) {
  EXPECT_EQ(Preprocess(5, 3), Preprocess(5, 3));
  EXPECT_NE(Preprocess(5, 3), Preprocess(6, 3));
  EXPECT_NE(Preprocess(5, 3), Preprocess(5, 4));
}

TEST(Preprocess, NormalizesEachImage) {
  for (const int passes : {0, 1, 100}) {
    const Pixels pixels = Preprocess(1, passes);
    ASSERT_EQ(pixels.size(), kImages * kImage);
    for (std::size_t i = 0; i < kImages; ++i) {
      double sum = 0, squares = 0;
      for (const float pixel : std::span(pixels).subspan(i * kImage, kImage)) {
        sum += pixel;
        squares += pixel * pixel;
      }
      EXPECT_NEAR(sum / kImage, 0, 1e-3);
      EXPECT_NEAR(squares / kImage, 1, 1e-3);
    }
  }
}

TEST(Preprocess, SmoothsMoreWithEachPass) {
  double last = 1e9;
  for (const int passes : {0, 1, 2, 5, 20}) {
    const double roughness = Roughness(Preprocess(0, passes));
    EXPECT_LT(roughness, last) << passes;
    last = roughness;
  }
}

TEST(Checksum, TellsBatchesAndPlacesApart) {
  const Pixels pixels = Preprocess(1, 1);
  Pixels swapped = pixels;
  std::swap(swapped[0], swapped[1]);

  EXPECT_EQ(Checksum(pixels), Checksum(Preprocess(1, 1)));
  EXPECT_NE(Checksum(pixels), Checksum(Preprocess(2, 1)));
  EXPECT_NE(Checksum(pixels), Checksum(swapped));
}

TEST(PassesFor, GrowWithTheTime) {
  EXPECT_GE(PassesFor(0.1), 1);
  EXPECT_GT(PassesFor(1000), PassesFor(1));  // a thousand times: no noise makes them equal
}

}  // namespace
}  // namespace pipeline
