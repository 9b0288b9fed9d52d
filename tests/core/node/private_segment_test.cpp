#include "core/node/private_segment.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <string>

#include "core/node/segment_layout.hpp"
#include "tests/support/resident_pages.hpp"

namespace manta::node {
namespace {

constexpr std::size_t kLargePage = std::size_t{2} << 20;

bool KernelGivesLargePages() {
  std::string modes;
  std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled"), modes);
  return !modes.empty() && modes.find("[never]") == std::string::npos;
}

TEST(PrivateSegment, HasLargePagesWhereTheyAreAskedFor) {
  PrivateSegment segment(8 * kLargePage);
  segment.PreferLargePages(4 * kLargePage, 4 * kLargePage);
  segment.bytes()[0] = std::byte{1};
  segment.bytes()[6 * kLargePage] = std::byte{1};  // two large pages from both ends, wherever the segment begins
  const auto touched = testing::ResidentPages(segment.bytes().subspan(4 * kLargePage));
  if (!KernelGivesLargePages()) GTEST_SKIP() << "this kernel has only small pages";
  if (touched == 1) GTEST_SKIP() << "no large page is free";
  EXPECT_EQ(touched, kLargePage / kPageBytes);
}

TEST(PrivateSegment, KeepsSmallPagesElsewhere) {
  PrivateSegment segment(8 * kLargePage);
  segment.PreferLargePages(4 * kLargePage, 4 * kLargePage);
  segment.bytes()[kLargePage] = std::byte{1};
  std::string modes;
  std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled"), modes);
  if (modes.find("[always]") != std::string::npos) GTEST_SKIP() << "this kernel gives large pages to all";
  EXPECT_EQ(testing::ResidentPages(segment.bytes()), 1u);
}

}  // namespace
}  // namespace manta::node
