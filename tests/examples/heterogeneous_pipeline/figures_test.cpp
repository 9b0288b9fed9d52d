#include "figures.hpp"

#include <gtest/gtest.h>

namespace pipeline {
namespace {

Trace TwoGpus() {
  return {.name = "one",
          .whole = {100, 110},
          .batches = {{.batch = 0, .gpu = 0, .preprocess = {100, 101}, .train = {101, 104}, .checksum = 1.5},
                      {.batch = 1, .gpu = 1, .preprocess = {100, 102}, .train = {102, 105}, .checksum = 2.5},
                      {.batch = 2, .gpu = 0, .preprocess = {101, 102}, .train = {106, 109}, .checksum = 3.5}}};
}

TEST(Figures, CountFromTheFirstGpuStartToTheLastEnd) {
  const Figures figures = ComputeFigures(TwoGpus(), 2, 4);

  EXPECT_DOUBLE_EQ(figures.batches_per_second, 0.3);
  EXPECT_DOUBLE_EQ(figures.gpu_busy, 9.0 / (2 * 8));
  EXPECT_DOUBLE_EQ(figures.cpu_busy, 4.0 / (4 * 10));
}

TEST(Figures, CountAGpuThatNoBatchUsedAsIdle) {
  EXPECT_DOUBLE_EQ(ComputeFigures(TwoGpus(), 3, 4).gpu_busy, 9.0 / (3 * 8));
}

TEST(Figures, ArePrintedAsALine) {
  const Trace trace = TwoGpus();
  EXPECT_EQ(FormatFigures(trace, ComputeFigures(trace, 2, 4)),
            "0.3 batches/s, GPUs busy 56.2 %, CPUs preprocessing 10.0 %, 10.00 s");
}

TEST(FirstDifference, TakesBatchesInAnyOrder) {
  Trace other = TwoGpus();
  std::swap(other.batches[0], other.batches[2]);
  EXPECT_EQ(FirstDifference(TwoGpus(), other), "");
}

TEST(FirstDifference, NamesTheBatch) {
  Trace other = TwoGpus();
  other.name = "two";
  other.batches[1].checksum = 2.25;
  EXPECT_EQ(FirstDifference(TwoGpus(), other), "batch 1 has the checksum 2.5 in one and 2.25 in two");
  other.batches[1].batch = 0;
  EXPECT_EQ(FirstDifference(TwoGpus(), other), "two lacks batch 1");
  other.batches.pop_back();
  EXPECT_EQ(FirstDifference(TwoGpus(), other), "one has 3 batches, two 2");
}

}  // namespace
}  // namespace pipeline
