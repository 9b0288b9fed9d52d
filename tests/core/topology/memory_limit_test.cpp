#include "core/topology/memory_limit.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

namespace manta::topology {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

/// A pretended /sys/fs/cgroup.
class MemoryLimit : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(root_); }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text << "\n";
  }

  std::filesystem::path root_ =
      std::filesystem::temp_directory_path() / ("manta_memory_limit_" + std::to_string(::getpid()));
};

TEST_F(MemoryLimit, IsTheSmallestOnTheWayToTheRoot) {
  Write("slice/job/step/memory.max", "max");
  Write("slice/job/memory.max", "1000000");
  Write("slice/memory.max", "2000000");

  EXPECT_EQ(MemoryLimitBytes("0::/slice/job/step\n", root_), 1'000'000u);
  EXPECT_EQ(MemoryLimitBytes("0::/slice\n", root_), 2'000'000u);
  EXPECT_EQ(MemoryLimitBytes("0::/other\n", root_), kNoLimit);
}

TEST_F(MemoryLimit, IsThatOfTheMountWhereTheHostsPathIsNotSeen) {
  Write("memory.max", "3000000");

  EXPECT_EQ(MemoryLimitBytes("0::/\n", root_), 3'000'000u);
  EXPECT_EQ(MemoryLimitBytes("0::/docker/0123\n", root_), 3'000'000u);
  EXPECT_EQ(MemoryLimitBytes("0::/../0123\n", root_), 3'000'000u);
}

TEST_F(MemoryLimit, IsReadInVersion1Too) {
  Write("memory/job/memory.limit_in_bytes", "4000000");
  Write("memory/memory.limit_in_bytes", "9223372036854771712");

  EXPECT_EQ(MemoryLimitBytes("12:cpu,cpuacct:/job\n9:memory:/job\n0::/job\n", root_), 4'000'000u);
}

TEST_F(MemoryLimit, IsNoneWhereNothingIsKnown) {
  EXPECT_EQ(MemoryLimitBytes("", root_), kNoLimit);
  EXPECT_EQ(MemoryLimitBytes("no colons\n0:\n", root_), kNoLimit);
  EXPECT_GT(MemoryLimitBytes(), 0u);
}

}  // namespace
}  // namespace manta::topology
