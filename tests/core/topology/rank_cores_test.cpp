#include "core/topology/rank_cores.hpp"

#include <gtest/gtest.h>

namespace manta::topology {
namespace {

CpuSet Cpus(std::string_view text) { return *CpuSet::FromString(text); }

Topology EightCores() { return DetectTopology({.synthetic = "pack:2 [numa] l3:1 core:4 pu:1"}); }
Topology EightCoresOfTwoThreads() { return DetectTopology({.synthetic = "pack:2 [numa] l3:1 core:4 pu:2"}); }

/// Ranks 0, 1, ... with these bindings under Open MPI, in a job that holds the whole machine.
NodeLaunch Launch(const Topology& topology, const std::vector<std::string>& bindings) {
  NodeLaunch launch;
  for (const std::string& binding : bindings)
    launch.ranks.push_back({static_cast<int>(launch.ranks.size()), Cpus(binding)});
  launch.allowed = topology.cpus;
  launch.facts.launcher = Launcher::kOpenMpi;
  return launch;
}

std::vector<std::string> CpusOfRanks(const NodeCores& node) {
  std::vector<std::string> texts;
  for (const RankCores& rank : node.ranks) texts.push_back(rank.cpus.ToString());
  return texts;
}
using Lines = std::vector<std::string>;

TEST(RankCores, DivideTheCoresBetweenUnboundRanks) {
  const Topology machine = EightCores();

  const NodeCores node = DecideRankCores(machine, Launch(machine, {"0-7", "0-7"}));

  EXPECT_EQ(CpusOfRanks(node), (Lines{"0-3", "4-7"}));
  EXPECT_EQ(node.ranks[1].cores, (std::vector<int>{4, 5, 6, 7}));
  EXPECT_EQ(node.ranks[1].executors, 4);
  EXPECT_EQ(node.ranks[1].num_cpus, 4);
  EXPECT_FALSE(node.ranks[1].shared);
  EXPECT_EQ(node.num_cpus, 8);
  EXPECT_EQ(node.cores_used, 8);
  EXPECT_EQ(node.cores_present, 8);
  EXPECT_EQ(node.warnings, Lines{});
}

TEST(RankCores, LeaveBoundRanksTheirBinding) {
  const Topology machine = EightCores();
  NodeLaunch launch = Launch(machine, {"0-1", "6-7"});
  launch.facts.binding_asked = true;

  const NodeCores node = DecideRankCores(machine, launch);

  EXPECT_EQ(CpusOfRanks(node), (Lines{"0-1", "6-7"}));
  EXPECT_EQ(node.num_cpus, 4);
  EXPECT_EQ(node.warnings, (Lines{"uses 4 of the 8 cores that the job holds here; to use all, start with "
                                  "`mpirun --bind-to none` or `mpirun --map-by slot:PE=4`"}));
}

TEST(RankCores, SayThatTwoRanksKeepTheOneCoreThatMpirunGaveThem) {
  const Topology machine = EightCores();

  const NodeCores node = DecideRankCores(machine, Launch(machine, {"0", "1"}));

  EXPECT_EQ(CpusOfRanks(node), (Lines{"0", "1"}));
  EXPECT_EQ(node.num_cpus, 2);
  EXPECT_EQ(node.cores_used, 2);
  ASSERT_EQ(node.warnings.size(), 1u);
  EXPECT_EQ(node.warnings[0].find("uses 2 of the 8 cores"), 0u);
}

TEST(RankCores, GiveASoleRankAllThatTheJobMayUseUnlessBindingWasAskedFor) {
  const Topology machine = EightCores();
  NodeLaunch launch = Launch(machine, {"0"});

  const NodeCores by_default = DecideRankCores(machine, launch);
  launch.facts.binding_asked = true;
  const NodeCores asked = DecideRankCores(machine, launch);

  EXPECT_EQ(CpusOfRanks(by_default), (Lines{"0-7"}));
  EXPECT_EQ(by_default.ranks[0].executors, 8);
  EXPECT_TRUE(by_default.warnings.empty());
  EXPECT_EQ(CpusOfRanks(asked), (Lines{"0"}));
  EXPECT_EQ(asked.warnings.size(), 1u);
}

TEST(RankCores, KeepASoleRankWithinWhatTheJobMayUse) {
  const Topology machine = EightCores();
  NodeLaunch launch = Launch(machine, {"2"});
  launch.allowed = Cpus("2-5");

  const NodeCores node = DecideRankCores(machine, launch);

  EXPECT_EQ(CpusOfRanks(node), (Lines{"2-5"}));
  EXPECT_EQ(node.cores_used, 4);
  EXPECT_EQ(node.cores_present, 8);
  EXPECT_TRUE(node.warnings.empty());
}

TEST(RankCores, DivideABindingThatSeveralRanksHave) {
  // What mpirun does by default from three ranks on: it deals them out over the NUMA nodes and binds them to those.
  const Topology machine = EightCores();

  const NodeCores node = DecideRankCores(machine, Launch(machine, {"0-3", "4-7", "0-3", "4-7"}));

  EXPECT_EQ(CpusOfRanks(node), (Lines{"0-1", "4-5", "2-3", "6-7"}));
  EXPECT_EQ(node.num_cpus, 8);
  EXPECT_TRUE(node.warnings.empty());
}

TEST(RankCores, GiveUnboundRanksWhatBoundOnesLeave) {
  const Topology machine = EightCores();

  const NodeCores node = DecideRankCores(machine, Launch(machine, {"0-7", "0-1", "0-7"}));

  EXPECT_EQ(CpusOfRanks(node), (Lines{"2-4", "0-1", "5-7"}));
  EXPECT_EQ(node.num_cpus, 8);
}

TEST(RankCores, GiveOverlappingBindingsEachCoreOnce) {
  const Topology machine = EightCores();

  const NodeCores node = DecideRankCores(machine, Launch(machine, {"0-3", "2-5"}));

  EXPECT_EQ(CpusOfRanks(node), (Lines{"0-3", "4-5"}));
  EXPECT_FALSE(node.ranks[0].shared);
}

TEST(RankCores, CountOneCpuForEachRankWhereRanksAreMoreThanCores) {
  const Topology machine = DetectTopology({.synthetic = "core:2 pu:1"});

  const NodeCores node = DecideRankCores(machine, Launch(machine, {"0-1", "0-1", "0-1"}));

  EXPECT_EQ(CpusOfRanks(node), (Lines{"0-1", "0-1", "0-1"}));
  EXPECT_EQ(node.num_cpus, 3);
  EXPECT_EQ(node.cores_used, 2);
  for (const RankCores& rank : node.ranks) {
    EXPECT_EQ(rank.executors, 1);
    EXPECT_TRUE(rank.shared);
  }
  EXPECT_EQ(node.warnings, (Lines{"ranks 0-2 share 2 cores (CPUs 0-1) and count as 3 CPUs: their tasks take turns"}));
}

TEST(RankCores, SayThatRanksWereBoundToOneCoreTogether) {
  const Topology machine = EightCores();
  NodeLaunch launch = Launch(machine, {"3", "3", "4"});
  launch.ranks[2].rank = 7;
  launch.facts.binding_asked = true;

  const NodeCores node = DecideRankCores(machine, launch);

  EXPECT_EQ(CpusOfRanks(node), (Lines{"3", "3", "4"}));
  EXPECT_FALSE(node.ranks[2].shared);
  ASSERT_EQ(node.warnings.size(), 2u);
  EXPECT_EQ(node.warnings[0], "ranks 0-1 share 1 core (CPUs 3) and count as 2 CPUs: their tasks take turns");
  EXPECT_EQ(node.warnings[1].find("uses 2 of the 8 cores that the job holds here; to use more, "), 0u);
}

TEST(RankCores, ShareTheWholeSetWhereBoundRanksLeaveNothing) {
  const Topology machine = DetectTopology({.synthetic = "core:2 pu:1"});

  const NodeCores node = DecideRankCores(machine, Launch(machine, {"0", "1", "0-1"}));

  EXPECT_EQ(CpusOfRanks(node), (Lines{"0", "1", "0-1"}));
  EXPECT_EQ(node.num_cpus, 3);
  EXPECT_TRUE(node.ranks[0].shared);
  EXPECT_EQ(node.warnings.size(), 1u);
}

TEST(RankCores, CountCoresAndNotThreads) {
  const Topology machine = EightCoresOfTwoThreads();

  const NodeCores unbound = DecideRankCores(machine, Launch(machine, {"0-15", "0-15"}));
  const NodeCores threads = DecideRankCores(machine, Launch(machine, {"0", "1"}));

  EXPECT_EQ(CpusOfRanks(unbound), (Lines{"0-7", "8-15"}));
  EXPECT_EQ(unbound.ranks[0].executors, 4);
  EXPECT_EQ(CpusOfRanks(threads), (Lines{"0", "1"}));  // two threads of one core
  EXPECT_TRUE(threads.ranks[0].shared);
  EXPECT_EQ(threads.num_cpus, 2);
  EXPECT_EQ(threads.cores_used, 1);
}

TEST(RankCores, LetTheSettingRuleOverTheCountOfExecutorsOnly) {
  const Topology machine = EightCores();
  NodeLaunch launch = Launch(machine, {"0-7", "0-7"});
  launch.executors = 1;

  const NodeCores node = DecideRankCores(machine, launch);

  EXPECT_EQ(node.ranks[0].executors, 1);
  EXPECT_EQ(node.ranks[0].num_cpus, 4);
  EXPECT_EQ(node.num_cpus, 8);
}

TEST(RankCores, NameTheOptionOfTheLauncher) {
  const Topology machine = EightCoresOfTwoThreads();
  NodeLaunch launch = Launch(machine, {"0-1", "2-3"});
  launch.facts.binding_asked = true;

  launch.facts.launcher = Launcher::kSlurm;
  const NodeCores slurm = DecideRankCores(machine, launch);
  launch.facts.launcher = Launcher::kOther;
  const NodeCores other = DecideRankCores(machine, launch);

  EXPECT_EQ(slurm.warnings,
            (Lines{"uses 2 of the 8 cores that the job holds here; to use all, start with `srun -c 8`"}));
  EXPECT_EQ(other.warnings, (Lines{"uses 2 of the 8 cores that the job holds here; to use all, start with an option of "
                                   "your launcher that gives each rank 4 cores, or none that binds"}));
}

TEST(RankCores, SayThatAStepGotLessThanItsAllocation) {
  // `srun ./app` in a job of 8 CPUs: since Slurm 22.05 it gives the step one CPU and confines it there.
  const Topology machine = EightCores();
  NodeLaunch launch = Launch(machine, {"0"});
  launch.allowed = Cpus("0");
  launch.facts = {.launcher = Launcher::kSlurm, .binding_asked = true, .allocation_cpus = 8};

  const NodeCores node = DecideRankCores(machine, launch);

  EXPECT_EQ(CpusOfRanks(node), (Lines{"0"}));
  EXPECT_EQ(node.warnings,
            (Lines{"uses 1 of the 8 cores that the job holds here; to use all, start with `srun -c 8`"}));
}

TEST(RankCores, TakeNoMoreThanSlurmGrantedWhereItDoesNotConfine) {
  const Topology machine = EightCores();
  NodeLaunch unbound = Launch(machine, {"0-7"});
  unbound.facts.allocation_cpus = 3;
  NodeLaunch bound = Launch(machine, {"5", "0-7"});
  bound.facts.allocation_cpus = 3;

  EXPECT_EQ(CpusOfRanks(DecideRankCores(machine, unbound)), (Lines{"0-2"}));
  EXPECT_EQ(CpusOfRanks(DecideRankCores(machine, bound)), (Lines{"5", "0-1"}));
}

TEST(RankCores, BelieveAnAllocationOfAsManyCpusAsCores) {
  const Topology machine = EightCoresOfTwoThreads();
  NodeLaunch launch = Launch(machine, {"0-15"});
  launch.facts.allocation_cpus = 8;  // Slurm was set to count cores

  EXPECT_EQ(DecideRankCores(machine, launch).cores_used, 8);
}

TEST(RankCores, TakeAllWhereNothingIsKnown) {
  const Topology machine = EightCores();
  NodeLaunch launch = Launch(machine, {"", "90-95"});
  launch.allowed = CpuSet();
  launch.facts = {};

  const NodeCores node = DecideRankCores(machine, launch);

  EXPECT_EQ(CpusOfRanks(node), (Lines{"0-3", "4-7"}));
  EXPECT_TRUE(node.warnings.empty());
}

}  // namespace
}  // namespace manta::topology
