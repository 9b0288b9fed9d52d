// The ledger against a model that only adds up: random clusters, requests, waits, ends, placement groups and losses of
// requesters, a million steps. Whatever happens, nothing is granted that is not there, what can be granted is not
// forgotten, and in the end everything is free again.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/core/scheduling/ledger_driver.hpp"

namespace manta::scheduling {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSteps = 30'000;
#else
constexpr int kSteps = 1'000'000;
#endif

struct Running {
  wire::Shape shape;
  wire::Lease lease;
  int node = 0;
  Rank requester;
  std::uint64_t group = 0;
  bool suspended = false;
  bool resumed = false;
};

/// What the model knows of a node: sums.
struct Sums {
  std::map<int, std::int64_t> devices;
  std::int64_t cpus = 0, memory = 0, license = 0;
};

class Job {
 public:
  explicit Job(std::uint32_t seed) : random_(seed), nodes_(RandomNodes()), driver_(nodes_) {
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      for (const Rank rank : nodes_[i].ranks) node_of_[rank] = static_cast<int>(i);
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      const unsigned what = Pick(100);
      driver_.ledger.SetTime(++now_);
      if (what < 45) Ask();
      else if (what < 80) End();
      else if (what < 85) Suspend();
      else if (what < 90) Resume();
      else if (what < 92) MakeGroup();
      else if (what < 94) DropGroup();
      else if (what < 96) Withdraw();
      else if (what < 97 && Pick(50) == 0) Lose();
      Settle();
    }
  }

  std::uint64_t granted() const { return granted_; }

  /// All groups go, all tasks end, until nothing runs: then nobody may wait.
  void Finish() {
    while (!groups_.empty()) {
      RemoveGroup(groups_.begin()->first);
      Settle();
    }
    for (int i = 0; i < 1'000'000 && !running_.empty(); ++i) {
      EndOne(running_.begin()->first);
      Settle();
    }
    EXPECT_TRUE(running_.empty());
    EXPECT_TRUE(asked_.empty()) << asked_.size() << " requests that could be granted wait for ever";
    EXPECT_EQ(driver_.ledger.waiting(), 0u);
    EXPECT_EQ(driver_.ledger.WhyWaiting(), std::vector<std::string>());
    Amount all;
    std::int64_t gpus = 0;
    for (const NodeSpec& node : nodes_) {
      for (const auto& [rank, cpus] : node.slots) all += cpus;
      gpus += static_cast<std::int64_t>(node.gpus.size());
    }
    EXPECT_EQ(driver_.AllFree(), all);
    const auto available = driver_.ledger.Available();
    EXPECT_EQ(available.contains("GPU") ? available.at("GPU") : 0.0, static_cast<double>(gpus));
  }

 private:
  struct Asked {
    wire::Shape shape;
    Rank requester;
    std::uint64_t group = 0;
  };

  unsigned Pick(unsigned below) { return static_cast<unsigned>(random_() % below); }

  std::vector<NodeSpec> RandomNodes() {
    std::vector<NodeSpec> nodes;
    int rank = 0;
    const int count = 1 + static_cast<int>(Pick(4));
    for (int i = 0; i < count; ++i) {
      const int ranks = 1 + static_cast<int>(Pick(4));
      NodeSpec node = MakeNode(i, rank, ranks, 1 + Pick(4), static_cast<int>(Pick(5)));
      rank += ranks;
      node.memory_bytes = 1000;
      if (Pick(2) == 0) node.custom["license"] = Amount::Whole(2);
      nodes.push_back(node);
    }
    return nodes;
  }

  wire::Shape RandomShape() {
    static constexpr std::array<double, 6> kShares{0.1, 0.25, 0.4, 0.5, 0.6, 0.8};
    wire::Shape shape;
    switch (Pick(4)) {
      case 0: shape = MakeShape(0.5 * Pick(9)); break;
      case 1: shape = MakeShape(0.5 * Pick(3), kShares[Pick(kShares.size())]); break;
      case 2: shape = MakeShape(Pick(3), 1 + Pick(3)); break;
      default: shape = MakeShape(Pick(2), 0, 100 * Pick(8), {{"license", 0.5 * Pick(3)}}); break;
    }
    return shape;
  }

  void Ask() {
    if (asked_.size() > 40) return;
    const Rank requester(static_cast<int>(Pick(3)));
    if (lost_.contains(requester)) return;
    wire::RequestClass content;
    content.priority = Pick(10) == 0 ? static_cast<int>(Pick(3)) - 1 : 0;
    wire::Choice& choice = content.choices.emplace_back();
    choice.shape = RandomShape();
    choice.function = 1 + Pick(3);
    if (Pick(5) == 0) choice.target.strategy = wire::Strategy::kSpread;
    if (Pick(8) == 0) choice.target.rank = Rank(static_cast<int>(Pick(static_cast<unsigned>(node_of_.size()))));
    if (!groups_.empty() && Pick(4) == 0) {
      choice.target = {};
      auto group = groups_.begin();
      std::advance(group, Pick(static_cast<unsigned>(groups_.size())));
      choice.target.group = group->first;
      const auto& bundles = group->second;
      choice.shape = bundles[Pick(static_cast<unsigned>(bundles.size()))];
    } else if (WhyInfeasible(nodes_, choice.shape, choice.target.rank)) {
      return;
    }
    const std::uint64_t request = ++last_request_;
    asked_[request] = {choice.shape, requester, choice.target.group};
    driver_.ledger.Request(requester, request, driver_.ledger.Define(content));
  }

