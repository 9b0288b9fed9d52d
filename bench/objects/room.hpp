#pragma once
// The rows of a store that is too small: what waiting for room costs, and what spilling costs beside the plain disk.

#include <cstddef>
#include <string>

#include "bench/support/harness.hpp"

namespace room {

struct Options {
  std::size_t room = 0;   // bytes that the store is taken to hold; where it holds more, the same is done without need
  std::string directory;  // where the rival's files lie: that of the job's spilled objects
  int blocks = 5;
};

/// `stream_10x_ratio` and `spill_ratio`. By the driver of two ranks of one node. What is wrong goes to `report`.
void Rows(const Options& options, bench::Report& report);

}  // namespace room
