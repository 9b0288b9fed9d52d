#include "training.hpp"

namespace housing {

void TrainSequentially(const TrainTestData& data, std::span<const int> forest_sizes, Report& report) {
  for (const int n_estimators : forest_sizes) {
    report.Add(
        TrainAndScore(data.train.features, data.train.labels, data.test.features, data.test.labels, n_estimators));
  }
}

}  // namespace housing