  void EndOne(std::uint64_t lease) {
    driver_.ledger.Return(lease);
    running_.erase(lease);
  }
  template <class Allowed>
  std::uint64_t AnyRunning(Allowed allowed) {
    std::vector<std::uint64_t> leases;
    for (const auto& [id, one] : running_)
      if (allowed(one)) leases.push_back(id);
    return leases.empty() ? 0 : leases[Pick(static_cast<unsigned>(leases.size()))];
  }
  void End() {
    if (const auto lease = AnyRunning([](const Running&) { return true; })) EndOne(lease);
  }
  void Suspend() {
    const auto lease = AnyRunning([](const Running& one) { return !one.suspended; });
    if (lease == 0) return;
    driver_.ledger.Suspend(lease);
    running_[lease].suspended = true;
  }
  void Resume() {
    const auto lease = AnyRunning([](const Running& one) { return one.suspended; });
    if (lease == 0) return;
    driver_.ledger.Resume(lease);
    running_[lease].suspended = false;
    running_[lease].resumed = true;
  }
  void MakeGroup() {
    if (groups_.size() > 3 || lost_.contains(Rank(0))) return;
    std::vector<wire::Shape> bundles(1 + Pick(3));
    for (auto& bundle : bundles) bundle = MakeShape(Pick(3), Pick(3) == 0 ? 1 : 0.5 * Pick(2));
    const std::uint64_t id = ++last_group_;
    groups_[id] = bundles;
    driver_.ledger.CreateGroup(Rank(0), id, "", bundles, static_cast<wire::GroupStrategy>(Pick(4)));
  }
  void RemoveGroup(std::uint64_t id) {
    driver_.ledger.RemoveGroup(id);
    groups_.erase(id);
  }
  void DropGroup() {
    if (groups_.empty()) return;
    auto group = groups_.begin();
    std::advance(group, Pick(static_cast<unsigned>(groups_.size())));
    RemoveGroup(group->first);
  }
  void Withdraw() {
    if (asked_.empty()) return;
    auto one = asked_.begin();
    std::advance(one, Pick(static_cast<unsigned>(asked_.size())));
    driver_.ledger.Withdraw(one->second.requester, one->first);
    asked_.erase(one);
  }
  void Lose() {
    const Rank rank(1 + static_cast<int>(Pick(2)));
    lost_.insert(rank);
    driver_.ledger.Forget(rank);
    std::erase_if(asked_, [&](const auto& one) { return one.second.requester == rank; });
    std::erase_if(running_, [&](const auto& one) { return one.second.requester == rank; });
  }

  void Settle() {
    for (const Grant& grant : driver_.Settle()) {
      const auto asked = asked_.find(grant.request);
      ASSERT_NE(asked, asked_.end()) << "granted what nobody waits for";
      const Running one{asked->second.shape, grant.lease, node_of_.at(grant.lease.rank), grant.requester,
                        asked->second.group, false};
      asked_.erase(asked);
      ++granted_;
      ASSERT_TRUE(running_.emplace(grant.lease.id, one).second);
    }
    for (const Removal& removal : driver_.TakeRemovals()) {
      if (removal.lease == 0) asked_.erase(removal.request);
      else running_.at(removal.lease).group = 0;  // its task ends sooner or later
    }
    Check();
  }

  void Check() {
    std::vector<Sums> sums(nodes_.size());
    for (const auto& [id, one] : running_) {
      Sums& at = sums[static_cast<std::size_t>(one.node)];
      std::int64_t gpus = 0;
      for (const wire::DeviceShare& share : one.lease.devices) {
        at.devices[share.device] += share.amount;
        gpus += share.amount;
      }
      ASSERT_EQ(gpus, one.shape.gpus);
      if (one.shape.gpus > 10'000) {
        std::set<int> distinct;
        for (const auto& share : one.lease.devices) distinct.insert(share.device);
        ASSERT_EQ(static_cast<std::int64_t>(distinct.size()) * 10'000, one.shape.gpus);
      } else if (one.shape.gpus != 0) {
        ASSERT_EQ(one.lease.devices.size(), 1u) << "a share is of one device";
      }
      // A task that goes on after a wait has its CPUs at once, also beyond what there is.
      if (!one.suspended && !one.resumed) at.cpus += one.shape.cpus;
      at.memory += static_cast<std::int64_t>(one.shape.memory_bytes);
      for (const auto& [name, units] : one.shape.custom) at.license += units;
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      for (const auto& [device, amount] : sums[i].devices) ASSERT_LE(amount, 10'000) << "device " << device;
      ASSERT_LE(sums[i].memory, 1000);
      const auto license = nodes_[i].custom.find("license");
      ASSERT_LE(sums[i].license, license == nodes_[i].custom.end() ? 0 : license->second.units());
      Amount cpus;
      for (const auto& [rank, slots] : nodes_[i].slots) cpus += slots;
      ASSERT_LE(sums[i].cpus, cpus.units());
    }
  }

  std::mt19937 random_;
  std::vector<NodeSpec> nodes_;
  LedgerDriver driver_;
  std::map<Rank, int> node_of_;
  std::map<std::uint64_t, Asked> asked_;
  std::map<std::uint64_t, Running> running_;
  std::map<std::uint64_t, std::vector<wire::Shape>> groups_;
  std::set<Rank> lost_;
  std::uint64_t last_request_ = 0, last_group_ = 0;
  std::uint64_t granted_ = 0;
  std::int64_t now_ = 0;
};

TEST(LedgerProperty, NothingIsOverCommittedLostOrForgotten) {
  constexpr int kEach = 2000;
  std::uint64_t granted = 0;
  for (int seed = 1; seed <= kSteps / kEach; ++seed) {
    Job job(static_cast<std::uint32_t>(seed));
    job.Run(kEach);
    job.Finish();
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
    granted += job.granted();
  }
  EXPECT_GT(granted, kSteps / 5u) << "too little happened";
}

}  // namespace
}  // namespace manta::scheduling
