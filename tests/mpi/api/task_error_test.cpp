// What a task throws arrives at Get: type, message, function and rank; standard exceptions as themselves too.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace app {

struct BaseError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct CustomError : BaseError {
  using BaseError::BaseError;
};
struct NoException {
  int code;
};

int ThrowCustom(const std::string& text) { throw CustomError(text); }

}  // namespace app

namespace {

/// The TaskError that Get throws for a task of `f`, run on each rank.
template <class F>
manta::TaskError ErrorOf(F f, int rank = manta::NumRanks() - 1) {
  const auto ref = manta::Task(f).SetRank(rank).SetName("thrower").Remote();
  try {
    manta::Get(ref, api_test::kPatience);
  } catch (const manta::TaskError& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return manta::TaskError({});
}

TEST(TaskError, SaysTypeMessageFunctionAndRank) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto ref = manta::Task(app::ThrowCustom).SetRank(rank).Remote("what went wrong");
    try {
      manta::Get(ref);
      FAIL() << "nothing was thrown";
    } catch (const manta::TaskError& error) {
      EXPECT_EQ(error.type(), "app::CustomError");
      EXPECT_EQ(error.message(), "what went wrong");
      EXPECT_EQ(error.function(), "app::ThrowCustom");
      EXPECT_EQ(error.rank(), rank);
      const std::string text = error.what();
      for (const char* part : {"app::CustomError", "what went wrong", "app::ThrowCustom", "rank"})
        EXPECT_NE(text.find(part), std::string::npos) << text;
    }
  }
}

TEST(TaskError, CallsATaskByTheNameItWasGiven) {
  EXPECT_EQ(ErrorOf([] { throw app::CustomError("x"); }).function(), "thrower");
}

TEST(TaskError, IsWhatWasThrownAndItsBases) {
  const auto error = ErrorOf([] { throw app::CustomError("x"); });

  EXPECT_TRUE(error.Is<app::CustomError>());
  EXPECT_TRUE(error.Is<app::BaseError>());
  EXPECT_TRUE(error.Is<std::runtime_error>());
  EXPECT_TRUE(error.Is<std::exception>());
  EXPECT_FALSE(error.Is<std::logic_error>());
}

TEST(TaskError, CarriesWhatIsNoStdException) {
  EXPECT_EQ(ErrorOf([] { throw 42; }).type(), "int");
  EXPECT_EQ(ErrorOf([] { throw 42; }).message(), "42");
  EXPECT_EQ(ErrorOf([] { throw "literal"; }).message(), "literal");
  EXPECT_EQ(ErrorOf([] { throw std::string("text"); }).message(), "text");
  EXPECT_TRUE(ErrorOf([] { throw app::NoException{1}; }).Is<app::NoException>());
  EXPECT_EQ(ErrorOf([] { throw app::NoException{1}; }).type(), "app::NoException");
  EXPECT_FALSE(ErrorOf([] { throw app::NoException{1}; }).message().empty());
}

template <class Caught, class F>
void ExpectCaughtAs(F f) {
  const auto ref = manta::Task(f).SetRank(manta::NumRanks() - 1).Remote();
  EXPECT_THROW(manta::Get(ref), Caught);
  EXPECT_THROW(manta::Get(ref), manta::TaskError);
  EXPECT_THROW(manta::Get(ref), manta::Error);
  EXPECT_THROW(manta::Get(ref), std::exception);
}

TEST(TaskError, OfAStandardTypeIsCaughtAsItself) {
  ExpectCaughtAs<std::runtime_error>([] { throw std::runtime_error("x"); });
  ExpectCaughtAs<std::logic_error>([] { throw std::logic_error("x"); });
  ExpectCaughtAs<std::invalid_argument>([] { throw std::invalid_argument("x"); });
  ExpectCaughtAs<std::out_of_range>([] { static_cast<void>(std::vector<int>().at(3)); });
  ExpectCaughtAs<std::length_error>([] { throw std::length_error("x"); });
  ExpectCaughtAs<std::domain_error>([] { throw std::domain_error("x"); });
  ExpectCaughtAs<std::range_error>([] { throw std::range_error("x"); });
  ExpectCaughtAs<std::overflow_error>([] { throw std::overflow_error("x"); });
  ExpectCaughtAs<std::bad_alloc>([] { throw std::bad_alloc(); });
  ExpectCaughtAs<std::runtime_error>([] { throw app::CustomError("derived from it"); });
}

