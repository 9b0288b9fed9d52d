#include <gtest/gtest.h>

#include <string>

#include <manta/error.hpp>

#include "gpu/fake/fake_backend.hpp"
#include "gpu/make_backend.hpp"
#include "gpu/no_gpu.hpp"

namespace manta::gpu {
namespace {

TEST(MakeDeviceBackend, MakesAsManyFakeDevicesAsAsked) {
  const auto backend =
      MakeDeviceBackend({.kind = DeviceBackendKind::kFake, .fake_devices = 5, .fake_memory_bytes = 4096});

  EXPECT_EQ(backend->name(), "fake");
  ASSERT_EQ(backend->devices().size(), 5u);
  EXPECT_EQ(backend->devices()[4].memory_bytes, 4096u);
  EXPECT_EQ(backend->status(), "5 fake devices (threads of this process)");
}

TEST(MakeDeviceBackend, CanSwitchGpusOff) {
  const auto backend = MakeDeviceBackend({.kind = DeviceBackendKind::kNone});

  EXPECT_EQ(backend->name(), "none");
  EXPECT_TRUE(backend->devices().empty());
  EXPECT_EQ(backend->status(), "GPUs are switched off");
}

TEST(MakeDeviceBackend, SaysWhyThereIsNoCudaDeviceWhereOneIsDemanded) {
  const auto found = MakeDeviceBackend();
  if (!found->devices().empty()) GTEST_SKIP() << "this machine has one: " << found->status();
  EXPECT_EQ(found->name(), "none");

  try {
    MakeDeviceBackend({.kind = DeviceBackendKind::kCuda});
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find(found->status()), std::string::npos) << error.what();
  }
}

TEST(NoGpuBackend, RefusesEveryUseWithItsReason) {
  NoGpuBackend backend("no CUDA driver (libcuda.so.1 not found)");
  const StreamHandle stream{&backend, 0};
  const EventHandle event{&backend, 0};

  try {
    backend.Allocate(0, 10);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(),
                 "Allocate needs a device, and this process has none: no CUDA driver (libcuda.so.1 not found)");
  }
  EXPECT_THROW(backend.MakeCurrent(0), UsageError);
  EXPECT_THROW(backend.GetMemoryInfo(0), UsageError);
  EXPECT_THROW(backend.Free(0, {1}), UsageError);
  EXPECT_THROW(backend.AllocateHost(0, 1), UsageError);
  EXPECT_THROW(backend.FreeHost(0, &backend), UsageError);
  EXPECT_THROW(backend.CreateStream(0), UsageError);
  EXPECT_THROW(backend.DestroyStream(stream), UsageError);
  EXPECT_THROW(backend.SynchronizeStream(stream), UsageError);
  EXPECT_THROW(backend.QueryStream(stream), UsageError);
  EXPECT_THROW(backend.CreateEvent(0), UsageError);
  EXPECT_THROW(backend.DestroyEvent(event), UsageError);
  EXPECT_THROW(backend.RecordEvent(event, stream), UsageError);
  EXPECT_THROW(backend.QueryEvent(event), UsageError);
  EXPECT_THROW(backend.WaitEvent(stream, event), UsageError);
  EXPECT_THROW(backend.CopyToDevice({1}, "", 1, stream), UsageError);
  EXPECT_THROW(backend.CopyToHost(nullptr, {1}, 1, stream), UsageError);
  EXPECT_THROW(backend.CopyOnDevice({1}, {2}, 1, stream), UsageError);
  EXPECT_THROW(backend.CallOnStream(stream, nullptr, nullptr), UsageError);
  backend.Free(0, {});
  backend.FreeHost(0, nullptr);
}

}  // namespace
}  // namespace manta::gpu
