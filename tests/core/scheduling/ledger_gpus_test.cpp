#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "tests/core/scheduling/ledger_driver.hpp"

namespace manta::scheduling {
namespace {

std::vector<int> DevicesOf(const Grant& grant) {
  std::vector<int> devices;
  for (const wire::DeviceShare& share : grant.lease.devices) devices.push_back(share.device);
  return devices;
}

TEST(LedgerGpus, TenTasksOfSixTenthsTakeTenOfSixteen) {
  LedgerDriver job({MakeNode(0, 0, 1, 16, 16)});
  for (int i = 0; i < 10; ++i) job.Request(MakeShape(1, 0.6));

  const std::vector<Grant> grants = job.Settle();

  std::set<int> devices;
  for (const Grant& grant : grants) devices.insert(grant.lease.devices.at(0).device);
  EXPECT_EQ(grants.size(), 10u);
  EXPECT_EQ(devices.size(), 10u);
}

TEST(LedgerGpus, FortyTasksOf18HundredthsAreAllPlacedOnEight) {
  LedgerDriver job({MakeNode(0, 0, 1, 1, 4), MakeNode(1, 1, 1, 1, 4)});
  for (int i = 0; i < 40; ++i) job.Request(MakeShape(0, 0.18));

  EXPECT_EQ(job.Settle().size(), 40u);
}

TEST(LedgerGpus, NeverAddsUpWhatIsFreeOfTwoDevices) {
  LedgerDriver job({MakeNode(0, 0, 1, 1, 2)});
  // Two of 0.5 share a device, so a third takes the other; of the first pair one goes.
  for (int i = 0; i < 3; ++i) job.Request(MakeShape(0, 0.5));
  const std::vector<Grant> halves = job.Settle();
  ASSERT_EQ(halves.size(), 3u);
  job.ledger.Return(halves[0].lease.id);  // [0.5, 0.5]

  job.Request(MakeShape(0, 0.8));
  EXPECT_TRUE(job.Settle().empty());
  EXPECT_EQ(job.ledger.Available().at("GPU"), 1.0);
  EXPECT_EQ(job.ledger.WhyWaiting(), (std::vector<std::string>{"1 request for 0.8 GPU waits for GPUs"}));

  job.ledger.Return(halves[2].lease.id);  // [0.5, 1]
  EXPECT_EQ(job.Settle().size(), 1u);
}

TEST(LedgerGpus, EightTenthsFitWhereNineTenthsAreFree) {
  LedgerDriver job({MakeNode(0, 0, 1, 1, 2)});
  job.Request(MakeShape(0, 0.5));
  job.Request(MakeShape(0, 0.6));
  const std::vector<Grant> filled = job.Settle();
  job.ledger.Return(filled[1].lease.id);
  job.Request(MakeShape(0, 0.5));
  job.Request(MakeShape(0, 0.1));
  const std::vector<Grant> more = job.Settle();  // 0.5 joins 0.5; 0.1 goes to the whole one
  ASSERT_EQ(more.size(), 2u);
  job.ledger.Return(more[0].lease.id);  // [0.5, 0.9]

  job.Request(MakeShape(0, 0.8));
  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(DevicesOf(grants[0]), (std::vector<int>{1}));
  EXPECT_EQ(grants[0].lease.devices[0].amount, 8000);
}

TEST(LedgerGpus, SharesLeaveWholeDevicesWhole) {
  LedgerDriver job({MakeNode(0, 0, 1, 1, 2), MakeNode(1, 1, 1, 1, 2)});
  for (int i = 0; i < 4; ++i) job.Request(MakeShape(0, 0.25));
  job.Request(MakeShape(0, 2));

  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 5u);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(DevicesOf(grants[i]), (std::vector<int>{0}));
    EXPECT_EQ(grants[i].lease.rank, Rank(0));
  }
  EXPECT_EQ(DevicesOf(grants[4]), (std::vector<int>{0, 1}));
  EXPECT_EQ(grants[4].lease.rank, Rank(1));
}

TEST(LedgerGpus, WholeDevicesComeFromTheNodeWithFewestThatFit) {
  LedgerDriver job({MakeNode(0, 0, 1, 1, 4), MakeNode(1, 1, 1, 1, 2)});
  job.Request(MakeShape(0, 1));
  job.Request(MakeShape(0, 4));

  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 2u);
  EXPECT_EQ(grants[0].lease.rank, Rank(1));
  EXPECT_EQ(grants[1].lease.rank, Rank(0));
}

TEST(LedgerGpus, RunOnTheHomeRankOfTheirDevices) {
  LedgerDriver job({MakeNode(0, 0, 2, 1, 4)});  // devices 0 and 2 at home on rank 0, 1 and 3 on rank 1
  job.Request(MakeShape(0, 2));
  job.Request(MakeShape(0, 1), Rank(1));
  job.Request(MakeShape(0, 0.5));

  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 3u);
  EXPECT_EQ(DevicesOf(grants[0]), (std::vector<int>{0, 2}));
  EXPECT_EQ(grants[0].lease.rank, Rank(0));
  EXPECT_EQ(DevicesOf(grants[1]), (std::vector<int>{1}));
  EXPECT_EQ(grants[1].lease.rank, Rank(1));
  EXPECT_EQ(DevicesOf(grants[2]), (std::vector<int>{3}));
  EXPECT_EQ(grants[2].lease.rank, Rank(1));
}

