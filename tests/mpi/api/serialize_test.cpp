// Each form of serialization that Cereal knows, through jobs: as an object, an argument and a result. And serialize
// functions that throw on the way: the program gets the exception, and nothing is left behind.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/core/api/sample_types.hpp"
#include "tests/mpi/api/support.hpp"

namespace {

using sample::Node;
using sample::Shape;
using Graph = std::shared_ptr<Node>;
using Shapes = std::vector<std::shared_ptr<Shape>>;

int Last() { return manta::NumRanks() - 1; }

/// What `check` says of `value` as an argument, as an object that the last rank reads, and as that rank's result.
template <class Check, class Value>
void ExpectEverywhere(Check check, const Value& value) {
  const auto remote_check = manta::Task(check).SetRank(Last());

  EXPECT_TRUE(check(value));
  EXPECT_TRUE(*manta::Get(remote_check.Remote(value))) << "an argument";
  const auto ref = manta::Put(value);
  EXPECT_TRUE(*manta::Get(remote_check.Remote(ref))) << "an object of the driver";
  EXPECT_TRUE(check(*manta::Get(ref))) << "an object read here";
  const auto result = manta::Task([](const Value& v) { return v; }).SetRank(Last()).Remote(ref);
  EXPECT_TRUE(check(*manta::Get(result))) << "a result";
  EXPECT_TRUE(*manta::Get(manta::Task(check).SetRank(0).Remote(result))) << "a result read by a task";
}

/// Short, in a message; and long, in the store.
const std::vector<std::string> kTexts{"short", std::string(100'000, 'x')};

TEST(Serialization, GivesAClassItsVersion) {
  for (const std::string& text : kTexts)
    ExpectEverywhere(
        [](const sample::Versioned& v) {
          return (v.loaded_version == 3 || v.loaded_version == 0) && (v.value == "short" || v.value.size() == 100'000);
        },
        sample::Versioned{text});
  const sample::Versioned copied{"a"};
  EXPECT_EQ(manta::Get(manta::Put(copied))->loaded_version, 3u);
}

TEST(Serialization, KeepsTheTypeBehindAPointerToItsBase) {
  for (const std::size_t count : {1u, 2'000u}) {
    Shapes shapes;
    for (std::size_t i = 0; i < count; ++i) {
      shapes.push_back(std::make_shared<sample::Circle>(2.0));
      shapes.push_back(std::make_shared<sample::Square>(3.0));
    }
    ExpectEverywhere(
        [count](const Shapes& list) {
          double sum = 0;
          for (const auto& shape : list) sum += shape->Area();
          return list.size() == 2 * count && sum == 21.0 * static_cast<double>(count);
        },
        shapes);
  }
}

TEST(Serialization, KeepsTheSharingOfAGraph) {
  for (const std::string& text : kTexts) {
    const auto leaf = std::make_shared<Node>(Node{text, {}});
    const auto middle = std::make_shared<Node>(Node{"middle", {leaf}});
    ExpectEverywhere(
        [size = text.size()](const Graph& root) {
          const auto& children = root->children;
          return children.size() == 3 && children[0] == children[1] && children[2]->children[0] == children[0] &&
                 children[0]->name.size() == size;
        },
        std::make_shared<Node>(Node{"root", {leaf, leaf, middle}}));
  }
}

TEST(Serialization, ReachesPrivateMembersOfFriends) {
  ExpectEverywhere([](const sample::Hidden& v) { return v.value() == 8; }, sample::Hidden(8));
  ExpectEverywhere([](const sample::PrivateDefault& v) { return v.value() == 70'000; },
                   sample::PrivateDefault::Make(70'000));
}

TEST(Serialization, ConstructsWhatHasNoDefault) {
  ExpectEverywhere([](const sample::NoDefault& v) { return v.value() == 9; }, sample::NoDefault(9));
  ExpectEverywhere(
      [](const std::vector<std::shared_ptr<sample::NoDefault>>& v) {
        return v.size() == 1000 && v[0] == v[999] && v[0]->value() == 4;
      },
      std::vector(1000, std::make_shared<sample::NoDefault>(4)));
}

TEST(Serialization, KeepsWhatAClassInherits) {
  for (const std::string& text : kTexts)
    ExpectEverywhere(
        [size = text.size()](const sample::Inherits& v) { return v.own == "own 3" && v.name.size() == size; },
        sample::Inherits(3, text));
}

// ---- on the way ----

struct Refused : std::runtime_error {
  using runtime_error::runtime_error;
};

/// Throws half-way when it is saved for the `fails_at`th time (an object is saved twice: counted, then written), or
/// when it is loaded.
struct Brittle {
  std::string text;
  int fails_at = 0;  // -1: in load
  mutable int saves = 0;
  template <class A>
  void save(A& archive) const {
    archive(fails_at, text.substr(0, text.size() / 2));
    if (++saves == fails_at) throw Refused("half-way through save " + std::to_string(saves));
    archive(text.substr(text.size() / 2));
  }
  template <class A>
  void load(A& archive) {
    std::string half;
    archive(fails_at, text);
    if (fails_at == -1) throw Refused("half-way through load");
    archive(half);
    text += half;
  }
};
constexpr int kCounting = 1, kWriting = 2, kLoading = -1;
constexpr std::size_t kSizes[] = {100, 10'000, 1'000'000};

class ThrowingSerialize : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(api_test::Eventually([] { return manta::Stats().store_bytes_used == 0; })) << "of earlier tests";
  }
  void TearDown() override {
    EXPECT_TRUE(api_test::Eventually([] { return manta::Stats().store_bytes_used == 0; }))
        << manta::Stats().store_bytes_used << " bytes stay";
    const auto after = manta::Put(Brittle{std::string(1'000'000, 'a'), 0});
    EXPECT_EQ(*manta::Get(manta::Task([](const Brittle& b) { return b.text.size(); }).SetRank(Last()).Remote(after)),
              1'000'000u)
        << "the store works as before";
  }
};

TEST_F(ThrowingSerialize, LeavesNothingOfAPut) {
  for (const std::size_t size : kSizes)
    for (const int when : {kCounting, kWriting}) {
      const Brittle brittle{std::string(size, 'x'), when};
      EXPECT_THROW(static_cast<void>(manta::Put(brittle)), Refused) << size << ", " << when;
      EXPECT_EQ(manta::Stats().store_bytes_used, 0u) << size << ", " << when;
    }
}

TEST_F(ThrowingSerialize, LeavesNothingOfAPutOfAMovedValue) {
  for (const std::size_t size : kSizes)
    for (const int when : {kCounting, kWriting}) {
      try {  // What stays a value is not written before somebody asks.
        const auto ref = manta::Put(Brittle{std::string(size, 'x'), when});
        EXPECT_EQ(manta::Get(ref)->text.size(), size);
        EXPECT_EQ(when, kWriting);
      } catch (const Refused&) {
      }
      EXPECT_EQ(manta::Stats().store_bytes_used, 0u) << size << ", " << when;
    }
}

TEST_F(ThrowingSerialize, LeavesNothingOfAnArgument) {
  for (const std::size_t size : kSizes)
    for (const int when : {kCounting, kWriting}) {
      const auto length = manta::Task([](const Brittle& b) { return b.text.size(); }).SetRank(Last());
      try {  // A large one is put, and alone on a rank it stays the value.
        EXPECT_EQ(*manta::Get(length.Remote(Brittle{std::string(size, 'x'), when})), size);
        EXPECT_EQ(Last(), 0);
        EXPECT_EQ(when, kWriting);
      } catch (const Refused&) {
      }
    }
}

TEST_F(ThrowingSerialize, FailsTheTaskWhoseResultItIs) {
  if (Last() == 0) GTEST_SKIP() << "a result that nobody else asks for is not written";
  for (const std::size_t size : kSizes)
    for (const int when : {kCounting, kWriting}) {
      const auto ref = manta::Task([](std::size_t n, int w) {
                         return Brittle{std::string(n, 'x'), w};
                       })
                           .SetRank(Last())
                           .Remote(size, when);
      try {
        manta::Get(ref, api_test::kPatience);
        FAIL() << "Get gave no error: " << size << ", " << when;
      } catch (const std::runtime_error& e) {
        EXPECT_NE(std::string(e.what()).find("half-way through save"), std::string::npos) << e.what();
      }
      EXPECT_THROW(manta::Get(ref), manta::TaskError);
    }
}

TEST_F(ThrowingSerialize, FailsWhoReadsAResultThatIsWrittenOnDemand) {
  if (Last() == 0) GTEST_SKIP() << "needs another rank";
  for (const std::size_t size : kSizes) {
    // The owner has the value and writes it when another rank wants it: counting came before, so it is the third save.
    const auto ref = manta::Task([](std::size_t n) { return Brittle{std::string(n, 'x'), 3}; }).SetRank(0).Remote(size);
    const auto length = manta::Task([](const Brittle& b) { return b.text.size(); }).SetRank(Last()).Remote(ref);
    EXPECT_THROW(manta::Get(length, api_test::kPatience), manta::Error) << size;
  }
}

TEST_F(ThrowingSerialize, FailsWhoLoads) {
  for (const std::size_t size : kSizes) {
    const Brittle brittle{std::string(size, 'x'), kLoading};
    const auto ref = manta::Put(brittle);
    EXPECT_THROW(manta::Get(ref), Refused) << size;
    const auto length = manta::Task([](const Brittle& b) { return b.text.size(); }).SetRank(Last()).Remote(ref);
    EXPECT_THROW(manta::Get(length, api_test::kPatience), manta::TaskError) << size;
    EXPECT_THROW(manta::Get(ref), Refused) << size << ", again";
  }
}

}  // namespace
