// Actors keep their state, and the calls of one caller arrive in the order in which they were made.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

struct Counter {
  int n = 0;
  int Add(int k) { return n += k; }
  int Value() const { return n; }
};

/// Neither copied nor moved nor sent: it lives where it was made.
class Log {
 public:
  explicit Log(std::string prefix) : prefix_(std::move(prefix)) {}
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  void Write(int caller, int number) {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(caller, number);
  }
  void WriteText(const std::string& text, int number) { Write(static_cast<int>(text.size()), number); }
  std::vector<std::pair<int, int>> Lines() const { return lines_; }
  const std::string& Prefix() const { return prefix_; }
  void Fail() { throw std::runtime_error("a call failed"); }

 private:
  std::string prefix_;
  std::mutex mutex_;
  std::vector<std::pair<int, int>> lines_;
};

TEST(Actor, KeepsItsStateOnEveryRank) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto counter = manta::Actor<Counter>().SetRank(rank).Remote();

    for (int i = 1; i <= 10; ++i) counter.Task(&Counter::Add).Remote(i);

    EXPECT_EQ(*manta::Get(counter.Task(&Counter::Value).Remote()), 55);
  }
}

TEST(Actor, RunsOnTheRankThatWasChosen) {
  struct Where {
    int Rank() const { return manta::Context().Rank(); }
    int Constructed = manta::ThisRank();
    int MadeOn() const { return Constructed; }
  };
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto where = manta::Actor<Where>().SetRank(rank).Remote();

    EXPECT_EQ(*manta::Get(where.Task(&Where::Rank).Remote()), rank);
    EXPECT_EQ(*manta::Get(where.Task(&Where::MadeOn).Remote()), rank);
  }
  EXPECT_THROW(manta::Actor<Where>().SetRank(manta::NumRanks()).Remote(), manta::UsageError);
}

TEST(Actor, AnswersOneCallerInTheOrderOfItsCalls) {
  const auto log = manta::Actor<Log>().SetRank(manta::NumRanks() - 1).Remote("log");

  for (int i = 0; i < 2000; ++i) {
    if (i % 3 == 0) {
      log.Task(&Log::WriteText).Remote(std::string(static_cast<std::size_t>(i % 7) * 20'000, 'x'), i);
    } else {
      log.Task(&Log::Write).Remote(0, i);
    }
  }

  const auto lines = *manta::Get(log.Task(&Log::Lines).Remote());
  ASSERT_EQ(lines.size(), 2000u);
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(lines[static_cast<std::size_t>(i)].second, i);
}

TEST(Actor, KeepsTheOrderOfEachOfManyCallers) {
  const auto log = manta::Actor<Log>().Remote("log");
  const auto writer = manta::Task([](manta::ActorHandle<Log> handle, int caller) {
    for (int i = 0; i < 100; ++i) handle.Task(&Log::Write).Remote(caller, i);
  });
  std::vector<manta::ObjectRef<void>> writers;
  for (int caller = 0; caller < 8; ++caller) writers.push_back(writer.Remote(log, caller));
  manta::Get(writers);

  // The calls of a task are on their way when it ends: they are waited for, not assumed.
  std::vector<std::pair<int, int>> lines;
  ASSERT_TRUE(api_test::Eventually([&] {
    lines = *manta::Get(log.Task(&Log::Lines).Remote());
    return lines.size() == 800;
  }));
  std::vector<int> next(8);
  for (const auto& [caller, number] : lines) EXPECT_EQ(number, next[static_cast<std::size_t>(caller)]++);
}

TEST(Actor, HoldsBackLaterCallsBehindOneWithPendingRefs) {
  api_test::Gate gate;
  const auto log = manta::Actor<Log>().SetRank(manta::NumRanks() - 1).Remote("log");
  const auto pending = manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 0);

  log.Task(&Log::Write).Remote(0, pending);
  const auto second = log.Task(&Log::Write).Remote(0, 1);

  EXPECT_THROW(manta::Get(second, std::chrono::milliseconds(30)), manta::TimeoutError);
  gate.Open();
  manta::Get(second);
  EXPECT_EQ(*manta::Get(log.Task(&Log::Lines).Remote()), (std::vector<std::pair<int, int>>{{0, 0}, {0, 1}}));
}

TEST(Actor, DoesNotLetOneCallerHoldBackAnother) {
  api_test::Gate gate;
  const auto log = manta::Actor<Log>().Remote("log");
  const auto pending = manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 0);
  log.Task(&Log::Write).Remote(0, pending);

  const auto other = manta::Task([](manta::ActorHandle<Log> handle) {
                       return *manta::Get(handle.Task(&Log::Prefix).Remote());
                     }).Remote(log);

  EXPECT_EQ(*manta::Get(other, api_test::kPatience), "log");
}

TEST(Actor, GoesOnAfterACallThatThrew) {
  const auto log = manta::Actor<Log>().SetRank(manta::NumRanks() - 1).Remote("log");

  const auto bad = log.Task(&Log::Fail).Remote();
  log.Task(&Log::Write).Remote(1, 2);

  try {
    manta::Get(bad);
    FAIL() << "nothing was thrown";
  } catch (const manta::TaskError& error) {
    EXPECT_EQ(error.message(), "a call failed");
    EXPECT_EQ(error.rank(), manta::NumRanks() - 1);
    EXPECT_NE(error.function().find("Fail"), std::string::npos) << error.function();
  }
  EXPECT_EQ(manta::Get(log.Task(&Log::Lines).Remote())->size(), 1u);
}

TEST(Actor, TakesItsConstructorsArguments) {
  const auto literal = manta::Actor<Log>().SetRank(manta::NumRanks() - 1).Remote("from a literal");
  const auto ref = manta::Actor<Log>().Remote(manta::Put(std::string("from a ref")));
  const auto pending = manta::Actor<Log>().Remote(manta::Task([] { return std::string("from a task"); }).Remote());

  EXPECT_EQ(*manta::Get(literal.Task(&Log::Prefix).Remote()), "from a literal");
  EXPECT_EQ(*manta::Get(ref.Task(&Log::Prefix).Remote()), "from a ref");
  EXPECT_EQ(*manta::Get(pending.Task(&Log::Prefix).Remote()), "from a task");
}

TEST(Actor, TakesRefsAsArgumentsOfCalls) {
  const auto counter = manta::Actor<Counter>().SetRank(manta::NumRanks() - 1).Remote();

  const auto sum = counter.Task(&Counter::Add).Remote(manta::Task([] { return 5; }).Remote());

  EXPECT_EQ(*manta::Get(manta::Task([](int x) { return x * 2; }).Remote(sum)), 10);
}

TEST(Actor, TakesManyCalls) {
  const auto counter = manta::Actor<Counter>().SetRank(manta::NumRanks() - 1).Remote();
  std::vector<manta::ObjectRef<int>> refs;

  for (int i = 0; i < 5000; ++i) refs.push_back(counter.Task(&Counter::Add).Remote(1));

  const auto values = manta::Get(refs);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(*values[static_cast<std::size_t>(i)], i + 1);
}

TEST(Actors, MayBeMany) {
  std::vector<manta::ActorHandle<Counter>> counters;
  for (int i = 0; i < 200; ++i) counters.push_back(manta::Actor<Counter>().Remote());

  for (int i = 0; i < 200; ++i) counters[static_cast<std::size_t>(i)].Task(&Counter::Add).Remote(i);

  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(*manta::Get(counters[static_cast<std::size_t>(i)].Task(&Counter::Value).Remote()), i);
}

}  // namespace
