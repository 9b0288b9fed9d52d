// Leased tasks and actors run on the cores of their lease, and so do the threads of their OpenMP regions.

#include <gtest/gtest.h>
#include <manta/manta.hpp>
#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using api_test::Gate;
using api_test::Journal;
using Cpus = std::set<int>;

Cpus CpusOfThread() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  Cpus cpus;
  if (::sched_getaffinity(0, sizeof(mask), &mask) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &mask)) cpus.insert(cpu);
  return cpus;
}

/// Where the calling thread may run, where the threads of its region may, and how many there are.
struct Seen {
  Cpus thread;
  std::vector<Cpus> region;
  int width = 0;
  template <class Archive>
  void serialize(Archive& archive) { archive(thread, region, width); }
};

Seen Look() {
  Seen seen;
  seen.thread = CpusOfThread();
  seen.width = omp_get_max_threads();
#pragma omp parallel
  {
#pragma omp critical
    seen.region.push_back(CpusOfThread());
  }
  return seen;
}

/// The same beside others: none begins to look before all are here.
Seen LookTogether(const std::string& journal, const std::string& gate) {
  api_test::Note(journal, "here");
  api_test::PassGate(gate);
  return Look();
}

/// A width of the task's own, which must not outlive it.
int ChangeWidth(int width) {
  omp_set_num_threads(width);
  int threads = 0;
#pragma omp parallel reduction(+ : threads)
  threads += 1;
  return threads;
}

struct Looker {
  Seen Look() { return ::Look(); }
};

/// Whether each rank of each node has cores for itself, as tests here need.
class Binding : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& node : manta::Nodes()) cpus_ = std::min(cpus_, static_cast<int>(node.resources.at("CPU")));
    const Seen whole = *manta::Get(manta::Task(Look).SetCpus(cpus_).Remote());
    if (static_cast<int>(whole.thread.size()) < cpus_) GTEST_SKIP() << "fewer CPUs than ranks";
    threads_of_core_ = whole.thread.size() / static_cast<std::size_t>(cpus_);
  }
  void ExpectOn(const Seen& seen, std::size_t cores, int width) const {
    EXPECT_EQ(seen.thread.size(), cores * threads_of_core_);
    EXPECT_EQ(seen.width, width);
    EXPECT_EQ(static_cast<int>(seen.region.size()), width);
    for (const Cpus& cpus : seen.region) EXPECT_EQ(cpus, seen.thread);
  }
  int cpus_ = 1 << 20;  // of the smallest node
  std::size_t threads_of_core_ = 1;
};

Seen RunLook(double cpus) { return *manta::Get(manta::Task(Look).SetCpus(cpus).Remote(), api_test::kPatience); }

TEST_F(Binding, AHalfCpuIsOneCore) {
  const Seen seen = RunLook(0.5);
  ExpectOn(seen, 1, 1);
}

TEST_F(Binding, OpenMpHasTheWidthAndTheCoresOfEachLeaseInAnyOrder) {
  if (cpus_ < 2) GTEST_SKIP() << "a node of one CPU";
  for (int round = 0; round < 4; ++round) {
    for (const double cpus : {2.0, 0.5, 1.5, 0.25, 2.0}) {
      const int width = cpus > 1 ? 2 : 1;
      const Seen seen = RunLook(cpus);
      ExpectOn(seen, static_cast<std::size_t>(width), width);
    }
  }
}

TEST_F(Binding, TwoLeasesOfOneCpuEachHaveACoreOfTheirOwnAndTwoHalvesShareOne) {
  if (cpus_ < 2) GTEST_SKIP() << "a node of one CPU";
  for (const double cpus : {0.75, 0.5}) {
    Gate gate;
    Journal journal;
    std::vector<manta::ObjectRef<Seen>> refs;
    // Both at one node, where two of them fit.
    for (int i = 0; i < 2; ++i)
      refs.push_back(manta::Task(LookTogether).SetCpus(cpus).SetRank(0).Remote(journal.path(), gate.path()));
    ASSERT_TRUE(journal.WaitFor("here", 2));
    gate.Open();
    const Cpus first = manta::Get(refs[0])->thread, second = manta::Get(refs[1])->thread;
    if (cpus == 0.5) {
      EXPECT_EQ(first, second);
    } else {
      for (const int cpu : first) EXPECT_FALSE(second.contains(cpu));
    }
  }
}

