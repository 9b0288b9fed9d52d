// A job over two hosts that share nothing but a network: tasks, objects and actors that cross it. hosts_test.sh runs it at two
// ranks a host; ranks 0 and 1 are on the first, 2 and 3 on the second.

#include <gtest/gtest.h>
#include <unistd.h>

#include <manta/manta.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Numbers = std::vector<double>;
constexpr std::size_t kCount = (std::size_t{8} << 20) / sizeof(double);  // 8 MiB
constexpr std::uint64_t kBytes = kCount * sizeof(double);
constexpr int kRanks = 4;

std::string HostName() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}
std::string SlowHostName() {
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return HostName();
}
Numbers Ramp(double first) {
  Numbers numbers(kCount);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}
double Sum(const Numbers& numbers) { return std::accumulate(numbers.begin(), numbers.end(), 0.0); }
Numbers Plus(const Numbers& numbers, double added) {
  Numbers result = numbers;
  for (double& x : result) x += added;
  return result;
}
void Refuse() { throw std::out_of_range("no such row"); }

/// Adds up what it is given.
class Accumulator {
 public:
  double Add(const Numbers& numbers) { return total_ += Sum(numbers); }
  double AddOne(double x) { return total_ += x; }
  Numbers Spread() const { return Numbers(kCount, total_); }
  std::string Host() const { return HostName(); }

 private:
  double total_ = 0;
};
double AddThrough(manta::ActorHandle<Accumulator> actor, double x) {
  return *manta::Get(actor.Task(&Accumulator::AddOne).Remote(x));
}
/// Asks for the sum of an object on another rank, from a task.
double SumOn(int rank, manta::ObjectRef<Numbers> numbers) { return *manta::Get(manta::Task(Sum).SetRank(rank).Remote(numbers)); }

TEST(Hosts, AreTheNodesOfTheJob) {
  const auto nodes = manta::Nodes();

  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].host, "h1");
  EXPECT_EQ(nodes[0].ranks, (std::vector<int>{0, 1}));
  EXPECT_EQ(nodes[1].host, "h2");
  EXPECT_EQ(nodes[1].ranks, (std::vector<int>{2, 3}));
}

TEST(Hosts, RunTasksWhereTheyArePinned) {
  for (int rank = 0; rank < kRanks; ++rank)
    EXPECT_EQ(*manta::Get(manta::Task(HostName).SetRank(rank).Remote()), rank < 2 ? "h1" : "h2");
}

TEST(Hosts, ShareAQueueThatIsTooLongForOne) {
  std::vector<manta::ObjectRef<std::string>> refs;
  for (int i = 0; i < 40; ++i) refs.push_back(manta::Task(SlowHostName).Remote());

  std::map<std::string, int> count;
  for (const auto& host : manta::Get(refs)) ++count[*host];

  EXPECT_GT(count["h1"], 5);
  EXPECT_GT(count["h2"], 5);
}

TEST(Hosts, ReadAnObjectOfTheDriver) {
  const auto ramp = manta::Put(Ramp(1));
  const double expected = Sum(Ramp(1));

  std::vector<manta::ObjectRef<double>> sums;
  for (int rank = 0; rank < kRanks; ++rank) sums.push_back(manta::Task(Sum).SetRank(rank).Remote(ramp));

  for (const auto& sum : sums) EXPECT_EQ(*manta::Get(sum), expected);
}

TEST(Hosts, PassAnObjectFromRankToRank) {
  const auto before = manta::Stats();

  auto numbers = manta::Task(Ramp).SetRank(3).Remote(1.0);
  for (const int rank : {0, 2, 1, 3}) numbers = manta::Task(Plus).SetRank(rank).Remote(numbers, 1.0);
  const auto got = manta::Get(numbers);

  EXPECT_EQ(*got, Ramp(5));
  const auto after = manta::Stats();
  const std::uint64_t fetched =
      after.bytes_fetched_messages + after.bytes_fetched_rma - before.bytes_fetched_messages - before.bytes_fetched_rma;
  EXPECT_GE(fetched, 5 * kBytes);  // 3 to 0, 0 to 2, 2 to 1, 1 to 3, 3 to the driver: each crosses the network
}

TEST(Hosts, PassARefThatATaskReadsElsewhere) {
  const auto ramp = manta::Task(Ramp).SetRank(0).Remote(2.0);
  ASSERT_EQ(manta::Wait(std::vector{ramp}).ready.size(), 1u);

  EXPECT_EQ(*manta::Get(manta::Task(SumOn).SetRank(3).Remote(1, ramp)), Sum(Ramp(2)));
  EXPECT_EQ(*manta::Get(manta::Task(SumOn).SetRank(1).Remote(2, ramp)), Sum(Ramp(2)));
}

TEST(Hosts, CallAnActorFromEachOther) {
  auto actor = manta::Actor<Accumulator>().SetRank(3).Remote();
  const auto ramp = manta::Put(Ramp(1));
  const double sum = Sum(Ramp(1));

  EXPECT_EQ(*manta::Get(actor.Task(&Accumulator::Host).Remote()), "h2");
  EXPECT_EQ(*manta::Get(actor.Task(&Accumulator::Add).Remote(ramp)), sum);
  double total = sum;
  for (int rank = 0; rank < kRanks; ++rank)
    EXPECT_EQ(*manta::Get(manta::Task(AddThrough).SetRank(rank).Remote(actor, 1.0)), total += 1);
  EXPECT_EQ(*manta::Get(actor.Task(&Accumulator::Spread).Remote()), Numbers(kCount, total));
}

TEST(Hosts, KeepTheOrderOfAnActorsCalls) {
  auto actor = manta::Actor<Accumulator>().SetRank(2).Remote();

  std::vector<manta::ObjectRef<double>> totals;
  for (int i = 0; i < 500; ++i) totals.push_back(actor.Task(&Accumulator::AddOne).Remote(1.0));

  for (int i = 0; i < 500; ++i) EXPECT_EQ(*manta::Get(totals[static_cast<std::size_t>(i)]), i + 1);
}

TEST(Hosts, PassAnErrorOn) {
  try {
    manta::Get(manta::Task(Refuse).SetRank(3).Remote());
    FAIL() << "Get gave no error";
  } catch (const manta::TaskError& error) {
    EXPECT_EQ(error.rank(), 3);
    EXPECT_EQ(error.message(), "no such row");
  }
}

TEST(Hosts, ForgetObjectsThatNobodyHolds) {
  const auto before = manta::Stats().store_bytes_used;

  for (int round = 0; round < 20; ++round) {
    const auto ramp = manta::Task(Ramp).SetRank(round % kRanks).Remote(0.0);
    EXPECT_GT(*manta::Get(manta::Task(Sum).SetRank((round + 2) % kRanks).Remote(ramp)), 0);
  }

  // What was freed is told by messages, which may be under way.
  manta::Drain();
  std::uint64_t used = 0;
  for (int i = 0; i < 200; ++i) {
    used = manta::Stats().store_bytes_used;
    if (used <= before + kBytes) break;
    manta::Get(manta::Task(HostName).SetRank(i % kRanks).Remote());
  }
  EXPECT_LE(used, before + kBytes);
}

}  // namespace
