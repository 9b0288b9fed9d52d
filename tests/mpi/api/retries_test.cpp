// Retries of tasks that threw what was chosen.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <stdexcept>
#include <string>

#include "tests/mpi/api/support.hpp"

namespace {

using api_test::Journal;

struct IoError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws until its attempt number `good`, which it returns.
template <class E>
int GoodAt(int good, const std::string& journal) {
  api_test::Note(journal, "ran");
  if (manta::Context().Attempt() < good) throw E("attempt " + std::to_string(manta::Context().Attempt()));
  return manta::Context().Attempt();
}

TEST(Retries, GoOnUntilTheTaskSucceeds) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    Journal journal;
    const auto task = manta::Task(GoodAt<IoError>).SetMaxRetries(5).SetRetryExceptions<IoError>().SetRank(rank);

    EXPECT_EQ(*manta::Get(task.Remote(2, journal.path())), 2);
    EXPECT_EQ(journal.Count("ran"), 3u);
  }
}

TEST(Retries, EndWithTheLastError) {
  Journal journal;
  const auto ref =
      manta::Task(GoodAt<IoError>).SetMaxRetries(2).SetRetryExceptions<IoError>().Remote(100, journal.path());

  try {
    manta::Get(ref);
    FAIL() << "nothing was thrown";
  } catch (const manta::TaskError& error) {
    EXPECT_TRUE(error.Is<IoError>());
    EXPECT_EQ(error.message(), "attempt 2");
  }
  EXPECT_EQ(journal.Count("ran"), 3u);
}

TEST(Retries, AreForTheChosenTypesAndThoseDerivedFromThem) {
  Journal derived, other, second;

  EXPECT_EQ(*manta::Get(manta::Task(GoodAt<IoError>).SetRetryExceptions<std::runtime_error>().Remote(1, derived.path())), 1);
  EXPECT_THROW(manta::Get(manta::Task(GoodAt<std::logic_error>).SetRetryExceptions<IoError>().Remote(1, other.path())),
               std::logic_error);
  EXPECT_EQ(*manta::Get(manta::Task(GoodAt<std::logic_error>).SetRetryExceptions<IoError, std::logic_error>()
                            .Remote(1, second.path())), 1);

  EXPECT_EQ(other.Count("ran"), 1u);
}

TEST(Retries, AreNotMadeUnlessAskedFor) {
  Journal plain, zero;

  EXPECT_THROW(manta::Get(manta::Task(GoodAt<IoError>).SetMaxRetries(5).Remote(1, plain.path())), manta::TaskError);
  EXPECT_THROW(manta::Get(manta::Task(GoodAt<IoError>).SetMaxRetries(0).SetRetryExceptions<IoError>().Remote(1, zero.path())),
               manta::TaskError);

  EXPECT_EQ(plain.Count("ran"), 1u);
  EXPECT_EQ(zero.Count("ran"), 1u);
}

TEST(Retries, AreCounted) {
  Journal journal;
  const auto before = manta::Stats().tasks_retried;

  manta::Get(manta::Task(GoodAt<IoError>).SetRetryExceptions<IoError>().Remote(2, journal.path()));

  EXPECT_EQ(manta::Stats().tasks_retried - before, 2u);
}

TEST(Retries, HaveTheirArgumentsAgain) {
  const auto ref = manta::Task([](std::vector<int> values, std::string text) {
                     const auto size = values.size() + text.size();
                     values.clear();
                     text.clear();
                     if (manta::Context().Attempt() == 0) throw IoError("once");
                     return static_cast<int>(size);
                   }).SetRetryExceptions<IoError>().SetRank(manta::NumRanks() - 1)
                       .Remote(manta::Put(std::vector<int>(10'000, 1)), std::string(500, 'x'));

  EXPECT_EQ(*manta::Get(ref), 10'500);
}

}  // namespace
