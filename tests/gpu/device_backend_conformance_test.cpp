// What every DeviceBackend must do, by its header. Runs on the fake, on CUDA's devices where there are any, and (with
// the pretend driver in LD_LIBRARY_PATH) on our CUDA code without a device.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <manta/error.hpp>

#include "core/ports/device_backend.hpp"
#include "gpu/handles/event.hpp"
#include "gpu/handles/stream.hpp"
#include "gpu/make_backend.hpp"
#include "gpu/memory/device_memory.hpp"

namespace manta::gpu {
namespace {

using Bytes = std::vector<unsigned char>;

Bytes Pattern(std::size_t size, unsigned start) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(start + i * 7);
  return bytes;
}

class DeviceBackendConformance : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    DeviceBackendOptions options;
    if (GetParam() == "fake") options.kind = DeviceBackendKind::kFake;
    backend_ = MakeDeviceBackend(options);
    if (backend_->devices().empty()) GTEST_SKIP() << "needs 1 CUDA device, found none: " << backend_->status();
  }

  void WriteBlocking(DevicePointer destination, const Bytes& bytes, Stream& stream) {
    backend_->CopyToDevice(destination, bytes.data(), bytes.size(), stream.handle());
    stream.Synchronize();
  }
  Bytes ReadBlocking(DevicePointer source, std::size_t size, Stream& stream) {
    Bytes bytes(size);
    backend_->CopyToHost(bytes.data(), source, size, stream.handle());
    stream.Synchronize();
    return bytes;
  }

  std::unique_ptr<DeviceBackend> backend_;
};

TEST_P(DeviceBackendConformance, ListsDevicesWithWhatTellsThemApart) {
  std::set<std::string> uuids, bus_ids;
  for (std::size_t i = 0; i < backend_->devices().size(); ++i) {
    const DeviceInfo& info = backend_->devices()[i];
    EXPECT_EQ(info.ordinal, static_cast<int>(i));
    EXPECT_EQ(info.uuid.size(), 40u) << info.uuid;
    EXPECT_FALSE(info.name.empty());
    EXPECT_GT(info.memory_bytes, 0u);
    EXPECT_GT(info.multiprocessors, 0);
    uuids.insert(info.uuid);
    bus_ids.insert(info.pci_bus_id);
  }

  EXPECT_EQ(uuids.size(), backend_->devices().size());
  EXPECT_EQ(bus_ids.count(""), 0u);
  EXPECT_NE(std::string(backend_->status()).find("device"), std::string::npos);
}

TEST_P(DeviceBackendConformance, CopiesToEveryDeviceAndBack) {
  for (const DeviceInfo& info : backend_->devices()) {
    Stream stream(*backend_, info.ordinal);
    for (const std::size_t size : {1u, 255u, 4097u, (1u << 20) + 3u}) {
      DeviceMemory memory(*backend_, info.ordinal, size);
      const Bytes sent = Pattern(size, 5);

      WriteBlocking(memory.pointer(), sent, stream);

      EXPECT_EQ(ReadBlocking(memory.pointer(), size, stream), sent) << size << " bytes on device " << info.ordinal;
    }
  }
}

TEST_P(DeviceBackendConformance, CopiesPartsAndOnTheDevice) {
  Stream stream(*backend_, 0);
  DeviceMemory first(*backend_, 0, 1000), second(*backend_, 0, 1000);
  const Bytes sent = Pattern(1000, 1);
  WriteBlocking(first.pointer(), sent, stream);
  WriteBlocking(second.pointer(), Bytes(1000, 0), stream);

  backend_->CopyOnDevice(second.pointer() + 100, first.pointer() + 33, 500, stream.handle());

  Bytes expected(1000, 0);
  std::copy_n(sent.begin() + 33, 500, expected.begin() + 100);
  EXPECT_EQ(ReadBlocking(second.pointer(), 1000, stream), expected);
}

TEST_P(DeviceBackendConformance, CopiesOfNothingDoNothing) {
  Stream stream(*backend_, 0);

  backend_->CopyToDevice({}, nullptr, 0, stream.handle());
  backend_->CopyToHost(nullptr, {}, 0, stream.handle());
  backend_->CopyOnDevice({}, {}, 0, stream.handle());

  stream.Synchronize();
  EXPECT_TRUE(stream.Query());
}

TEST_P(DeviceBackendConformance, DoesTheWorkOfAStreamInOrder) {
  Stream stream(*backend_, 0);
  DeviceMemory memory(*backend_, 0, 64);
  const Bytes first(64, 1), second(64, 2);
  Bytes between(64), after(64);

  backend_->CopyToDevice(memory.pointer(), first.data(), 64, stream.handle());
  backend_->CopyToHost(between.data(), memory.pointer(), 64, stream.handle());
  backend_->CopyToDevice(memory.pointer(), second.data(), 64, stream.handle());
  backend_->CopyToHost(after.data(), memory.pointer(), 64, stream.handle());
  stream.Synchronize();

  EXPECT_EQ(between, first);
  EXPECT_EQ(after, second);
}

