#include "mpi/rma/shared_memfd.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>

#include "tests/conformance/segment_conformance.hpp"
#include "tests/support/resident_pages.hpp"

namespace manta {
namespace {

using mpi::Communicator;

/// One segment for all ranks of the job.
class SharedMemfdWorld {
 public:
  static constexpr std::size_t kSizeBytes = std::size_t{3} << 20;

  int size() const { return node_.size(); }
  int rank() const { return node_.rank(); }
  Segment& segment() { return *made_.segment; }
  void Barrier() { node_.CollectiveBarrier(); }

 private:
  Communicator node_ = Communicator::CollectiveDup(MPI_COMM_WORLD).CollectiveSplitShared();
  SharedMemfd made_ = CollectiveCreateMemfd(node_, kSizeBytes);
};

TEST(SharedMemfd, TakesTheSizeThatTheFirstRankAsksFor) {
  const Communicator node = Communicator::CollectiveDup(MPI_COMM_WORLD).CollectiveSplitShared();

  const SharedMemfd made = CollectiveCreateMemfd(node, node.rank() == 0 ? 100'000 : 1);

  ASSERT_NE(made.segment, nullptr) << made.why_not;
  EXPECT_EQ(made.segment->bytes().size(), 100'000u);
}

TEST(SharedMemfd, IsForNoneWhereOneCannotHaveIt) {
  const Communicator node = Communicator::CollectiveDup(MPI_COMM_WORLD).CollectiveSplitShared();

  const SharedMemfd made = CollectiveCreateMemfd(node, std::size_t{1} << 62);

  EXPECT_EQ(made.segment, nullptr);
  EXPECT_THAT(made.why_not, ::testing::HasSubstr("can't map 4611686018427387904 bytes"))
      << "the maker's words, for all";
}

TEST(SharedMemfd, TakesItsPagesWhenTheyAreFirstTouched) {
  const Communicator node = Communicator::CollectiveDup(MPI_COMM_WORLD).CollectiveSplitShared();
  constexpr std::size_t kSize = std::size_t{64} << 20;
  const SharedMemfd made = CollectiveCreateMemfd(node, kSize);
  ASSERT_NE(made.segment, nullptr) << made.why_not;

  EXPECT_LT(testing::ResidentPages(made.segment->bytes()), 16u);
  node.CollectiveBarrier();
  if (node.rank() == node.size() - 1) made.segment->bytes()[kSize / 2] = std::byte{1};
  node.CollectiveBarrier();
  EXPECT_GE(testing::ResidentPages(made.segment->bytes()), 1u);
  EXPECT_LT(testing::ResidentPages(made.segment->bytes()), 1024u) << "at most one huge page more";
}

}  // namespace

namespace testing {
INSTANTIATE_TYPED_TEST_SUITE_P(SharedMemfd, SegmentConformance, SharedMemfdWorld);
}

}  // namespace manta
