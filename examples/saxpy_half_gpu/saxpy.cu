#include <cuda_runtime.h>

#include <stdexcept>

#include "saxpy.hpp"

namespace {

__global__ void Saxpy(std::size_t n, float a, const float* x, float* y) {
  const std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}

void Try(cudaError_t result, const char* call) {
  if (result != cudaSuccess)
    throw std::runtime_error(std::string(call) + ": " + cudaGetErrorName(result) + ", " + cudaGetErrorString(result));
}

class DeviceVector {
 public:
  explicit DeviceVector(const std::vector<float>& values) {
    const std::size_t bytes = values.size() * sizeof(float);
    Try(cudaMalloc(&data_, bytes), "cudaMalloc");
    try {
      Try(cudaMemcpy(data_, values.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy to the device");
    } catch (...) {
      cudaFree(data_);
      throw;
    }
  }
  ~DeviceVector() { cudaFree(data_); }
  DeviceVector(const DeviceVector&) = delete;
  DeviceVector& operator=(const DeviceVector&) = delete;

  float* data() const { return data_; }

 private:
  float* data_ = nullptr;
};

}  // namespace

std::string WhyNoGpu() {
  int driver_version = 0, count = 0;
  // Without a driver the version is 0; what cudaGetDeviceCount says then ("insufficient") would mislead.
  if (cudaDriverGetVersion(&driver_version) == cudaSuccess && driver_version == 0) return "no CUDA driver";
  const cudaError_t result = cudaGetDeviceCount(&count);  // leaves `count` alone when it fails
  return result == cudaSuccess ? "" : std::string("CUDA says: ") + cudaGetErrorString(result);
}

SaxpyResult SaxpyOnGpu(float a, const std::vector<float>& x, const std::vector<float>& y) {
  SaxpyResult result;
  result.no_gpu = WhyNoGpu();
  if (!result.no_gpu.empty()) return result;

  // The runtime has made the task's device current: nothing here chooses one.
  int device = 0;
  cudaDeviceProp properties;
  Try(cudaGetDevice(&device), "cudaGetDevice");
  Try(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  result.device = properties.name;

  const DeviceVector device_x(x), device_y(y);
  constexpr unsigned kThreads = 256;
  const auto blocks = static_cast<unsigned>((x.size() + kThreads - 1) / kThreads);
  Saxpy<<<blocks, kThreads>>>(x.size(), a, device_x.data(), device_y.data());
  Try(cudaGetLastError(), "launching the kernel");
  result.y.resize(y.size());
  // Waits for the kernel, and reports what went wrong in it.
  Try(cudaMemcpy(result.y.data(), device_y.data(), y.size() * sizeof(float), cudaMemcpyDeviceToHost),
      "cudaMemcpy to the host");
  return result;
}
