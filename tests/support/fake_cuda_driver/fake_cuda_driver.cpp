// A pretend CUDA driver, built as libcuda.so.1: enough of the driver API for gpu/cuda to run on it. Device memory is
// host memory and every stream is always done. It can't serve the CUDA runtime library, which wants much more.
// What it pretends is said by variables, read at each call:
//   FAKE_CUDA_DEVICES   how many devices (2); 0: cuInit gives CUDA_ERROR_NO_DEVICE
//   FAKE_CUDA_INIT      what cuInit gives (0): 34 is the toolkit's stub
//   FAKE_CUDA_MIG       1: each device is an instance of a MIG device
//   FAKE_CUDA_MPS       1: an MPS daemon runs
//   FAKE_CUDA_SICK      this ordinal refuses to tell its name
//   FAKE_CUDA_FAIL      the function of this name gives CUDA_ERROR_ILLEGAL_ADDRESS (700)
//   FAKE_CUDA_MEMORY    bytes of each device (64 MiB)
// fake_cuda_contexts() tells a test how many primary contexts are held, fake_cuda_live() how many other things are.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace {

using Result = int;
using Pointer = unsigned long long;
struct Uuid { unsigned char bytes[16]; };
struct Context { int device, retained; };
struct Block { char* start; size_t size; int device; };

enum { kMaxDevices = 16, kMaxBlocks = 1024, kMaxPushed = 64 };
enum {
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidContext = 201,
  kIllegalAddress = 700
};

std::mutex mutex;  // guards what is below but the thread's own
Context contexts[kMaxDevices];
Block blocks[kMaxBlocks];
size_t used[kMaxDevices];
int initialized, live;
thread_local Context* stack[kMaxPushed];  // the thread's contexts, the current one on top
thread_local int depth;

long Setting(const char* name, long otherwise) {
  const char* text = getenv(name);
  return text ? atol(text) : otherwise;
}
int Devices() { return (int)Setting("FAKE_CUDA_DEVICES", 2); }
size_t Memory() { return (size_t)Setting("FAKE_CUDA_MEMORY", 64L << 20); }
int MustFail(const char* function) {
  const char* name = getenv("FAKE_CUDA_FAIL");
  return name && strcmp(name, function) == 0;
}
Context* Current() { return depth > 0 ? stack[depth - 1] : nullptr; }
void Count(int change) {
  const std::lock_guard lock(mutex);
  live += change;
}

bool IsDevice(Pointer pointer, size_t size) {
  const std::lock_guard lock(mutex);
  for (const Block& block : blocks) {
    const Pointer start = reinterpret_cast<Pointer>(block.start);
    if (start && pointer >= start && pointer + size <= start + block.size) return true;
  }
  return false;
}
Result Make(void** handle) {
  *handle = malloc(1);
  Count(1);
  return 0;
}
Result End(void* handle) {
  free(handle);
  Count(-1);
  return 0;
}
Result Copy(void* to, const void* from, Pointer device, size_t size, Pointer other_device) {
  if (!IsDevice(device, size) || (other_device && !IsDevice(other_device, size))) return kInvalidValue;
  memcpy(to, from, size);
  return 0;
}

}  // namespace

#define FAIL_IF_TOLD() if (MustFail(__func__)) return kIllegalAddress
#define NEED_CONTEXT() FAIL_IF_TOLD(); if (!Current() || !Current()->retained) return kInvalidContext

extern "C" {

int fake_cuda_live() { return live; }
int fake_cuda_contexts() {
  int count = 0;
  for (int i = 0; i < kMaxDevices; ++i) count += contexts[i].retained > 0;
  return count;
}

Result cuInit(unsigned) {
  FAIL_IF_TOLD();
  long result = Setting("FAKE_CUDA_INIT", 0);
  if (result) return (Result)result;
  initialized = 1;
  return Devices() ? 0 : kNoDevice;
}
Result cuDriverGetVersion(int* version) { *version = 13000; return 0; }
Result cuGetErrorName(Result result, const char** name) {
  switch (result) {
    case kInvalidValue: *name = "CUDA_ERROR_INVALID_VALUE"; return 0;
    case kOutOfMemory: *name = "CUDA_ERROR_OUT_OF_MEMORY"; return 0;
    case kNoDevice: *name = "CUDA_ERROR_NO_DEVICE"; return 0;
    case kIllegalAddress: *name = "CUDA_ERROR_ILLEGAL_ADDRESS"; return 0;
    default: *name = nullptr; return kInvalidValue;
  }
}
Result cuGetErrorString(Result result, const char** text) {
  if (result != kIllegalAddress) { *text = nullptr; return kInvalidValue; }
  *text = "an illegal memory access was encountered";
  return 0;
}
Result cuDeviceGetCount(int* count) {
  FAIL_IF_TOLD();
  if (!initialized) return kNotInitialized;
  *count = Devices();
  return 0;
}
Result cuDeviceGet(int* device, int ordinal) {
  if (ordinal < 0 || ordinal >= Devices()) return kInvalidDevice;
  *device = ordinal;
  return 0;
}
Result cuDeviceGetName(char* name, int length, int device) {
  if (Setting("FAKE_CUDA_SICK", -1) == device) return kInvalidDevice;
  snprintf(name, (size_t)length, "Pretend GPU %d", device);
  return 0;
}
Result cuDeviceGetUuid(Uuid* uuid, int device) {
  for (int i = 0; i < 16; ++i) uuid->bytes[i] = (unsigned char)(i + 1);
  uuid->bytes[15] = (unsigned char)(0xa0 + device);
  return 0;
}
Result cuDeviceGetUuid_v2(Uuid* uuid, int device) {
  cuDeviceGetUuid(uuid, device);
  if (Setting("FAKE_CUDA_MIG", 0)) uuid->bytes[0] = 0xee;
  return 0;
}
Result cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = Memory(); return 0; }
Result cuDeviceGetPCIBusId(char* text, int length, int device) {
  snprintf(text, (size_t)length, "0000:%02x:00.0", device + 1);
  return 0;
}
Result cuDeviceGetAttribute(int* value, int attribute, int) {
  if (attribute == 16) *value = 132;                                        // multiprocessors
  else if (attribute == 133) *value = (int)Setting("FAKE_CUDA_MPS", 0);  // MPS
  else return kInvalidValue;
  return 0;
}

