#include "core/base/event_ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "core/base/clock.hpp"

namespace manta::base {
namespace {

/// Records of this test alone, told apart from earlier ones by `b`.
std::vector<Event> Mine(std::uint64_t b) {
  std::vector<Event> events = SnapshotEvents();
  std::erase_if(events, [b](const Event& event) { return event.b != b; });
  return events;
}

class Events : public ::testing::Test {
 protected:
  void SetUp() override { RecordEvents(true); }
  void TearDown() override { RecordEvents(false); }
};

TEST_F(Events, OffRecordsNothing) {
  RecordEvents(false);
  Record(EventKind::kSleep, 1, 100);
  RecordEvents(true);
  EXPECT_TRUE(Mine(100).empty());
}

TEST_F(Events, KeepOrderKindAndArguments) {
  Record(EventKind::kTaskSubmitted, 1, 101);
  Record(EventKind::kTaskStarted, 2, 101);
  Record(EventKind::kTaskEnded, 3, 101);
  const std::vector<Event> events = Mine(101);
  ASSERT_EQ(events.size(), 3u);
  const EventKind kinds[] = {EventKind::kTaskSubmitted, EventKind::kTaskStarted, EventKind::kTaskEnded};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(events[i].kind, kinds[i]);
    EXPECT_EQ(events[i].a, i + 1);
    EXPECT_EQ(events[i].thread, events[0].thread);
  }
}

TEST_F(Events, MayHaveTheTimeOfTheLast) {
  const ObjectId id{Rank(7), 1, 110};
  Record(EventKind::kTaskSubmitted, id);
  while (CycleTicks() == CycleTicks()) {
  }
  RecordWithLast(EventKind::kTaskSent, id);
  Record(EventKind::kTaskEnded, id);
  const std::vector<Event> events = Mine(110);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].time_ns, events[1].time_ns);
  EXPECT_EQ(events[1].kind, EventKind::kTaskSent);
  EXPECT_LE(events[1].time_ns, events[2].time_ns);
}

TEST_F(Events, AThreadsFirstMayBeOneWithTheTimeOfTheLast) {
  const std::int64_t before = NowNanoseconds();
  std::thread([] { RecordWithLast(EventKind::kTaskSent, ObjectId{Rank(7), 1, 111}); }).join();
  const std::vector<Event> events = Mine(111);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_GE(events[0].time_ns, before - 100'000);
}

TEST_F(Events, HoldAnObjectsId) {
  const ObjectId id{Rank(7), 0xfedcba98u, 102};
  Record(EventKind::kTaskSent, id);
  const std::vector<Event> events = Mine(102);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(EventObject(events[0]), id);
}

TEST_F(Events, TimesAreThoseOfTheClock) {
  const std::int64_t before = NowNanoseconds();
  Record(EventKind::kSleep, 0, 103);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  Record(EventKind::kWake, 0, 103);
  const std::int64_t after = NowNanoseconds();
  const std::vector<Event> events = Mine(103);
  ASSERT_EQ(events.size(), 2u);
  constexpr std::int64_t kSlack = 1'000'000;
  EXPECT_GE(events[0].time_ns, before - kSlack);
  EXPECT_GE(events[1].time_ns - events[0].time_ns, 20'000'000 - kSlack);
  EXPECT_LE(events[1].time_ns, after + kSlack);
}

TEST_F(Events, TheOldestAreOverwritten) {
  const std::uint64_t count = 3 * kEventsKept + 5;
  std::thread([count] {
    for (std::uint64_t i = 0; i < count; ++i) Record(EventKind::kPolled, i, 104);
  }).join();
  const std::vector<Event> events = Mine(104);  // of a thread that has ended
  ASSERT_EQ(events.size(), kEventsKept);
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].a, count - kEventsKept + i);
}

TEST_F(Events, OfSeveralThreadsAreOrderedByTime) {
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      for (std::uint64_t i = 0; i < 1000; ++i) Record(EventKind::kPolled, t << 32 | i, 105);
    });
  for (std::thread& thread : threads) thread.join();
  const std::vector<Event> events = Mine(105);
  ASSERT_EQ(events.size(), 4000u);
  EXPECT_TRUE(std::is_sorted(events.begin(), events.end(),
                             [](const Event& x, const Event& y) { return x.time_ns < y.time_ns; }));
  std::uint64_t next[4] = {};
  for (const Event& event : events) EXPECT_EQ(event.a & 0xffffffff, next[event.a >> 32]++);
}

TEST_F(Events, AReaderToleratesWriters) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 2; ++t)
    threads.emplace_back([&stop, t] {
      // The halves of a record belong together.
      for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i)
        Record(EventKind::kPolled, i << 1 | t, ~(i << 1 | t));
    });
  for (int round = 0; round < 20; ++round) {
    for (const Event& event : SnapshotEvents())
      if (event.kind == EventKind::kPolled && event.b > 1000) {
        EXPECT_EQ(event.a, ~event.b);
      }
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Events, OfEndedThreadsAreKeptUpToABound) {
  for (std::uint64_t i = 0; i < 40; ++i) std::thread([i] { Record(EventKind::kWake, i, 106); }).join();
  const std::vector<Event> events = Mine(106);
  ASSERT_EQ(events.size(), 16u);
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].a, 24 + i);
}

}  // namespace
}  // namespace manta::base
