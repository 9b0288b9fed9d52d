// Every rank floods every other with tasks and calls at the same time. Requests and replies can't block each other, and
// who waits keeps nobody from running: also with --manta-credits 1, where each pair of ranks has one task under way.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <numeric>
#include <string>
#include <vector>

#include "tests/mpi/control/support.hpp"

namespace storm_test {

using control_test::Random;
using namespace std::chrono_literals;

constexpr auto kLimit = 25s;

std::string Enlarge(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}
int Plus(int a, int b) { return a + b; }

/// Tasks pinned to all ranks, with results of all sizes; "" when all answers were right.
std::string Flood(int seed, int count) {
  Random random(static_cast<std::uint64_t>(seed));
  std::vector<manta::ObjectRef<std::string>> texts;
  std::vector<int> times;
  for (int i = 0; i < count; ++i) {
    times.push_back(random.OneIn(50) ? random.Below(2000) : random.Below(10));
    const auto task = manta::Task(Enlarge).SetRank(i % manta::NumRanks()).SetCpus(random.OneIn(2) ? 0 : 1);
    texts.push_back(task.Remote("abc", times.back()));
  }
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (manta::Get(texts[i], kLimit)->size() != 3 * static_cast<std::size_t>(times[i])) return "a wrong answer";
  return "";
}

/// Each task takes the last one's ref, on the next rank.
int Chain(int first_rank, int count) {
  manta::ObjectRef<int> ref = manta::Put(0);
  for (int i = 0; i < count; ++i) ref = manta::Task(Plus).SetRank((first_rank + i) % manta::NumRanks()).Remote(ref, 1);
  return *manta::Get(ref, kLimit);
}

/// Goes around the ranks, each waiting for the next.
int Descend(int depth) {
  if (depth == 0) return 0;
  const int next = (manta::ThisRank() + 1) % manta::NumRanks();
  return 1 + *manta::Get(manta::Task(Descend).SetRank(next).Remote(depth - 1), kLimit);
}

struct Switch {
  std::vector<manta::ActorHandle<Switch>> all;
  int calls = 0;

  void Know(std::vector<manta::ActorHandle<Switch>> handles) { all = std::move(handles); }
  int Call() { return ++calls; }
  /// Calls all others and waits.
  int CallOthers(int me, int count) {
    std::vector<manta::ObjectRef<int>> refs;
    for (int i = 0; i < count; ++i)
      for (int other = 0; other < static_cast<int>(all.size()); ++other)
        if (other != me) refs.push_back(all[static_cast<std::size_t>(other)].Task(&Switch::Call).Remote());
    return static_cast<int>(manta::Get(refs, kLimit).size());
  }
  int Calls() { return calls; }
};

namespace {

template <class F, class... A>
auto OnEveryRank(F function, A... arguments) {
  std::vector<decltype(manta::Task(function).Remote(0, arguments...))> refs;
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    refs.push_back(manta::Task(function).SetCpus(0).SetRank(rank).Remote(rank, arguments...));
  return refs;
}

TEST(Storm, OfTasksBetweenAllRanksIsAnswered) {
  for (const auto& fault : manta::Get(OnEveryRank(Flood, 4000), kLimit)) EXPECT_EQ(*fault, "");
}

TEST(Storm, OfChainsOfRefsIsAnswered) {
  for (const auto& sum : manta::Get(OnEveryRank(Chain, 2000), kLimit)) EXPECT_EQ(*sum, 2000);
}

TEST(Storm, OfTasksThatWaitForOthersIsAnswered) {
  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 50; ++i) refs.push_back(manta::Task(Descend).SetRank(i % manta::NumRanks()).Remote(40));

  for (const auto& depth : manta::Get(refs, kLimit)) EXPECT_EQ(*depth, 40);
}

TEST(Storm, OfTasksThatWaitForLaterOnesIsAnswered) {
  // The first ones hold the ref of one that is submitted to the same rank after them.
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    api_test::Gate gate;
    const auto gated = manta::Task(api_test::ValueBehindGate).SetCpus(0).SetRank(rank).Remote(gate.path(), 1);
    const auto late = manta::Task(Plus).SetRank(rank).Remote(gated, 1);
    std::vector<manta::ObjectRef<int>> waiting;
    for (int i = 0; i < 20; ++i)
      waiting.push_back(manta::Task([](std::vector<manta::ObjectRef<int>> refs, int k) {
                          return *manta::Get(refs[0], kLimit) + k;
                        }).SetRank(rank).Remote(std::vector{late}, i));
    std::this_thread::sleep_for(20ms);
    gate.Open();

    for (int i = 0; i < 20; ++i)
      EXPECT_EQ(*manta::Get(waiting[static_cast<std::size_t>(i)], kLimit), 2 + i) << "rank " << rank;
  }
}

TEST(Storm, OfActorCallsIsAnswered) {
  const int ranks = manta::NumRanks();
  std::vector<manta::ActorHandle<Switch>> switches, heads;
  for (int rank = 0; rank < ranks; ++rank) {
    switches.push_back(manta::Actor<Switch>().SetRank(rank).Remote());
    heads.push_back(manta::Actor<Switch>().SetRank(rank).Remote());
  }
  for (const auto& head : heads) manta::Get(head.Task(&Switch::Know).Remote(switches), kLimit);

  constexpr int kCalls = 1000;
  std::vector<manta::ObjectRef<int>> counts;
  for (int rank = 0; rank < ranks; ++rank)
    counts.push_back(heads[static_cast<std::size_t>(rank)].Task(&Switch::CallOthers).Remote(rank, kCalls));

  for (const auto& count : counts) EXPECT_EQ(*manta::Get(count, kLimit), kCalls * (ranks - 1));
  for (const auto& one : switches)
    EXPECT_EQ(*manta::Get(one.Task(&Switch::Calls).Remote(), kLimit), kCalls * (ranks - 1));
}

TEST(Storm, OfCancelledTasksGivesTheirPlacesBack) {
  for (int round = 0; round < 20; ++round) {
    std::vector<manta::ObjectRef<int>> refs;
    for (int i = 0; i < 200; ++i) refs.push_back(manta::Task(Plus).SetRank(i % manta::NumRanks()).Remote(i, 0));
    for (int i = 0; i < 200; i += 2) manta::Cancel(refs[static_cast<std::size_t>(i)]);

    for (int i = 1; i < 200; i += 2) ASSERT_EQ(*manta::Get(refs[static_cast<std::size_t>(i)], kLimit), i);
  }
}

}  // namespace
}  // namespace storm_test
