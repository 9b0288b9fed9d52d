#include "gpu/cuda/cuda_backend.hpp"

#include <cstdint>
#include <mutex>
#include <utility>

#include <manta/error.hpp>

#include "core/base/log.hpp"
#include "core/worker/fiber.hpp"
#include "gpu/handle_checks.hpp"

#define MANTA_TRY(function, ...) MANTA_CUDA_TRY(*api_, rank_, function, __VA_ARGS__)

namespace manta::gpu {
namespace {
DriverStream Native(StreamHandle stream) { return static_cast<DriverStream>(stream.native); }
DriverEvent Native(EventHandle event) { return static_cast<DriverEvent>(event.native); }

// The driver of the backend that lives; null between two. Written while no task runs.
std::atomic<const DriverFunctions*> driver{nullptr};

std::uint64_t CurrentContext() {
  const DriverFunctions* functions = driver.load(std::memory_order_acquire);
  DriverContext context = nullptr;
  if (functions != nullptr) functions->cuCtxGetCurrent(&context);
  return reinterpret_cast<std::uintptr_t>(context);
}
void SetCurrentContext(std::uint64_t context) {
  if (CurrentContext() == context) return;
  if (const DriverFunctions* functions = driver.load(std::memory_order_acquire))
    functions->cuCtxSetCurrent(reinterpret_cast<DriverContext>(context));
}
}  // namespace

// Makes the device's context current for one call and puts back what was there: the caller's thread may be a user's,
// with a device of its own choice. About 0.1 us.
class CudaBackend::ContextScope {
 public:
  ContextScope(CudaBackend& backend, int device) : backend_(backend) {
    ExpectDevice(backend.devices_, device);
    const DriverContext context = backend.PrimaryContext(device);
    MANTA_CUDA_TRY(*backend.api_, backend.rank_, cuCtxPushCurrent, context);
  }
  ~ContextScope() {
    DriverContext popped = nullptr;
    const DriverResult result = backend_.api_->functions().cuCtxPopCurrent(&popped);
    if (result != kSuccess && result != kErrorDeinitialized)
      MANTA_LOG(kWarning, "gpu", "cuCtxPopCurrent: " << backend_.api_->Describe(result));
  }
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  CudaBackend& backend_;
};

CudaBackend::CudaBackend(CudaDetection detection, int rank)
    : api_(std::move(detection.api)),
      devices_(std::move(detection.devices)),
      status_(std::move(detection.status)),
      rank_(rank),
      contexts_(std::make_unique<std::atomic<DriverContext>[]>(devices_.size())) {
  MANTA_ASSERT(api_ != nullptr && !devices_.empty());
  // The device that a task chose, by MakeCurrent or cudaSetDevice, is its own over a wait too.
  driver.store(&api_->functions(), std::memory_order_release);
  static std::once_flag once;
  std::call_once(once, [] { worker::FiberThread::KeepAcrossParks(CurrentContext, SetCurrentContext); });
}

CudaBackend::~CudaBackend() {
  const DriverFunctions* mine = &api_->functions();
  driver.compare_exchange_strong(mine, nullptr, std::memory_order_release, std::memory_order_relaxed);
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    if (contexts_[i].load(std::memory_order_acquire) == nullptr) continue;
    DriverDevice device = 0;
    DriverResult result = api_->functions().cuDeviceGet(&device, static_cast<int>(i));
    if (result == kSuccess) result = api_->functions().cuDevicePrimaryCtxRelease(device);
    // At process exit the driver may be gone before us, and its contexts with it.
    if (result != kSuccess && result != kErrorDeinitialized)
      MANTA_LOG(kWarning, "gpu", "releasing device " << i << ": " << api_->Describe(result));
  }
}

DriverContext CudaBackend::PrimaryContext(int device) {
  std::atomic<DriverContext>& slot = contexts_[static_cast<std::size_t>(device)];
  if (const DriverContext context = slot.load(std::memory_order_acquire)) return context;
  const std::lock_guard lock(retain_mutex_);
  if (const DriverContext context = slot.load(std::memory_order_relaxed)) return context;
  DriverDevice number = 0;
  DriverContext context = nullptr;
  MANTA_TRY(cuDeviceGet, &number, device);
  MANTA_TRY(cuDevicePrimaryCtxRetain, &context, number);
  slot.store(context, std::memory_order_release);
  return context;
}

void CudaBackend::MakeCurrent(int device) {
  ExpectDevice(devices_, device);
  MANTA_TRY(cuCtxSetCurrent, PrimaryContext(device));
}

DeviceMemoryInfo CudaBackend::GetMemoryInfo(int device) {
  const ContextScope scope(*this, device);
  std::size_t free_bytes = 0, total_bytes = 0;
  MANTA_TRY(cuMemGetInfo, &free_bytes, &total_bytes);
  return {free_bytes, total_bytes};
}

void CudaBackend::ThrowOutOfMemory(const char* where, std::size_t asked_bytes, std::size_t free_bytes) const {
  std::string text = std::string(where) + ": " + std::to_string(asked_bytes) + " bytes asked, " +
                     std::to_string(free_bytes) + " free; free something, or ask for less";
  if (rank_ >= 0) text += " (rank " + std::to_string(rank_) + ")";
  throw OutOfMemoryError(text, asked_bytes, free_bytes);
}