TEST(TaskError, OfASystemErrorKeepsItsCode) {
  const auto ref = manta::Task([] {
                     throw std::system_error(std::make_error_code(std::errc::no_such_file_or_directory), "open");
                   }).Remote();
  try {
    manta::Get(ref);
    FAIL() << "nothing was thrown";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
  }
}

TEST(TaskError, IsNestedInTheStandardException) {
  const auto ref = manta::Task([] { throw std::out_of_range("beyond"); }).Remote();
  try {
    manta::Get(ref);
    FAIL() << "nothing was thrown";
  } catch (const std::out_of_range& error) {
    EXPECT_THROW(std::rethrow_if_nested(error), manta::TaskError);
  }
}

TEST(TaskError, IsThrownAtEveryGetOfEveryCopy) {
  const auto ref = manta::Task(app::ThrowCustom).Remote("again");
  const auto copy = ref;

  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(manta::Get(ref), manta::TaskError);
    EXPECT_THROW(manta::Get(copy), manta::TaskError);
  }
}

TEST(TaskError, ThatPassesThroughTasksSaysWhereItBegan) {
  auto outer = manta::Task([] {
    return *manta::Get(manta::Task([] {
                         return *manta::Get(manta::Task(app::ThrowCustom).SetRank(manta::NumRanks() - 1).Remote("deep"));
                       }).Remote());
  });
  try {
    manta::Get(outer.SetRank(0).Remote());
    FAIL() << "nothing was thrown";
  } catch (const manta::TaskError& error) {
    EXPECT_EQ(error.function(), "app::ThrowCustom");
    EXPECT_EQ(error.message(), "deep");
    EXPECT_EQ(error.rank(), manta::NumRanks() - 1);
    EXPECT_TRUE(error.Is<app::CustomError>());
  }
}

TEST(TaskError, MayBeCaughtAndReplacedInATask) {
  auto outer = manta::Task([] {
    try {
      manta::Get(manta::Task(app::ThrowCustom).Remote("inner"));
    } catch (const manta::TaskError& error) {
      throw std::invalid_argument("outer of " + error.message());
    }
  });

  try {
    manta::Get(outer.SetRank(manta::NumRanks() - 1).Remote());
    FAIL() << "nothing was thrown";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(dynamic_cast<const manta::TaskError&>(error).message(), "outer of inner");
  }
}

struct CannotBeWritten {
  int fails = 0;
  std::vector<int> values;
  template <class Archive>
  void save(Archive& archive) const {
    if (fails != 0) throw std::runtime_error("cannot be written");
    archive(fails, values);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(fails, values);
  }
};

TEST(TaskError, IsGivenForAResultThatCannotBeWritten) {
  const auto ref = manta::Task([] { return CannotBeWritten{1, {}}; }).SetRank(manta::NumRanks() - 1).Remote();
  if (manta::NumRanks() == 1) GTEST_SKIP() << "needs 2 ranks: on its own rank a result need not be written";

  EXPECT_THROW(manta::Get(ref, api_test::kPatience), manta::TaskError);
}

TEST(TaskError, IsNoReasonForOthersToFail) {
  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 200; ++i)
    refs.push_back(manta::Task([](int k) { return k % 2 ? throw std::runtime_error("odd") : k; }).Remote(i));

  for (int i = 0; i < 200; ++i) {
    if (i % 2) {
      EXPECT_THROW(manta::Get(refs[static_cast<std::size_t>(i)]), manta::TaskError);
    } else {
      EXPECT_EQ(*manta::Get(refs[static_cast<std::size_t>(i)]), i);
    }
  }
}

TEST(PutOfAValueThatCannotBeWritten, ThrowsWhatItsFunctionThrew) {
  const CannotBeWritten value{1, std::vector<int>(1000)};

  EXPECT_THROW(static_cast<void>(manta::Put(value)), std::runtime_error);
  EXPECT_EQ(*manta::Get(manta::Put(3)), 3);
}

}  // namespace
