#include <manta/manta.hpp>

#include <utility>
#include <vector>

#include "training.hpp"

namespace housing {

void TrainAsTasks(TrainTestData data, std::span<const int> forest_sizes, Report& report) {
  // Each is stored once; the tasks get references, and read the vectors where they lie on their node.
  const auto train_features = manta::Put(std::move(data.train.features));
  const auto train_labels = manta::Put(std::move(data.train.labels));
  const auto test_features = manta::Put(std::move(data.test.features));
  const auto test_labels = manta::Put(std::move(data.test.labels));

  std::vector<manta::ObjectRef<ModelScore>> scores;
  for (const int n_estimators : forest_sizes) {
    scores.push_back(manta::Task(TrainAndScore)
                         .SetName("TrainAndScore")
                         .SetCpus(1)
                         .Remote(train_features, train_labels, test_features, test_labels, n_estimators));
  }
  for (const auto& [index, score] : manta::AsCompleted(scores)) report.Add(*manta::Get(score));
}

}  // namespace housing