DevicePointer CudaBackend::Allocate(int device, std::size_t size_bytes) {
  ExpectSize(size_bytes);
  const ContextScope scope(*this, device);
  DriverPointer pointer = 0;
  const DriverResult result = api_->functions().cuMemAlloc(&pointer, size_bytes);
  if (result == kErrorOutOfMemory) {
    std::size_t free_bytes = 0, total_bytes = 0;
    MANTA_TRY(cuMemGetInfo, &free_bytes, &total_bytes);
    ThrowOutOfMemory(("device " + std::to_string(device)).c_str(), size_bytes, free_bytes);
  }
  CheckDriver(*api_, result, "cuMemAlloc", __FILE__, __LINE__, rank_);
  return {pointer};
}

void CudaBackend::Free(int device, DevicePointer pointer) {
  if (!pointer.valid()) return;
  const ContextScope scope(*this, device);
  MANTA_TRY(cuMemFree, pointer.address);
}

void* CudaBackend::AllocateHost(int device, std::size_t size_bytes) {
  ExpectSize(size_bytes);
  const ContextScope scope(*this, device);
  void* memory = nullptr;
  // Portable: page-locked for every context of the process, not only for this device's.
  const DriverResult result = api_->functions().cuMemHostAlloc(&memory, size_bytes, kHostAllocPortable);
  if (result == kErrorOutOfMemory) ThrowOutOfMemory("page-locked host memory", size_bytes, 0);
  CheckDriver(*api_, result, "cuMemHostAlloc", __FILE__, __LINE__, rank_);
  return memory;
}

void CudaBackend::FreeHost(int device, void* memory) {
  if (memory == nullptr) return;
  const ContextScope scope(*this, device);
  MANTA_TRY(cuMemFreeHost, memory);
}

StreamHandle CudaBackend::CreateStream(int device) {
  const ContextScope scope(*this, device);
  DriverStream stream = nullptr;
  MANTA_TRY(cuStreamCreate, &stream, kStreamNonBlocking);
  return {stream, device};
}

void CudaBackend::DestroyStream(StreamHandle stream) {
  ExpectStream(stream);
  const ContextScope scope(*this, stream.device);
  MANTA_TRY(cuStreamDestroy, Native(stream));
}

void CudaBackend::SynchronizeStream(StreamHandle stream) {
  ExpectStream(stream);
  const ContextScope scope(*this, stream.device);
  MANTA_TRY(cuStreamSynchronize, Native(stream));
}

bool CudaBackend::QueryStream(StreamHandle stream) {
  ExpectStream(stream);
  const ContextScope scope(*this, stream.device);
  const DriverResult result = api_->functions().cuStreamQuery(Native(stream));
  if (result == kErrorNotReady) return false;
  CheckDriver(*api_, result, "cuStreamQuery", __FILE__, __LINE__, rank_);
  return true;
}

EventHandle CudaBackend::CreateEvent(int device) {
  const ContextScope scope(*this, device);
  DriverEvent event = nullptr;
  MANTA_TRY(cuEventCreate, &event, kEventDisableTiming);
  return {event, device};
}

void CudaBackend::DestroyEvent(EventHandle event) {
  ExpectEvent(event);
  const ContextScope scope(*this, event.device);
  MANTA_TRY(cuEventDestroy, Native(event));
}

void CudaBackend::RecordEvent(EventHandle event, StreamHandle stream) {
  ExpectEvent(event);
  ExpectStream(stream);
  ExpectSameDevice(event, stream);
  const ContextScope scope(*this, stream.device);
  MANTA_TRY(cuEventRecord, Native(event), Native(stream));
}

bool CudaBackend::QueryEvent(EventHandle event) {
  ExpectEvent(event);
  const ContextScope scope(*this, event.device);
  const DriverResult result = api_->functions().cuEventQuery(Native(event));
  if (result == kErrorNotReady) return false;
  CheckDriver(*api_, result, "cuEventQuery", __FILE__, __LINE__, rank_);
  return true;
}

void CudaBackend::WaitEvent(StreamHandle stream, EventHandle event) {
  ExpectStream(stream);
  ExpectEvent(event);
  const ContextScope scope(*this, stream.device);
  MANTA_TRY(cuStreamWaitEvent, Native(stream), Native(event), 0);
}

void CudaBackend::CopyToDevice(DevicePointer destination, const void* source, std::size_t size_bytes,
                               StreamHandle stream) {
  ExpectStream(stream);
  if (size_bytes == 0) return;
  const ContextScope scope(*this, stream.device);
  MANTA_TRY(cuMemcpyHtoDAsync, destination.address, source, size_bytes, Native(stream));
}

void CudaBackend::CopyToHost(void* destination, DevicePointer source, std::size_t size_bytes, StreamHandle stream) {
  ExpectStream(stream);
  if (size_bytes == 0) return;
  const ContextScope scope(*this, stream.device);
  MANTA_TRY(cuMemcpyDtoHAsync, destination, source.address, size_bytes, Native(stream));
}

void CudaBackend::CopyOnDevice(DevicePointer destination, DevicePointer source, std::size_t size_bytes,
                               StreamHandle stream) {
  ExpectStream(stream);
  if (size_bytes == 0) return;
  const ContextScope scope(*this, stream.device);
  MANTA_TRY(cuMemcpyDtoDAsync, destination.address, source.address, size_bytes, Native(stream));
}

void CudaBackend::CallOnStream(StreamHandle stream, void (*function)(void*), void* argument) {
  ExpectStream(stream);
  const ContextScope scope(*this, stream.device);
  MANTA_TRY(cuLaunchHostFunc, Native(stream), function, argument);
}

}  // namespace manta::gpu
