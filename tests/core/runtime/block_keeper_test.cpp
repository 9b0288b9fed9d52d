#include "core/runtime/block_keeper.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include "tests/core/runtime/keeper_world.hpp"

namespace manta::runtime {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kSize = 5 * kMiB + 77;
constexpr ObjectId kId{Rank(0), 1, 1};
using wire::Kind;

std::uint64_t Fetched(KeeperWorld::One& one) {
  return one.counters.bytes_fetched_messages.Sum() + one.counters.bytes_fetched_rma.Sum();
}

/// With reads (true) and without.
struct Keepers : ::testing::TestWithParam<bool> {
  KeeperWorld Nodes(const std::vector<int>& node_of) { return KeeperWorld(node_of, GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(, Keepers, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Rma" : "Messages"; });

TEST_P(Keepers, PinWhatIsHereForTheAsker) {
  auto world = Nodes({0, 0});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  world.Ask(Rank(1), Rank(0), kId, at, kSize);
  world.DeliverAll();
  world.at(Rank(0)).store->Free(at.entry, kId);
  EXPECT_TRUE(world.HasWhole(Rank(1), kId, kSize)) << "pinned before it was told";
  world.at(Rank(0)).store->Reclaim();
  EXPECT_EQ(world.at(Rank(0)).store->UsedBytes(), 0u);
}

TEST_P(Keepers, HandPinsThatAreGivenBackWithTheMessage) {
  auto world = Nodes({0, 0});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  ASSERT_TRUE(world.at(Rank(0)).store->PinFor(1, at.entry, kId));
  const auto drop = [&](const auto& message) {
    std::vector<std::byte> bytes;
    wire::Encode(bytes, 1, message);
    GiveBackHanded(*world.at(Rank(1)).store, bytes);
  };
  drop(wire::CopyNotice{kId});
  drop(wire::BytesHere{kId, at.entry, object::ToWire(*object::MakeError(object::ErrorKind::kObjectLost, "gone"))});
  EXPECT_EQ(world.at(Rank(0)).store->Pins(), 1u);
  drop(wire::BytesHere{kId, at.entry, std::nullopt});
  EXPECT_EQ(world.at(Rank(0)).store->Pins(), 0u);
}

TEST_P(Keepers, SayThatWhatWasFreedIsGone) {
  auto world = Nodes({0, 0});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  world.at(Rank(0)).store->Free(at.entry, kId);
  world.Ask(Rank(1), Rank(0), kId, at, kSize);
  world.DeliverAll();
  ASSERT_EQ(world.at(Rank(1)).told.size(), 1u);
  EXPECT_TRUE(world.at(Rank(1)).told[0].failed);
  EXPECT_EQ(world.at(Rank(0)).store->Pins(), 0u);
}

TEST_P(Keepers, BringAnObjectOnceForAllThatAsk) {
  auto world = Nodes({0, 1, 1, 1});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  for (const int asker : {1, 2, 3, 2}) world.Ask(Rank(asker), Rank(2), kId, at, kSize);
  world.Settle();
  world.Ask(Rank(1), Rank(2), kId, at, kSize);
  world.Settle();
  EXPECT_EQ(world.at(Rank(0)).came[Kind::kPull], 1);
  EXPECT_EQ(Fetched(world.at(Rank(2))), kSize);
  EXPECT_EQ(world.at(Rank(0)).noticed, std::vector<ObjectId>{kId});
  EXPECT_EQ(world.at(Rank(1)).told.size(), 2u);
  EXPECT_EQ(world.at(Rank(2)).told.size(), 2u);
  EXPECT_EQ(world.at(Rank(3)).told.size(), 1u);
  EXPECT_EQ(world.at(Rank(2)).store->Pins(), 5u);
  for (const int asker : {1, 2, 3}) EXPECT_TRUE(world.HasWhole(Rank(asker), kId, kSize));
  EXPECT_EQ(world.at(Rank(0)).store->Pins(), 0u) << "nobody is served any more";
}

TEST_P(Keepers, SendOthersOnToTheTwoThatAreServed) {
  auto world = Nodes({0, 1, 2, 3, 4, 5, 6});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  for (int agent = 1; agent <= 6; ++agent) {
    world.Ask(Rank(agent), Rank(agent), kId, at, kSize);
    world.DeliverAll();
  }
  EXPECT_EQ(world.at(Rank(0)).came[Kind::kPull], 6) << "all ask the holder first";
  EXPECT_EQ(world.at(Rank(1)).came[Kind::kPull], 2);
  EXPECT_EQ(world.at(Rank(2)).came[Kind::kPull], 2);
  world.Settle();
  for (int agent = 1; agent <= 6; ++agent) {
    EXPECT_TRUE(world.HasWhole(Rank(agent), kId, kSize)) << agent;
    EXPECT_EQ(world.at(Rank(agent)).told.size(), 1u);
    EXPECT_EQ(Fetched(world.at(Rank(agent))), kSize);
    EXPECT_EQ(world.at(Rank(agent)).store->Pins(), 0u);
  }
  EXPECT_EQ(world.at(Rank(0)).store->Pins(), 0u);
  EXPECT_EQ(world.OnTheWay(), 0u);
}

TEST_P(Keepers, PassOnWhatHasComeWhileTheRestIsComing) {
  auto world = Nodes({0, 1, 2, 3});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  for (int agent = 1; agent <= 3; ++agent) {
    world.Ask(Rank(agent), Rank(agent), kId, at, kSize);
    world.DeliverAll();
  }
  bool passed_on = false;
  for (bool more = true; more;) {
    more = world.DeliverAll() || world.MoveSome();
    passed_on |= Fetched(world.at(Rank(3))) > 0 && world.at(Rank(1)).told.empty() && world.at(Rank(2)).told.empty();
  }
  EXPECT_TRUE(passed_on);
  for (int agent = 1; agent <= 3; ++agent) EXPECT_TRUE(world.HasWhole(Rank(agent), kId, kSize));
}

TEST_P(Keepers, AskTheHolderWhenTheOtherAgentHasItNoMore) {
  auto world = Nodes({0, 1, 2, 3});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  for (int agent = 1; agent <= 2; ++agent) {
    world.Ask(Rank(agent), Rank(agent), kId, at, kSize);
    world.DeliverAll();
  }
  world.Ask(Rank(3), Rank(3), kId, at, kSize);
  world.Deliver(Rank(3), Rank(3));
  world.Deliver(Rank(3), Rank(0));
  world.Deliver(Rank(3), Rank(0));  // notice and pull: the answer names agent 1 or 2
  while (world.Deliver(Rank(0), Rank(3))) {
  }
  for (int i = 0; i < 100; ++i) world.MoveSome();  // now these two have it
  for (int agent = 1; agent <= 2; ++agent) {
    world.Deliver(Rank(agent), Rank(0));
    world.Deliver(Rank(agent), Rank(agent));
    EXPECT_TRUE(world.HasWhole(Rank(agent), kId, kSize));
    EXPECT_EQ(world.at(Rank(agent)).store->FreeCheaply(1), kSize);
    EXPECT_EQ(world.at(Rank(agent)).store->UsedBytes(), 0u);
  }
  world.Settle();
  EXPECT_TRUE(world.HasWhole(Rank(3), kId, kSize));
  EXPECT_EQ(world.at(Rank(1)).came[Kind::kPull] + world.at(Rank(2)).came[Kind::kPull], 1);
  EXPECT_EQ(world.at(Rank(0)).came[Kind::kPull], 4);
}

/// Two agents have been served, but the holder has not seen it yet; both have dropped the copy and ask again. It names
/// each to the other.
TEST_P(Keepers, NeverWaitForEachOther) {
  auto world = Nodes({0, 1, 2});
  const auto at = world.MakeObject(Rank(0), kId, kMiB);
  for (int agent = 1; agent <= 2; ++agent) {
    world.Ask(Rank(agent), Rank(agent), kId, at, kMiB);
    world.DeliverAll();
  }
  while (world.network.MoveOne()) {
  }
  for (int agent = 1; agent <= 2; ++agent) {
    world.Polled(Rank(agent));  // not the holder
    while (world.Deliver(Rank(agent), Rank(agent))) {
    }
    ASSERT_TRUE(world.HasWhole(Rank(agent), kId, kMiB));
    EXPECT_EQ(world.at(Rank(agent)).store->FreeCheaply(1), kMiB);
    world.Ask(Rank(agent), Rank(agent), kId, at, kMiB);
    while (world.Deliver(Rank(agent), Rank(agent))) {
    }
  }
  world.DeliverAll();
  world.Settle();
  for (int agent = 1; agent <= 2; ++agent) {
    EXPECT_EQ(world.at(Rank(agent)).told.size(), 2u);
    EXPECT_TRUE(world.HasWhole(Rank(agent), kId, kMiB));
  }
}

TEST_P(Keepers, TellAllAskersWhenTheObjectIsGone) {
  auto world = Nodes({0, 1, 1, 2, 3, 4});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  for (const int asker : {1, 2}) world.Ask(Rank(asker), Rank(1), kId, at, kSize);
  for (const int asker : {3, 4, 5}) world.Ask(Rank(asker), Rank(asker), kId, at, kSize);
  world.at(Rank(0)).store->Free(at.entry, kId);
  world.Settle();
  for (int rank = 1; rank <= 5; ++rank) {
    ASSERT_EQ(world.at(Rank(rank)).told.size(), 1u);
    EXPECT_TRUE(world.at(Rank(rank)).told[0].failed);
    EXPECT_EQ(world.at(Rank(rank)).store->UsedBytes(), 0u);
  }
}

TEST_P(Keepers, SendThoseTheyServeToTheHolderWhenTheyFail) {
  auto world = Nodes({0, 1, 2});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  wire::Location wrong = at;
  ++wrong.entry;  // nothing is there
  world.Ask(Rank(1), Rank(1), kId, wrong, kSize);
  for (int i = 0; i < 2; ++i) world.Deliver(Rank(1), Rank(1));
  // The first tag of a keeper is 1.
  world.at(Rank(2)).router->Send(Rank(1), wire::Pull{kId, wire::Pull::kAnyCopy, 9, 1, wire::PullBy::kSend, 1});
  world.Deliver(Rank(2), Rank(1));
  EXPECT_TRUE(world.at(Rank(1)).bulk->MayHaveIncoming());
  world.Settle();
  EXPECT_EQ(world.at(Rank(2)).came[Kind::kPullAnswer], 1);
  EXPECT_FALSE(world.at(Rank(1)).bulk->MayHaveIncoming());
  ASSERT_EQ(world.at(Rank(1)).told.size(), 1u);
  EXPECT_TRUE(world.at(Rank(1)).told[0].failed);
}

TEST_P(Keepers, GiveTheCopyBackWhenTheObjectGoesWhileItComes) {
  auto world = Nodes({0, 1});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  world.Ask(Rank(1), Rank(1), kId, at, kSize);
  world.DeliverAll();
  world.MoveSome();
  world.at(Rank(1)).keeper->Forget(kId);
  world.Settle();
  EXPECT_TRUE(world.HasWhole(Rank(1), kId, kSize)) << "who asked in time reads it";
  world.at(Rank(1)).store->Reclaim();
  EXPECT_EQ(world.at(Rank(1)).store->UsedBytes(), 0u);
}

TEST_P(Keepers, ForgetACopyWhenItsLastReaderLeaves) {
  auto world = Nodes({0, 1});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  world.Ask(Rank(1), Rank(1), kId, at, kSize);
  world.Settle();
  world.at(Rank(1)).keeper->Forget(kId);
  world.at(Rank(1)).keeper->Forget(kId);
  world.at(Rank(1)).keeper->Forget({Rank(0), 2, 1});
  EXPECT_GE(world.at(Rank(1)).store->UsedBytes(), kSize);
  EXPECT_TRUE(world.HasWhole(Rank(1), kId, kSize));
  EXPECT_EQ(world.at(Rank(1)).store->UsedBytes(), 0u);
}

TEST_P(Keepers, DropTheCopiesFirstThatWereAskedForTheLongestAgo) {
  auto world = Nodes({0, 1});
  std::vector<ObjectId> ids;
  std::vector<wire::Location> places;
  for (std::uint32_t i = 1; i <= 4; ++i) {
    ids.push_back({Rank(0), i, 1});
    places.push_back(world.MakeObject(Rank(0), ids.back(), kMiB));
  }
  const auto ask = [&](std::size_t i) {
    world.Ask(Rank(1), Rank(1), ids[i], places[i], kMiB);
    world.Settle();
    EXPECT_TRUE(world.HasWhole(Rank(1), ids[i], kMiB));
  };
  for (const std::size_t i : {0, 1, 2, 3, 0}) ask(i);
  world.Ask(Rank(1), Rank(1), ids[1], places[1], kMiB);
  world.Settle();
  world.Ask(Rank(1), Rank(1), ids[0], places[0], kMiB);
  world.Settle();
  // 2 and 3 nobody reads; 0 and 1 are pinned for who asked.
  EXPECT_EQ(world.at(Rank(1)).store->FreeCheaply(1), kMiB);
  EXPECT_EQ(world.at(Rank(1)).store->FreeCheaply(100 * kMiB), kMiB);
  EXPECT_EQ(world.at(Rank(1)).store->FreeCheaply(100 * kMiB), 0u);
  const int pulls = world.at(Rank(0)).came[Kind::kPull];
  ask(3);
  EXPECT_EQ(world.at(Rank(0)).came[Kind::kPull], pulls + 1) << "a dropped copy comes again";
}

TEST_P(Keepers, TellThatThereIsNoRoom) {
  KeeperWorld world({0, 1}, GetParam(), 8 * kMiB);
  const auto at = world.MakeObject(Rank(0), kId, kMiB);
  world.Ask(Rank(1), Rank(1), kId, at, 100 * kMiB);
  world.Settle();
  ASSERT_EQ(world.at(Rank(1)).told.size(), 1u);
  EXPECT_TRUE(world.at(Rank(1)).told[0].failed);
  EXPECT_EQ(world.at(Rank(1)).store->UsedBytes(), 0u);
  world.Ask(Rank(1), Rank(1), kId, at, kMiB);
  world.Settle();
  EXPECT_TRUE(world.HasWhole(Rank(1), kId, kMiB));
}

TEST_P(Keepers, IgnoreAnswersThatNobodyWaitsFor) {
  auto world = Nodes({0, 1, 2});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  const auto trouble = [&] {
    for (const auto result : {wire::PullResult::kGone, wire::PullResult::kElsewhere, wire::PullResult::kPinned}) {
      world.at(Rank(2)).router->Send(Rank(1), wire::PullAnswer{kId, 20'000, result, Rank(2), 5, 64, {}});
      world.at(Rank(2)).router->Send(Rank(1), wire::PullAnswer{{Rank(0), 9, 9}, 1, result, Rank(2), 5, 64, {}});
    }
    world.at(Rank(2)).router->Send(Rank(0), wire::PullDone{kId, 20'000});
    world.at(Rank(2)).router->Send(Rank(0), wire::PullDone{{Rank(0), 9, 9}, 1});
    world.DeliverAll();
  };
  trouble();
  world.Ask(Rank(1), Rank(1), kId, at, kSize);
  world.DeliverAll();
  trouble();
  world.MoveSome();
  trouble();
  world.Settle();
  trouble();
  EXPECT_EQ(world.at(Rank(1)).told.size(), 1u);
  EXPECT_TRUE(world.HasWhole(Rank(1), kId, kSize));
  EXPECT_EQ(world.at(Rank(0)).store->Pins(), 0u);
}

TEST_P(Keepers, BringALimitedNumberAtATimeUnderTagsOfTheirOwn) {
  auto world = Nodes({0, 1});
  constexpr std::uint32_t kObjects = 600;
  constexpr std::uint64_t kSmall = 5'000;
  std::vector<std::pair<ObjectId, wire::Location>> objects;
  for (std::uint32_t i = 1; i <= kObjects; ++i) {
    const ObjectId id{Rank(0), i, 1};
    objects.emplace_back(id, world.MakeObject(Rank(0), id, kSmall));
  }
  for (const auto& [id, at] : objects) world.Ask(Rank(1), Rank(1), id, at, kSmall);
  world.DeliverAll();
  EXPECT_EQ(world.at(Rank(0)).came[Kind::kPull], 256);
  if (!GetParam()) {
    std::set<std::uint32_t> tags;
    for (const BulkPiece& piece : world.network.receives) tags.insert(piece.tag);
    EXPECT_EQ(tags.size(), 256u);
  }
  world.Settle();
  ASSERT_EQ(world.at(Rank(1)).told.size(), kObjects);
  EXPECT_EQ(Fetched(world.at(Rank(1))), kObjects * kSmall);
  for (const auto& told : world.at(Rank(1)).told) EXPECT_FALSE(told.failed);
}

TEST_P(Keepers, GiveNoTagTwiceWhileItsBytesAreComing) {
  if (GetParam()) GTEST_SKIP() << "reads have no tags in MPI";
  auto world = Nodes({0, 1});
  const auto slow = world.MakeObject(Rank(0), kId, 64);
  world.Ask(Rank(1), Rank(1), kId, slow, 64);
  for (int i = 0; i < 2; ++i) world.Deliver(Rank(1), Rank(1));  // its pull stays on the way
  const std::uint32_t taken = world.network.receives.front().tag;
  world.network.receives.front().tag = 0;  // so that the fake does not mix them up
  const ObjectId other{Rank(1), 1, 1};
  wire::Location nowhere{Rank(0), slow.entry};
  for (std::uint32_t i = 0; i < BulkTransport::kTags + 10; ++i) {
    world.at(Rank(1)).keeper->On(Rank(1), wire::BytesAsk{other, nowhere, 64, 7, 0});
    ASSERT_EQ(world.network.receives.size(), 2u);
    const std::uint32_t tag = world.network.receives.back().tag;
    ASSERT_NE(tag, taken);
    ASSERT_LT(tag, BulkTransport::kTags);
    world.at(Rank(1)).keeper->On(Rank(0), wire::PullAnswer{other, tag, wire::PullResult::kGone, {}, 0, 0, {}});
  }
}

TEST_P(Keepers, LoseNothingToWhoMakesRoomMeanwhile) {
  constexpr std::uint64_t kSmall = 300'000;
  auto world = Nodes({0, 1, 1, 2, 3});
  const auto at = world.MakeObject(Rank(0), kId, kSmall);
  std::atomic<bool> stop{false};
  std::thread makes_room([&] {
    while (!stop)
      for (int rank = 1; rank < world.size(); ++rank) world.at(Rank(rank)).store->FreeCheaply(~std::uint64_t{0});
  });
  bool is_whole = true;
  for (int round = 0; round < 300 && is_whole; ++round) {
    for (int asker = 1; asker < world.size(); ++asker) {
      world.at(Rank(asker)).told.clear();
      world.Ask(Rank(asker), Rank(asker == 2 ? 1 : asker), kId, at, kSmall);
    }
    world.Settle();
    for (int asker = 1; asker < world.size(); ++asker) is_whole = is_whole && world.HasWhole(Rank(asker), kId, kSmall);
  }
  stop = true;
  makes_room.join();
  EXPECT_TRUE(is_whole);
  for (int rank = 0; rank < world.size(); ++rank) EXPECT_EQ(world.at(Rank(rank)).store->Pins(), 0u) << rank;
}

TEST_P(Keepers, FailARowOfCopiesForWhichNoEntryIsLeft) {
  constexpr std::uint32_t kAsked = 60'000;
  auto world = Nodes({0, 1});
  const auto at = world.MakeObject(Rank(0), kId, 64);
  LocalStore& store = *world.at(Rank(1)).store;
  world.Ask(Rank(1), Rank(1), kId, at, 64);
  world.Deliver(Rank(1), Rank(1));  // it is on its way
  std::vector<std::uint32_t> entries;
  while (const auto entry = store.Reserve()) entries.push_back(*entry);
  for (std::uint32_t i = 0; i < 255; ++i) store.GiveBack(entries[i]);
  for (std::uint32_t i = 0; i < kAsked; ++i)
    world.at(Rank(1)).keeper->On(Rank(1), wire::BytesAsk{{Rank(0), 2 + i, 1}, at, 64, 7, 0});
  // The first ends while the others that were begun keep their entries.
  for (int i = 0; i < 2; ++i) world.Deliver(Rank(1), Rank(0));
  world.Deliver(Rank(0), Rank(1));
  while (world.MoveSome()) {
  }
  world.Settle();
  const auto& told = world.at(Rank(1)).told;
  ASSERT_EQ(told.size(), 1 + kAsked);
  EXPECT_EQ(std::count_if(told.begin(), told.end(), [](const auto& one) { return one.failed; }), kAsked);
  store.Unpin(std::find_if(told.begin(), told.end(), [](const auto& one) { return !one.failed; })->entry);
  world.Ask(Rank(1), Rank(1), kId, at, 64);
  world.Settle();
  EXPECT_TRUE(world.HasWhole(Rank(1), kId, 64)) << "it goes on";
}

TEST_P(Keepers, AreEmptyAfterASweep) {
  auto world = Nodes({0, 1, 2, 3});
  const auto at = world.MakeObject(Rank(0), kId, kSize);
  const ObjectId other{Rank(0), 2, 1};
  const auto at_other = world.MakeObject(Rank(0), other, kMiB);
  world.Ask(Rank(1), Rank(1), other, at_other, kMiB);
  world.Settle();
  for (int agent = 1; agent <= 3; ++agent) world.Ask(Rank(agent), Rank(agent), kId, at, kSize);
  world.DeliverAll();
  world.MoveSome();
  for (int rank = 0; rank <= 3; ++rank) {
    auto& one = world.at(Rank(rank));
    one.bulk->ForgetCallers();
    one.rma->ForgetCallers();
    one.keeper->Sweep();
    EXPECT_GE(one.store->UsedBytes(), kSize) << "bytes still come there";
  }
  while (world.MoveSome()) {
  }
  for (int rank = 0; rank <= 3; ++rank) {
    auto& one = world.at(Rank(rank));
    EXPECT_TRUE(one.bulk->Flushed());
    one.bulk->CancelReceives();
    for (const auto& told : one.told) one.store->Unpin(told.entry);
    EXPECT_EQ(one.store->Pins(), 0u);
    one.store->FreeAll();
    EXPECT_EQ(one.store->UsedBytes(), 0u);
  }
  EXPECT_TRUE(world.network.receives.empty());
}

TEST(KeeperOf, IsTheHolderHereAndElsewhereTheSameForAllRanksOfANode) {
  KeeperWorld world({0, 0, 1, 1}, false);
  for (std::uint32_t slot = 1; slot < 50; ++slot) {
    const ObjectId id{Rank(0), slot, 1};
    EXPECT_EQ(world.at(Rank(0)).keeper->KeeperOf(id, {Rank(1), 5}), Rank(1));
    const Rank agent = world.at(Rank(2)).keeper->KeeperOf(id, {Rank(1), 5});
    EXPECT_TRUE(agent == Rank(2) || agent == Rank(3));
    EXPECT_EQ(world.at(Rank(3)).keeper->KeeperOf(id, {Rank(1), 5}), agent);
  }
}

}  // namespace
}  // namespace manta::runtime
