#pragma once
// CUDA's driver as a table of functions, looked up once in libcuda.so.1 when it is opened.

#include <cstddef>
#include <memory>
#include <string>

#include "gpu/cuda/driver_types.hpp"
#include "gpu/cuda/library.hpp"

namespace manta::gpu {

/// Every member is set once the table is loaded, except those of the last group.
struct DriverFunctions {
  DriverResult (*cuInit)(unsigned flags);
  DriverResult (*cuDriverGetVersion)(int* version);
  DriverResult (*cuGetErrorName)(DriverResult result, const char** name);
  DriverResult (*cuGetErrorString)(DriverResult result, const char** text);
  DriverResult (*cuDeviceGetCount)(int* count);
  DriverResult (*cuDeviceGet)(DriverDevice* device, int ordinal);
  DriverResult (*cuDeviceGetName)(char* name, int length, DriverDevice device);
  DriverResult (*cuDeviceGetUuid)(DriverUuid* uuid, DriverDevice device);
  DriverResult (*cuDeviceTotalMem)(std::size_t* bytes, DriverDevice device);
  DriverResult (*cuDeviceGetPCIBusId)(char* bus_id, int length, DriverDevice device);
  DriverResult (*cuDeviceGetAttribute)(int* value, int attribute, DriverDevice device);
  DriverResult (*cuDevicePrimaryCtxRetain)(DriverContext* context, DriverDevice device);
  DriverResult (*cuDevicePrimaryCtxRelease)(DriverDevice device);
  DriverResult (*cuCtxGetCurrent)(DriverContext* context);
  DriverResult (*cuCtxSetCurrent)(DriverContext context);
  DriverResult (*cuCtxPushCurrent)(DriverContext context);
  DriverResult (*cuCtxPopCurrent)(DriverContext* context);
  DriverResult (*cuMemGetInfo)(std::size_t* free_bytes, std::size_t* total_bytes);
  DriverResult (*cuMemAlloc)(DriverPointer* pointer, std::size_t size_bytes);
  DriverResult (*cuMemFree)(DriverPointer pointer);
  DriverResult (*cuMemHostAlloc)(void** memory, std::size_t size_bytes, unsigned flags);
  DriverResult (*cuMemFreeHost)(void* memory);
  DriverResult (*cuStreamCreate)(DriverStream* stream, unsigned flags);
  DriverResult (*cuStreamDestroy)(DriverStream stream);
  DriverResult (*cuStreamSynchronize)(DriverStream stream);
  DriverResult (*cuStreamQuery)(DriverStream stream);
  DriverResult (*cuStreamWaitEvent)(DriverStream stream, DriverEvent event, unsigned flags);
  DriverResult (*cuEventCreate)(DriverEvent* event, unsigned flags);
  DriverResult (*cuEventDestroy)(DriverEvent event);
  DriverResult (*cuEventRecord)(DriverEvent event, DriverStream stream);
  DriverResult (*cuEventQuery)(DriverEvent event);
  DriverResult (*cuMemcpyHtoDAsync)(DriverPointer to, const void* from, std::size_t bytes, DriverStream stream);
  DriverResult (*cuMemcpyDtoHAsync)(void* to, DriverPointer from, std::size_t bytes, DriverStream stream);
  DriverResult (*cuMemcpyDtoDAsync)(DriverPointer to, DriverPointer from, std::size_t bytes, DriverStream stream);
  DriverResult (*cuLaunchHostFunc)(DriverStream stream, void (*function)(void*), void* argument);

  DriverResult (*cuDeviceGetUuid_v2)(DriverUuid* uuid, DriverDevice device);  // null before CUDA 11.4
};

/// The loaded driver. Any thread.
class DriverApi {
 public:
  /// Opens `file_name` and looks up all functions; calls none. Null, with `why` set, if it can't.
  static std::unique_ptr<DriverApi> Load(const std::string& file_name, std::string& why);

  const DriverFunctions& functions() const { return functions_; }
  /// "CUDA_ERROR_OUT_OF_MEMORY (2): out of memory". Works before cuInit, and for codes that the driver does not know.
  std::string Describe(DriverResult result) const;

 private:
  DriverApi() = default;
  DriverFunctions functions_{};
};

/// Throws CudaError with call, code, text, place and `rank` (left out when negative) unless `result` is success.
void CheckDriver(const DriverApi& api, DriverResult result, const char* call, const char* file, int line, int rank);

}  // namespace manta::gpu

/// MANTA_CUDA_TRY(api, rank, cuStreamQuery, stream): calls the driver, and throws CudaError when it refuses.
#define MANTA_CUDA_TRY(api, rank, function, ...)                                                               \
  ::manta::gpu::CheckDriver((api), (api).functions().function(__VA_ARGS__), #function, __FILE__, __LINE__, rank)
