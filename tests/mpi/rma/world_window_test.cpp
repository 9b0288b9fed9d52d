#include "mpi/rma/world_window.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "mpi/rma/shared_segment.hpp"

namespace manta {
namespace {

using mpi::Communicator;
using ::testing::HasSubstr;

constexpr std::size_t kSegmentBytes = std::size_t{18} << 20;

std::byte Pattern(int node, std::size_t i) {
  return static_cast<std::byte>(i * 31 + i / 4096 + static_cast<std::size_t>(node));
}

/// Each rank is a pretended node of its own, or two in a row share one.
class WorldWindowTest : public ::testing::Test {
 protected:
  void MakeSegments(int ranks_per_node) {
    node_ = world_.CollectiveSplit(world_.rank() / ranks_per_node);
    segment_ = MpiSharedSegment::CollectiveCreate(node_, kSegmentBytes);
    for (int rank = 0; rank < world_.size(); ++rank) nodes_.push_back(NodeId(rank / ranks_per_node));
    if (node_.rank() == 0)
      for (std::size_t i = 0; i < kSegmentBytes; ++i)
        segment_->bytes()[i] = Pattern(nodes_[static_cast<std::size_t>(world_.rank())].value, i);
    world_.CollectiveBarrier();
  }
  void TearDown() override {
    if (segment_ != nullptr) segment_->CollectiveClose();
  }

  /// Whether mpirun was told to use TCP alone, with an MPI that can make no window over it.
  static bool HasNoRma() {
    char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    MPI_Get_library_version(version, &length);
    const char* btl = std::getenv("OMPI_MCA_btl");
    return std::string(version).starts_with("Open MPI v4.") && btl != nullptr && std::string(btl) == "tcp,self";
  }

  void ExpectReads(WorldWindow& window, Rank target, std::uint64_t offset, std::size_t size) {
    std::vector<std::byte> destination(size, std::byte{0xee});
    std::vector<std::uint64_t> done;

    window.StartRead(target, offset, destination.data(), size, 77);
    const std::int64_t deadline = base::NowNanoseconds() + 20'000'000'000;
    while (done.empty() && base::NowNanoseconds() < deadline) window.PollReads(done);

    ASSERT_EQ(done, std::vector<std::uint64_t>{77});
    const int node = nodes_[static_cast<std::size_t>(target.value)].value;
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(destination[i], Pattern(node, offset + i)) << "byte " << i;
  }

  Communicator world_ = Communicator::CollectiveDup(MPI_COMM_WORLD);
  Communicator node_;
  std::unique_ptr<MpiSharedSegment> segment_;
  std::vector<NodeId> nodes_;
};

TEST_F(WorldWindowTest, ReadsAnotherRanksSegmentByRgetWhenOn) {
  MakeSegments(1);
  const auto window = WorldWindow::CollectiveCreate(world_, *segment_, nodes_, RmaMode::kOn);
  if (HasNoRma()) GTEST_SKIP() << "rma=" << window->reason();
  if (!window->available()) GTEST_SKIP() << "this MPI has no window over the world here: rma=" << window->reason();
  const Rank next((world_.rank() + 1) % world_.size());

  ExpectReads(*window, next, 12'345, 1);
  ExpectReads(*window, next, 4'096, 64 << 10);
  ExpectReads(*window, next, 1'000'003, 16 << 20);
  ExpectReads(*window, next, kSegmentBytes, 0);

  window->CollectiveClose();
  EXPECT_FALSE(window->available());
}

TEST_F(WorldWindowTest, ReportsEachOfManyReadsOnce) {
  MakeSegments(1);
  const auto window = WorldWindow::CollectiveCreate(world_, *segment_, nodes_, RmaMode::kOn);
  if (!window->available()) GTEST_SKIP() << "rma=" << window->reason();
  const Rank next((world_.rank() + 1) % world_.size());
  constexpr std::size_t kReads = 40;
  constexpr std::size_t kEach = 100'000;
  std::vector<std::byte> destination(kReads * kEach);
  std::vector<std::uint64_t> done;

  for (std::size_t i = 0; i < kReads; ++i) window->StartRead(next, i * kEach, destination.data() + i * kEach, kEach, i);
  while (done.size() < kReads) window->PollReads(done);
  window->PollReads(done);

  std::ranges::sort(done);
  ASSERT_EQ(done.size(), kReads);
  for (std::size_t i = 0; i < kReads; ++i) EXPECT_EQ(done[i], i);
  for (std::size_t i = 0; i < destination.size(); ++i) ASSERT_EQ(destination[i], Pattern(next.value, i));
  window->CollectiveClose();
}

TEST_F(WorldWindowTest, ServesNodesOfSeveralRanksWhereTheProbePasses) {
  MakeSegments(2);
  if (world_.size() < 4) GTEST_SKIP() << "needs two nodes of two ranks";

  const std::int64_t start = base::NowNanoseconds();
  const auto window = WorldWindow::CollectiveCreate(world_, *segment_, nodes_, RmaMode::kAuto);
  RecordProperty("create_and_probe_us", std::to_string((base::NowNanoseconds() - start) / 1000));

  EXPECT_EQ(world_.CollectiveMin(window->available()), world_.CollectiveMax(window->available()));
  EXPECT_FALSE(HasNoRma() && window->available());
  if (!window->available()) GTEST_SKIP() << "rma=" << window->reason();
  ExpectReads(*window, Rank((world_.rank() + 2) % world_.size()), 777, 300'000);
  window->CollectiveClose();
}

TEST_F(WorldWindowTest, IsOffWhereMpiCannotMakeItAndTheJobGoesOn) {
  if (!HasNoRma()) GTEST_SKIP() << "needs Open MPI 4 with --mca btl tcp,self";
  MakeSegments(1);
  for (const RmaMode mode : {RmaMode::kOn, RmaMode::kAuto}) {
    const auto window = WorldWindow::CollectiveCreate(world_, *segment_, nodes_, mode);

    EXPECT_FALSE(window->available());
    EXPECT_THAT(window->reason(), HasSubstr(world_.size() > 1 ? "cannot make the window" : "off"));
    EXPECT_EQ(world_.CollectiveMax(3), 3u) << "the job goes on";
    window->CollectiveClose();
  }
}

TEST_F(WorldWindowTest, IsOffWhenAskedForAndOnASingleNode) {
  MakeSegments(1);
  const std::vector<NodeId> one_node(static_cast<std::size_t>(world_.size()), NodeId(0));

  const auto asked = WorldWindow::CollectiveCreate(world_, *segment_, nodes_, RmaMode::kOff);
  const auto alone = WorldWindow::CollectiveCreate(world_, *segment_, one_node, RmaMode::kAuto);

  EXPECT_FALSE(asked->available());
  EXPECT_EQ(asked->reason(), "off: asked for");
  EXPECT_FALSE(alone->available());
  EXPECT_EQ(alone->reason(), "off: there is one node");
}

}  // namespace
}  // namespace manta