TEST_P(DeviceBackendConformance, AnEventHoldsBackAnotherStream) {
  Stream writer(*backend_, 0), reader(*backend_, 0);
  DeviceMemory memory(*backend_, 0, 1 << 16);
  Event written(*backend_, 0);
  for (unsigned round = 0; round < 10; ++round) {
    const Bytes sent = Pattern(1 << 16, round);
    Bytes received(1 << 16);

    backend_->CopyToDevice(memory.pointer(), sent.data(), sent.size(), writer.handle());
    written.Record(writer.handle());
    written.HoldBack(reader.handle());
    backend_->CopyToHost(received.data(), memory.pointer(), received.size(), reader.handle());
    reader.Synchronize();

    ASSERT_EQ(received, sent) << "round " << round;
  }
  writer.Synchronize();
}

TEST_P(DeviceBackendConformance, AnEventHoldsBackAStreamOfAnotherDevice) {
  if (backend_->devices().size() < 2) GTEST_SKIP() << "needs 2 devices, found 1: " << backend_->status();
  Stream first(*backend_, 0), second(*backend_, 1);
  Event done(*backend_, 0);
  std::atomic<int> step{0}, seen{-1};
  struct Both { std::atomic<int>*step, *seen; } both{&step, &seen};

  backend_->CallOnStream(first.handle(), [](void* value) { static_cast<std::atomic<int>*>(value)->store(1); }, &step);
  done.Record(first.handle());
  done.HoldBack(second.handle());
  const auto look = [](void* value) {
    auto* pair = static_cast<Both*>(value);
    pair->seen->store(pair->step->load());
  };
  backend_->CallOnStream(second.handle(), look, &both);
  second.Synchronize();

  EXPECT_EQ(seen.load(), 1);
}

TEST_P(DeviceBackendConformance, WaitsQueuedForADestroyedEventStillHappen) {
  Stream writer(*backend_, 0), reader(*backend_, 0);
  DeviceMemory memory(*backend_, 0, 4096);
  const Bytes sent = Pattern(4096, 9);
  Bytes received(4096);

  backend_->CopyToDevice(memory.pointer(), sent.data(), sent.size(), writer.handle());
  {
    Event written(*backend_, 0);
    written.Record(writer.handle());
    written.HoldBack(reader.handle());
  }
  backend_->CopyToHost(received.data(), memory.pointer(), received.size(), reader.handle());
  reader.Synchronize();

  EXPECT_EQ(received, sent);
  writer.Synchronize();
}

TEST_P(DeviceBackendConformance, AnEventTellsWhenItsWorkIsDone) {
  Stream stream(*backend_, 0);
  DeviceMemory memory(*backend_, 0, 4096);
  Event done(*backend_, 0);
  EXPECT_TRUE(done.Query()) << "an event that was never recorded counts as having happened";
  const Bytes sent = Pattern(4096, 2);
  Bytes received(4096);

  backend_->CopyToDevice(memory.pointer(), sent.data(), sent.size(), stream.handle());
  backend_->CopyToHost(received.data(), memory.pointer(), received.size(), stream.handle());
  done.Record(stream.handle());
  while (!done.Query()) std::this_thread::yield();

  EXPECT_EQ(received, sent);
  while (!stream.Query()) std::this_thread::yield();
}

TEST_P(DeviceBackendConformance, CallsRunInTheOrderOfTheStream) {
  Stream stream(*backend_, 0);
  DeviceMemory memory(*backend_, 0, sizeof(int));
  struct Seen {
    int received = 0;
    std::atomic<int> when_called{-1};
  } seen;
  const int sent = 42;

  backend_->CopyToDevice(memory.pointer(), &sent, sizeof(int), stream.handle());
  backend_->CopyToHost(&seen.received, memory.pointer(), sizeof(int), stream.handle());
  const auto call = [](void* value) { static_cast<Seen*>(value)->when_called = static_cast<Seen*>(value)->received; };
  backend_->CallOnStream(stream.handle(), call, &seen);
  stream.Synchronize();

  EXPECT_EQ(seen.when_called.load(), 42);
}

