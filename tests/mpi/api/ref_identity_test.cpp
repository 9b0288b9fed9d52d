// Refs as values of their own: compared, hashed, printed, empty.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using manta::ObjectRef;

TEST(ObjectRef, ComparesByTheObjectItNames) {
  const auto a = manta::Put(1), b = manta::Put(1);
  const auto copy = a;

  EXPECT_EQ(a, copy);
  EXPECT_NE(a, b);
  EXPECT_TRUE(a < b || b < a);
  EXPECT_EQ(a.ID(), copy.ID());
  EXPECT_NE(a.ID(), b.ID());
}

TEST(ObjectRef, IsAKeyOfMaps) {
  std::map<ObjectRef<int>, int> sorted;
  std::unordered_map<ObjectRef<int>, int> hashed;
  for (int i = 0; i < 100; ++i) {
    const auto ref = manta::Put(i);
    sorted[ref] = i;
    hashed[ref] = i;
  }

  ASSERT_EQ(sorted.size(), 100u);
  ASSERT_EQ(hashed.size(), 100u);
  for (const auto& [ref, i] : sorted) {
    EXPECT_EQ(*manta::Get(ref), i);
    EXPECT_EQ(hashed.at(ref), i);
  }
}

TEST(ObjectRef, IsTheSameAfterAJourney) {
  const auto ref = manta::Put(std::string("here"));

  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto back = *manta::Get(manta::Task([](ObjectRef<std::string> r) { return r; }).SetRank(rank).Remote(ref));
    const auto id = *manta::Get(manta::Task([](ObjectRef<std::string> r) { return r.ID(); }).SetRank(rank).Remote(ref));

    EXPECT_EQ(back, ref);
    EXPECT_EQ(std::hash<ObjectRef<std::string>>()(back), std::hash<ObjectRef<std::string>>()(ref));
    EXPECT_EQ(id, ref.ID());
  }
}

TEST(ObjectRef, IsAKeyOnOtherRanksToo) {
  const std::map<ObjectRef<int>, std::string> names{{manta::Put(1), "one"}, {manta::Put(2), "two"}};

  const auto text = manta::Task([](const std::map<ObjectRef<int>, std::string>& there) {
                      std::map<int, std::string> sorted;
                      for (const auto& [ref, name] : there) sorted[*manta::Get(ref)] = name;
                      return sorted[1] + sorted[2] + std::to_string(there.size());
                    }).SetRank(manta::NumRanks() - 1).Remote(names);

  EXPECT_EQ(*manta::Get(text), "onetwo2");
}

TEST(ObjectRef, PrintsItsId) {
  const auto ref = manta::Put(1);
  std::ostringstream out;

  out << ref;

  EXPECT_EQ(out.str(), "ObjectRef(" + ref.ID() + ")");
  EXPECT_FALSE(ref.ID().empty());
}

TEST(EmptyRef, IsFalseAndHasNoId) {
  const ObjectRef<int> empty;

  EXPECT_FALSE(empty);
  EXPECT_EQ(empty, ObjectRef<int>());
  EXPECT_EQ(empty.ID(), "");
  EXPECT_TRUE(manta::Put(1));
}

TEST(EmptyRef, IsAUsageErrorWhereverItIsUsed) {
  const ObjectRef<int> empty;
  const auto increment = manta::Task([](int k) { return k + 1; });
  const auto sum = manta::Task([](const std::vector<int>& values) { return static_cast<int>(values.size()); });

  EXPECT_THROW(manta::Get(empty), manta::UsageError);
  EXPECT_THROW(manta::Get(empty, std::chrono::seconds(1)), manta::UsageError);
  EXPECT_THROW(manta::Get(std::vector{manta::Put(1), empty}), manta::UsageError);
  EXPECT_THROW(manta::Get(empty, empty), manta::UsageError);
  EXPECT_THROW(static_cast<void>(manta::Wait(std::vector{empty})), manta::UsageError);
  EXPECT_THROW(static_cast<void>(manta::AsCompleted(std::vector{empty})), manta::UsageError);
  EXPECT_THROW(manta::Take(ObjectRef<int>()), manta::UsageError);
  EXPECT_THROW(manta::Cancel(empty), manta::UsageError);
  EXPECT_THROW(increment.Remote(empty), manta::UsageError);
  EXPECT_THROW(sum.Remote(std::vector{empty}), manta::UsageError);
}

TEST(EmptyRef, TravelsInsideValues) {
  const auto far = manta::Task([](const std::vector<ObjectRef<int>>& refs) { return !refs[0] && refs[1]; })
                       .SetRank(manta::NumRanks() - 1)
                       .Remote(std::vector{ObjectRef<int>(), manta::Put(1)});

  EXPECT_TRUE(*manta::Get(far));
}

TEST(RefCounts, FreeWhatNobodyHolds) {
  const auto before = manta::Stats().objects_alive;

  for (int i = 0; i < 1000; ++i) static_cast<void>(*manta::Get(manta::Put(std::vector<int>(1000, i))));

  EXPECT_LT(manta::Stats().objects_alive, before + 100);
}

}  // namespace
