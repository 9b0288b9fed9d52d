// The cores in the ledger's grants.

#include <gtest/gtest.h>

#include "tests/core/scheduling/core_nodes.hpp"
#include "tests/core/scheduling/ledger_driver.hpp"

namespace manta::scheduling {
namespace {

using Cores = std::vector<std::int32_t>;

Cores OnlyCores(const std::vector<Grant>& grants) {
  EXPECT_EQ(grants.size(), 1u);
  return grants.size() == 1 ? grants[0].lease.cores : Cores{-1};
}

TEST(LedgerCores, GrantsNameCoresThatAreFreeAgainAfterTheLease) {
  LedgerDriver driver({MakeNodeOf("pack:1 [numa] l3:2 core:2 pu:1", 1)});

  driver.Request(MakeShape(2));
  const auto first = driver.Settle();
  driver.Request(MakeShape(1.5));
  const auto second = driver.Settle();
  driver.ledger.Return(first.at(0).lease.id);
  driver.Request(MakeShape(2));

  EXPECT_EQ(OnlyCores(first), (Cores{0, 1}));
  EXPECT_EQ(OnlyCores(second), (Cores{2, 3}));
  EXPECT_EQ(OnlyCores(driver.Settle()), (Cores{0, 1}));
}

TEST(LedgerCores, AGpuTaskGetsCoresNearItsGpu) {
  LedgerDriver driver({MakeNodeOf("pack:2 [numa] l3:1 core:4 pu:1", 2, {"0-3", "4-7"})});

  driver.Request(MakeShape(2, 1));
  driver.Request(MakeShape(0.5, 0.5));
  const auto grants = driver.Settle();

  ASSERT_EQ(grants.size(), 2u);
  EXPECT_EQ(grants[0].lease.devices[0].device, 0);
  EXPECT_EQ(grants[0].lease.cores, (Cores{0, 1}));
  EXPECT_EQ(grants[1].lease.devices[0].device, 1);
  EXPECT_EQ(grants[1].lease.cores, (Cores{4}));
}

TEST(LedgerCores, ATaskThatWaitsKeepsItsCores) {
  LedgerDriver driver({MakeNodeOf("core:2 pu:1", 1)});
  driver.Request(MakeShape(1.5));
  const auto waiting = driver.Settle();
  driver.ledger.Suspend(waiting.at(0).lease.id);

  driver.Request(MakeShape(1.5));
  const auto second = driver.Settle();  // its CPUs are there, but no cores
  driver.ledger.Return(waiting[0].lease.id);
  driver.ledger.Return(second.at(0).lease.id);
  driver.Request(MakeShape(2));

  EXPECT_EQ(OnlyCores(waiting), (Cores{0, 1}));
  EXPECT_EQ(OnlyCores(second), Cores{});
  EXPECT_EQ(OnlyCores(driver.Settle()), (Cores{0, 1}));
}

TEST(LedgerCores, DeclaredCpusAreNotBound) {
  NodeSpec node = MakeNode(0, 0, 1, 4);
  LedgerDriver driver({node});
  driver.Request(MakeShape(2));

  EXPECT_EQ(OnlyCores(driver.Settle()), Cores{});
}

}  // namespace
}  // namespace manta::scheduling
