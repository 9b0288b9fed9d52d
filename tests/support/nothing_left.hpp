#pragma once
// After each test of a job: nothing is left on any rank, no record of an object, no pin, no byte of a store in use.

#include <gtest/gtest.h>

namespace test_support {

/// To be called by the driver before RUN_ALL_TESTS. A test fails that leaves something behind. Where one has to, it says
/// why, and what, by MayLeave.
void ExpectNothingIsLeft();

/// By a test: what is there at its end is its own doing, and stays until the session ends.
void MayLeave(const char* why);

}  // namespace test_support
