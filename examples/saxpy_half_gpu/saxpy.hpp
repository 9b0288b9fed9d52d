#pragma once
// y = a x + y on a GPU. The header knows neither CUDA nor Manta: nvcc and the C++ compiler both read it.

#include <string>
#include <vector>

struct SaxpyResult {
  std::vector<float> y;
  std::string device;  // the name of the GPU that did it; empty when none did
  std::string no_gpu;  // why none did

  template <class Archive>
  void serialize(Archive& archive) { archive(y, device, no_gpu); }
};

/// Runs on the device that is current for this thread. Blocks. Throws std::runtime_error with CUDA's text when CUDA
/// refuses; where there is no device at all it says so in `no_gpu`.
SaxpyResult SaxpyOnGpu(float a, const std::vector<float>& x, const std::vector<float>& y);

/// Why this process sees no CUDA device, in a few words; empty if it sees one. Makes no context.
std::string WhyNoGpu();