Result cuDevicePrimaryCtxRetain(Context** context, int device) {
  FAIL_IF_TOLD();
  const std::lock_guard lock(mutex);
  contexts[device].device = device;
  ++contexts[device].retained;
  *context = &contexts[device];
  return 0;
}
Result cuDevicePrimaryCtxRelease_v2(int device) {
  const std::lock_guard lock(mutex);
  if (contexts[device].retained == 0) return kInvalidContext;
  --contexts[device].retained;
  return 0;
}
Result cuCtxSetCurrent(Context* context) {
  if (depth == 0) depth = 1;
  stack[depth - 1] = context;
  return 0;
}
Result cuCtxGetCurrent(Context** context) { *context = Current(); return 0; }
Result cuCtxGetDevice(int* device) { if (!Current()) return kInvalidContext; *device = Current()->device; return 0; }
Result cuCtxPushCurrent_v2(Context* context) {
  if (depth == kMaxPushed) return kInvalidContext;
  stack[depth++] = context;
  return 0;
}
Result cuCtxPopCurrent_v2(Context** context) {
  if (depth == 0) return kInvalidContext;
  *context = stack[--depth];
  return 0;
}

Result cuMemGetInfo_v2(size_t* free_bytes, size_t* total_bytes) {
  NEED_CONTEXT();
  const std::lock_guard lock(mutex);
  *total_bytes = Memory();
  *free_bytes = Memory() - used[Current()->device];
  return 0;
}
Result cuMemAlloc_v2(Pointer* pointer, size_t size) {
  NEED_CONTEXT();
  if (size == 0) return kInvalidValue;
  const int device = Current()->device;
  const std::lock_guard lock(mutex);
  for (int i = 0; i < kMaxBlocks && size <= Memory() - used[device]; ++i) {
    if (blocks[i].start) continue;
    blocks[i].start = static_cast<char*>(aligned_alloc(256, (size + 255) / 256 * 256));
    if (!blocks[i].start) break;
    blocks[i].size = size;
    blocks[i].device = device;
    used[device] += size;
    *pointer = reinterpret_cast<Pointer>(blocks[i].start);
    return 0;
  }
  return kOutOfMemory;
}
Result cuMemFree_v2(Pointer pointer) {
  NEED_CONTEXT();
  const std::lock_guard lock(mutex);
  for (Block& block : blocks) {
    if (!block.start || reinterpret_cast<Pointer>(block.start) != pointer) continue;
    used[block.device] -= block.size;
    free(block.start);
    block.start = nullptr;
    return 0;
  }
  return kInvalidValue;
}
Result cuMemHostAlloc(void** memory, size_t size, unsigned) {
  NEED_CONTEXT();
  *memory = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
  if (!*memory) return kOutOfMemory;
  Count(1);
  return 0;
}
Result cuMemFreeHost(void* memory) { NEED_CONTEXT(); free(memory); Count(-1); return 0; }

Result cuStreamCreate(void** stream, unsigned) { NEED_CONTEXT(); return Make(stream); }
Result cuStreamDestroy_v2(void* stream) { NEED_CONTEXT(); return End(stream); }
Result cuStreamSynchronize(void*) { NEED_CONTEXT(); return 0; }
Result cuStreamQuery(void*) { NEED_CONTEXT(); return 0; }
Result cuStreamWaitEvent(void*, void*, unsigned) {
  NEED_CONTEXT();
  return 0;
}
Result cuEventCreate(void** event, unsigned) { NEED_CONTEXT(); return Make(event); }
Result cuEventDestroy_v2(void* event) { NEED_CONTEXT(); return End(event); }
Result cuEventRecord(void*, void*) { NEED_CONTEXT(); return 0; }
Result cuEventQuery(void*) { NEED_CONTEXT(); return 0; }

Result cuMemcpyHtoDAsync_v2(Pointer to, const void* from, size_t size, void*) {
  NEED_CONTEXT();
  return Copy(reinterpret_cast<void*>(to), from, to, size, 0);
}
Result cuMemcpyDtoHAsync_v2(void* to, Pointer from, size_t size, void*) {
  NEED_CONTEXT();
  return Copy(to, reinterpret_cast<const void*>(from), from, size, 0);
}
Result cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t size, void*) {
  NEED_CONTEXT();
  return Copy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), to, size, from);
}
Result cuLaunchHostFunc(void*, void (*function)(void*), void* argument) {
  NEED_CONTEXT();
  function(argument);
  return 0;
}

}  // extern "C"
