#pragma once

#include <chrono>
#include <span>
#include <thread>

#include <manta/manta.hpp>

#include "figures.hpp"
#include "preprocess.hpp"

// What both schedules do to a batch, each in its own order and place.

namespace pipeline {

/// The same for all batches.
struct Work {
  int passes = 1;          // of the preprocessing
  double gpu_seconds = 0;  // on the GPU, simulated
};

/// A wall clock: the ranks of other machines have no other in common.
inline double Now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// On a CPU of this rank: fills `record.batch`, `rank` and `preprocess`.
inline Pixels PreprocessHere(int batch, const Work& work, BatchRecord& record) {
  record.batch = batch;
  record.rank = manta::Context().Rank();
  record.preprocess.begin = Now();
  Pixels pixels = Preprocess(batch, work.passes);
  record.preprocess.end = Now();
  return pixels;
}

/// On the GPU that this task or actor holds: reads the pixels, as a copy to the device would, and waits as long as the
/// device would work. What the wait lasts beyond that counts as idle: then a real GPU would have been done too.
inline void TrainHere(std::span<const float> pixels, const Work& work, BatchRecord& record) {
  const manta::TaskContext context = manta::Context();
  record.node = context.Node();
  record.gpu = context.AssignedGpus().at(0).index;
  record.checksum = Checksum(pixels);
  record.train.begin = Now();
  record.train.end = record.train.begin + work.gpu_seconds;
  std::this_thread::sleep_for(std::chrono::duration<double>(work.gpu_seconds));
}

/// Each task preprocesses a batch and trains on it, and holds one CPU and one GPU from its begin to its end.
Trace RunOnePool(int batches, const Work& work);

/// Tasks of one CPU preprocess; an actor on each GPU trains. At most `ahead` batches for each of the `gpus` GPUs are
/// anywhere between the begin of their preprocessing and the end of their training.
Trace RunTwoStages(int batches, const Work& work, int gpus, int ahead);

}  // namespace pipeline
