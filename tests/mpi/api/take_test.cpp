// Take: the value itself, moved where this was the last hold on it.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

std::unique_ptr<std::string> MakeOne(const std::string& text) { return std::make_unique<std::string>(text); }
std::vector<int> Many(int size) { return std::vector<int>(static_cast<std::size_t>(size), 3); }

TEST(Take, GivesAResultThatCanOnlyBeMoved) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    auto ref = manta::Task(MakeOne).SetRank(rank).Remote("from " + std::to_string(rank));

    std::unique_ptr<std::string> value = manta::Take(std::move(ref));

    EXPECT_EQ(*value, "from " + std::to_string(rank));
    EXPECT_FALSE(ref);
  }
}

TEST(Take, CopiesWhereAnotherHoldsTheObject) {
  auto ref = manta::Task(Many).Remote(10'000);
  const auto other = ref;

  std::vector<int> mine = manta::Take(std::move(ref));
  mine[0] = 7;

  EXPECT_EQ(manta::Get(other)->front(), 3);
}

TEST(Take, RefusesToMoveFromUnderAnotherHolder) {
  auto ref = manta::Task(MakeOne).Remote("shared");
  const auto other = ref;

  EXPECT_THROW(manta::Take(std::move(ref)), manta::UsageError);
  EXPECT_EQ(**manta::Get(other), "shared");
}

TEST(Take, RefusesToMoveFromUnderAValue) {
  auto ref = manta::Task(MakeOne).Remote("held");
  const auto value = manta::Get(ref);

  EXPECT_THROW(manta::Take(std::move(ref)), manta::UsageError);
  EXPECT_EQ(**value, "held");
}

TEST(Take, ThrowsWhatTheTaskThrew) {
  auto ref = manta::Task([]() -> std::vector<int> { throw std::out_of_range("beyond"); }).Remote();

  EXPECT_THROW(manta::Take(std::move(ref)), std::out_of_range);
}

TEST(Take, WorksForSmallPlainValues) {
  auto ref = manta::Put(41);

  EXPECT_EQ(manta::Take(std::move(ref)) + 1, 42);
}

}  // namespace
