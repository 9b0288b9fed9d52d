// Tasks that wait while an exception is being handled or thrown: the thread runs other tasks meanwhile, and each keeps its
// own exceptions. Runs with one executor, so that the tasks share a thread.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <cerrno>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using api_test::Gate;
using api_test::Journal;

using IntRef = manta::ObjectRef<int>;

auto Behind(const Gate& gate) { return manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 1); }

/// Catches its own exception, waits, and throws it on.
int CatchWaitAndRethrow(int number, std::vector<IntRef> slow, const std::string& journal) {
  try {
    throw std::runtime_error("exception " + std::to_string(number));
  } catch (...) {
    api_test::Note(journal, "waits");
    manta::Get(slow.front());
    throw;
  }
}

/// Waits in a destructor while an exception is on its way.
struct WaitsAtItsEnd {
  IntRef ref;
  int* uncaught;
  ~WaitsAtItsEnd() {
    manta::Get(ref);
    *uncaught = std::uncaught_exceptions();
  }
};
std::string WaitWhileUnwinding(int number, std::vector<IntRef> slow, const std::string& journal) {
  int uncaught = -1;
  try {
    WaitsAtItsEnd guard{slow.front(), &uncaught};
    api_test::Note(journal, "waits");
    throw std::runtime_error("exception " + std::to_string(number));
  } catch (const std::exception& error) {
    return std::string(error.what()) + ", uncaught " + std::to_string(uncaught);
  }
}

TEST(ExceptionsInFlight, AreKeptByTwoTasksThatWaitInTheirHandlers) {
  for (const bool first_first : {true, false}) {
    Gate gates[2];
    Journal journal;
    std::vector<IntRef> tasks;
    for (int i = 0; i < 2; ++i)
      tasks.push_back(manta::Task(CatchWaitAndRethrow).SetRank(manta::NumRanks() - 1)
                          .Remote(i, std::vector{Behind(gates[i])}, journal.path()));
    ASSERT_TRUE(journal.WaitFor("waits", 2));
    for (const int i : {first_first ? 0 : 1, first_first ? 1 : 0}) {
      gates[i].Open();
      try {
        manta::Get(tasks[static_cast<std::size_t>(i)], api_test::kPatience);
        ADD_FAILURE() << "nothing was thrown";
      } catch (const manta::TaskError& error) {
        EXPECT_EQ(error.message(), "exception " + std::to_string(i));
      }
    }
  }
}

TEST(ExceptionsInFlight, AreKeptByTasksThatWaitWhileUnwinding) {
  Gate gates[2];
  Journal journal;
  std::vector<manta::ObjectRef<std::string>> tasks;
  for (int i = 0; i < 2; ++i)
    tasks.push_back(manta::Task(WaitWhileUnwinding).SetRank(manta::NumRanks() - 1)
                        .Remote(i, std::vector{Behind(gates[i])}, journal.path()));
  ASSERT_TRUE(journal.WaitFor("waits", 2));
  gates[0].Open();
  gates[1].Open();

  EXPECT_EQ(*manta::Get(tasks[0], api_test::kPatience), "exception 0, uncaught 1");
  EXPECT_EQ(*manta::Get(tasks[1], api_test::kPatience), "exception 1, uncaught 1");
}

TEST(ExceptionsInFlight, OfOneTaskAreNotSeenByAnother) {
  Gate gate;
  Journal journal;
  const auto waits = manta::Task(CatchWaitAndRethrow).SetRank(manta::NumRanks() - 1)
                         .Remote(7, std::vector{Behind(gate)}, journal.path());
  ASSERT_TRUE(journal.WaitFor("waits"));

  const auto clean = manta::Task([] { return std::current_exception() == nullptr && std::uncaught_exceptions() == 0; })
                         .SetRank(manta::NumRanks() - 1).Remote();

  EXPECT_TRUE(*manta::Get(clean, api_test::kPatience));
  gate.Open();
  EXPECT_THROW(manta::Get(waits), manta::TaskError);
}

TEST(Errno, IsKeptOverAWait) {
  Gate gate;
  Journal journal;
  const auto waits = manta::Task([](std::vector<IntRef> slow, const std::string& path) {
                       errno = ENOTTY;
                       api_test::Note(path, "waits");
                       const int before = errno;
                       manta::Get(slow.front());
                       return errno == before;
                     }).SetRank(manta::NumRanks() - 1).Remote(std::vector{Behind(gate)}, journal.path());
  ASSERT_TRUE(journal.WaitFor("waits"));
  manta::Get(manta::Task([] { errno = EDOM; }).SetRank(manta::NumRanks() - 1).Remote(), api_test::kPatience);
  gate.Open();

  EXPECT_TRUE(*manta::Get(waits, api_test::kPatience));
}

}  // namespace
