#pragma once

#include <cstddef>
#include <span>
#include <vector>

// The computing of the example: what CPUs do to a batch, and what is read of it at the GPU.

namespace pipeline {

/// A batch: kImages pictures of three planes of kSide x kSide floats, 384 KiB in all.
inline constexpr std::size_t kImages = 8, kPlanes = 3, kSide = 64;
using Pixels = std::vector<float>;

/// Makes the pictures of a batch (which a real program would read from disk), smooths each `passes` times and
/// normalizes each to mean 0 and deviation 1. The same numbers at every call with the same arguments. Any thread.
Pixels Preprocess(int batch, int passes);

/// How many passes take about `milliseconds` of this thread's time; at least one. Computes for about 50 ms.
int PassesFor(double milliseconds);

/// What a batch is checked by: a sum of all pixels, each with a weight of its own.
double Checksum(std::span<const float> pixels);

}  // namespace pipeline
