// How actors begin and end: constructors that throw, last handles, Kill, restarts, ExitActor, detached ones.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace actor_life_test {

using api_test::Gate;
using api_test::Journal;

/// Notes its end, and its calls.
class Noted {
 public:
  explicit Noted(std::string journal) : journal_(std::move(journal)) { api_test::Note(journal_, "made"); }
  ~Noted() { api_test::Note(journal_, "destroyed"); }
  Noted(const Noted&) = delete;
  Noted& operator=(const Noted&) = delete;
  int Add(int k) { return n_ += k; }
  void Log(const std::string& line) { api_test::Note(journal_, line); }
  int AddBehindGate(const std::string& gate, int k) {
    api_test::Note(journal_, "waits");
    api_test::PassGate(gate);
    return n_ += k;
  }
  void Exit() { manta::ExitActor(); }
  bool Restarted() const { return manta::WasCurrentActorRestarted(); }

 private:
  std::string journal_;
  int n_ = 0;
};

namespace {

int Last() { return manta::NumRanks() - 1; }
auto There() { return manta::Actor<Noted>().SetRank(Last()); }

struct Unmakeable {
  explicit Unmakeable(int code) { throw std::invalid_argument("cannot be made of " + std::to_string(code)); }
  int Call() { return 1; }
};

TEST(ActorConstructor, ThatThrowsFailsEveryCall) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto actor = manta::Actor<Unmakeable>().SetRank(rank).Remote(7);
    const auto first = actor.Task(&Unmakeable::Call).Remote();

    for (int i = 0; i < 2; ++i) {
      try {
        manta::Get(i == 0 ? first : actor.Task(&Unmakeable::Call).Remote(), api_test::kPatience);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const manta::ActorDiedError& error) {
        EXPECT_NE(std::string(error.what()).find("cannot be made of 7"), std::string::npos) << error.what();
      }
    }
  }
}

TEST(ActorConstructor, WithAFailedArgumentFailsEveryCall) {
  const auto actor = There().Remote(manta::Task([]() -> std::string { throw std::runtime_error("no journal"); }).Remote());

  EXPECT_THROW(manta::Get(actor.Task(&Noted::Add).Remote(1), api_test::kPatience), manta::ActorDiedError);
}

TEST(LastHandle, EndsTheActorWhenItsQueueIsDone) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    Journal journal;
    std::vector<manta::ObjectRef<int>> sums;
    {
      const auto actor = manta::Actor<Noted>().SetRank(rank).Remote(journal.path());
      for (int i = 0; i < 20; ++i) sums.push_back(actor.Task(&Noted::Add).Remote(1));
    }

    EXPECT_EQ(*manta::Get(sums.back(), api_test::kPatience), 20);
    EXPECT_TRUE(journal.WaitFor("destroyed")) << "on rank " << rank;
    EXPECT_EQ(journal.Lines(), (std::vector<std::string>{"made", "destroyed"}));
  }
}

TEST(LastHandle, MayBeOnAnotherRank) {
  Journal journal;
  Gate gate;
  manta::ObjectRef<int> sum;
  {
    const auto actor = manta::Actor<Noted>().SetRank(0).Remote(journal.path());
    sum = manta::Task([](manta::ActorHandle<Noted> handle, const std::string& path) {
            api_test::PassGate(path);
            return *manta::Get(handle.Task(&Noted::Add).Remote(3));
          }).SetRank(Last()).Remote(actor, gate.path());
  }
  EXPECT_EQ(journal.Count("destroyed"), 0u);

  gate.Open();

  EXPECT_EQ(*manta::Get(sum, api_test::kPatience), 3);
  EXPECT_TRUE(journal.WaitFor("destroyed"));
}

TEST(LastHandle, OfANamedActorEndsItToo) {
  Journal journal;
  {
    const auto actor = There().SetName("named and dropped").Remote(journal.path());
    manta::Get(actor.Task(&Noted::Add).Remote(1));
  }

  EXPECT_TRUE(journal.WaitFor("destroyed"));
  EXPECT_TRUE(api_test::Eventually([] { return !manta::GetActor<Noted>("named and dropped"); }));
}

