#include "gpu/fake/fake_backend.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include <manta/error.hpp>

#include "core/base/check.hpp"
#include "gpu/handle_checks.hpp"

namespace manta::gpu {
namespace {

constexpr std::size_t kHostAlignment = 64;

// CUDA's current device is a matter of the thread as well.
thread_local const FakeBackend* current_backend = nullptr;
thread_local int current_device = -1;

DeviceInfo MakeInfo(int ordinal, std::uint64_t memory_bytes) {
  char uuid[48], bus_id[16];
  std::snprintf(uuid, sizeof(uuid), "GPU-fa4e0000-0000-0000-0000-%012x", static_cast<unsigned>(ordinal));
  std::snprintf(bus_id, sizeof(bus_id), "0000:%02x:00.0", static_cast<unsigned>(ordinal + 1) & 255u);
  DeviceInfo info;
  info.ordinal = ordinal;
  info.uuid = uuid;
  info.name = "Fake GPU " + std::to_string(ordinal);
  info.pci_bus_id = bus_id;
  info.memory_bytes = memory_bytes;
  info.multiprocessors = 1;
  return info;
}

}  // namespace

struct FakeBackend::Device {
  Device(int number, std::uint64_t memory_bytes) : memory(number, memory_bytes) {}

  void Break(const std::string& reason) {
    const std::lock_guard lock(mutex);
    if (broken.empty()) broken = reason;
  }
  std::string WhyBroken() {
    const std::lock_guard lock(mutex);
    return broken;
  }

  FakeMemory memory;
  std::atomic<bool> has_context{false};  // set by any caller; relaxed: nothing is read on its strength
  std::mutex mutex;
  std::string broken;  // guarded by mutex; empty while the device works
};

struct FakeBackend::StreamState {
  StreamState(Device& used, std::uint64_t seed, int max_delay_us) : device(used), stream(seed, max_delay_us) {}

  Device& device;
  // Set by the test, taken by who queues work next; relaxed: nothing else is read on its strength.
  std::atomic<bool> fail_next{false};
  FakeStream stream;                   // last: its thread uses all above
};

FakeBackend::FakeBackend(const FakeOptions& options)
    : options_(options), status_(std::to_string(options.devices) + " fake devices (threads of this process)") {
  MANTA_EXPECT(options.devices >= 1, "a fake backend with " << options.devices << " devices: use 1 or more, or none");
  for (int i = 0; i < options.devices; ++i) {
    infos_.push_back(MakeInfo(i, options.memory_bytes));
    devices_.push_back(std::make_unique<Device>(i, options.memory_bytes));
  }
}

FakeBackend::~FakeBackend() {
  streams_.clear();  // joins the threads: their work uses the members below them
  for (const auto& [memory, size_bytes] : host_memory_) std::free(memory);
}

void FakeBackend::FailNext(FakeCall call, int count) {
  const std::lock_guard lock(mutex_);
  failures_[call] = count;
}

void FakeBackend::FailNextWork(StreamHandle stream) {
  FindStream(stream)->fail_next.store(true, std::memory_order_relaxed);
}

int FakeBackend::CurrentDevice() const { return current_backend == this ? current_device : -1; }

bool FakeBackend::HasContext(int device) const {
  ExpectDevice(infos_, device);
  return devices_[static_cast<std::size_t>(device)]->has_context.load(std::memory_order_relaxed);
}

FakeBackend::Device& FakeBackend::Use(int device) {
  ExpectDevice(infos_, device);
  Device& found = *devices_[static_cast<std::size_t>(device)];
  found.has_context.store(true, std::memory_order_relaxed);
  const std::string broken = found.WhyBroken();
  if (!broken.empty()) throw CudaError("fake device " + std::to_string(device) + ": " + broken);
  return found;
}

void FakeBackend::ThrowIfAsked(FakeCall call) {
  const std::lock_guard lock(mutex_);
  const auto found = failures_.find(call);
  if (found == failures_.end() || found->second <= 0) return;
  --found->second;
  throw CudaError("injected failure of a call to the fake device");
}

std::shared_ptr<FakeBackend::StreamState> FakeBackend::FindStream(StreamHandle stream) {
  ExpectStream(stream);
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream.native);
  MANTA_EXPECT(found != streams_.end(), "a stream of device " << stream.device << " was used after DestroyStream");
  return found->second;
}

void FakeBackend::MakeCurrent(int device) {
  Use(device);
  ThrowIfAsked(FakeCall::kMakeCurrent);
  current_backend = this;
  current_device = device;
}