TEST_F(Binding, AWidthThatATaskChoseEndsWithIt) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(*manta::Get(manta::Task(ChangeWidth).SetCpus(0.5).Remote(3)), 3);
    EXPECT_EQ(RunLook(0.5).width, 1);
    // Its threads were made on its one core, and are not for others.
    if (cpus_ > 1) ExpectOn(RunLook(2), 2, 2);
  }
}

TEST_F(Binding, ActorsAreBoundInTheirConstructorAndInEveryCall) {
  for (const double cpus : {0.5, static_cast<double>(std::min(cpus_, 2))}) {
    if (cpus == 1) continue;
    const int width = cpus > 1 ? 2 : 1;
    auto actor = manta::Actor<Looker>().SetCpus(cpus).Remote();
    const Seen first = *manta::Get(actor.Task(&Looker::Look).Remote(), api_test::kPatience);
    ExpectOn(first, static_cast<std::size_t>(width), width);
    for (int i = 0; i < 5; ++i) {
      if (cpus < 1) {
        EXPECT_EQ(RunLook(0.25).width, 1);  // others run meanwhile
      }
      EXPECT_EQ(manta::Get(actor.Task(&Looker::Look).Remote())->thread, first.thread);
    }
  }
}

int Nested(int cpus) {
  const Cpus before = CpusOfThread();
  manta::Get(manta::Task(Look).SetCpus(cpus).Remote());
  return CpusOfThread() == before && omp_get_max_threads() == cpus ? 1 : 0;
}

TEST_F(Binding, ATaskThatWaitsForAnotherKeepsItsCores) {
  if (cpus_ < 2) GTEST_SKIP() << "a node of one CPU";
  EXPECT_EQ(*manta::Get(manta::Task(Nested).SetCpus(2).Remote(2), api_test::kPatience), 1);
}

/// Under --manta-binding off: a thread may go where the process may.
TEST(BindingOff, NothingIsBoundButOpenMpHasItsWidth) {
  const Cpus everywhere = CpusOfThread();
  for (const double cpus : {0.5, 1.5}) {
    if (cpus > manta::Nodes()[0].resources.at("CPU")) continue;
    const Seen seen = *manta::Get(manta::Task(Look).SetCpus(cpus).SetRank(0).Remote(), api_test::kPatience);
    EXPECT_EQ(seen.thread, everywhere);
    EXPECT_EQ(seen.width, cpus > 1 ? 2 : 1);
  }
}

/// On the machine of two_cores_two_gpus.xml, where fake GPU 0 is near the second core and fake GPU 1 near the first.
TEST(BindingNearGpus, AGpuTaskRunsNearItsGpu) {
  const std::size_t cpus = manta::Get(manta::Task(CpusOfThread).SetCpus(2).Remote())->size();
  if (cpus != 2) GTEST_SKIP() << "CPUs 0 and 1 are not ours";
  for (int round = 0; round < 3; ++round) {
    Gate gate;
    Journal journal;
    std::vector<manta::ObjectRef<std::pair<int, Cpus>>> refs;
    const auto look = [](const std::string& here, const std::string& until) {
      api_test::Note(here, "here");
      api_test::PassGate(until);
      return std::pair(manta::Context().AssignedGpus().at(0).index, CpusOfThread());
    };
    for (int i = 0; i < 2; ++i)
      refs.push_back(manta::Task(look).SetCpus(0.5).SetGpus(1).Remote(journal.path(), gate.path()));
    ASSERT_TRUE(journal.WaitFor("here", 2));
    gate.Open();
    for (const auto& ref : refs) {
      const auto [device, near] = *manta::Get(ref);
      EXPECT_EQ(near, (Cpus{device == 0 ? 1 : 0}));
    }
  }
}

}  // namespace
