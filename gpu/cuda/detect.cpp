#include "gpu/cuda/detect.hpp"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "gpu/cuda/nvml.hpp"

namespace manta::gpu {
namespace {

std::string WhyInitFailed(const DriverApi& api, DriverResult result) {
  if (result == kErrorStubLibrary)
    return "no CUDA driver (the libcuda.so.1 found first is the toolkit's stub: cuInit gave " + api.Describe(result) +
           "; take the toolkit's stubs folder out of LD_LIBRARY_PATH)";
  if (result == kErrorNoDevice) {
    std::string text = "no CUDA device (cuInit gave " + api.Describe(result);
    if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES"))
      text += std::string("; CUDA_VISIBLE_DEVICES is '") + visible + "'";
    return text + ")";
  }
  return "CUDA driver does not start (cuInit gave " + api.Describe(result) + ")";
}

int Attribute(const DriverApi& api, int attribute, DriverDevice device) {
  int value = 0;
  // An older driver refuses an attribute that it does not know: then the device has not got it.
  return api.functions().cuDeviceGetAttribute(&value, attribute, device) == kSuccess ? value : 0;
}

// Any refusal here means that the device can't be used: nothing is thrown, `refused` says which call and why.
bool Describe(const DriverApi& api, const Nvml& nvml, int ordinal, DeviceInfo& info, std::string& refused) {
  const DriverFunctions& f = api.functions();
  DriverDevice device = 0;
  DriverUuid uuid{};
  char name[256] = {};
  char bus_id[64] = {};
  std::size_t memory_bytes = 0;
  const std::pair<const char*, DriverResult> steps[] = {
      {"cuDeviceGet", f.cuDeviceGet(&device, ordinal)},
      {"cuDeviceGetName", f.cuDeviceGetName(name, sizeof(name), device)},
      {"cuDeviceGetUuid", f.cuDeviceGetUuid(&uuid, device)},
      {"cuDeviceTotalMem", f.cuDeviceTotalMem(&memory_bytes, device)},
      {"cuDeviceGetPCIBusId", f.cuDeviceGetPCIBusId(bus_id, sizeof(bus_id), device)}};
  for (const auto& [call, result] : steps) {
    if (result == kSuccess) continue;
    refused = std::string(call) + " gave " + api.Describe(result);
    return false;
  }
  info.ordinal = ordinal;
  info.name = name;
  info.pci_bus_id = bus_id;
  info.memory_bytes = memory_bytes;
  info.multiprocessors = Attribute(api, kAttributeMultiprocessorCount, device);
  info.mps = Attribute(api, kAttributeMpsEnabled, device) != 0;
  info.uuid = FormatUuid(uuid, "GPU-");
  // The first version names the whole GPU, the second the instance that this process was given of it.
  DriverUuid instance{};
  if (f.cuDeviceGetUuid_v2 != nullptr && f.cuDeviceGetUuid_v2(&instance, device) == kSuccess &&
      std::memcmp(instance.bytes, uuid.bytes, sizeof(uuid.bytes)) != 0) {
    info.uuid = FormatUuid(instance, "MIG-");
    info.mig = true;
  }
  info.mig = info.mig || nvml.MigEnabled(info.pci_bus_id);
  return true;
}

std::string VersionText(const DriverApi& api, const Nvml& nvml) {
  int version = 0;
  std::string text = "CUDA ";
  if (api.functions().cuDriverGetVersion(&version) == kSuccess)
    text += std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
  const std::string driver = nvml.DriverVersion();
  return driver.empty() ? text : text + ", driver " + driver;
}

}  // namespace

std::string FormatUuid(const DriverUuid& uuid, const std::string& prefix) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = prefix;
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[uuid.bytes[i] >> 4];
    text += kDigits[uuid.bytes[i] & 15];
  }
  return text;
}

CudaDetection DetectCuda(const CudaLibraries& libraries) {
  CudaDetection found;
  std::string why;
  std::unique_ptr<DriverApi> api = DriverApi::Load(libraries.driver, why);
  if (api == nullptr) {
    found.status = "no CUDA driver (" + why + ")";
    return found;
  }
  const DriverFunctions& f = api->functions();
  if (const DriverResult result = f.cuInit(0); result != kSuccess) {
    found.status = WhyInitFailed(*api, result);
    return found;
  }
  int count = 0;
  if (const DriverResult result = f.cuDeviceGetCount(&count); result != kSuccess) {
    found.status = "CUDA driver does not tell its devices (cuDeviceGetCount gave " + api->Describe(result) + ")";
    return found;
  }
  const Nvml nvml(libraries.nvml);
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    DeviceInfo info;
    std::string refused;
    if (!Describe(*api, nvml, ordinal, info, refused)) {
      // One sick device: ordinals are positions, so the others can't be kept without guessing what works.
      found.devices.clear();
      found.status = "CUDA device " + std::to_string(ordinal) + " does not answer (" + refused +
                     "); leave it out with CUDA_VISIBLE_DEVICES";
      return found;
    }
    found.devices.push_back(std::move(info));
  }
  found.status = std::to_string(count) + (count == 1 ? " device, " : " devices, ") + VersionText(*api, nvml);
  if (count > 0) found.api = std::move(api);
  return found;
}

}  // namespace manta::gpu
