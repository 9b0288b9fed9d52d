// Our CUDA code on the pretend driver (tests/support/fake_cuda_driver in LD_LIBRARY_PATH), which counts what is held.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <manta/error.hpp>

#include "gpu/cuda/cuda_backend.hpp"
#include "gpu/handles/event.hpp"
#include "gpu/handles/stream.hpp"
#include "gpu/memory/device_memory.hpp"
#include "tests/core/worker/fiber_loop.hpp"

namespace manta::gpu {
namespace {

class CudaBackendOnPretendDriver : public ::testing::Test {
 protected:
  void SetUp() override {
    driver_ = ::dlopen("libcuda.so.1", RTLD_NOW);
    if (driver_ == nullptr || ::dlsym(driver_, "fake_cuda_contexts") == nullptr)
      GTEST_SKIP() << "needs the pretend driver in LD_LIBRARY_PATH; run it through ctest";
    backend_ = std::make_unique<CudaBackend>(DetectCuda(), 3);
  }
  void TearDown() override { ::unsetenv("FAKE_CUDA_FAIL"); }

  int Contexts() { return Find<int()>("fake_cuda_contexts")(); }
  int Live() { return Find<int()>("fake_cuda_live")(); }
  int CurrentDevice() {  // -1: none
    int device = -1;
    return Find<int(int*)>("cuCtxGetDevice")(&device) == 0 ? device : -1;
  }
  template <class Function>
  Function* Find(const char* symbol) { return reinterpret_cast<Function*>(::dlsym(driver_, symbol)); }

  void* driver_ = nullptr;
  std::unique_ptr<CudaBackend> backend_;
};

TEST_F(CudaBackendOnPretendDriver, MakesAContextAtFirstUseOnly) {
  EXPECT_EQ(backend_->devices().size(), 2u);
  EXPECT_EQ(Contexts(), 0);

  backend_->GetMemoryInfo(1);
  backend_->GetMemoryInfo(1);

  EXPECT_EQ(Contexts(), 1);
  backend_.reset();
  EXPECT_EQ(Contexts(), 0);
}

TEST_F(CudaBackendOnPretendDriver, SeveralThreadsMakeOneContext) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back([this] { backend_->GetMemoryInfo(0); });
  for (std::thread& thread : threads) thread.join();

  backend_.reset();

