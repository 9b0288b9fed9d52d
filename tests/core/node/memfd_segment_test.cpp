#include "core/node/memfd_segment.hpp"

#include <manta/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <string>

#include "tests/conformance/segment_conformance.hpp"

namespace manta::node {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// The mapping of one that opened it, in the maker's process.
struct MemfdWorld {
  static constexpr std::size_t kSizeBytes = kMiB;
  int size() const { return 1; }
  int rank() const { return 0; }
  Segment& segment() { return *opened_; }
  void Barrier() {}
  std::string why_not_;
  std::unique_ptr<MemfdSegment> made_ = MemfdSegment::Create(kSizeBytes);
  std::unique_ptr<MemfdSegment> opened_ = MemfdSegment::Open(made_->address(), &why_not_);
};

TEST(MemfdSegment, IsTheSameMemoryForAProcessThatJoinsLater) {
  const auto made = MemfdSegment::Create(kMiB);
  made->bytes()[7] = std::byte{42};
  const MemfdAddress address = made->address();

  const pid_t child = fork();
  if (child == 0) {
    std::string why_not;
    const auto seen = MemfdSegment::Open(address, &why_not);
    const bool is_right = seen != nullptr && seen->bytes().size() == kMiB && seen->bytes()[7] == std::byte{42};
    if (is_right) seen->bytes()[kMiB - 1] = std::byte{43};
    _exit(is_right ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);

  EXPECT_EQ(status, 0);
  EXPECT_EQ(made->bytes()[kMiB - 1], std::byte{43});
}

TEST(MemfdSegment, OutlivesItsMakerForThoseWhoHaveIt) {
  std::string why_not;
  auto made = MemfdSegment::Create(kMiB);
  const auto seen = MemfdSegment::Open(made->address(), &why_not);

  made.reset();

  seen->bytes()[kMiB - 1] = std::byte{1};
  EXPECT_EQ(MemfdSegment::Open(seen->address(), &why_not), nullptr) << "nobody can join any more";
  EXPECT_THAT(why_not, HasSubstr("PID namespace"));
}

TEST(MemfdSegment, IsNotTakenForAnotherFileOfThatNumber) {
  std::string why_not;
  const auto made = MemfdSegment::Create(kMiB);
  MemfdAddress other = made->address();
  ++other.inode;

  EXPECT_EQ(MemfdSegment::Open(other, &why_not), nullptr);
  EXPECT_THAT(why_not, HasSubstr("is another file"));

  other = made->address();
  other.size_bytes *= 2;
  EXPECT_EQ(MemfdSegment::Open(other, &why_not), nullptr) << "what lies behind a file's end is SIGBUS";
}

TEST(MemfdSegment, CannotBeCut) {
  const auto made = MemfdSegment::Create(kMiB);

  EXPECT_NE(ftruncate(static_cast<int>(made->address().file), 4096), 0);
}

TEST(MemfdSegment, SaysHowMuchItCouldNotHave) {
  try {
    MemfdSegment::Create(std::size_t{1} << 62);
    FAIL() << "nothing was thrown";
  } catch (const OutOfMemoryError& e) {
    EXPECT_EQ(e.asked_bytes(), std::size_t{1} << 62);
    EXPECT_THAT(e.what(), HasSubstr("smaller store"));
  }
  EXPECT_THROW(MemfdSegment::Create(0), UsageError);
}

}  // namespace
}  // namespace manta::node

namespace manta::testing {
INSTANTIATE_TYPED_TEST_SUITE_P(Memfd, SegmentConformance, node::MemfdWorld);
}
