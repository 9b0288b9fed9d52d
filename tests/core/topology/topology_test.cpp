#include "core/topology/topology.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include <manta/error.hpp>

#include "core/topology/describe.hpp"

namespace manta::topology {
namespace {

const std::string kTwoNumaOneGpu =
    (std::filesystem::path(__FILE__).parent_path() / "../../support/topologies/two_numa_one_gpu.xml").string();

const std::string kFourNumaEightGpus =
    (std::filesystem::path(__FILE__).parent_path() / "../../support/topologies/four_numa_eight_gpus.xml").string();

Topology TwoNuma() { return DetectTopology({.synthetic = "pack:2 [numa(memory=1073741824)] l3:1 core:4 pu:2"}); }

/// Sets a variable for one test.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  ~ScopedVariable() { ::unsetenv(name_); }

 private:
  const char* name_;
};

std::vector<std::string> Texts(const std::vector<CpuSet>& sets) {
  std::vector<std::string> texts;
  for (const CpuSet& set : sets) texts.push_back(set.ToString());
  return texts;
}
using Lines = std::vector<std::string>;

TEST(Topology, DescribesThisMachine) {
  const Topology machine = DetectTopology();

  EXPECT_TRUE(machine.this_system);
  ASSERT_FALSE(machine.cores.empty());
  EXPECT_FALSE(machine.numa_nodes.empty());
  EXPECT_GT(machine.memory_bytes, std::uint64_t{1} << 20);
  EXPECT_FALSE(machine.allowed.empty());
  EXPECT_TRUE(machine.allowed.IsSubsetOf(machine.cpus));
  for (const Core& core : machine.cores) EXPECT_TRUE(core.cpus.IsSubsetOf(machine.cpus));
}

TEST(Topology, ReadsCoresThreadsPackagesAndCachesOfASyntheticMachine) {
  const Topology machine = TwoNuma();

  ASSERT_EQ(machine.cores.size(), 8u);
  EXPECT_FALSE(machine.this_system);
  EXPECT_EQ(machine.cpus.ToString(), "0-15");
  EXPECT_EQ(machine.allowed.ToString(), "0-15");
  const Core& sixth = machine.cores[5];
  EXPECT_EQ(sixth.index, 5);
  EXPECT_EQ(sixth.cpus.ToString(), "10-11");
  EXPECT_EQ(sixth.numa, 1);
  EXPECT_EQ(sixth.package, 1);
  EXPECT_EQ(sixth.l3, 1);
  ASSERT_EQ(machine.numa_nodes.size(), 2u);
  EXPECT_EQ(machine.numa_nodes[1].cpus.ToString(), "8-15");
  EXPECT_EQ(machine.numa_nodes[1].os_index, 1);
  EXPECT_EQ(machine.numa_nodes[1].memory_bytes, std::uint64_t{1} << 30);
  EXPECT_EQ(machine.memory_bytes, std::uint64_t{2} << 30);
  EXPECT_TRUE(machine.gpus.empty());
}

TEST(Topology, TakesEachCpuForACoreWhereThereAreNoCores) {
  const Topology machine = DetectTopology({.synthetic = "pu:3"});

  ASSERT_EQ(machine.cores.size(), 3u);
  EXPECT_EQ(machine.cores[2].cpus.ToString(), "2");
  EXPECT_EQ(machine.cores[2].l3, -1);
  EXPECT_EQ(machine.cores[2].package, -1);
  EXPECT_EQ(machine.cores[2].numa, 0);
}

TEST(Topology, ReadsAFileWithItsGpu) {
  const Topology machine = DetectTopology({.xml_file = kTwoNumaOneGpu});

  ASSERT_EQ(machine.gpus.size(), 1u);
  EXPECT_EQ(machine.gpus[0].pci_bus_id, "0000:01:00.0");
  EXPECT_EQ(machine.gpus[0].name, "cuda0");
  EXPECT_EQ(machine.gpus[0].numa, 1);
  EXPECT_EQ(machine.gpus[0].cpus.ToString(), "8-15");
  EXPECT_EQ(machine.cores.size(), 8u);
  EXPECT_FALSE(machine.this_system);
}

TEST(Topology, HonoursTheVariablesOfHwloc) {
  {
    const ScopedVariable synthetic("HWLOC_SYNTHETIC", "pack:1 [numa] core:3 pu:1");
    EXPECT_EQ(DetectTopology().cores.size(), 3u);
  }
  {
    const ScopedVariable file("HWLOC_XMLFILE", kTwoNumaOneGpu);
    const ScopedVariable as_this("HWLOC_THISSYSTEM", "0");
    const Topology machine = DetectTopology();
    EXPECT_EQ(machine.gpus.size(), 1u);
    EXPECT_FALSE(machine.this_system);
  }
}

TEST(Topology, RefusesASourceThatCannotBeRead) {
  EXPECT_THROW(DetectTopology({.xml_file = "/nonexistent/machine.xml"}), UsageError);
  EXPECT_THROW(DetectTopology({.xml_file = __FILE__}), UsageError);
  EXPECT_THROW(DetectTopology({.synthetic = "a lot of cores"}), UsageError);
}

TEST(Topology, KeepsIndexesWhenRestricted) {
  const Topology part = Restrict(TwoNuma(), *CpuSet::FromString("9-11"));

  ASSERT_EQ(part.cores.size(), 2u);
  EXPECT_EQ(part.cores[0].index, 4);
  EXPECT_EQ(part.cores[0].cpus.ToString(), "9");
  EXPECT_EQ(part.cores[1].cpus.ToString(), "10-11");
  ASSERT_EQ(part.numa_nodes.size(), 1u);
  EXPECT_EQ(part.numa_nodes[0].index, 1);
  EXPECT_EQ(part.cpus.ToString(), "9-11");
  EXPECT_EQ(CoresWithin(part, part.cpus), (std::vector<int>{4, 5}));
}

TEST(Topology, CountsACoreOfWhichOneThreadIsInTheSet) {
  const Topology machine = TwoNuma();

  EXPECT_EQ(CoresWithin(machine, *CpuSet::FromString("1-2,15,99")), (std::vector<int>{0, 1, 7}));
  EXPECT_TRUE(CoresWithin(machine, CpuSet()).empty());
  EXPECT_EQ(CpusOf(machine, {0, 7}).ToString(), "0-1,14-15");
}

TEST(DivideCores, GivesRunsOfNeighboursWhoseSizesDifferByOneAtMost) {
  const Topology machine = TwoNuma();

  EXPECT_EQ(Texts(DivideCores(machine, machine.cpus, 2)), (Lines{"0-7", "8-15"}));
  EXPECT_EQ(Texts(DivideCores(machine, machine.cpus, 3)), (Lines{"0-5", "6-11", "12-15"}));
  EXPECT_EQ(Texts(DivideCores(machine, machine.cpus, 1)), (Lines{"0-15"}));
}

TEST(DivideCores, StaysWithinTheAllowedThreads) {
  const Topology machine = TwoNuma();

  EXPECT_EQ(Texts(DivideCores(machine, *CpuSet::FromString("1,4-5,8"), 2)), (Lines{"1,4-5", "8"}));
}

TEST(DivideCores, FollowsTheCoresOfAMachineThatNumbersThreadsLast) {
  // Linux on most two-thread machines: CPUs 0-3 are the first threads of cores 0-3, CPUs 4-7 the second.
  const Topology machine = DetectTopology({.synthetic = "[numa] core:4 pu:2(indexes=0,4,1,5,2,6,3,7)"});

  EXPECT_EQ(Texts(DivideCores(machine, machine.cpus, 2)), (Lines{"0-1,4-5", "2-3,6-7"}));
}

TEST(DivideCores, SharesCoresBetweenMoreParts) {
  const Topology machine = DetectTopology({.synthetic = "core:2 pu:1"});

  EXPECT_EQ(Texts(DivideCores(machine, machine.cpus, 3)), (Lines{"0", "0", "1"}));
  EXPECT_EQ(Texts(DivideCores(machine, machine.cpus, 4)), (Lines{"0", "0", "1", "1"}));
}

TEST(DivideCores, GivesEmptyPartsOfNothing) { EXPECT_EQ(Texts(DivideCores(TwoNuma(), CpuSet(), 2)), (Lines{"", ""})); }

TEST(DivideCores, HandsOutEachCoreOnceForAnyCount) {
  const Topology machine = TwoNuma();

  for (int parts = 1; parts <= 8; ++parts) {
    CpuSet all;
    int total = 0;
    for (const CpuSet& part : DivideCores(machine, machine.cpus, parts)) {
      EXPECT_FALSE(part.empty());
      all |= part;
      total += part.Count();
    }
    EXPECT_EQ(all, machine.cpus);
    EXPECT_EQ(total, machine.cpus.Count());
  }
}

TEST(Topology, FindsAGpuByAnySpellingOfItsBusId) {
  const Topology machine = DetectTopology({.xml_file = kTwoNumaOneGpu});

  for (const char* id : {"0000:01:00.0", "00000000:01:00.0", "01:00.0"}) EXPECT_NE(FindGpu(machine, id), nullptr) << id;
  for (const char* id : {"0000:02:00.0", "", "gpu"}) EXPECT_EQ(FindGpu(machine, id), nullptr) << id;
}

TEST(Topology, NamesTheCoresNearAGpu) {
  Topology machine = TwoNuma();
  machine.gpus.push_back({.pci_bus_id = "0000:c1:00.0", .name = "", .numa = 1, .cpus = CpuSet::Range(8, 15)});

  EXPECT_EQ(CoresNear(machine, "00000000:C1:00.0"), (std::vector<int>{4, 5, 6, 7}));
  EXPECT_EQ(CoresNear(Restrict(machine, CpuSet::Range(0, 9)), "c1:00.0"), (std::vector<int>{4}));
}

TEST(Topology, TakesAllCoresForNearWhereThePlaceIsNotKnown) {
  Topology machine = TwoNuma();
  machine.gpus.push_back({.pci_bus_id = "0000:c1:00.0", .name = "", .numa = 1, .cpus = CpuSet::Range(8, 15)});

  EXPECT_EQ(CoresNear(machine, "0000:c2:00.0").size(), 8u);
  EXPECT_EQ(CoresNear(Restrict(machine, CpuSet::Range(0, 3)), "c1:00.0"), (std::vector<int>{0, 1}));
}

TEST(Topology, ReadsAMachineOfTwoPackagesWithFourMemoryNodesAndEightGpus) {
  const Topology machine = DetectTopology({.xml_file = kFourNumaEightGpus});

  ASSERT_EQ(machine.cores.size(), 32u);
  EXPECT_EQ(machine.cpus.Count(), 64);
  ASSERT_EQ(machine.numa_nodes.size(), 4u);
  EXPECT_EQ(machine.cores[21].numa, 2);
  EXPECT_EQ(machine.cores[21].package, 1);
  EXPECT_EQ(machine.cores[21].l3, 5);
  EXPECT_EQ(machine.cores[21].l2, 21);
  EXPECT_EQ(machine.cores[21].physical, 21);
  ASSERT_EQ(machine.gpus.size(), 8u);
  for (int gpu = 0; gpu < 8; ++gpu) {
    const GpuNear& one = machine.gpus[static_cast<std::size_t>(gpu)];
    EXPECT_EQ(one.name, "cuda" + std::to_string(gpu));
    EXPECT_EQ(one.numa, gpu / 2);
    EXPECT_EQ(CoresNear(machine, one.pci_bus_id).front(), gpu / 2 * 8);
  }
}

TEST(Topology, TakesHardwareThreadsForCoresWhereAskedTo) {
  const Topology machine = DetectTopology({.synthetic = "pack:2 [numa] l3:1 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)"});

  const Topology threads = ThreadsAsCores(machine);

  ASSERT_EQ(threads.cores.size(), 8u);
  EXPECT_EQ(threads.cores[5].index, 5);
  EXPECT_EQ(threads.cores[5].cpus.ToString(), "6");
  EXPECT_EQ(threads.cores[5].physical, 2);
  EXPECT_EQ(threads.cores[4].physical, 2);
  EXPECT_EQ(threads.cores[5].package, 1);
  EXPECT_EQ(threads.cpus, machine.cpus);
  EXPECT_EQ(CoresWithin(threads, *CpuSet::FromString("0-1,4")), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(ThreadsAsCores(DetectTopology({.synthetic = "core:3 pu:1"})).cores.size(), 3u);
}

TEST(Topology, TellsAFileFromAShortForm) {
  EXPECT_EQ(SourceOf(kTwoNumaOneGpu).xml_file, kTwoNumaOneGpu);
  EXPECT_EQ(SourceOf("missing.xml").xml_file, "missing.xml");
  EXPECT_EQ(SourceOf("pack:2 [numa] core:4 pu:2").synthetic, "pack:2 [numa] core:4 pu:2");
}

TEST(Describe, NamesTheGroupsThatCoresShare) {
  EXPECT_EQ(Describe(DetectTopology({.synthetic = "pack:1 [numa] l3:2 l2:2 core:1 pu:2"})),
            (Lines{"package 0: cores 0-3 (CPUs 0-7)", "  NUMA node 0: cores 0-3 (CPUs 0-7)",
                   "    L3 0: cores 0-1 (CPUs 0-3)", "    L3 1: cores 2-3 (CPUs 4-7)"}));
  EXPECT_EQ(Describe(ThreadsAsCores(DetectTopology({.synthetic = "[numa] core:2 pu:2"}))),
            (Lines{"NUMA node 0: cores 0-3 (CPUs 0-3)", "  core 0: cores 0-1 (CPUs 0-1)",
                   "  core 1: cores 2-3 (CPUs 2-3)"}));
  const Lines with_gpu = Describe(DetectTopology({.xml_file = kTwoNumaOneGpu}));
  EXPECT_EQ(with_gpu.back(), "PCI 0000:01:00.0 (cuda0): near cores 4-7");
}

TEST(Topology, WritesBusIdsInOneWay) {
  EXPECT_EQ(NormalPciBusId("00000000:C1:0A.1"), "0000:c1:0a.1");
  EXPECT_EQ(NormalPciBusId("c1:00.0"), "0000:c1:00.0");
  EXPECT_EQ(NormalPciBusId("00010000:c1:00.0"), "10000:c1:00.0");
  for (const char* text : {"", "c1", "c1:00", "0000:c1:00.0 ", "0000:c1:00.0.0", "zz:00.0"})
    EXPECT_EQ(NormalPciBusId(text), "") << text;
}

}  // namespace
}  // namespace manta::topology
