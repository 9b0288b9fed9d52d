// Runs GoogleTest as the driver of a Manta job: rank 0 runs the tests, the other ranks serve.

#include <gtest/gtest.h>

#include <manta/manta.hpp>

namespace {

int Driver(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

}  // namespace

int main(int argc, char** argv) { return manta::Run(argc, argv, Driver); }
