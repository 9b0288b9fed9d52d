#include "core/node/ring_transport.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <thread>
#include <vector>

#include <manta/error.hpp>

#include "core/node/doorbell.hpp"
#include "core/node/private_segment.hpp"
#include "tests/conformance/transport_conformance.hpp"
#include "tests/core/node/forked_child.hpp"

namespace manta::node {
namespace {

using manta::testing::CheckingHandler;
using manta::testing::MakeMessage;

std::vector<Rank> FirstRanks(int count, int from = 0) {
  std::vector<Rank> ranks;
  for (int i = 0; i < count; ++i) ranks.push_back(Rank(from + i));
  return ranks;
}

/// The ring transports of all ranks of a node, in one process.
template <int kRanks>
class RingWorld {
 public:
  RingWorld() : layout_(SegmentLayout::Compute(kRanks, 0)), segment_(layout_.total) {
    for (std::uint32_t i = 0; i < kRanks; ++i)
      transports_.push_back(
          std::make_unique<RingTransport>(segment_.bytes(), layout_, i, FirstRanks(kRanks)));
  }
  int size() const { return kRanks; }
  std::vector<manta::testing::TransportEndpoint> endpoints() {
    std::vector<manta::testing::TransportEndpoint> all;
    for (int i = 0; i < kRanks; ++i) all.push_back({Rank(i), transports_[static_cast<std::size_t>(i)].get()});
    return all;
  }
  void Barrier() {}

  RingTransport& At(std::size_t index) { return *transports_[index]; }
  RankBlock& Block(std::uint32_t index) { return BlockOf(segment_.bytes(), layout_, index); }
  std::size_t max_record() const { return MaxRingRecord(layout_.ring_bytes / sizeof(RingCell)); }

