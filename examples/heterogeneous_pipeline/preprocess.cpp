#include "preprocess.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <ctime>

namespace pipeline {
namespace {

constexpr std::size_t kImage = kPlanes * kSide * kSide;

void Decode(std::uint64_t seed, std::span<float> image) {
  std::uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (float& pixel : image) {  // xorshift64
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    pixel = static_cast<float>(state >> 56);
  }
}

// Each pixel becomes the mean of itself and its four neighbours; those outside are the nearest inside.
void Smooth(std::span<const float> from, std::span<float> to) {
  for (std::size_t y = 0; y < kSide; ++y) {
    const float* const row = from.data() + y * kSide;
    const float* const above = y == 0 ? row : row - kSide;
    const float* const below = y + 1 == kSide ? row : row + kSide;
    float* const out = to.data() + y * kSide;
    const auto mean = [&](std::size_t x, std::size_t left, std::size_t right) {
      out[x] = 0.2f * (row[x] + row[left] + row[right] + above[x] + below[x]);
    };
    mean(0, 0, 1);
    for (std::size_t x = 1; x + 1 < kSide; ++x) mean(x, x - 1, x + 1);
    mean(kSide - 1, kSide - 2, kSide - 1);
  }
}

void Normalize(std::span<float> image) {
  double sum = 0, squares = 0;
  for (const float pixel : image) {
    sum += pixel;
    squares += static_cast<double>(pixel) * pixel;
  }
  const double mean = sum / kImage;
  const double deviation = std::sqrt(std::max(squares / kImage - mean * mean, 1e-12));
  for (float& pixel : image) pixel = static_cast<float>((pixel - mean) / deviation);
}

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

Pixels Preprocess(int batch, int passes) {
  constexpr std::size_t kPlane = kSide * kSide;
  Pixels pixels(kImages * kImage);
  std::vector<float> other(kPlane);
  for (std::size_t i = 0; i < kImages; ++i) {
    const std::span<float> image = std::span(pixels).subspan(i * kImage, kImage);
    Decode(static_cast<std::uint64_t>(batch) * kImages + i + 1, image);
    for (std::size_t p = 0; p < kPlanes; ++p) {
      const std::span<float> plane = image.subspan(p * kPlane, kPlane);
      for (int pass = 0; pass < passes; ++pass) {
        if (pass % 2 == 0)
          Smooth(plane, other);
        else
          Smooth(other, plane);
      }
      if (passes % 2 != 0) std::ranges::copy(other, plane.begin());
    }
    Normalize(image);
  }
  return pixels;
}

int PassesFor(double milliseconds) {
  // Longer and longer, until it took long enough to be measured.
  for (int passes = 8;; passes *= 2) {
    const double begin = ThreadSeconds();
    Preprocess(0, 0);
    const double after_none = ThreadSeconds();
    Preprocess(0, passes);
    const double after_passes = ThreadSeconds();
    const double none = after_none - begin;
    const double each = (after_passes - after_none - none) / passes;
    if (after_passes - begin < 0.02 || each <= 0) continue;
    return std::max(1, static_cast<int>(std::lround((milliseconds / 1000 - none) / each)));
  }
}

double Checksum(std::span<const float> pixels) {
  // Four sums, so that an addition need not wait for the last one.
  double sums[4] = {};
  for (std::size_t i = 0; i + 4 <= pixels.size(); i += 4)
    for (std::size_t k = 0; k < 4; ++k)
      sums[k] += static_cast<double>(pixels[i + k]) * static_cast<double>(i % 1021 + k);
  return sums[0] + sums[1] + sums[2] + sums[3];
}

}  // namespace pipeline
