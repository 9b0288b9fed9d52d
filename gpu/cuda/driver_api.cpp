#include "gpu/cuda/driver_api.hpp"

#include <cstring>

#include <manta/error.hpp>

namespace manta::gpu {
namespace {

template <class Function>
bool Look(const Library& library, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(library.Find(symbol));
  return function != nullptr;
}

// The driver keeps its ABI by giving changed functions a new symbol, which cuda.h hides behind macros: _v2 is what
// every program built since CUDA 4 calls. Returns the first symbol that is missing, or null.
const char* LookUpAll(const Library& library, DriverFunctions& f) {
#define MANTA_LOOK_AS(member, symbol) \
  if (!Look(library, symbol, f.member)) return symbol
#define MANTA_LOOK(member) MANTA_LOOK_AS(member, #member)
  MANTA_LOOK(cuInit);
  MANTA_LOOK(cuDriverGetVersion);
  MANTA_LOOK(cuGetErrorName);
  MANTA_LOOK(cuGetErrorString);
  MANTA_LOOK(cuDeviceGetCount);
  MANTA_LOOK(cuDeviceGet);
  MANTA_LOOK(cuDeviceGetName);
  MANTA_LOOK(cuDeviceGetUuid);
  MANTA_LOOK_AS(cuDeviceTotalMem, "cuDeviceTotalMem_v2");
  MANTA_LOOK(cuDeviceGetPCIBusId);
  MANTA_LOOK(cuDeviceGetAttribute);
  MANTA_LOOK(cuDevicePrimaryCtxRetain);
  MANTA_LOOK_AS(cuDevicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2");
  MANTA_LOOK(cuCtxGetCurrent);
  MANTA_LOOK(cuCtxSetCurrent);
  MANTA_LOOK_AS(cuCtxPushCurrent, "cuCtxPushCurrent_v2");
  MANTA_LOOK_AS(cuCtxPopCurrent, "cuCtxPopCurrent_v2");
  MANTA_LOOK_AS(cuMemGetInfo, "cuMemGetInfo_v2");
  MANTA_LOOK_AS(cuMemAlloc, "cuMemAlloc_v2");
  MANTA_LOOK_AS(cuMemFree, "cuMemFree_v2");
  MANTA_LOOK(cuMemHostAlloc);
  MANTA_LOOK(cuMemFreeHost);
  MANTA_LOOK(cuStreamCreate);
  MANTA_LOOK_AS(cuStreamDestroy, "cuStreamDestroy_v2");
  MANTA_LOOK(cuStreamSynchronize);
  MANTA_LOOK(cuStreamQuery);
  MANTA_LOOK(cuStreamWaitEvent);
  MANTA_LOOK(cuEventCreate);
  MANTA_LOOK_AS(cuEventDestroy, "cuEventDestroy_v2");
  MANTA_LOOK(cuEventRecord);
  MANTA_LOOK(cuEventQuery);
  MANTA_LOOK_AS(cuMemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2");
  MANTA_LOOK_AS(cuMemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2");
  MANTA_LOOK_AS(cuMemcpyDtoDAsync, "cuMemcpyDtoDAsync_v2");
  MANTA_LOOK(cuLaunchHostFunc);
#undef MANTA_LOOK
#undef MANTA_LOOK_AS
  Look(library, "cuDeviceGetUuid_v2", f.cuDeviceGetUuid_v2);
  return nullptr;
}

// The driver itself can't name these when they are what cuInit says.
const char* NameWithoutDriver(DriverResult result) {
  switch (result) {
    case kErrorStubLibrary: return "CUDA_ERROR_STUB_LIBRARY";
    case kErrorNoDevice: return "CUDA_ERROR_NO_DEVICE";
    case kErrorOutOfMemory: return "CUDA_ERROR_OUT_OF_MEMORY";
    default: return "CUDA error";
  }
}

// "/somewhere/gpu/cuda/x.cpp" -> "gpu/cuda/x.cpp": messages should not depend on where it was built.
const char* FromRepositoryRoot(const char* file) {
  const char* found = std::strstr(file, "gpu/");
  for (const char* next = found; next != nullptr; next = std::strstr(next + 1, "/gpu/")) found = next;
  if (found == nullptr) return file;
  return *found == '/' ? found + 1 : found;
}

}  // namespace

std::unique_ptr<DriverApi> DriverApi::Load(const std::string& file_name, std::string& why) {
  const Library library(file_name);
  if (!library.found()) {
    why = library.error();
    return nullptr;
  }
  std::unique_ptr<DriverApi> api(new DriverApi);
  if (const char* missing = LookUpAll(library, api->functions_)) {
    why = file_name + " has no " + missing + ": CUDA 10 or newer is needed";
    return nullptr;
  }
  return api;
}

std::string DriverApi::Describe(DriverResult result) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (functions_.cuGetErrorName(result, &name) != kSuccess || name == nullptr) name = NameWithoutDriver(result);
  std::string line = std::string(name) + " (" + std::to_string(result) + ")";
  if (functions_.cuGetErrorString(result, &text) == kSuccess && text != nullptr) line.append(": ").append(text);
  return line;
}

void CheckDriver(const DriverApi& api, DriverResult result, const char* call, const char* file, int line, int rank) {
  if (result == kSuccess) return;
  std::string message = std::string(call) + ": " + api.Describe(result) + " at " + FromRepositoryRoot(file) + ":" +
                        std::to_string(line);
  if (rank >= 0) message += " on rank " + std::to_string(rank);
  throw CudaError(message);
}

}  // namespace manta::gpu