TEST_P(DeviceBackendConformance, ServesSeveralThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (unsigned number = 0; number < 4; ++number) {
    threads.emplace_back([this, number, &right] {
      const int device = static_cast<int>(number % backend_->devices().size());
      Stream stream(*backend_, device);
      for (unsigned round = 0; round < 10; ++round) {
        DeviceMemory memory(*backend_, device, 3000);
        const Bytes sent = Pattern(3000, number * 50 + round);
        WriteBlocking(memory.pointer(), sent, stream);
        if (ReadBlocking(memory.pointer(), sent.size(), stream) == sent) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(right.load(), 40);
}

TEST_P(DeviceBackendConformance, AlignsMemory) {
  for (const std::size_t size : {1u, 100u, 1000u}) {
    DeviceMemory memory(*backend_, 0, size);
    EXPECT_EQ(memory.pointer().address % 256, 0u);
    void* const host = backend_->AllocateHost(0, size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(host) % 64, 0u);
    backend_->FreeHost(0, host);
  }
}

TEST_P(DeviceBackendConformance, CopiesThroughPageLockedMemory) {
  Stream stream(*backend_, 0);
  DeviceMemory memory(*backend_, 0, 5000);
  auto* const host = static_cast<unsigned char*>(backend_->AllocateHost(0, 5000));
  const Bytes sent = Pattern(5000, 77);
  std::copy(sent.begin(), sent.end(), host);

  backend_->CopyToDevice(memory.pointer(), host, 5000, stream.handle());
  stream.Synchronize();
  std::fill_n(host, 5000, static_cast<unsigned char>(0));
  backend_->CopyToHost(host, memory.pointer(), 5000, stream.handle());
  stream.Synchronize();

  EXPECT_EQ(Bytes(host, host + 5000), sent);
  backend_->FreeHost(0, host);
}

TEST_P(DeviceBackendConformance, RefusesMoreMemoryThanThereIsWithFigures) {
  const std::size_t asked = backend_->devices()[0].memory_bytes + 1;
  try {
    backend_->Allocate(0, asked);
    FAIL() << "it gave " << asked << " bytes";
  } catch (const OutOfMemoryError& error) {
    EXPECT_EQ(error.asked_bytes(), asked);
    EXPECT_LE(error.free_bytes(), backend_->devices()[0].memory_bytes);
    EXPECT_NE(std::string(error.what()).find(std::to_string(asked)), std::string::npos) << error.what();
  }

  DeviceMemory memory(*backend_, 0, 1000);  // the device still works
  const DeviceMemoryInfo info = backend_->GetMemoryInfo(0);
  EXPECT_GT(info.total_bytes, 0u);
  EXPECT_LE(info.free_bytes, info.total_bytes);
}

TEST_P(DeviceBackendConformance, RefusesADeviceThatIsNotThere) {
  const int count = static_cast<int>(backend_->devices().size());
  for (const int device : {-1, count, count + 100}) {
    EXPECT_THROW(backend_->MakeCurrent(device), UsageError);
    EXPECT_THROW(backend_->GetMemoryInfo(device), UsageError);
    EXPECT_THROW(backend_->Allocate(device, 1), UsageError);
    EXPECT_THROW(backend_->AllocateHost(device, 1), UsageError);
    EXPECT_THROW(backend_->CreateStream(device), UsageError);
    EXPECT_THROW(backend_->CreateEvent(device), UsageError);
  }
}

TEST_P(DeviceBackendConformance, RefusesEmptyHandlesAndEmptyMemory) {
  Stream stream(*backend_, 0);
  Event event(*backend_, 0);

  EXPECT_THROW(backend_->SynchronizeStream({}), UsageError);
  EXPECT_THROW(backend_->QueryStream({}), UsageError);
  EXPECT_THROW(backend_->DestroyStream({}), UsageError);
  EXPECT_THROW(backend_->QueryEvent({}), UsageError);
  EXPECT_THROW(backend_->DestroyEvent({}), UsageError);
  EXPECT_THROW(backend_->RecordEvent({}, stream.handle()), UsageError);
  EXPECT_THROW(backend_->RecordEvent(event.handle(), {}), UsageError);
  EXPECT_THROW(backend_->WaitEvent({}, event.handle()), UsageError);
  EXPECT_THROW(backend_->WaitEvent(stream.handle(), {}), UsageError);
  EXPECT_THROW(backend_->CopyToDevice({}, "", 1, {}), UsageError);
  EXPECT_THROW(backend_->CallOnStream({}, nullptr, nullptr), UsageError);
  EXPECT_THROW(backend_->Allocate(0, 0), UsageError);
  EXPECT_THROW(backend_->AllocateHost(0, 0), UsageError);
}

TEST_P(DeviceBackendConformance, RefusesToRecordAnEventOfAnotherDevice) {
  if (backend_->devices().size() < 2) GTEST_SKIP() << "needs 2 devices, found 1: " << backend_->status();
  Stream stream(*backend_, 0);
  Event event(*backend_, 1);

  EXPECT_THROW(event.Record(stream.handle()), UsageError);
}

TEST_P(DeviceBackendConformance, GivingNothingBackIsFine) {
  backend_->Free(0, {});
  backend_->FreeHost(0, nullptr);
  backend_->MakeCurrent(0);
}

INSTANTIATE_TEST_SUITE_P(On, DeviceBackendConformance, testing::Values("fake", "cuda"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace manta::gpu