DeviceMemoryInfo FakeBackend::GetMemoryInfo(int device) { return Use(device).memory.info(); }

DevicePointer FakeBackend::Allocate(int device, std::size_t size_bytes) {
  ExpectSize(size_bytes);
  Device& used = Use(device);
  ThrowIfAsked(FakeCall::kAllocate);
  return used.memory.Allocate(size_bytes);
}

void FakeBackend::Free(int device, DevicePointer pointer) {
  if (pointer.valid()) Use(device).memory.Free(pointer);
}

void* FakeBackend::AllocateHost(int device, std::size_t size_bytes) {
  ExpectSize(size_bytes);
  Use(device);
  ThrowIfAsked(FakeCall::kAllocateHost);
  const std::size_t rounded = (size_bytes + kHostAlignment - 1) / kHostAlignment * kHostAlignment;
  void* memory = std::aligned_alloc(kHostAlignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, kFakeFreshByte, rounded);
  const std::lock_guard lock(mutex_);
  host_memory_.emplace(memory, size_bytes);
  return memory;
}

void FakeBackend::FreeHost(int device, void* memory) {
  if (memory == nullptr) return;
  Use(device);
  const std::lock_guard lock(mutex_);
  if (host_memory_.erase(memory) == 0) throw CudaError("FreeHost: no memory of AllocateHost");
  std::free(memory);
}

StreamHandle FakeBackend::CreateStream(int device) {
  Device& used = Use(device);
  ThrowIfAsked(FakeCall::kCreateStream);
  const std::lock_guard lock(mutex_);
  const std::uintptr_t number = next_handle_++;
  void* const native = reinterpret_cast<void*>(number);
  const std::uint64_t seed = options_.seed * 1'000'003 + number;  // each stream has delays of its own
  streams_.emplace(native, std::make_shared<StreamState>(used, seed, options_.max_delay_us));
  return {native, device};
}

void FakeBackend::DestroyStream(StreamHandle stream) {
  std::shared_ptr<StreamState> last = FindStream(stream);
  Use(stream.device);
  const std::lock_guard lock(mutex_);
  streams_.erase(stream.native);
  // `last` ends the stream after the lock is given back: its work takes the lock too.
}

void FakeBackend::SynchronizeStream(StreamHandle stream) {
  const std::shared_ptr<StreamState> state = FindStream(stream);
  state->stream.Wait();
  Use(stream.device);
}

bool FakeBackend::QueryStream(StreamHandle stream) {
  const bool idle = FindStream(stream)->stream.Idle();
  Use(stream.device);
  return idle;
}

EventHandle FakeBackend::CreateEvent(int device) {
  Use(device);
  ThrowIfAsked(FakeCall::kCreateEvent);
  const std::lock_guard lock(mutex_);
  void* const native = reinterpret_cast<void*>(next_handle_++);
  events_.emplace(native, nullptr);
  return {native, device};
}

void FakeBackend::DestroyEvent(EventHandle event) {
  ExpectEvent(event);
  Use(event.device);
  const std::lock_guard lock(mutex_);
  MANTA_EXPECT(events_.erase(event.native) == 1, "an event of device " << event.device << " was destroyed twice");
}

void FakeBackend::RecordEvent(EventHandle event, StreamHandle stream) {
  ExpectEvent(event);
  const std::shared_ptr<StreamState> state = FindStream(stream);
  ExpectSameDevice(event, stream);
  Use(stream.device);
  auto mark = std::make_shared<FakeMark>();
  {
    const std::lock_guard lock(mutex_);
    const auto found = events_.find(event.native);
    MANTA_EXPECT(found != events_.end(), "an event of device " << event.device << " was recorded after DestroyEvent");
    found->second = mark;
  }
  state->stream.Push([mark = std::move(mark)] { mark->Set(); });
}

bool FakeBackend::QueryEvent(EventHandle event) {
  ExpectEvent(event);
  std::shared_ptr<FakeMark> mark;
  {
    const std::lock_guard lock(mutex_);
    const auto found = events_.find(event.native);
    MANTA_EXPECT(found != events_.end(), "an event of device " << event.device << " was queried after DestroyEvent");
    mark = found->second;
  }
  const bool set = mark == nullptr || mark->IsSet();
  Use(event.device);  // after the look: the work before a set mark may have failed
  return set;
}

