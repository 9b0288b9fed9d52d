// Tasks that depend on a failed one fail with its error and do not run.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using api_test::Journal;

int Fail(int) { throw std::out_of_range("the first"); }
int Ran(const std::string& journal, int a, int b) {
  api_test::Note(journal, "ran");
  return a + b;
}
int RanOn(const std::string& journal, const std::vector<int>& values) {
  api_test::Note(journal, "ran");
  return static_cast<int>(values.size());
}

void ExpectTheFirstError(const manta::ObjectRef<int>& ref) {
  try {
    manta::Get(ref, api_test::kPatience);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const manta::TaskError& error) {
    EXPECT_EQ(error.message(), "the first");
    EXPECT_NE(error.function().find("Fail"), std::string::npos) << error.function();
    EXPECT_TRUE(error.Is<std::out_of_range>());
  }
}

TEST(Dependants, OfAFailedTaskFailWithItAndDoNotRun) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    Journal journal;
    const auto failed = manta::Task(Fail).SetRank(rank).Remote(1);

    const auto second = manta::Task(Ran).SetRank(manta::NumRanks() - 1).Remote(journal.path(), failed, 1);
    const auto third = manta::Task(Ran).SetRank(0).Remote(journal.path(), 1, second);

    ExpectTheFirstError(third);
    ExpectTheFirstError(second);
    EXPECT_TRUE(journal.Lines().empty());
  }
}

TEST(Dependants, SubmittedAfterTheFailureFailToo) {
  Journal journal;
  const auto failed = manta::Task(Fail).Remote(1);
  static_cast<void>(manta::Wait(std::vector{failed}));

  ExpectTheFirstError(manta::Task(Ran).Remote(journal.path(), 1, failed));
  EXPECT_TRUE(journal.Lines().empty());
}

TEST(Dependants, WithOneFailedElementOfAListFail) {
  Journal journal;
  const std::vector refs{manta::Put(1), manta::Task(Fail).Remote(1), manta::Put(3)};

  ExpectTheFirstError(manta::Task(RanOn).Remote(journal.path(), refs));
  EXPECT_TRUE(journal.Lines().empty());
}

TEST(Dependants, ThatAreGivenTheRefItselfRun) {
  const auto failed = manta::Task(Fail).Remote(1);
  auto looks = manta::Task([](std::vector<manta::ObjectRef<int>> refs) {
    try {
      return *manta::Get(refs[0]);
    } catch (const std::out_of_range&) {
      return -1;
    }
  });

  EXPECT_EQ(*manta::Get(looks.SetRank(manta::NumRanks() - 1).Remote(std::vector{failed})), -1);
}

TEST(Dependants, ThatAreActorCallsFailAndTheActorGoesOn) {
  struct Log {
    int calls = 0;
    int Add(int x) { return calls += x; }
  };
  const auto log = manta::Actor<Log>().SetRank(manta::NumRanks() - 1).Remote();

  const auto bad = log.Task(&Log::Add).Remote(manta::Task(Fail).Remote(1));
  const auto good = log.Task(&Log::Add).Remote(2);

  ExpectTheFirstError(bad);
  EXPECT_EQ(*manta::Get(good), 2);
}

}  // namespace
