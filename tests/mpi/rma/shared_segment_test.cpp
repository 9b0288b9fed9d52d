#include "mpi/rma/shared_segment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "tests/conformance/segment_conformance.hpp"
#include "tests/support/resident_pages.hpp"

namespace manta {
namespace {

using mpi::Communicator;

/// One segment for all ranks of the job.
class SharedWorld {
 public:
  static constexpr std::size_t kSizeBytes = std::size_t{3} << 20;

  ~SharedWorld() { segment_->CollectiveClose(); }
  int size() const { return node_.size(); }
  int rank() const { return node_.rank(); }
  Segment& segment() { return *segment_; }
  void Barrier() { node_.CollectiveBarrier(); }

 private:
  Communicator node_ = Communicator::CollectiveDup(MPI_COMM_WORLD).CollectiveSplitShared();
  std::unique_ptr<MpiSharedSegment> segment_ = MpiSharedSegment::CollectiveCreate(node_, kSizeBytes);
};

/// A segment for each rank, as if each were alone on a node: MPI then takes the heap.
class SoleWorld {
 public:
  static constexpr std::size_t kSizeBytes = std::size_t{1} << 16;

  ~SoleWorld() { segment_->CollectiveClose(); }
  int size() const { return 1; }
  int rank() const { return 0; }
  Segment& segment() { return *segment_; }
  void Barrier() {}

 private:
  Communicator self_ = Communicator::CollectiveDup(MPI_COMM_SELF);
  std::unique_ptr<MpiSharedSegment> segment_ = MpiSharedSegment::CollectiveCreate(self_, kSizeBytes);
};

}  // namespace

namespace testing {
INSTANTIATE_TYPED_TEST_SUITE_P(MpiShared, SegmentConformance, SharedWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(MpiSole, SegmentConformance, SoleWorld);
}  // namespace testing

namespace {

TEST(MpiSharedSegment, TakesTheSizeThatTheFirstRankAsksFor) {
  const Communicator node = Communicator::CollectiveDup(MPI_COMM_WORLD).CollectiveSplitShared();

  const auto segment = MpiSharedSegment::CollectiveCreate(node, node.rank() == 0 ? 100'000 : 1);

  EXPECT_EQ(segment->bytes().size(), 100'000u);
  segment->CollectiveClose();
}

TEST(MpiSharedSegment, SaysBytesAskedAndFreeOnAllRanksWhenSharedMemoryIsShort) {
  const Communicator node = Communicator::CollectiveDup(MPI_COMM_WORLD).CollectiveSplitShared();
  if (node.size() < 2) GTEST_SKIP() << "a sole rank is not bound by /dev/shm";
  constexpr std::size_t kAsked = std::size_t{1} << 60;

  try {
    MpiSharedSegment::CollectiveCreate(node, kAsked);
    FAIL() << "nothing was thrown";
  } catch (const OutOfMemoryError& e) {
    EXPECT_EQ(e.asked_bytes(), kAsked);
    EXPECT_LT(e.free_bytes(), kAsked);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("/dev/shm has " + std::to_string(e.free_bytes())));
  }
  EXPECT_THROW(MpiSharedSegment::CollectiveCreate(node, std::numeric_limits<std::size_t>::max()), OutOfMemoryError);
}

TEST(MpiSharedSegment, TakesItsPagesWhenTheyAreFirstTouched) {
  const Communicator node = Communicator::CollectiveDup(MPI_COMM_WORLD).CollectiveSplitShared();
  constexpr std::size_t kSize = std::size_t{64} << 20;
  const auto segment = MpiSharedSegment::CollectiveCreate(node, kSize);

  EXPECT_LT(testing::ResidentPages(segment->bytes()), 16u);
  node.CollectiveBarrier();
  if (node.rank() == node.size() - 1) segment->bytes()[kSize / 2] = std::byte{1};
  node.CollectiveBarrier();
  EXPECT_GE(testing::ResidentPages(segment->bytes()), 1u);
  EXPECT_LT(testing::ResidentPages(segment->bytes()), 1024u) << "at most one huge page more";

  node.CollectiveBarrier();
  segment->CollectiveClose();
}

TEST(MpiSharedSegment, RefusesToBeEmpty) {
  const Communicator node = Communicator::CollectiveDup(MPI_COMM_WORLD).CollectiveSplitShared();

  EXPECT_THROW(MpiSharedSegment::CollectiveCreate(node, 0), UsageError);
}

TEST(StoreBytesThatFit, GivesWhatIsWantedWhereThereIsRoom) {
  EXPECT_EQ(mpi::StoreBytesThatFit(1 << 20, std::size_t{1} << 30, std::size_t{1} << 30), std::size_t{1} << 20);
  EXPECT_EQ(mpi::StoreBytesThatFit(10'000, std::size_t{1} << 30, std::size_t{1} << 30), 8192u) << "whole pages";
}

TEST(StoreBytesThatFit, LeavesFourTenthsOfSharedMemoryAndOfTheNode) {
  constexpr std::size_t kLarge = std::size_t{1} << 40;

  EXPECT_EQ(mpi::StoreBytesThatFit(kLarge, kLarge, 40'960'000), 24'576'000u);
  EXPECT_EQ(mpi::StoreBytesThatFit(kLarge, 40'960'000, kLarge), 24'576'000u);
  EXPECT_EQ(mpi::StoreBytesThatFit(kLarge, kLarge, 0), 0u);
}

}  // namespace
}  // namespace manta
