#include "core/object/error_record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <any>
#include <filesystem>
#include <functional>
#include <ios>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <variant>

#include "core/wire/codec.hpp"

namespace manta::object {
namespace {

using ::testing::HasSubstr;

template <class Thrown>
ErrorPtr Record(const Thrown& thrown) {
  return FromException(std::make_exception_ptr(thrown), "app::Train", 3);
}

/// As an error comes to another rank.
ErrorRecord OverTheWire(const ErrorRecord& record) {
  std::vector<std::byte> bytes;
  wire::Writer writer(bytes);
  writer(ToWire(record));
  wire::Reader reader(bytes);
  wire::WireError error;
  reader(error);
  EXPECT_EQ(reader.left(), 0u);
  return *FromWire(error);
}

/// What Get throws for a task that threw `thrown` on another rank, given to `check` in its handler.
template <class Caught, class Thrown>
void ExpectCaughtAs(const Thrown& thrown, const std::function<void(const Caught&)>& check = {}) {
  try {
    Throw(OverTheWire(*Record(thrown)));
  } catch (const Caught& caught) {
    if (check) check(caught);
  } catch (...) {
    ADD_FAILURE() << "not caught as " << typeid(Caught).name();
  }
}

template <class E>
class StandardErrors : public ::testing::Test {
 public:
  static E Make() {
    if constexpr (std::is_constructible_v<E, std::string>) return E("no row 7");
    else return E();
  }
};
using Standard =
    ::testing::Types<std::runtime_error, std::logic_error, std::invalid_argument, std::out_of_range, std::length_error,
                     std::domain_error, std::range_error, std::overflow_error, std::underflow_error, std::bad_alloc,
                     std::bad_cast, std::bad_function_call, std::bad_optional_access, std::bad_variant_access,
                     std::ios_base::failure>;
TYPED_TEST_SUITE(StandardErrors, Standard);

TYPED_TEST(StandardErrors, ComeBackAsThemselves) {
  ExpectCaughtAs<TypeParam>(this->Make(), [](const TypeParam& caught) {
    EXPECT_THAT(caught.what(), HasSubstr("task 'app::Train' on rank 3 threw std::"));
  });
}

TYPED_TEST(StandardErrors, ComeBackAsTaskErrorsToo) {
  const TypeParam thrown = this->Make();
  ExpectCaughtAs<TaskError>(thrown, [&](const TaskError& caught) {
    EXPECT_EQ(caught.message(), thrown.what());
    EXPECT_EQ(caught.function(), "app::Train");
    EXPECT_EQ(caught.rank(), 3);
    EXPECT_TRUE(caught.template Is<TypeParam>());
    EXPECT_TRUE(caught.template Is<std::exception>());
    EXPECT_FALSE(caught.template Is<UsageError>());
  });
  ExpectCaughtAs<Error>(thrown);
  ExpectCaughtAs<std::exception>(thrown, [](const std::exception& caught) {
    EXPECT_THAT(caught.what(), HasSubstr("app::Train"));
  });
}

TYPED_TEST(StandardErrors, HaveThePlainTaskErrorNested) {
  ExpectCaughtAs<TypeParam>(this->Make(), [](const TypeParam& caught) {
    EXPECT_THROW(std::rethrow_if_nested(caught), TaskError);
    try {
      std::rethrow_if_nested(caught);
    } catch (const TypeParam&) {
      if (!std::is_same_v<TypeParam, std::exception>) ADD_FAILURE() << "the nested one is plain";
    } catch (const TaskError& plain) {
      EXPECT_EQ(plain.function(), "app::Train");
    }
  });
}

TEST(ErrorRecord, KeepsTheCodeOfASystemError) {
  const std::system_error thrown(std::make_error_code(std::errc::no_space_on_device), "writing");

  ExpectCaughtAs<std::system_error>(thrown, [](const std::system_error& caught) {
    EXPECT_EQ(caught.code(), std::errc::no_space_on_device);
    EXPECT_THAT(caught.what(), HasSubstr("writing"));
  });
}

TEST(ErrorRecord, ThrowsADerivedStandardTypeAsTheNearestKnownBase) {
  const std::filesystem::filesystem_error thrown("opening", "/data", std::make_error_code(std::errc::permission_denied));

  ExpectCaughtAs<std::system_error>(thrown, [](const std::system_error& caught) {
    EXPECT_EQ(caught.code(), std::errc::permission_denied);
  });
  ExpectCaughtAs<std::bad_cast>(std::bad_any_cast());
  ExpectCaughtAs<std::bad_alloc>(std::bad_array_new_length());
}

struct Base {};
struct Marker {};
struct HiddenBase {};
class MyError : public std::out_of_range, public Base, public virtual Marker, private HiddenBase {
 public:
  using out_of_range::out_of_range;
};

TEST(ErrorRecord, KnowsAllPublicBasesOfAUsersType) {
  ExpectCaughtAs<std::out_of_range>(MyError("mine"), [](const std::out_of_range& caught) {
    const auto& error = dynamic_cast<const TaskError&>(caught);
    EXPECT_THAT(error.type(), HasSubstr("MyError"));
    EXPECT_TRUE(error.Is<MyError>());
    EXPECT_TRUE(error.Is<std::logic_error>());
    EXPECT_TRUE(error.Is<Base>());
    EXPECT_TRUE(error.Is<Marker>());
    EXPECT_FALSE(error.Is<HiddenBase>());
    EXPECT_FALSE(error.Is<std::runtime_error>());
  });
}

struct OwnFamily : std::exception {
  const char* what() const noexcept override { return "own family"; }
};
struct Silent : std::exception {
  const char* what() const noexcept override { return nullptr; }
};

TEST(ErrorRecord, ThrowsATypeOutsideOfTheStandardAsATaskErrorAndAStdException) {
  ExpectCaughtAs<TaskError>(OwnFamily(), [](const TaskError& caught) { EXPECT_EQ(caught.message(), "own family"); });
  ExpectCaughtAs<std::exception>(OwnFamily());
  try {
    Throw(*Record(OwnFamily()));
  } catch (const std::runtime_error&) {
    ADD_FAILURE() << "what was thrown is no runtime_error";
  } catch (const std::exception&) {
  }
}

TEST(ErrorRecord, TakesWhatIsNoExceptionAtAll) {
  const auto message = [](const ErrorPtr& record) { return record->task.message; };

  EXPECT_EQ(message(Record(std::string("a string"))), "a string");
  EXPECT_EQ(message(Record("a literal")), "a literal");
  EXPECT_EQ(message(Record(static_cast<const char*>(nullptr))), "(no text)");
  EXPECT_EQ(message(Record(42)), "42");
  EXPECT_EQ(message(Record(Base{})), "(not a std::exception)");
  EXPECT_EQ(message(Record(Silent())), "(no text)");
  EXPECT_EQ(Record(42)->task.type, "int");
  ExpectCaughtAs<TaskError>(42, [](const TaskError& caught) { EXPECT_TRUE(caught.Is<int>()); });
  ExpectCaughtAs<std::exception>(Base{}, [](const std::exception& caught) {
    EXPECT_THAT(caught.what(), HasSubstr("(not a std::exception)"));
  });
}

TEST(ErrorRecord, LetsANestedTaskErrorThroughUnchanged) {
  const ErrorPtr inner = Record(MyError("deep"));
  ErrorPtr outer;
  try {
    Throw(*inner);
  } catch (...) {
    outer = FromException(std::current_exception(), "app::Outer", 5);
  }

  EXPECT_EQ(outer->task.function, "app::Train") << "where it was thrown first";
  EXPECT_EQ(outer->task.rank, 3);
  EXPECT_EQ(outer->task.type, inner->task.type);
  EXPECT_EQ(outer->task.message, "deep");
  EXPECT_EQ(outer->task.type_chain, inner->task.type_chain);
  EXPECT_THROW(Throw(*outer), std::out_of_range);
}

TEST(ErrorRecord, KeepsTheCodeOfANestedSystemError) {
  ErrorPtr outer;
  try {
    Throw(*Record(std::system_error(ENOSPC, std::generic_category(), "full")));
  } catch (...) {
    outer = FromException(std::current_exception(), "app::Outer", 5);
  }

  ExpectCaughtAs<std::system_error>(std::system_error(ENOSPC, std::generic_category(), "full"));
  EXPECT_EQ(outer->system_code, ENOSPC);
}

template <class E>
void ExpectPassesThrough(ErrorKind kind, const E& thrown) {
  const ErrorPtr record = Record(thrown);
  EXPECT_EQ(record->kind, kind);
  EXPECT_EQ(Describe(*record), thrown.what());
  try {
    Throw(OverTheWire(*record));
  } catch (const E& caught) {
    EXPECT_STREQ(caught.what(), thrown.what());
  }
}

TEST(ErrorRecord, LetsErrorsOfTheFamilyThroughAsTheyAre) {
  ExpectPassesThrough(ErrorKind::kCancelled, CancelledError("stopped"));
  ExpectPassesThrough(ErrorKind::kActorDied, ActorDiedError("killed"));
  ExpectPassesThrough(ErrorKind::kObjectLost, ObjectLostError("gone"));
  ExpectPassesThrough(ErrorKind::kRankFailed, RankFailedError("rank 2"));
  ExpectPassesThrough(ErrorKind::kOutOfMemory, OutOfMemoryError("store", 10, 5));
  try {
    Throw(OverTheWire(*Record(OutOfMemoryError("store", 10, 5))));
  } catch (const OutOfMemoryError& caught) {
    EXPECT_EQ(caught.asked_bytes(), 10u);
    EXPECT_EQ(caught.free_bytes(), 5u);
  }
}

TEST(ErrorRecord, TakesMisuseInsideATaskForTheTasksOwnError) {
  ExpectCaughtAs<TaskError>(UsageError("empty ref"), [](const TaskError& caught) {
    EXPECT_TRUE(caught.Is<UsageError>());
    EXPECT_EQ(caught.function(), "app::Train");
  });
}

TEST(ErrorRecord, ThrowsEachKindAsItsOwnType) {
  EXPECT_THROW(Throw(*MakeError(ErrorKind::kCancelled, "x")), CancelledError);
  EXPECT_THROW(Throw(*MakeError(ErrorKind::kActorDied, "x")), ActorDiedError);
  EXPECT_THROW(Throw(*MakeError(ErrorKind::kObjectLost, "x")), ObjectLostError);
  EXPECT_THROW(Throw(*MakeError(ErrorKind::kOutOfMemory, "x")), OutOfMemoryError);
  EXPECT_THROW(Throw(*MakeError(ErrorKind::kInfeasible, "x")), InfeasibleError);
  EXPECT_THROW(Throw(*MakeError(ErrorKind::kRankFailed, "x")), RankFailedError);
  EXPECT_THROW(Throw(*MakeError(ErrorKind::kUsage, "x")), UsageError);
  EXPECT_THROW(Throw(*MakeError(ErrorKind::kTask, "x")), TaskError);
}

TEST(ErrorRecord, IsDescribedInOneLine) {
  EXPECT_EQ(Describe(*Record(std::runtime_error("no memory of it"))),
            "task 'app::Train' on rank 3 threw std::runtime_error: no memory of it");
  EXPECT_EQ(Describe(*MakeError(ErrorKind::kActorDied, "killed")), "killed");
}

}  // namespace
}  // namespace manta::object
