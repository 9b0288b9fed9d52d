#pragma once

#include <span>

#include "features.hpp"
#include "report.hpp"

// The job itself, in the two ways it can be run. Both report every forest once, with the same mse.

namespace housing {

struct TrainTestData {
  Dataset train;
  Dataset test;
};

/// A plain loop in the calling thread. Nothing of Manta.
void TrainSequentially(const TrainTestData& data, std::span<const int> forest_sizes, Report& report);

/// A task a forest, on all ranks of the job; reports in order of completion. `data` moves into the object store.
void TrainAsTasks(TrainTestData data, std::span<const int> forest_sizes, Report& report);

}  // namespace housing
