// What takes the place of saxpy.cu where there was no CUDA compiler.

#include "saxpy.hpp"

std::string WhyNoGpu() { return "this program was built without nvcc"; }

SaxpyResult SaxpyOnGpu(float, const std::vector<float>&, const std::vector<float>&) {
  SaxpyResult result;
  result.no_gpu = WhyNoGpu();
  return result;
}
