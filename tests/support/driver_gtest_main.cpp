// Runs GoogleTest as the driver of a Manta job: rank 0 runs the tests, the other ranks serve. After each test nothing may be
// left on any of them.

#include <gtest/gtest.h>

#include <manta/manta.hpp>

#include "tests/support/nothing_left.hpp"

namespace {

int Driver(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  test_support::ExpectNothingIsLeft();
  return RUN_ALL_TESTS();
}

}  // namespace

int main(int argc, char** argv) { return manta::Run(argc, argv, Driver); }