TEST(DetachedActor, OutlivesItsHandles) {
  Journal journal;
  {
    const auto actor = There().SetName("detached").SetDetached().Remote(journal.path());
    manta::Get(actor.Task(&Noted::Add).Remote(5));
  }

  const auto found = manta::GetActor<Noted>("detached");
  ASSERT_TRUE(found);
  EXPECT_EQ(*manta::Get(found->Task(&Noted::Add).Remote(1)), 6);

  found->Kill();
}

TEST(Kill, FailsCallsThatWaitAndThatCome) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    Gate gate;
    Journal journal;
    const auto actor = manta::Actor<Noted>().SetRank(rank).Remote(journal.path());
    const auto running = actor.Task(&Noted::AddBehindGate).Remote(gate.path(), 1);
    const auto queued = actor.Task(&Noted::Log).Remote("ran after Kill");
    ASSERT_TRUE(journal.WaitFor("waits"));

    actor.Kill();

    EXPECT_THROW(manta::Get(running, api_test::kPatience), manta::ActorDiedError);
    EXPECT_THROW(manta::Get(queued, api_test::kPatience), manta::ActorDiedError);
    EXPECT_THROW(manta::Get(actor.Task(&Noted::Add).Remote(1), api_test::kPatience), manta::ActorDiedError);
    gate.Open();
    manta::Drain();
    EXPECT_EQ(journal.Count("ran after Kill"), 0u);
  }
}

TEST(Kill, DoesNotRunTheDestructor) {
  Journal journal;
  const auto actor = There().Remote(journal.path());
  manta::Get(actor.Task(&Noted::Add).Remote(1));

  actor.Kill();
  EXPECT_THROW(manta::Get(actor.Task(&Noted::Add).Remote(1), api_test::kPatience), manta::ActorDiedError);
  manta::Drain();

  EXPECT_EQ(journal.Count("destroyed"), 0u);
}

TEST(Kill, MayBeCalledTwiceAndByATask) {
  Journal journal;
  const auto actor = There().Remote(journal.path());

  manta::Get(manta::Task([](manta::ActorHandle<Noted> handle) { handle.Kill(); }).SetRank(0).Remote(actor));
  actor.Kill();

  EXPECT_THROW(manta::Get(actor.Task(&Noted::Add).Remote(1), api_test::kPatience), manta::ActorDiedError);
}

TEST(KillWithRestart, MakesTheActorAnewAsOftenAsAllowed) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    Journal journal;
    const auto actor = manta::Actor<Noted>().SetRank(rank).SetMaxRestarts(2).Remote(journal.path());
    EXPECT_EQ(*manta::Get(actor.Task(&Noted::Add).Remote(5)), 5);
    EXPECT_FALSE(*manta::Get(actor.Task(&Noted::Restarted).Remote()));

    for (int restart = 0; restart < 2; ++restart) {
      actor.Kill(false);
      EXPECT_EQ(*manta::Get(actor.Task(&Noted::Add).Remote(1), api_test::kPatience), 1) << "its state is new";
      EXPECT_TRUE(*manta::Get(actor.Task(&Noted::Restarted).Remote(), api_test::kPatience));
    }
    actor.Kill(false);

    EXPECT_THROW(manta::Get(actor.Task(&Noted::Add).Remote(1), api_test::kPatience), manta::ActorDiedError);
    EXPECT_EQ(journal.Count("made"), 3u);
  }
}

TEST(KillWithRestart, SendsCallsAgainWhereThatIsAllowed) {
  Gate gate;
  Journal journal;
  const auto actor = There().SetMaxRestarts(1).SetMaxTaskRetries(1).Remote(journal.path());
  manta::Get(actor.Task(&Noted::Add).Remote(10));
  const auto running = actor.Task(&Noted::AddBehindGate).Remote(gate.path(), 1);
  ASSERT_TRUE(journal.WaitFor("waits"));

  actor.Kill(false);
  ASSERT_TRUE(journal.WaitFor("waits", 2)) << "the call was not sent again";
  gate.Open();

  EXPECT_EQ(*manta::Get(running, api_test::kPatience), 1) << "of the new actor, whose state is new";
}

