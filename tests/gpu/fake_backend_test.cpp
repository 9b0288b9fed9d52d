// What the fake does beyond the conformance suite: it is stricter than CUDA, and fails on request.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <manta/error.hpp>

#include "gpu/fake/fake_backend.hpp"
#include "gpu/handles/event.hpp"
#include "gpu/handles/stream.hpp"
#include "gpu/memory/device_memory.hpp"

namespace manta::gpu {
namespace {

using Bytes = std::vector<unsigned char>;

bool AllAre(const Bytes& bytes, unsigned char value) {
  return std::all_of(bytes.begin(), bytes.end(), [&](unsigned char byte) { return byte == value; });
}

// Keeps a stream from going on until Open: what is queued behind it is surely not done.
class Gate {
 public:
  Gate(DeviceBackend& backend, StreamHandle stream) {
    backend.CallOnStream(stream, [](void* self) { static_cast<Gate*>(self)->open_.wait(false); }, this);
  }
  void Open() {
    open_ = true;
    open_.notify_all();
  }

 private:
  std::atomic<bool> open_{false};
};

template <class Call>
std::string ErrorOf(Call call) {
  try {
    call();
  } catch (const CudaError& error) {
    return error.what();
  }
  return "";
}

TEST(FakeBackend, FreshMemoryIsPoisoned) {
  FakeBackend backend;
  Stream stream(backend, 0);
  DeviceMemory memory(backend, 0, 100);
  Bytes read(100);

  backend.CopyToHost(read.data(), memory.pointer(), 100, stream.handle());
  stream.Synchronize();

  EXPECT_TRUE(AllAre(read, kFakeFreshByte));
}

TEST(FakeBackend, HostMemoryReadBeforeSynchronizingIsPoisoned) {
  FakeBackend backend;
  Stream stream(backend, 0);
  DeviceMemory memory(backend, 0, 100);
  const Bytes sent(100, 1);
  Bytes received(100, 2);
  backend.CopyToDevice(memory.pointer(), sent.data(), 100, stream.handle());
  Gate gate(backend, stream.handle());

  backend.CopyToHost(received.data(), memory.pointer(), 100, stream.handle());

  EXPECT_TRUE(AllAre(received, kFakeUnsynchronizedByte));
  EXPECT_FALSE(stream.Query());
  gate.Open();
  stream.Synchronize();
  EXPECT_EQ(received, sent);
}

TEST(FakeBackend, DoesNotPoisonWhatAnEarlierCopyOfTheStreamStillReads) {
  FakeBackend backend;
  Stream stream(backend, 0);
  DeviceMemory first(backend, 0, 100), second(backend, 0, 100);
  const Bytes twos(100, 2);
  Bytes host(100, 1), read(100);
  backend.CopyToDevice(second.pointer(), twos.data(), 100, stream.handle());
  Gate gate(backend, stream.handle());

  backend.CopyToDevice(first.pointer(), host.data(), 100, stream.handle());
  backend.CopyToHost(host.data(), second.pointer(), 100, stream.handle());
  gate.Open();
  backend.CopyToHost(read.data(), first.pointer(), 100, stream.handle());
  stream.Synchronize();

  EXPECT_TRUE(AllAre(read, 1));
  EXPECT_EQ(host, twos);
}

TEST(FakeBackend, FreedMemoryIsPoisonedAndItsUseRefused) {
  FakeBackend backend;
  Stream stream(backend, 0);
  DeviceMemory memory(backend, 0, 100);
  const DevicePointer stale = memory.pointer();
  const Bytes sent(100, 1);
  backend.CopyToDevice(stale, sent.data(), 100, stream.handle());
  stream.Synchronize();
  memory.Close();

  EXPECT_TRUE(AllAre(Bytes(reinterpret_cast<unsigned char*>(stale.address),
                           reinterpret_cast<unsigned char*>(stale.address) + 100),
                     kFakeFreedByte));
  const auto use = [&] { backend.CopyToDevice(stale + 10, sent.data(), 10, stream.handle()); };
  EXPECT_NE(ErrorOf(use).find("use after free"), std::string::npos) << ErrorOf(use);
  EXPECT_NE(ErrorOf([&] { backend.Free(0, stale); }).find("freed before"), std::string::npos);
}

TEST(FakeBackend, ForgetsFreedMemoryBeforeTheHostRunsOut) {
  FakeBackend backend({.devices = 1, .memory_bytes = 8 << 20});

  for (int round = 0; round < 20; ++round) DeviceMemory(backend, 0, 8 << 20);

  EXPECT_EQ(backend.GetMemoryInfo(0).free_bytes, 8u << 20);
}

TEST(FakeBackend, RefusesToFreeWhatAQueuedCopyUses) {
  FakeBackend backend;
  Stream stream(backend, 0);
  DeviceMemory memory(backend, 0, 100);
  const Bytes sent(100, 1);
  Gate gate(backend, stream.handle());
  backend.CopyToDevice(memory.pointer(), sent.data(), 100, stream.handle());

  EXPECT_THROW(backend.Free(0, memory.pointer()), UsageError);

  gate.Open();
  stream.Synchronize();
  memory.Close();
}

TEST(FakeBackend, RefusesAddressesOutsideOfItsMemory) {
  FakeBackend backend;
  Stream stream(backend, 0), other(backend, 1);
  DeviceMemory memory(backend, 0, 100);
  Bytes host(200);

  EXPECT_THROW(backend.CopyToHost(host.data(), {64}, 10, stream.handle()), CudaError);
  EXPECT_THROW(backend.CopyToHost(host.data(), memory.pointer(), 101, stream.handle()), CudaError);
  EXPECT_THROW(backend.CopyToHost(host.data(), memory.pointer() + 60, 41, stream.handle()), CudaError);
  EXPECT_THROW(backend.CopyToHost(host.data(), memory.pointer(), 10, other.handle()), CudaError);
  EXPECT_THROW(backend.CopyOnDevice({64}, memory.pointer(), 10, stream.handle()), CudaError);
  EXPECT_THROW(backend.Free(0, memory.pointer() + 1), CudaError);
  EXPECT_THROW(backend.FreeHost(0, host.data()), CudaError);
  memory.Close();  // a refused copy holds nothing
}

TEST(FakeBackend, KeepsExactAccountOfMemory) {
  FakeBackend backend({.devices = 2, .memory_bytes = 1000});
  DeviceMemory memory(backend, 1, 600);

  EXPECT_EQ(backend.GetMemoryInfo(0).free_bytes, 1000u);
  EXPECT_EQ(backend.GetMemoryInfo(1).free_bytes, 400u);
  try {
    backend.Allocate(1, 401);
    FAIL();
  } catch (const OutOfMemoryError& error) {
    EXPECT_EQ(error.asked_bytes(), 401u);
    EXPECT_EQ(error.free_bytes(), 400u);
  }
  memory.Close();
  EXPECT_EQ(backend.GetMemoryInfo(1).free_bytes, 1000u);
}

TEST(FakeBackend, RefusesStaleHandles) {
  FakeBackend backend;
  Stream stream(backend, 0);
  Event event(backend, 0);
  const StreamHandle stale_stream = stream.handle();
  const EventHandle stale_event = event.handle();
  stream.Close();
  event.Close();
  Stream live(backend, 0);

  EXPECT_THROW(backend.SynchronizeStream(stale_stream), UsageError);
  EXPECT_THROW(backend.DestroyStream(stale_stream), UsageError);
  EXPECT_THROW(backend.QueryEvent(stale_event), UsageError);
  EXPECT_THROW(backend.DestroyEvent(stale_event), UsageError);
  EXPECT_THROW(backend.RecordEvent(stale_event, live.handle()), UsageError);
  EXPECT_THROW(backend.WaitEvent(live.handle(), stale_event), UsageError);
}

TEST(FakeBackend, DestroyingAStreamFinishesItsWork) {
  FakeBackend backend;
  std::atomic<int> calls{0};
  {
    Stream stream(backend, 0);
    for (int i = 0; i < 10; ++i)
      backend.CallOnStream(stream.handle(), [](void* count) { ++*static_cast<std::atomic<int>*>(count); }, &calls);
  }

  EXPECT_EQ(calls.load(), 10);
}

TEST(FakeBackend, CallsFailAsOftenAsAsked) {
  FakeBackend backend;
  backend.FailNext(FakeCall::kAllocate, 2);

  EXPECT_THROW(backend.Allocate(0, 10), CudaError);
  EXPECT_THROW(backend.Allocate(1, 10), CudaError);
  DeviceMemory memory(backend, 0, 10);

  Stream stream(backend, 0);
  const char byte = 1;
  for (const FakeCall call : {FakeCall::kMakeCurrent, FakeCall::kAllocateHost, FakeCall::kCreateStream,
                              FakeCall::kCreateEvent, FakeCall::kCopy})
    backend.FailNext(call);
  EXPECT_THROW(backend.MakeCurrent(0), CudaError);
  EXPECT_THROW(backend.AllocateHost(0, 10), CudaError);
  EXPECT_THROW(Stream(backend, 0), CudaError);
  EXPECT_THROW(Event(backend, 0), CudaError);
  EXPECT_THROW(backend.CopyToDevice(memory.pointer(), &byte, 1, stream.handle()), CudaError);
  backend.CopyToDevice(memory.pointer(), &byte, 1, stream.handle());
  stream.Synchronize();
}

TEST(FakeBackend, WorkThatFailsMakesItsDeviceUselessButNoOther) {
  FakeBackend backend;
  const StreamHandle broken = backend.CreateStream(0);
  const StreamHandle beside = backend.CreateStream(0);
  const EventHandle event = backend.CreateEvent(0);
  const DevicePointer memory = backend.Allocate(0, 10);
  const char byte = 1;
  backend.FailNextWork(broken);

  backend.CopyToDevice(memory, &byte, 1, broken);
  backend.RecordEvent(event, broken);

  EXPECT_NE(ErrorOf([&] { backend.SynchronizeStream(broken); }).find("injected"), std::string::npos);
  EXPECT_THROW(backend.QueryEvent(event), CudaError);
  EXPECT_THROW(backend.QueryStream(beside), CudaError);
  EXPECT_THROW(backend.SynchronizeStream(beside), CudaError);
  EXPECT_THROW(backend.Allocate(0, 1), CudaError);
  EXPECT_THROW(backend.MakeCurrent(0), CudaError);
  Stream other(backend, 1);
  DeviceMemory works(backend, 1, 10);
  backend.CopyToDevice(works.pointer(), &byte, 1, other.handle());
  other.Synchronize();
}

TEST(FakeBackend, WhoWaitsForFailedWorkOfAnotherDeviceIsNotLeftWaiting) {
  FakeBackend backend;
  const StreamHandle broken = backend.CreateStream(0);
  const EventHandle event = backend.CreateEvent(0);
  Stream waiting(backend, 1);
  backend.FailNextWork(broken);

  backend.CallOnStream(broken, [](void*) {}, nullptr);
  backend.RecordEvent(event, broken);
  backend.WaitEvent(waiting.handle(), event);

  waiting.Synchronize();
}

TEST(FakeBackend, OwnersLogWhatTheyCannotThrow) {
  FakeBackend backend;
  const StreamHandle broken = backend.CreateStream(0);
  testing::internal::CaptureStderr();
  {
    Stream stream(backend, 0);
    DeviceMemory memory(backend, 0, 10);
    Event event(backend, 0);
    backend.FailNextWork(broken);
    backend.CallOnStream(broken, [](void*) {}, nullptr);
    EXPECT_THROW(backend.SynchronizeStream(broken), CudaError);
  }

  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("ending a stream"), std::string::npos) << log;
  EXPECT_NE(log.find("ending an event"), std::string::npos) << log;
  EXPECT_NE(log.find("giving device memory back"), std::string::npos) << log;
}

TEST(FakeBackend, TellsWhichDevicesWereUsedAndWhichIsCurrent) {
  FakeBackend backend({.devices = 3});
  EXPECT_FALSE(backend.HasContext(0) || backend.HasContext(1) || backend.HasContext(2));
  EXPECT_EQ(backend.CurrentDevice(), -1);

  backend.MakeCurrent(2);
  Stream stream(backend, 1);

  EXPECT_EQ(backend.CurrentDevice(), 2);
  std::thread([&] { EXPECT_EQ(backend.CurrentDevice(), -1) << "current is a matter of the thread"; }).join();
  EXPECT_FALSE(backend.HasContext(0));
  EXPECT_TRUE(backend.HasContext(1) && backend.HasContext(2));
}

TEST(FakeBackend, NeedsADevice) { EXPECT_THROW(FakeBackend({.devices = 0}), UsageError); }

}  // namespace
}  // namespace manta::gpu
