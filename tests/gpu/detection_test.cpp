// Detection on machines of all kinds. Runs with the pretend driver (tests/support/fake_cuda_driver) first in
// LD_LIBRARY_PATH; the last suite instead with the toolkit's stub there.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "gpu/cuda/detect.hpp"

namespace manta::gpu {
namespace {

// Sets a variable for one test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { ::setenv(name, value, 1); }
  ~Variable() { ::unsetenv(name_); }

 private:
  const char* name_;
};

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class Detection : public testing::Test {
 protected:
  void SetUp() override {
    driver_ = ::dlopen("libcuda.so.1", RTLD_NOW);
    contexts_ = driver_ == nullptr ? nullptr : reinterpret_cast<int (*)()>(::dlsym(driver_, "fake_cuda_contexts"));
    if (contexts_ == nullptr) GTEST_SKIP() << "needs the pretend driver in LD_LIBRARY_PATH; run it through ctest";
  }

  void* driver_ = nullptr;
  int (*contexts_)() = nullptr;
};

TEST_F(Detection, ReadsWhatTheDriverKnowsAndMakesNoContext) {
  const CudaDetection found = DetectCuda();

  ASSERT_EQ(found.devices.size(), 2u);
  EXPECT_NE(found.api, nullptr);
  EXPECT_EQ(found.status, "2 devices, CUDA 13.0, driver 580.65.06");
  const DeviceInfo& second = found.devices[1];
  EXPECT_EQ(second.ordinal, 1);
  EXPECT_EQ(second.uuid, "GPU-01020304-0506-0708-090a-0b0c0d0e0fa1");
  EXPECT_EQ(second.name, "Pretend GPU 1");
  EXPECT_EQ(second.pci_bus_id, "0000:02:00.0");
  EXPECT_EQ(second.memory_bytes, 64u << 20);
  EXPECT_EQ(second.multiprocessors, 132);
  EXPECT_FALSE(second.mig);
  EXPECT_FALSE(second.mps);
  EXPECT_EQ(contexts_(), 0);
}

TEST_F(Detection, SaysOneDeviceInTheSingular) {
  const Variable devices("FAKE_CUDA_DEVICES", "1");

  EXPECT_EQ(DetectCuda().status, "1 device, CUDA 13.0, driver 580.65.06");
}

TEST_F(Detection, NamesAMigInstanceByItsOwnUuid) {
  const Variable mig("FAKE_CUDA_MIG", "1");

  const CudaDetection found = DetectCuda();

  ASSERT_EQ(found.devices.size(), 2u);
  EXPECT_EQ(found.devices[0].uuid, "MIG-ee020304-0506-0708-090a-0b0c0d0e0fa0");
  EXPECT_TRUE(found.devices[0].mig);
}

TEST_F(Detection, LearnsOfMigModeFromNvml) {
  const Variable mig("FAKE_NVML_MIG", "1");

  EXPECT_TRUE(DetectCuda().devices.at(0).mig);
}

TEST_F(Detection, SeesThatMpsRuns) {
  const Variable mps("FAKE_CUDA_MPS", "1");

  EXPECT_TRUE(DetectCuda().devices.at(0).mps);
}

TEST_F(Detection, WorksWithoutNvml) {
  EXPECT_EQ(DetectCuda({.nvml = "libnvidia-ml-absent.so.1"}).status, "2 devices, CUDA 13.0");
  const Variable refused("FAKE_NVML_INIT", "9");
  EXPECT_EQ(DetectCuda().status, "2 devices, CUDA 13.0");
}

TEST_F(Detection, SaysThatThereIsNoDevice) {
  const Variable devices("FAKE_CUDA_DEVICES", "0"), visible("CUDA_VISIBLE_DEVICES", "-1");

  const CudaDetection found = DetectCuda();

  EXPECT_TRUE(found.devices.empty());
  EXPECT_EQ(found.api, nullptr);
  EXPECT_EQ(found.status, "no CUDA device (cuInit gave CUDA_ERROR_NO_DEVICE (100); CUDA_VISIBLE_DEVICES is '-1')");
}

TEST_F(Detection, KnowsTheToolkitsStub) {
  const Variable init("FAKE_CUDA_INIT", "34");

  const CudaDetection found = DetectCuda();

  EXPECT_TRUE(found.devices.empty());
  EXPECT_TRUE(Contains(found.status, "is the toolkit's stub: cuInit gave CUDA_ERROR_STUB_LIBRARY (34)"))
      << found.status;
}

TEST_F(Detection, SaysWhatElseTheDriverRefuses) {
  {
    const Variable init("FAKE_CUDA_INIT", "803");
    EXPECT_EQ(DetectCuda().status, "CUDA driver does not start (cuInit gave CUDA error (803))");
  }
  {
    const Variable fail("FAKE_CUDA_FAIL", "cuDeviceGetCount");
    EXPECT_TRUE(Contains(DetectCuda().status, "cuDeviceGetCount gave CUDA_ERROR_ILLEGAL_ADDRESS (700)"));
  }
  const Variable sick("FAKE_CUDA_SICK", "1");
  const CudaDetection found = DetectCuda();
  EXPECT_TRUE(found.devices.empty());
  EXPECT_EQ(found.status, "CUDA device 1 does not answer (cuDeviceGetName gave CUDA error (101)); leave it out with "
                          "CUDA_VISIBLE_DEVICES");
}

TEST_F(Detection, SaysThatADriverIsTooOld) {
  EXPECT_EQ(DetectCuda({.driver = "libnvidia-ml.so.1"}).status,
            "no CUDA driver (libnvidia-ml.so.1 has no cuInit: CUDA 10 or newer is needed)");
}

TEST(DetectionWithoutDriver, SaysThatTheLibraryIsNotThere) {
  const CudaDetection found = DetectCuda({.driver = "libcuda-absent.so.1"});

  EXPECT_TRUE(found.devices.empty());
  EXPECT_EQ(found.api, nullptr);
  EXPECT_EQ(found.status, "no CUDA driver (libcuda-absent.so.1 not found)");
}

TEST(DetectionWithoutDriver, RepeatsTheLinkerWhereTheLibraryIsBroken) {
  const std::string status = DetectCuda({.driver = "/dev/null"}).status;

  EXPECT_TRUE(Contains(status, "no CUDA driver (/dev/null: ")) << status;
  EXPECT_FALSE(Contains(status, "not found")) << status;
}

TEST(ToolkitStub, IsNoDriver) {
  void* const stub = ::dlopen("libcuda.so.1", RTLD_NOW);
  const auto init = stub == nullptr ? nullptr : reinterpret_cast<int (*)(unsigned)>(::dlsym(stub, "cuInit"));
  if (init == nullptr || ::dlsym(stub, "fake_cuda_contexts") != nullptr || init(0) != kErrorStubLibrary)
    GTEST_SKIP() << "needs the toolkit's stub as libcuda.so.1 in LD_LIBRARY_PATH; run it through ctest";

  const CudaDetection found = DetectCuda();

  EXPECT_TRUE(found.devices.empty());
  EXPECT_TRUE(Contains(found.status, "is the toolkit's stub: cuInit gave CUDA_ERROR_STUB_LIBRARY (34)"))
      << found.status;
}

}  // namespace
}  // namespace manta::gpu