 private:
  SegmentLayout layout_;
  PrivateSegment segment_;
  std::vector<std::unique_ptr<RingTransport>> transports_;
};

TEST(RingTransport, RefusesAListOfOtherRanksThanTheSegmentIsFor) {
  const SegmentLayout layout = SegmentLayout::Compute(2, 0);
  PrivateSegment segment(layout.total);

  EXPECT_THROW(RingTransport(segment.bytes(), layout, 0, FirstRanks(3)), UsageError);
  EXPECT_THROW(RingTransport(segment.bytes(), layout, 2, FirstRanks(2)), UsageError);
}

TEST(RingTransport, ReachesOnlyTheOtherRanksOfTheNode) {
  const SegmentLayout layout = SegmentLayout::Compute(3, 0);
  PrivateSegment segment(layout.total);
  const RingTransport transport(segment.bytes(), layout, 1, {Rank(10), Rank(4), Rank(7)});

  for (int rank = -1; rank < 20; ++rank) EXPECT_EQ(transport.Reaches(Rank(rank)), rank == 10 || rank == 7) << rank;
}

TEST(RingTransport, DeliversMessagesAroundItsRecordLimit) {
  RingWorld<2> world;
  CheckingHandler handler;
  std::uint32_t sent = 0;
  for (const std::size_t limit : {world.max_record(), 2 * world.max_record()}) {
    for (std::size_t size = limit - 20; size <= limit + 20; ++size) {
      world.At(0).Send(Rank(1), MakeMessage(Rank(0), 0, sent++, size));
      while (handler.received() < sent) {
        world.At(0).Poll(handler, 1);
        world.At(1).Poll(handler, 7);
      }
    }
  }
  EXPECT_EQ(handler.received(), 82u);
}

TEST(RingTransport, KeepsWhatARingCanNotTakeUntilItPolls) {
  RingWorld<2> world;
  CheckingHandler handler;
  constexpr std::uint32_t kCount = 10'000;  // of one cell each; the ring has 4,096

  for (std::uint32_t i = 0; i < kCount; ++i) world.At(0).Send(Rank(1), MakeMessage(Rank(0), 0, i, 50));
  EXPECT_FALSE(world.At(0).Flushed());
  EXPECT_LE(world.At(0).MaxSleepNanoseconds(), 1'000'000);
  while (handler.received() < kCount) {
    world.At(1).Poll(handler, 100);
    world.At(0).Poll(handler, 100);
  }

  EXPECT_TRUE(world.At(0).Flushed());
  EXPECT_GE(world.At(0).MaxSleepNanoseconds(), 100'000'000);
}

TEST(RingTransport, ServesAllPeersInTurn) {
  struct : MessageHandler {
    void OnMessage(Rank source, std::span<const std::byte>) override { sources.insert(source); }
    std::set<Rank> sources;
  } handler;
  RingWorld<4> world;
  for (std::uint32_t peer = 1; peer < 4; ++peer)
    for (std::uint32_t i = 0; i < 1000; ++i) world.At(peer).Send(Rank(0), MakeMessage(Rank(int(peer)), 0, i, 20));

  world.At(0).Poll(handler, 100);  // far less than any one of them has sent

  EXPECT_EQ(handler.sources.size(), 3u);
}

TEST(RingTransport, RingsOnlyASleepingRank) {
  RingWorld<2> world;
  world.At(0).Send(Rank(1), MakeMessage(Rank(0), 0, 0, 20));
  EXPECT_EQ(world.At(0).counters().wakeups_sent, 0u);

  const std::uint32_t seen = Arm(world.Block(1));
  world.At(0).Send(Rank(1), MakeMessage(Rank(0), 0, 1, 20));

  EXPECT_EQ(world.At(0).counters().wakeups_sent, 1u);
  EXPECT_TRUE(SleepArmed(world.Block(1), seen, -1));
}

TEST(RingTransport, RingsWhenItFlushesToo) {
  RingWorld<2> world;
  CheckingHandler handler;
  for (std::uint32_t i = 0; i < 5'000; ++i) world.At(0).Send(Rank(1), MakeMessage(Rank(0), 0, i, 50));
  while (world.At(1).Poll(handler, 1000) > 0) {
  }
  Arm(world.Block(1));
  ASSERT_FALSE(world.At(1).MayHaveIncoming());

  world.At(0).Poll(handler, 0);

  EXPECT_EQ(world.At(0).counters().wakeups_sent, 1u);
  EXPECT_TRUE(world.At(1).MayHaveIncoming());
}

TEST(RingTransport, DropsTheTrafficOfARankThatDied) {
  RingWorld<3> world;
  CheckingHandler handler;
  for (std::uint32_t i = 0; i < 5'000; ++i) world.At(0).Send(Rank(1), MakeMessage(Rank(0), 0, i, 50));
  world.At(1).Send(Rank(0), MakeMessage(Rank(1), 0, 0, 5 << 20));  // its first fragments fill the ring
  world.At(0).Poll(handler, 3);
  ASSERT_FALSE(world.At(0).Flushed());

  world.At(0).Abandon(Rank(1));
  world.At(0).Abandon(Rank(99));  // not of this node: nothing to drop
  world.At(0).Send(Rank(1), MakeMessage(Rank(0), 0, 0, 50));

  EXPECT_TRUE(world.At(0).Flushed());
  EXPECT_FALSE(world.At(0).MayHaveIncoming());
  EXPECT_EQ(world.At(0).Poll(handler, 100), 0u);
  world.At(2).Send(Rank(0), MakeMessage(Rank(2), 0, 0, 50));
  EXPECT_EQ(world.At(0).Poll(handler, 100), 1u) << "the others go on";
}

/// Polls until `count` messages came in and all left; sleeps when there is nothing to do. As a rank's loop does.
bool ServeUntil(RingTransport& transport, RankBlock& block, CheckingHandler& handler, std::size_t count) {
  int timeouts = 0;
  while (handler.received() < count || !transport.Flushed()) {
    if (transport.Poll(handler, 32) > 0) continue;
    const std::uint32_t seen = Arm(block);
    if (transport.MayHaveIncoming()) {
      Disarm(block, Duty::kPolled);
      continue;
    }
    const bool flushed = transport.Flushed();
    const bool rung = SleepArmed(block, seen, transport.MaxSleepNanoseconds());
    if (!rung && flushed && ++timeouts > 20) return false;  // slept 20 s over a message, or its peer is gone
  }
  return true;
}

TEST(RingTransport, CarriesTrafficBothWaysBetweenProcessesThatSleep) {
  constexpr std::uint32_t kCount = 20'000;
  const SegmentLayout layout = SegmentLayout::Compute(2, 0);
  PrivateSegment segment(layout.total, PrivateSegment::Sharing::kForkedChildren);
  WriteSegmentHeader(segment.bytes(), layout);
  const auto play = [&](std::uint32_t me) {
    CheckSegmentHeader(segment.bytes(), layout);
    RingTransport transport(segment.bytes(), layout, me, FirstRanks(2, 5));
    CheckingHandler handler;
    const Rank self(5 + static_cast<int>(me)), peer(6 - static_cast<int>(me));
    for (std::uint32_t i = 0; i < kCount; ++i) {
      transport.Send(peer, MakeMessage(self, 0, i, i % 1000 == 0 ? 150'000 : i % 300));
      // In step, so that both sleep often.
      if (i % 50 == 49 && !ServeUntil(transport, BlockOf(segment.bytes(), layout, me), handler, i - 30)) return false;
    }
    return ServeUntil(transport, BlockOf(segment.bytes(), layout, me), handler, kCount) &&
           handler.received() == kCount;
  };

  manta::testing::ForkedChild child([&] { return play(1); });

  EXPECT_TRUE(play(0));
  EXPECT_TRUE(child.Succeeded());
}

TEST(RingTransport, LeavesNothingHalfWrittenWhenASenderDies) {
  const SegmentLayout layout = SegmentLayout::Compute(2, 0);
  PrivateSegment segment(layout.total, PrivateSegment::Sharing::kForkedChildren);
  manta::testing::ForkedChild child([&] {
    RingTransport transport(segment.bytes(), layout, 1, FirstRanks(2));
    for (std::uint32_t i = 0; i < 100; ++i) transport.Send(Rank(0), MakeMessage(Rank(1), 0, i, 100));
    transport.Send(Rank(0), MakeMessage(Rank(1), 0, 100, 10 << 20));  // never leaves whole
    return true;
  });
  ASSERT_TRUE(child.Succeeded());
  RingTransport transport(segment.bytes(), layout, 0, FirstRanks(2));
  CheckingHandler handler;

  for (int i = 0; i < 100; ++i) transport.Poll(handler, 100);

  EXPECT_EQ(handler.received(), 100u);
  transport.Abandon(Rank(1));
  EXPECT_FALSE(transport.MayHaveIncoming());
}

}  // namespace
}  // namespace manta::node

namespace manta::testing {
using RingWorlds = ::testing::Types<node::RingWorld<2>, node::RingWorld<4>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Ring, TransportConformance, RingWorlds);
}  // namespace manta::testing