void FakeBackend::WaitEvent(StreamHandle stream, EventHandle event) {
  ExpectEvent(event);
  const std::shared_ptr<StreamState> state = FindStream(stream);
  Use(stream.device);
  std::shared_ptr<FakeMark> mark;
  {
    const std::lock_guard lock(mutex_);
    const auto found = events_.find(event.native);
    MANTA_EXPECT(found != events_.end(), "an event of device " << event.device << " was waited for after DestroyEvent");
    mark = found->second;
  }
  if (mark != nullptr) state->stream.Push([mark = std::move(mark)] { mark->Wait(); });
}

void FakeBackend::PushWork(StreamState& stream, std::function<void()> work, std::function<void()> after) {
  const bool fail = stream.fail_next.exchange(false, std::memory_order_relaxed);
  stream.stream.Push([&device = stream.device, fail, work = std::move(work), after = std::move(after)] {
    if (fail) device.Break("injected failure of queued work (sticky, as an illegal address is with CUDA)");
    if (device.WhyBroken().empty()) work();
    after();  // also when the device is broken: whoever waits must hear of it
  });
}

void FakeBackend::BeginHostUse(HostRange range, bool poison) {
  const std::lock_guard lock(mutex_);
  const std::byte* const end = range.first + range.second;
  // An earlier queued copy may still read or fill these bytes, which is right as long as the stream orders the two.
  const bool shared = std::any_of(host_uses_.begin(), host_uses_.end(), [&](const HostRange& other) {
    return range.first < other.first + other.second && other.first < end;
  });
  if (poison && !shared) std::memset(const_cast<std::byte*>(range.first), kFakeUnsynchronizedByte, range.second);
  host_uses_.push_back(range);
}

void FakeBackend::EndHostUse(HostRange range) {
  const std::lock_guard lock(mutex_);
  host_uses_.erase(std::find(host_uses_.begin(), host_uses_.end(), range));
}

void FakeBackend::CopyToDevice(DevicePointer destination, const void* source, std::size_t size_bytes,
                               StreamHandle stream) {
  const std::shared_ptr<StreamState> state = FindStream(stream);
  if (size_bytes == 0) return;
  FakeMemory& memory = Use(stream.device).memory;
  ThrowIfAsked(FakeCall::kCopy);
  std::byte* const to = memory.BeginUse(destination, size_bytes);
  const HostRange from(static_cast<const std::byte*>(source), size_bytes);
  BeginHostUse(from, false);
  PushWork(
      *state, [to, from] { std::memcpy(to, from.first, from.second); },
      [this, from, &memory, destination] {
        EndHostUse(from);
        memory.EndUse(destination);
      });
}

void FakeBackend::CopyToHost(void* destination, DevicePointer source, std::size_t size_bytes, StreamHandle stream) {
  const std::shared_ptr<StreamState> state = FindStream(stream);
  if (size_bytes == 0) return;
  FakeMemory& memory = Use(stream.device).memory;
  ThrowIfAsked(FakeCall::kCopy);
  const std::byte* const from = memory.BeginUse(source, size_bytes);
  const HostRange to(static_cast<const std::byte*>(destination), size_bytes);
  BeginHostUse(to, true);
  PushWork(
      *state, [destination, from, size_bytes] { std::memcpy(destination, from, size_bytes); },
      [this, to, &memory, source] {
        EndHostUse(to);
        memory.EndUse(source);
      });
}

void FakeBackend::CopyOnDevice(DevicePointer destination, DevicePointer source, std::size_t size_bytes,
                               StreamHandle stream) {
  const std::shared_ptr<StreamState> state = FindStream(stream);
  if (size_bytes == 0) return;
  FakeMemory& memory = Use(stream.device).memory;
  ThrowIfAsked(FakeCall::kCopy);
  const std::byte* const from = memory.BeginUse(source, size_bytes);
  std::byte* to = nullptr;
  try {
    to = memory.BeginUse(destination, size_bytes);
  } catch (...) {
    memory.EndUse(source);
    throw;
  }
  PushWork(
      *state, [to, from, size_bytes] { std::memcpy(to, from, size_bytes); },
      [&memory, destination, source] {
        memory.EndUse(destination);
        memory.EndUse(source);
      });
}

void FakeBackend::CallOnStream(StreamHandle stream, void (*function)(void*), void* argument) {
  const std::shared_ptr<StreamState> state = FindStream(stream);
  Use(stream.device);
  PushWork(*state, [function, argument] { function(argument); }, [] {});
}

}  // namespace manta::gpu
