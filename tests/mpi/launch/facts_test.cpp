#include "mpi/launch/facts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "core/scheduling/ledger.hpp"
#include "mpi/launch/info.hpp"

namespace manta::launch {
namespace {

topology::Topology Machine(const std::string& name) {
  const auto folder = std::filesystem::path(__FILE__).parent_path() / "../../support/topologies";
  return topology::DetectTopology({.xml_file = (folder / (name + ".xml")).string()});
}

/// `ranks` ranks without binding on one host, all of which see the GPUs of `machine`.
std::vector<RankFacts> FactsOf(const topology::Topology& machine, int ranks, int node = 0, int index = 0) {
  RankFacts facts;
  facts.host = "host" + std::to_string(node);
  facts.node = node;
  facts.machine = index;
  facts.binding = facts.allowed = machine.cpus.ToString();
  for (std::size_t i = 0; i < machine.gpus.size(); ++i)
    facts.devices.push_back({"GPU-" + std::to_string(i), "H100", "0000" + machine.gpus[i].pci_bus_id, 1 << 30});
  return std::vector<RankFacts>(static_cast<std::size_t>(ranks), facts);
}

std::vector<int> Range(int first, int last) {
  std::vector<int> numbers;
  for (int i = first; i <= last; ++i) numbers.push_back(i);
  return numbers;
}

TEST(DecideJob, KnowsTheCoresNearEachGpu) {
  const auto machine = Machine("four_numa_eight_gpus");
  runtime::JobInfo info;
  DecideJob(FactsOf(machine, 4), {machine}, info);

  const scheduling::NodeSpec& spec = info.specs.at(0);
  ASSERT_EQ(spec.cores.size(), 32u);
  ASSERT_EQ(spec.gpus.size(), 8u);
  EXPECT_EQ(spec.gpus[0].near, Range(0, 7));
  EXPECT_EQ(spec.gpus[7].near, Range(24, 31));
  EXPECT_EQ(spec.cores[9].rank, Rank(1));
  EXPECT_EQ(spec.cores[9].numa, 1);
  EXPECT_EQ(spec.cores[9].package, 0);
  EXPECT_EQ(spec.cores[9].l3, 2);
  EXPECT_TRUE(info.core_cpus.empty()) << "nothing is bound to a machine that was read from a file";
}

TEST(DecideJob, AGpuTaskOfThisNodeGetsCoresNearItsGpu) {
  const auto machine = Machine("four_numa_eight_gpus");
  runtime::JobInfo info;
  DecideJob(FactsOf(machine, 1), {machine}, info);
  scheduling::Ledger ledger(info.specs);
  wire::Shape shape;
  shape.cpus = 4 * Amount::kUnitsPerOne;
  shape.gpus = Amount::kUnitsPerOne;
  for (std::uint64_t request = 0; request < 8; ++request) ledger.Request(Rank(0), request, shape, std::nullopt);
  std::vector<scheduling::Grant> grants;
  for (auto actions = ledger.Decide(); grants.size() < 8; actions = ledger.Decide()) {
    ASSERT_FALSE(actions.cedes.empty() && actions.grants.empty());
    for (const auto& cede : actions.cedes) ledger.Ceded(cede.rank, cede.cpus);
    grants.insert(grants.end(), actions.grants.begin(), actions.grants.end());
  }
  for (const auto& grant : grants) {
    const int device = grant.lease.devices.at(0).device;
    const auto& near = info.specs[0].gpus[static_cast<std::size_t>(device)].near;
    ASSERT_EQ(grant.lease.cores.size(), 4u);
    for (const int core : grant.lease.cores) EXPECT_EQ(std::count(near.begin(), near.end(), core), 1) << device;
  }
}

TEST(DecideJob, PutsEachGpuAtHomeOnARankNearItAsFarAsSharesAreEven) {
  const auto machine = Machine("four_numa_eight_gpus");
  const auto homes = [&](int ranks) {
    runtime::JobInfo info;
    DecideJob(FactsOf(machine, ranks), {machine}, info);
    std::vector<int> found;
    for (const GpuInfo& gpu : info.nodes.at(0).gpus) found.push_back(gpu.home_rank);
    return found;
  };
  EXPECT_EQ(homes(1), std::vector<int>(8, 0));
  EXPECT_EQ(homes(2), (std::vector<int>{0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(homes(4), (std::vector<int>{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(homes(8), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(homes(3), (std::vector<int>{0, 0, 1, 1, 2, 2, 2, 0}));  // no rank has four: the last is far
  EXPECT_EQ(homes(40), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));  // they share cores

  // One of two ranks sees one GPU only.
  std::vector<RankFacts> facts = FactsOf(machine, 2);
  facts[1].devices.erase(facts[1].devices.begin(), facts[1].devices.end() - 1);
  runtime::JobInfo info;
  DecideJob(facts, {machine}, info);
  for (const GpuInfo& gpu : info.nodes.at(0).gpus) EXPECT_EQ(gpu.home_rank, gpu.index == 7 ? 1 : 0);
}

TEST(InfoText, SaysWhatMantaMakesOfAMachine) {
  const auto machine = Machine("four_numa_eight_gpus");
  const std::string text = InfoOfMachine(machine, 2, Settings{});
  for (const char* line :
       {"machine, with 32 cores\n", "\n      L3 7: cores 28-31 (CPUs 56-63)\n",
        "\nnode 0 (made up): 2 ranks, 32 CPUs, 8 GPUs, memory 128.0 GiB\n",
        "\n  rank 1: 16 CPUs on cores 16-31 (CPUs 32-63)\n",
        "\n  GPU 5: cuda5, 0000:6b:00.0, home rank 1, near cores 16-23\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;

  Settings settings;
  settings.use_hyperthreads = true;
  settings.cpus = 128;
  const std::string threads = InfoOfMachine(machine, 1, settings);
  for (const char* line :
       {"machine, with 64 cores (each hardware thread counts as one)\n", "\n        L2 2: cores 4-5 (CPUs 4-5)\n",
        "\n  rank 0: 128 CPUs on cores 0-63 (CPUs 0-63); has more CPUs than cores, so that leases are not bound to them\n"})
    EXPECT_NE(threads.find(line), std::string::npos) << line << threads;
}

TEST(InfoText, SaysWhichNodesAreBuiltAlikeAndWhatTheyHave) {
  const auto small = topology::DetectTopology({.synthetic = "core:2 pu:1"});
  const auto large = Machine("four_numa_eight_gpus");
  std::vector<RankFacts> facts;
  for (int node = 0; node < 4; ++node)
    for (RankFacts& one : FactsOf(node == 3 ? large : small, 1, node, node == 3)) {
      one.store_bytes = 64 << 20;
      one.segment_kind = "private memory";
      one.device_status = "no device here";
      facts.push_back(one);
    }
  runtime::JobInfo info;
  DecideJob(facts, {small, large}, info);
  const std::string text = InfoText(facts, {small, large}, info);
  for (const char* line : {"machine of nodes 0-2, with 2 cores\n", "\nmachine of node 3, with 32 cores\n",
                           "\nnode 2 (host2): 1 rank, 2 CPUs, 0 GPUs, store 64 MiB (private memory)\n",
                           "\n  no GPU: no device here\n", "\n  GPU 0: H100, GPU-0, PCI 00000000:1b:00.0, 1.0 GiB, "})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

TEST(DecideJob, CountsHardwareThreadsWhereAskedTo) {
  const auto machine = Machine("four_numa_eight_gpus");
  runtime::JobInfo info;
  DecideJob(FactsOf(machine, 2), {machine}, info);
  EXPECT_EQ(info.nodes.at(0).resources.at("CPU"), 32);

  runtime::JobInfo threads;
  threads.settings.use_hyperthreads = true;
  DecideJob(FactsOf(machine, 2), {machine}, threads);
  EXPECT_EQ(threads.nodes.at(0).resources.at("CPU"), 64);
  EXPECT_EQ(threads.specs.at(0).slots.at(Rank(1)), Amount::Whole(32));
  ASSERT_EQ(threads.specs[0].cores.size(), 64u);
  EXPECT_EQ(threads.specs[0].cores[3].physical, 1);
  EXPECT_EQ(threads.specs[0].gpus[2].near, Range(16, 31));
}

TEST(DecideJob, GivesEachRankTheCpusOfItsNodesCores) {
  auto machine = topology::DetectTopology({.synthetic = "pack:2 [numa] core:2 pu:2"});
  machine.this_system = true;
  runtime::JobInfo info;
  info.self = Rank(1);
  DecideJob(FactsOf(machine, 2), {machine}, info);

  ASSERT_EQ(info.core_cpus.size(), 4u);
  EXPECT_EQ(info.core_cpus[3].ToString(), "6-7");
  EXPECT_EQ(info.node_cpus.ToString(), "0-7");
  EXPECT_EQ(info.executor_cpus.at(0).ToString(), "4-7");

  runtime::JobInfo off;
  off.settings.binding = false;
  DecideJob(FactsOf(machine, 2), {machine}, off);
  EXPECT_TRUE(off.core_cpus.empty());
  EXPECT_TRUE(off.node_cpus.empty());
}

TEST(DecideJob, TakesEachNodesOwnMachine) {
  const auto small = topology::DetectTopology({.synthetic = "core:2 pu:1"});
  const auto large = Machine("four_numa_eight_gpus");
  std::vector<RankFacts> facts = FactsOf(small, 1, 0, 0);
  for (const RankFacts& one : FactsOf(large, 2, 1, 1)) facts.push_back(one);
  runtime::JobInfo info;
  DecideJob(facts, {small, large}, info);

  ASSERT_EQ(info.specs.size(), 2u);
  EXPECT_EQ(info.specs[0].cores.size(), 2u);
  EXPECT_EQ(info.specs[1].cores.size(), 32u);
  EXPECT_EQ(info.specs[1].slots.at(Rank(2)), Amount::Whole(16));
}

TEST(DecideJob, BindsNoLeaseWhereRanksShareCoresOrCpusWereDeclared) {
  const auto machine = topology::DetectTopology({.synthetic = "core:2 pu:1"});
  runtime::JobInfo shared;
  DecideJob(FactsOf(machine, 3), {machine}, shared);
  EXPECT_TRUE(shared.specs.at(0).cores.empty());

  runtime::JobInfo declared;
  declared.settings.cpus = 4;
  DecideJob(FactsOf(machine, 1), {machine}, declared);
  EXPECT_TRUE(declared.specs.at(0).cores.empty());

  runtime::JobInfo fewer;
  fewer.settings.cpus = 1;
  DecideJob(FactsOf(machine, 1), {machine}, fewer);
  EXPECT_EQ(fewer.specs.at(0).cores.size(), 2u);
}

}  // namespace
}  // namespace manta::launch
