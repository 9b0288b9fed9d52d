// What no node can ever have is refused by Remote, at once, with what was asked and what there is.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <string>

#include "tests/mpi/api/support.hpp"

namespace {

int Work() { return 1; }
struct Worker {
  int Work() { return 1; }
};

template <class F>
std::string Refusal(F submit) {
  try {
    submit();
  } catch (const manta::InfeasibleError& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}
void ExpectParts(const std::string& text, std::initializer_list<std::string> parts) {
  for (const auto& part : parts) EXPECT_NE(text.find(part), std::string::npos) << "no '" << part << "' in: " << text;
}

TEST(Infeasible, SaysWhatWasAskedAndWhatTheLargestNodeHas) {
  const auto cpus = static_cast<long long>(manta::Nodes()[0].resources.at("CPU"));

  ExpectParts(Refusal([] { manta::Task(Work).SetCpus(10'000).Remote(); }), {"CPU", "10000", std::to_string(cpus)});
  ExpectParts(Refusal([] { manta::Task(Work).SetGpus(64).Remote(); }), {"GPU", "64"});
  ExpectParts(Refusal([] { manta::Task(Work).SetMemory(std::uint64_t{1} << 60).Remote(); }), {"memory"});
  ExpectParts(Refusal([] { manta::Task(Work).SetResource("unobtainium", 1).Remote(); }), {"unobtainium", "1"});
}

TEST(Infeasible, IsWhatEachNodeLacksNotTheirSum) {
  if (manta::Nodes().size() < 2) GTEST_SKIP() << "needs 2 nodes";

  EXPECT_THROW(manta::Task(Work).SetCpus(manta::ClusterResources()["CPU"]).Remote(), manta::InfeasibleError);
}

TEST(Infeasible, HoldsForActorsToo) {
  ExpectParts(Refusal([] { manta::Actor<Worker>().SetCpus(10'000).Remote(); }), {"CPU", "10000"});
  ExpectParts(Refusal([] { manta::Actor<Worker>().SetResource("unobtainium", 1).Remote(); }), {"unobtainium"});
}

TEST(Infeasible, IsThrownInsideTasksToo) {
  const auto text = manta::Task([] { return Refusal([] { manta::Task(Work).SetCpus(10'000).Remote(); }); })
                        .SetRank(manta::NumRanks() - 1).Remote();

  ExpectParts(*manta::Get(text), {"CPU", "10000"});
}

TEST(Infeasible, LeavesTheJobAsItWas) {
  for (int i = 0; i < 100; ++i) EXPECT_THROW(manta::Task(Work).SetCpus(10'000).Remote(), manta::InfeasibleError);

  EXPECT_EQ(*manta::Get(manta::Task(Work).Remote(), api_test::kPatience), 1);
}

}  // namespace
