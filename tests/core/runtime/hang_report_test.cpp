#include "core/runtime/hang_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace manta::runtime {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using wire::HangState;
using wire::HangTask;
using wire::HangWait;

ObjectId Id(int owner, std::uint32_t slot) { return {Rank(owner), slot, 1}; }

/// A task or call that waits for one object.
HangWait WaitOf(const ObjectId& run, const std::string& name, const ObjectId& object) {
  HangWait wait;
  wait.run = run;
  wait.name = name;
  wait.objects = {object};
  wait.needs_all = 1;
  return wait;
}
HangWait CallWait(const ObjectId& run, const std::string& actor, const ObjectId& object) {
  HangWait wait = WaitOf(run, "Ping", object);
  wait.actor = run;
  wait.actor_name = actor;
  return wait;
}
HangTask Told(const ObjectId& id, HangState state, const std::string& name, std::vector<ObjectId> behind = {}) {
  HangTask task;
  task.id = id;
  task.state = state;
  task.name = name;
  task.behind = std::move(behind);
  return task;
}
HangTask Queued(const ObjectId& id, const std::string& actor, const ObjectId& running) {
  HangTask task = Told(id, HangState::kMailbox, "Pong", {running});
  task.kind = wire::TaskKind::kActorCall;
  task.actor = running;
  task.actor_name = actor;
  task.running = 1;
  return task;
}
/// Three actors on ranks 0 to 2, each in a Ping that waits for a Pong of the next.
HangFacts Circle() {
  HangFacts facts;
  facts.seconds = 2;
  const std::string names[] = {"a", "b", "c"};
  for (int i = 0; i < 3; ++i) {
    const int next = (i + 1) % 3;
    facts.waits.emplace_back(Rank(i), CallWait(Id(0, 10 + i), names[i], Id(i, 20)));
    HangTask owners = Told(Id(i, 20), HangState::kSent, "Pong");
    owners.kind = wire::TaskKind::kActorCall;
    owners.where = Rank(next);
    facts.tasks.emplace_back(Rank(i), owners);
    facts.tasks.emplace_back(Rank(next), Queued(Id(i, 20), names[next], Id(0, 10 + next)));
  }
  return facts;
}

TEST(HangReport, NamesTheCircleAndEachWait) {
  const HangText text = DescribeHang(Circle());

  EXPECT_TRUE(text.circle);
  EXPECT_EQ(text.lines.front(), "no progress for 2.0 s; who waits for whom:");
  EXPECT_EQ(text.lines.back(), "  cycle: a -> b -> c -> a");
  EXPECT_THAT(text.lines, Contains("  rank 1 actor 'b' (method Ping) waits for object 1:20.1 = call 'Pong' on actor "
                                   "'c' (rank 2), queued there behind 1 running call"));
  EXPECT_EQ(text.lines.size(), 5u);
}

TEST(HangReport, FindsNoCircleInAChain) {
  HangFacts facts = Circle();
  facts.waits.pop_back();  // c does not wait

  EXPECT_FALSE(DescribeHang(facts).circle);
}

TEST(HangReport, TakesAWaitForSomeOfSeveralForNoCircle) {
  HangFacts facts = Circle();
  facts.waits[1].second.objects.push_back(Id(0, 99));
  facts.waits[1].second.needs_all = 0;

  const HangText text = DescribeHang(facts);

  EXPECT_FALSE(text.circle);
  EXPECT_THAT(text.lines, Contains(HasSubstr("waits for some of 2 objects: ")));
}

TEST(HangReport, FollowsArguments) {
  HangFacts facts;
  facts.waits.emplace_back(Rank(1), WaitOf(Id(0, 1), "f", Id(1, 2)));
  EXPECT_EQ(NotYetTold(facts), std::vector<ObjectId>{Id(1, 2)});
  facts.tasks.emplace_back(Rank(1), Told(Id(1, 2), HangState::kArguments, "g", {Id(0, 3)}));
  EXPECT_EQ(NotYetTold(facts), std::vector<ObjectId>{Id(0, 3)});
  facts.tasks.emplace_back(Rank(0), Told(Id(0, 3), HangState::kArguments, "h", {Id(0, 1)}));
  facts.tasks.emplace_back(Rank(0), Told(Id(0, 1), HangState::kSent, "f"));
  facts.tasks.emplace_back(Rank(1), Told(Id(0, 1), HangState::kRunning, "f"));
  EXPECT_TRUE(NotYetTold(facts).empty());

  const HangText text = DescribeHang(facts);

  EXPECT_THAT(text.lines, Contains("  rank 1 task 'f' waits for object 1:2.1 = task 'g', which waits on rank 1 for "
                                   "object 0:3.1"));
  EXPECT_THAT(text.lines, Contains("  object 0:3.1 = task 'h', which waits on rank 0 for object 0:1.1"));
  EXPECT_EQ(text.lines.back(), "  cycle: f -> g -> h -> f");
}