TEST(KillWithRestart, FailsTheRunningCallWhereItMayNotBeSentAgain) {
  Gate gate;
  Journal journal;
  const auto actor = There().SetMaxRestarts(1).Remote(journal.path());
  const auto running = actor.Task(&Noted::AddBehindGate).Remote(gate.path(), 1);
  ASSERT_TRUE(journal.WaitFor("waits"));

  actor.Kill(false);

  EXPECT_THROW(manta::Get(running, api_test::kPatience), manta::ActorDiedError);
  EXPECT_EQ(*manta::Get(actor.Task(&Noted::Add).Remote(1), api_test::kPatience), 1);
}

TEST(ExitActor, RunsTheDestructorAndFailsLaterCalls) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    Journal journal;
    const auto actor = manta::Actor<Noted>().SetRank(rank).SetMaxRestarts(3).Remote(journal.path());

    actor.Task(&Noted::Exit).Remote();
    const auto later = actor.Task(&Noted::Log).Remote("ran after ExitActor");

    EXPECT_TRUE(journal.WaitFor("destroyed")) << "on rank " << rank;
    EXPECT_THROW(manta::Get(later, api_test::kPatience), manta::ActorDiedError);
    EXPECT_EQ(journal.Lines(), (std::vector<std::string>{"made", "destroyed"})) << "it was asked to end, not to restart";
  }
}

TEST(KillWithRestart, BeforeItIsMadeIsNotTheActorsEnd) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    Journal journal;
    const auto actor = manta::Actor<Noted>().SetRank(rank).SetMaxRestarts(2).Remote(journal.path());
    for (int restart = 0; restart < 2; ++restart) {
      actor.Kill(false);  // at first when it may not have been made
      EXPECT_EQ(*manta::Get(actor.Task(&Noted::Add).Remote(1), api_test::kPatience), 1) << "its state is new";
      EXPECT_TRUE(*manta::Get(actor.Task(&Noted::Restarted).Remote(), api_test::kPatience));
    }
    actor.Kill(false);

    EXPECT_THROW(manta::Get(actor.Task(&Noted::Add).Remote(1), api_test::kPatience), manta::ActorDiedError);
  }
}

TEST(KilledActors, LeaveTheirPlacesToOthers) {
  // Handles go at once and slots are used again, so that new actors come to ranks where old ones still have calls.
  Journal journal;
  for (int round = 0; round < 50; ++round) {
    std::vector<manta::ObjectRef<int>> sums;
    for (int rank = 0; rank < manta::NumRanks(); ++rank) {
      const auto actor = manta::Actor<Noted>().SetRank(rank).Remote(journal.path());
      for (int i = 0; i < 3; ++i) sums.push_back(actor.Task(&Noted::Add).Remote(1));
      if (round % 2 == 1) actor.Kill();
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
      try {
        EXPECT_EQ(*manta::Get(sums[i], api_test::kPatience), static_cast<int>(i % 3) + 1);
      } catch (const manta::ActorDiedError&) {
        EXPECT_EQ(round % 2, 1) << "an actor died that nobody had killed";
      }
    }
  }
}

TEST(ExitActor, LeavesTheInstanceToACallBesideIt) {
  Gate gate;
  Journal journal;
  const auto actor = There().SetMaxConcurrency(2).Remote(journal.path());
  const auto beside = actor.Task(&Noted::AddBehindGate).Remote(gate.path(), 7);
  ASSERT_TRUE(journal.WaitFor("waits"));

  manta::Get(actor.Task(&Noted::Exit).Remote());
  EXPECT_EQ(journal.Count("destroyed"), 0u);
  gate.Open();

  EXPECT_EQ(*manta::Get(beside, api_test::kPatience), 7);
  EXPECT_TRUE(journal.WaitFor("destroyed"));
}

TEST(ExitActor, OutsideOfAnActorIsAUsageError) {
  EXPECT_THROW(manta::ExitActor(), manta::UsageError);
  EXPECT_TRUE(*manta::Get(manta::Task([] {
                            try {
                              manta::ExitActor();
                            } catch (const manta::UsageError&) {
                              return true;
                            }
                          }).SetRank(Last()).Remote()));
}

}  // namespace
}  // namespace actor_life_test
