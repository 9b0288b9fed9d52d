#pragma once

#include <string>
#include <vector>

// What a schedule records of each batch, and the figures that follow.

namespace pipeline {

/// In seconds of the machines' clocks; on several machines as good as those agree.
struct Interval {
  double begin = 0;
  double end = 0;
  double seconds() const { return end - begin; }
};

/// Plain data, so that it travels as it is.
struct BatchRecord {
  int batch = 0;
  int rank = 0;  // where it was preprocessed
  int node = 0;  // of the GPU
  int gpu = 0;   // its index there
  Interval preprocess = {};
  Interval train = {};
  double checksum = 0;
};

/// All batches of one run of a schedule.
struct Trace {
  std::string name;
  bool held_throughout = false;  // a batch holds its CPU and its GPU from its begin to its end
  Interval whole = {};           // from the first submission to the last result
  std::vector<BatchRecord> batches = {};
};

struct Figures {
  double batches_per_second = 0;  // over Trace::whole
  double gpu_busy = 0;            // share of the time from the first start of GPU work to its last end, over all GPUs
  double cpu_busy = 0;            // share of Trace::whole in which CPUs preprocessed, over all CPUs
};

/// Of a trace of at least one batch on `gpus` GPUs and `cpus` CPUs, each above 0.
Figures ComputeFigures(const Trace& trace, double gpus, double cpus);

/// "33.1 batches/s, GPUs busy 66.2 %, CPUs preprocessing 33.4 %, 6.04 s"
std::string FormatFigures(const Trace& trace, const Figures& figures);

/// Empty where `two` has the same batches as `one` with the same checksums; else the first difference, as one line.
std::string FirstDifference(const Trace& one, const Trace& two);

}  // namespace pipeline