TEST(LedgerGpus, OfSeveralHomesRunAtTheFirst) {
  LedgerDriver job({MakeNode(0, 0, 2, 1, 4)});
  job.Request(MakeShape(0, 3));

  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(DevicesOf(grants[0]), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(grants[0].lease.rank, Rank(0));
}

TEST(LedgerGpus, WaitForDevicesAtHomeOnTheRankAskedFor) {
  LedgerDriver job({MakeNode(0, 0, 2, 1, 2)});
  job.Request(MakeShape(0, 1), Rank(1));
  const std::vector<Grant> first = job.Settle();
  job.Request(MakeShape(0, 0.5), Rank(1));
  EXPECT_TRUE(job.Settle().empty());

  job.ledger.Return(first.at(0).lease.id);

  EXPECT_EQ(job.Settle().size(), 1u);
}

TEST(LedgerGpus, ThatWaitForDevicesHoldNoCpus) {
  LedgerDriver job({MakeNode(0, 0, 1, 4, 1)});
  job.Request(MakeShape(1, 1));
  job.Request(MakeShape(2, 1));

  EXPECT_EQ(job.Settle().size(), 1u);

  EXPECT_EQ(job.FreeOf(Rank(0)), Amount::Whole(3));
}

TEST(LedgerGpus, WithoutCpusPassThoseThatWaitForCpus) {
  LedgerDriver job({MakeNode(0, 0, 1, 2, 2)});
  job.Start(Rank(0), 2);
  job.Request(MakeShape(2, 1));
  EXPECT_TRUE(job.Settle().empty());

  job.Request(MakeShape(0, 0.5));

  EXPECT_EQ(job.Settle().size(), 1u);
}

/// How many of `amounts` a search over all placements can put on devices with `free`.
int MostPlaced(std::vector<std::int64_t> free, const std::vector<std::int64_t>& amounts, std::size_t at = 0) {
  if (at == amounts.size()) return 0;
  int most = MostPlaced(free, amounts, at + 1);
  std::set<std::int64_t> tried;
  for (std::int64_t& device : free) {
    if (device < amounts[at] || !tried.insert(device).second) continue;
    device -= amounts[at];
    most = std::max(most, 1 + MostPlaced(free, amounts, at + 1));
    device += amounts[at];
  }
  return most;
}

TEST(LedgerGpus, LeaveNothingWaitingThatFitsSomeDevice) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const int num_devices = 1 + static_cast<int>(random() % 4);
    LedgerDriver job({MakeNode(0, 0, 1, 1, num_devices)});
    std::map<std::uint64_t, std::int64_t> waiting;
    std::vector<Grant> out;
    std::map<std::int32_t, std::int64_t> free;
    for (int i = 0; i < num_devices; ++i) free[i] = 10'000;
    for (int step = 0; step < 30; ++step) {
      if (random() % 3 != 0) {
        const wire::Shape shape = MakeShape(0, static_cast<double>(1 + random() % 10) / 10);
        waiting[job.Request(shape)] = shape.gpus;
      } else if (!out.empty()) {
        const std::size_t which = random() % out.size();
        free[out[which].lease.devices[0].device] += out[which].lease.devices[0].amount;
        job.ledger.Return(out[which].lease.id);
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(which));
      }
      for (const Grant& grant : job.Settle()) {
        ASSERT_EQ(grant.lease.devices.size(), 1u);
        const wire::DeviceShare share = grant.lease.devices[0];
        EXPECT_EQ(share.amount, waiting.at(grant.request));
        EXPECT_GE(free[share.device], share.amount);
        free[share.device] -= share.amount;
        waiting.erase(grant.request);
        out.push_back(grant);
      }
      std::vector<std::int64_t> left, amounts;
      for (const auto& [device, units] : free) left.push_back(units);
      for (const auto& [request, units] : waiting) amounts.push_back(units);
      if (amounts.size() > 6) amounts.resize(6);
      ASSERT_EQ(MostPlaced(left, amounts), 0);
    }
  }
}

TEST(LedgerGpus, OfOneSizeAreAsManyAsAnySearchPlaces) {
  for (int tenths = 1; tenths <= 10; ++tenths)
    for (int num_devices = 1; num_devices <= 3; ++num_devices) {
      const int count = std::min(8, num_devices * (10 / tenths) + 1);
      LedgerDriver job({MakeNode(0, 0, 1, 1, num_devices)});
      for (int i = 0; i < count; ++i) job.Request(MakeShape(0, tenths / 10.0));

      const std::size_t granted = job.Settle().size();

      EXPECT_EQ(static_cast<int>(granted), MostPlaced(std::vector<std::int64_t>(num_devices, 10'000),
                                                      std::vector<std::int64_t>(count, tenths * 1000)));
    }
}

}  // namespace
}  // namespace manta::scheduling
