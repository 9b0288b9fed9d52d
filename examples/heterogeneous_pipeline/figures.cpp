#include "figures.hpp"

#include <algorithm>
#include <cstdio>
#include <map>

namespace pipeline {

Figures ComputeFigures(const Trace& trace, double gpus, double cpus) {
  Interval used = trace.batches.front().train;
  double trained = 0, preprocessed = 0;
  for (const BatchRecord& batch : trace.batches) {
    used.begin = std::min(used.begin, batch.train.begin);
    used.end = std::max(used.end, batch.train.end);
    trained += batch.train.seconds();
    preprocessed += batch.preprocess.seconds();
  }
  return {.batches_per_second = static_cast<double>(trace.batches.size()) / trace.whole.seconds(),
          .gpu_busy = trained / (gpus * used.seconds()),
          .cpu_busy = preprocessed / (cpus * trace.whole.seconds())};
}

std::string FormatFigures(const Trace& trace, const Figures& figures) {
  char text[200];
  std::snprintf(text, sizeof text, "%.1f batches/s, GPUs busy %.1f %%, CPUs preprocessing %.1f %%, %.2f s",
                figures.batches_per_second, 100 * figures.gpu_busy, 100 * figures.cpu_busy, trace.whole.seconds());
  return text;
}

std::string FirstDifference(const Trace& one, const Trace& two) {
  const auto by_batch = [](const Trace& trace) {
    std::map<int, double> checksums;
    for (const BatchRecord& batch : trace.batches) checksums.emplace(batch.batch, batch.checksum);
    return checksums;
  };
  if (one.batches.size() != two.batches.size())
    return one.name + " has " + std::to_string(one.batches.size()) + " batches, " + two.name + " " +
           std::to_string(two.batches.size());
  const auto expected = by_batch(one), found = by_batch(two);
  for (const auto& [batch, checksum] : expected) {
    const auto other = found.find(batch);
    if (other == found.end()) return two.name + " lacks batch " + std::to_string(batch);
    if (other->second == checksum) continue;
    char text[200];
    std::snprintf(text, sizeof text, "batch %d has the checksum %.17g in %s and %.17g in %s", batch, checksum,
                  one.name.c_str(), other->second, two.name.c_str());
    return text;
  }
  return "";
}

}  // namespace pipeline
