#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "stages.hpp"

namespace pipeline {
namespace {

// The result of the first stage. It stays in the object store of its node; the second stage reads it there.
struct Preprocessed {
  BatchRecord record;
  manta::Array<float> pixels;

  template <class Archive>
  void serialize(Archive& archive) {
    archive(record, pixels);
  }
};

Preprocessed PreprocessBatch(int batch, const Work& work) {
  Preprocessed result;
  result.pixels = manta::Array<float>(PreprocessHere(batch, work, result.record));
  return result;
}

struct Trained {
  int trainer = 0;
  BatchRecord record;
};

// The second stage: it holds its GPU, and what lies there (a model, say), as long as it lives.
class Trainer {
 public:
  Trainer(int number, const Work& work) : number_(number), work_(work) {}

  void Ready() {}

  Trained Train(const Preprocessed& batch) {
    Trained trained{.trainer = number_, .record = batch.record};
    TrainHere(batch.pixels.span(), work_, trained.record);
    return trained;
  }

 private:
  int number_;
  Work work_;
};

std::vector<manta::ActorHandle<Trainer>> StartTrainers(int gpus, const Work& work) {
  std::vector<manta::ActorHandle<Trainer>> trainers;
  // No CPU: it waits for its GPU nearly all the time, and the CPUs are for the first stage.
  for (int i = 0; i < gpus; ++i) trainers.push_back(manta::Actor<Trainer>().SetCpus(0).SetGpus(1).Remote(i, work));
  for (const auto& trainer : trainers) manta::Get(trainer.Task(&Trainer::Ready).Remote());
  return trainers;
}

}  // namespace

Trace RunTwoStages(int batches, const Work& work, int gpus, int ahead) {
  const auto trainers = StartTrainers(gpus, work);
  std::vector<int> batches_of(trainers.size());  // given to each and not done
  const std::size_t limit = static_cast<std::size_t>(gpus) * static_cast<std::size_t>(ahead);

  Trace trace{.name = "two stages", .whole = {.begin = Now()}};
  std::vector<manta::ObjectRef<Trained>> in_flight;
  for (int next = 0; next < batches || !in_flight.empty();) {
    if (next < batches && in_flight.size() < limit) {
      const auto least = std::ranges::min_element(batches_of) - batches_of.begin();
      ++batches_of[least];
      const auto preprocessed = manta::Task(PreprocessBatch).SetCpus(1).Remote(next++, work);
      // The call waits for the batch, not this loop; with it goes the last ref, so the batch is freed at its end.
      in_flight.push_back(trainers[least].Task(&Trainer::Train).Remote(preprocessed));
      continue;
    }
    auto [ready, unready] = manta::Wait(std::move(in_flight));
    const Trained trained = *manta::Get(ready.front());
    --batches_of[trained.trainer];
    trace.batches.push_back(trained.record);
    in_flight = std::move(unready);
  }
  trace.whole.end = Now();
  return trace;
}

}  // namespace pipeline
