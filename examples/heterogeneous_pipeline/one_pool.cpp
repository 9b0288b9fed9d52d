#include <vector>

#include "stages.hpp"

namespace pipeline {
namespace {

BatchRecord PreprocessAndTrain(int batch, const Work& work) {
  BatchRecord record;
  const Pixels pixels = PreprocessHere(batch, work, record);
  TrainHere(pixels, work, record);
  return record;
}

}  // namespace

Trace RunOnePool(int batches, const Work& work) {
  Trace trace{.name = "one pool", .held_throughout = true, .whole = {.begin = Now()}};
  std::vector<manta::ObjectRef<BatchRecord>> records;
  for (int batch = 0; batch < batches; ++batch)
    records.push_back(manta::Task(PreprocessAndTrain).SetCpus(1).SetGpus(1).Remote(batch, work));
  for (const auto& record : records) trace.batches.push_back(*manta::Get(record));
  trace.whole.end = Now();
  return trace;
}

}  // namespace pipeline
