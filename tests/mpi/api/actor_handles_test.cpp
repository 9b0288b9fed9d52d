// Handles are values: passed to tasks, kept in actors and objects, returned; and found by name.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace actor_handles_test {

struct Counter {
  int n = 0;
  int Add(int k) { return n += k; }
};
using Handle = manta::ActorHandle<Counter>;

/// An actor that calls another.
struct Relay {
  Handle target;
  explicit Relay(Handle to) : target(std::move(to)) {}
  int Add(int k) { return *manta::Get(target.Task(&Counter::Add).Remote(k)); }
  Handle Target() const { return target; }
};

struct Team {
  std::string name;
  std::vector<Handle> members;
  std::map<std::string, Handle> by_name;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, members, by_name);
  }
};

namespace {

int Last() { return manta::NumRanks() - 1; }
int AddThrough(Handle counter, int k) { return *manta::Get(counter.Task(&Counter::Add).Remote(k)); }

TEST(ActorHandle, IsPassedToTasks) {
  const auto counter = manta::Actor<Counter>().Remote();

  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    EXPECT_EQ(*manta::Get(manta::Task(AddThrough).SetRank(rank).Remote(counter, 1)), rank + 1);
}

TEST(ActorHandle, IsKeptInOtherActors) {
  auto counter = manta::Actor<Counter>().SetRank(0).Remote();
  const auto relay = manta::Actor<Relay>().SetRank(Last()).Remote(counter);
  const auto second = manta::Actor<Relay>().SetRank(0).Remote(counter);

  counter = {};

  EXPECT_EQ(*manta::Get(relay.Task(&Relay::Add).Remote(2)), 2);
  EXPECT_EQ(*manta::Get(second.Task(&Relay::Add).Remote(3)), 5);
}

TEST(ActorHandle, IsReturnedByCallsAndTasks) {
  const auto counter = manta::Actor<Counter>().Remote();
  const auto relay = manta::Actor<Relay>().SetRank(Last()).Remote(counter);
  const auto made = manta::Task([] { return manta::Actor<Counter>().SetRank(manta::NumRanks() - 1).Remote(); }).SetRank(Last()).Remote();

  const Handle back = *manta::Get(relay.Task(&Relay::Target).Remote());
  const Handle fresh = *manta::Get(made);

  EXPECT_EQ(back, counter);
  EXPECT_EQ(back.ID(), counter.ID());
  EXPECT_FALSE(fresh == counter);
  EXPECT_EQ(*manta::Get(fresh.Task(&Counter::Add).Remote(4)), 4);
}

TEST(ActorHandle, LivesInsideVectorsMapsAndStructs) {
  Team team{"t", {}, {}};
  for (int i = 0; i < 3; ++i) team.members.push_back(manta::Actor<Counter>().SetRank(i % manta::NumRanks()).Remote());
  team.by_name = {{"one", team.members[1]}};

  const auto sum = manta::Task([](const Team& there) {
                     int total = AddThrough(there.by_name.at("one"), 10);
                     for (const auto& member : there.members) total += AddThrough(member, 1);
                     return total;
                   }).SetRank(Last()).Remote(team);

  EXPECT_EQ(*manta::Get(sum), 10 + 1 + 11 + 1);
  EXPECT_EQ(*manta::Get(team.members[1].Task(&Counter::Add).Remote(0)), 11);
}

TEST(ActorHandle, InsideAnObjectKeepsTheActorAlive) {
  auto kept = manta::Put(std::vector{manta::Actor<Counter>().SetRank(Last()).Remote()});

  EXPECT_EQ(AddThrough(manta::Get(kept)->front(), 2), 2);
  EXPECT_EQ(AddThrough(manta::Get(kept)->front(), 2), 4);
}

TEST(EmptyActorHandle, IsFalseAndAUsageErrorToUse) {
  const Handle empty;

  EXPECT_FALSE(empty);
  EXPECT_TRUE(manta::Actor<Counter>().Remote());
  EXPECT_THROW(empty.Task(&Counter::Add), manta::UsageError);
  EXPECT_THROW(empty.Kill(), manta::UsageError);
}

TEST(NamedActor, IsFoundByTasksOfEveryRank) {
  const auto counter = manta::Actor<Counter>().SetName("shared counter").SetRank(Last()).Remote();

  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto found = manta::Task([] {
                         const auto handle = manta::GetActor<Counter>("shared counter");
                         return handle ? AddThrough(*handle, 1) : -1;
                       }).SetRank(rank).Remote();
    EXPECT_EQ(*manta::Get(found), rank + 1);
  }
  EXPECT_EQ(manta::GetActor<Counter>("shared counter"), std::optional(counter));
  EXPECT_FALSE(manta::GetActor<Counter>("another name"));
}

TEST(NamedActor, MayNotHaveANameThatIsTaken) {
  const auto first = manta::Actor<Counter>().SetName("taken").Remote();

  try {
    manta::Actor<Counter>().SetName("taken").Remote();
    FAIL() << "nothing was thrown";
  } catch (const manta::UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("taken"), std::string::npos) << error.what();
  }
  const auto refused_there = manta::Task([] {
                               try {
                                 manta::Actor<Counter>().SetName("taken").Remote();
                               } catch (const manta::UsageError&) {
                                 return true;
                               }
                               return false;
                             }).SetRank(Last()).Remote();
  EXPECT_TRUE(*manta::Get(refused_there));
  EXPECT_EQ(AddThrough(first, 1), 1);
}

TEST(NamedActor, MadeByATaskIsFoundByTheDriver) {
  const auto keeper = *manta::Get(
      manta::Task([] { return manta::Actor<Counter>().SetName("from a task").Remote(); }).SetRank(Last()).Remote());

  const auto found = manta::GetActor<Counter>("from a task");

  ASSERT_TRUE(found);
  EXPECT_EQ(*found, keeper);
}

TEST(NamedActor, GivesItsNameBackAtItsEnd) {
  manta::Actor<Counter>().SetName("short lived").Remote().Kill();

  ASSERT_TRUE(api_test::Eventually([] { return !manta::GetActor<Counter>("short lived"); }));
  const auto again = manta::Actor<Counter>().SetName("short lived").Remote();
  EXPECT_EQ(AddThrough(again, 1), 1);
}

}  // namespace
}  // namespace actor_handles_test