TEST(HangReport, SeesThroughAChildThatRunsInPlace) {
  HangFacts facts;
  HangWait inner = WaitOf(Id(0, 2), "child", Id(0, 3));
  inner.outers = {Id(0, 1)};
  facts.waits.emplace_back(Rank(0), inner);
  facts.waits.emplace_back(Rank(1), WaitOf(Id(0, 3), "other", Id(0, 1)));
  facts.tasks.emplace_back(Rank(0), Told(Id(0, 1), HangState::kRunning, "parent"));

  EXPECT_EQ(DescribeHang(facts).lines.back(), "  cycle: child -> other -> parent -> child");
}

TEST(HangReport, SaysWhatIsMissingAndWhoHoldsIt) {
  HangFacts facts;
  HangWait driver = WaitOf({}, "", Id(0, 1));
  facts.waits.emplace_back(Rank(0), driver);
  HangTask task = Told(Id(0, 1), HangState::kResources, "train");
  task.shape.gpus = 10'000;
  facts.tasks.emplace_back(Rank(0), task);
  facts.resources = {"1 request for 1 GPU waits for GPUs", "actor 'x' on rank 1 holds 1 GPU"};

  const HangText text = DescribeHang(facts);

  EXPECT_FALSE(text.circle);
  EXPECT_THAT(text.lines[1], HasSubstr("rank 0 driver waits for object 0:1.1 = task 'train', which waits for resources"));
  EXPECT_EQ(text.lines.back(), "  actor 'x' on rank 1 holds 1 GPU");
}

TEST(HangReport, LeavesOutWhatIsTooMuch) {
  HangFacts facts;
  for (std::uint32_t i = 0; i < 100; ++i) facts.waits.emplace_back(Rank(0), WaitOf(Id(0, i), "f", Id(0, 1000)));
  facts.more_waits = 1000;

  EXPECT_EQ(DescribeHang(facts).lines.back(), "  and 1051 more");
}

// ---- when ----
constexpr std::int64_t kSecond = 1'000'000'000;
HangTotals Waiting(std::uint64_t progress) {
  HangTotals totals;
  totals.progress = progress;
  totals.endless = 1;
  totals.driver_waits = true;
  return totals;
}

TEST(HangClock, SpeaksAfterTheTimeAndOnce) {
  HangClock clock(2);
  EXPECT_FALSE(clock.Observe(0, Waiting(5)));
  EXPECT_FALSE(clock.Observe(kSecond, Waiting(5)));
  EXPECT_TRUE(clock.Observe(2 * kSecond, Waiting(5)));
  clock.Said();
  EXPECT_FALSE(clock.Observe(9 * kSecond, Waiting(5)));
  EXPECT_FALSE(clock.Observe(10 * kSecond, Waiting(6)));
  EXPECT_TRUE(clock.Observe(12 * kSecond, Waiting(6))) << "another hang";
}

TEST(HangClock, IsSilentWhileSomethingIsDone) {
  HangClock clock(2);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(clock.Observe(i * kSecond, Waiting(static_cast<std::uint64_t>(i))));
}

TEST(HangClock, IsSilentWhileSomethingComputes) {
  HangClock clock(2);
  HangTotals totals = Waiting(5);
  totals.computing = 1;
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(clock.Observe(i * kSecond, totals));
  EXPECT_FALSE(clock.Observe(20 * kSecond, Waiting(5)));
  EXPECT_TRUE(clock.Observe(22 * kSecond, Waiting(5)));
}

TEST(HangClock, IsSilentWhenNothingWaits) {
  HangClock clock(2);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(clock.Observe(i * kSecond, {.progress = 5}));
  HangTotals timed{.progress = 5, .timed = 3};
  for (int i = 20; i < 40; ++i) EXPECT_FALSE(clock.Observe(i * kSecond, timed));
}

TEST(HangTotals, AreSums) {
  wire::HangReply a, b;
  a.progress = 1;
  a.endless = 2;
  b.progress = 10;
  b.computing = 3;
  b.driver_waits = 1;  // only rank 0 has the driver

  const HangTotals sum = SumOf({a, b});

  EXPECT_EQ(sum.progress, 11u);
  EXPECT_EQ(sum.computing, 3u);
  EXPECT_EQ(sum.endless, 2u);
  EXPECT_TRUE(sum.SomebodyMayAct()) << "a driver that does not wait";
}

}  // namespace
}  // namespace manta::runtime
