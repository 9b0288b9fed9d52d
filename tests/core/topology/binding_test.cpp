#include "core/topology/binding.hpp"

#include <gtest/gtest.h>

#include <map>
#include <thread>

namespace manta::topology {
namespace {

using Variables = std::map<std::string, std::string>;

LaunchFacts Facts(Variables variables, std::string_view command = "") {
  return ReadLaunchFacts(
      [&](const char* name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
      },
      command);
}

LaunchFacts OpenMpi(Variables variables, std::string_view command = "") {
  variables["OMPI_COMM_WORLD_SIZE"] = "2";
  return Facts(std::move(variables), command);
}

/// A machine of one CPU that this process may run on, so that nothing here depends on the machine.
Topology MachineOf(const CpuSet& cpus) {
  Topology topology;
  for (int cpu : cpus.Cpus()) topology.cores.push_back({.index = cpu, .cpus = CpuSet::Range(cpu, cpu)});
  topology.cpus = topology.allowed = cpus;
  return topology;
}

TEST(BindThisThread, MovesTheThreadToTheCpu) {
  std::thread([] {
    const Topology machine = DetectTopology();
    const int cpu = CurrentBinding(machine).Cpus().back();
    const CpuSet one = CpuSet::Range(cpu, cpu);

    const BindResult result = BindThisThread(one);

    EXPECT_TRUE(result) << result.reason;
    EXPECT_EQ(CurrentBinding(machine), one);
  }).join();
}

TEST(BindThisThread, SaysWhyItCannotAndLeavesTheThread) {
  const Topology machine = DetectTopology();
  const CpuSet before = CurrentBinding(machine);

  const BindResult absent = BindThisThread(CpuSet::Range(100'000, 100'001));
  const BindResult nothing = BindThisThread(CpuSet());

  EXPECT_FALSE(absent);
  EXPECT_NE(absent.reason.find("100000-100001"), std::string::npos) << absent.reason;
  EXPECT_FALSE(nothing);
  EXPECT_EQ(nothing.reason, "no CPU to bind a thread to");
  EXPECT_EQ(CurrentBinding(machine), before);
}

TEST(CurrentBinding, IsAllOfAMachineThatIsNotThisOne) {
  const Topology other = DetectTopology({.synthetic = "core:64 pu:1"});

  EXPECT_EQ(CurrentBinding(other).Count(), 64);
  EXPECT_EQ(AllowedCpus(other, LaunchFacts(), CpuSet::Range(0, 0)).Count(), 64);
}

TEST(AllowedCpus, IsTheOwnBindingOfAProcessThatNobodyLaunched) {
  EXPECT_EQ(AllowedCpus(MachineOf(CpuSet::Range(0, 7)), LaunchFacts(), CpuSet::Range(2, 3)).ToString(), "2-3");
}

TEST(AllowedCpus, IsTheBindingWhereTheMachineKnowsNoneOfIt) {
  EXPECT_EQ(AllowedCpus(MachineOf(CpuSet::Range(0, 1)), LaunchFacts(), CpuSet::Range(4, 5)).ToString(), "4-5");
}

TEST(LaunchFacts, KnowNoLauncherInAnEmptyEnvironment) {
  const LaunchFacts facts = Facts({});

  EXPECT_EQ(facts.launcher, Launcher::kNone);
  EXPECT_FALSE(facts.binding_asked);
  EXPECT_EQ(facts.allocation_cpus, 0);
}

TEST(LaunchFacts, TellTheDefaultBindingOfOpenMpiFromOneAskedFor) {
  EXPECT_EQ(OpenMpi({}).launcher, Launcher::kOpenMpi);
  EXPECT_FALSE(OpenMpi({}).binding_asked);
  EXPECT_FALSE(OpenMpi({{"OMPI_MCA_rmaps_base_oversubscribe", "1"}}).binding_asked);
  EXPECT_FALSE(OpenMpi({{"OMPI_MCA_hwloc_base_use_hwthreads_as_cpus", "1"}}).binding_asked);
  EXPECT_TRUE(OpenMpi({{"OMPI_MCA_hwloc_base_binding_policy", "core"}}).binding_asked);
  EXPECT_TRUE(OpenMpi({{"OMPI_MCA_rmaps_base_cpus_per_rank", "2"}}).binding_asked);
  EXPECT_TRUE(OpenMpi({{"OMPI_MCA_hwloc_base_cpu_set", "0"}}).binding_asked);
  EXPECT_TRUE(OpenMpi({{"PRTE_MCA_hwloc_default_binding_policy", "core"}}).binding_asked);
}

TEST(LaunchFacts, TakeAMappingForBindingOnlyIfItNamesAPlaceInsideTheNode) {
  for (const char* dealing : {"node", "slot", "seq", "ppr:1:node", ":OVERSUBSCRIBE", "slot:span"})
    EXPECT_FALSE(OpenMpi({{"OMPI_MCA_rmaps_base_mapping_policy", dealing}}).binding_asked) << dealing;
  for (const char* place : {"slot:PE=2", "node:pe=4", "numa", "socket", "package", "ppr:2:socket", "core", "l3cache"})
    EXPECT_TRUE(OpenMpi({{"OMPI_MCA_rmaps_base_mapping_policy", place}}).binding_asked) << place;
}

TEST(LaunchFacts, ReadTheCommandLineThatOpenMpi5DoesNotExport) {
  for (const char* asks : {"prterun -np 2 --bind-to core ./app", "mpirun --bind-to=none ./app",
                           "mpirun -bind-to core a", "prterun --map-by slot:PE=2 ./app", "prterun --map-by=numa ./app",
                           "prterun --cpu-set 0 ./app", "mpirun --mca hwloc_base_binding_policy core ./app",
                           "prterun --prtemca rmaps_default_mapping_policy numa ./app"})
    EXPECT_TRUE(OpenMpi({}, asks).binding_asked) << asks;
  for (const char* quiet : {"prterun -np 2 ./app", "mpirun --map-by node ./app", "mpirun --map-by=ppr:1:node ./app",
                            "mpirun --mca btl self,tcp ./app", "mpirun ./bind-to core", "mpirun -np 1 ./app --map-by"})
    EXPECT_FALSE(OpenMpi({}, quiet).binding_asked) << quiet;
}

TEST(LaunchFacts, TakeSlurmsBindingAsAskedFor) {
  const Variables step = {{"SLURM_PROCID", "0"}, {"SLURM_STEP_ID", "0"}};
  Variables bound = step, unbound = step;
  bound["SLURM_CPU_BIND"] = "quiet,mask_cpu:0x1";
  unbound["SLURM_CPU_BIND"] = "quiet,none";

  EXPECT_EQ(Facts(step).launcher, Launcher::kSlurm);
  EXPECT_FALSE(Facts(step).binding_asked);
  EXPECT_TRUE(Facts(bound).binding_asked);
  EXPECT_FALSE(Facts(unbound).binding_asked);
}

TEST(LaunchFacts, BelieveMpirunInsideASlurmJob) {
  const LaunchFacts facts =
      OpenMpi({{"SLURM_PROCID", "0"}, {"SLURM_STEP_ID", "0"}, {"SLURM_CPU_BIND", "quiet,none"}, {"PMIX_RANK", "0"}});

  EXPECT_EQ(facts.launcher, Launcher::kOpenMpi);
  EXPECT_FALSE(facts.binding_asked);
}

TEST(LaunchFacts, TakeAnyBindingOfOtherLaunchersAsAskedFor) {
  EXPECT_EQ(Facts({{"PMI_RANK", "0"}}).launcher, Launcher::kOther);
  EXPECT_TRUE(Facts({{"PMI_RANK", "0"}}).binding_asked);
}

TEST(LaunchFacts, TakeTheLargerOfJobAndStepForTheAllocation) {
  EXPECT_EQ(Facts({{"SLURM_CPUS_ON_NODE", "8"}}).allocation_cpus, 8);
  EXPECT_EQ(Facts({{"SLURM_CPUS_ON_NODE", "1"}, {"SLURM_JOB_CPUS_PER_NODE", "36(x2)"}}).allocation_cpus, 36);
  EXPECT_EQ(Facts({{"SLURM_JOB_CPUS_PER_NODE", "4(x2),3"}, {"SLURM_NODEID", "2"}}).allocation_cpus, 3);
  EXPECT_EQ(Facts({{"SLURM_CPUS_ON_NODE", "lots"}}).allocation_cpus, 0);
}

TEST(SlurmCpusOfNode, ReadsRepeatedCounts) {
  EXPECT_EQ(SlurmCpusOfNode("4(x2),3", 0), 4);
  EXPECT_EQ(SlurmCpusOfNode("4(x2),3", 1), 4);
  EXPECT_EQ(SlurmCpusOfNode("4(x2),3", 2), 3);
  EXPECT_EQ(SlurmCpusOfNode("4(x2),3", 3), 0);
  for (const char* text : {"", "x", "4(y2)", "4(x", "-3"}) EXPECT_EQ(SlurmCpusOfNode(text, 0), 0) << text;
}

}  // namespace
}  // namespace manta::topology