  EXPECT_EQ(Contexts(), 0) << "a context was retained twice, and released once";
}

TEST_F(CudaBackendOnPretendDriver, MakesADeviceCurrentForTheCallingThread) {
  std::thread([this] {
    EXPECT_EQ(CurrentDevice(), -1);
    backend_->MakeCurrent(1);
    EXPECT_EQ(CurrentDevice(), 1);
    backend_->MakeCurrent(0);
    EXPECT_EQ(CurrentDevice(), 0);
  }).join();
}

TEST_F(CudaBackendOnPretendDriver, ATaskKeepsItsDeviceOverAWait) {
  worker::StackPool stacks;
  manta::testing::FiberLoop loop(stacks);
  worker::FiberWait wait(loop);
  loop.Add([&] {
    backend_->MakeCurrent(1);
    loop.Park(wait);
    EXPECT_EQ(CurrentDevice(), 1);
  });
  loop.Add([&] {
    EXPECT_EQ(CurrentDevice(), -1);
    backend_->MakeCurrent(0);
    wait.Signal();
  });
  std::thread([&] { loop.Run(); }).join();
}

TEST_F(CudaBackendOnPretendDriver, OtherCallsLeaveTheCurrentDeviceAsItWas) {
  std::thread([this] {
    backend_->GetMemoryInfo(1);
    EXPECT_EQ(CurrentDevice(), -1);
    backend_->MakeCurrent(0);
    Stream stream(*backend_, 1);
    EXPECT_THROW(backend_->Allocate(1, 1ull << 40), OutOfMemoryError);
    EXPECT_EQ(CurrentDevice(), 0);
  }).join();
}

TEST_F(CudaBackendOnPretendDriver, GivesEverythingBack) {
  {
    Stream stream(*backend_, 0);
    Event event(*backend_, 0);
    DeviceMemory memory(*backend_, 0, 100);
    void* const host = backend_->AllocateHost(0, 100);
    EXPECT_EQ(Live(), 3);
    EXPECT_EQ(backend_->GetMemoryInfo(0).free_bytes, (64u << 20) - 100);
    backend_->FreeHost(0, host);
  }

  EXPECT_EQ(Live(), 0);
  EXPECT_EQ(backend_->GetMemoryInfo(0).free_bytes, 64u << 20);
}

TEST_F(CudaBackendOnPretendDriver, AnErrorNamesCallCodeTextPlaceAndRank) {
  Stream stream(*backend_, 0);
  ::setenv("FAKE_CUDA_FAIL", "cuStreamSynchronize", 1);

  try {
    stream.Synchronize();
    FAIL();
  } catch (const CudaError& error) {
    const std::string text = error.what();
    const std::string start =
        "cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access was encountered at "
        "gpu/cuda/cuda_backend.cpp:";
    EXPECT_EQ(text.substr(0, start.size()), start);
    EXPECT_NE(text.find(" on rank 3"), std::string::npos) << text;
  }
}

TEST_F(CudaBackendOnPretendDriver, EveryRefusalOfTheDriverIsAnError) {
  const StreamHandle stream = backend_->CreateStream(0);
  const EventHandle event = backend_->CreateEvent(0);
  const DevicePointer memory = backend_->Allocate(0, 10);
  void* const host = backend_->AllocateHost(0, 10);
  const auto refused = [](const char* function, auto call) {
    ::setenv("FAKE_CUDA_FAIL", function, 1);
    EXPECT_THROW(call(), CudaError) << function;
    ::unsetenv("FAKE_CUDA_FAIL");
  };

  refused("cuDevicePrimaryCtxRetain", [&] { backend_->MakeCurrent(1); });
  refused("cuMemGetInfo_v2", [&] { backend_->GetMemoryInfo(0); });
  refused("cuMemAlloc_v2", [&] { backend_->Allocate(0, 10); });
  refused("cuMemFree_v2", [&] { backend_->Free(0, memory); });
  refused("cuMemHostAlloc", [&] { backend_->AllocateHost(0, 10); });
  refused("cuMemFreeHost", [&] { backend_->FreeHost(0, host); });
  refused("cuStreamCreate", [&] { backend_->CreateStream(0); });
  refused("cuStreamDestroy_v2", [&] { backend_->DestroyStream(stream); });
  refused("cuStreamQuery", [&] { backend_->QueryStream(stream); });
  refused("cuEventCreate", [&] { backend_->CreateEvent(0); });
  refused("cuEventDestroy_v2", [&] { backend_->DestroyEvent(event); });
  refused("cuEventRecord", [&] { backend_->RecordEvent(event, stream); });
  refused("cuEventQuery", [&] { backend_->QueryEvent(event); });
  refused("cuStreamWaitEvent", [&] { backend_->WaitEvent(stream, event); });
  refused("cuMemcpyHtoDAsync_v2", [&] { backend_->CopyToDevice(memory, host, 10, stream); });
  refused("cuMemcpyDtoHAsync_v2", [&] { backend_->CopyToHost(host, memory, 10, stream); });
  refused("cuMemcpyDtoDAsync_v2", [&] { backend_->CopyOnDevice(memory, memory, 10, stream); });
  refused("cuLaunchHostFunc", [&] { backend_->CallOnStream(stream, [](void*) {}, nullptr); });

  backend_->FreeHost(0, host);
  backend_->Free(0, memory);
  backend_->DestroyEvent(event);
  backend_->DestroyStream(stream);
  EXPECT_EQ(Live(), 0);
}

TEST_F(CudaBackendOnPretendDriver, OutOfMemoryTellsAskedAndFree) {
  DeviceMemory memory(*backend_, 0, 60 << 20);

  try {
    backend_->Allocate(0, 5 << 20);
    FAIL();
  } catch (const OutOfMemoryError& error) {
    EXPECT_EQ(error.asked_bytes(), 5u << 20);
    EXPECT_EQ(error.free_bytes(), 4u << 20);
    EXPECT_STREQ(error.what(),
                 "device 0: 5242880 bytes asked, 4194304 free; free something, or ask for less (rank 3)");
  }
}

}  // namespace
}  // namespace manta::gpu
