// Refs inside other values: they stay refs, and keep their objects alive wherever they are.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace refs_in_values_test {

using manta::ObjectRef;

/// A user's struct that holds refs.
struct Batch {
  std::string name;
  ObjectRef<std::string> text;
  std::vector<ObjectRef<int>> numbers;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, text, numbers);
  }
};

namespace {

const std::string kLong(10'000, 'z');

int SumOfRefs(std::vector<ObjectRef<int>> refs) {
  int sum = 0;
  for (const auto& ref : refs) sum += *manta::Get(ref);
  return sum;
}

TEST(RefsInValues, InAVectorStayRefs) {
  const std::vector refs{manta::Put(1), manta::Put(2), manta::Task([] { return 3; }).Remote()};

  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    EXPECT_EQ(*manta::Get(manta::Task(SumOfRefs).SetRank(rank).Remote(refs)), 6);
}

TEST(RefsInValues, InMapsAndPairsAndOptionals) {
  const std::map<std::string, std::pair<ObjectRef<int>, std::optional<ObjectRef<std::string>>>> table{
      {"a", {manta::Put(1), std::nullopt}}, {"b", {manta::Put(2), manta::Put(kLong)}}};

  const auto sum = manta::Task([](const decltype(table)& there) {
                     int total = 0;
                     for (const auto& [key, value] : there)
                       total += *manta::Get(value.first) +
                                (value.second ? static_cast<int>(manta::Get(*value.second)->size()) : 0);
                     return total;
                   }).SetRank(manta::NumRanks() - 1).Remote(table);

  EXPECT_EQ(*manta::Get(sum), 3 + 10'000);
}

Batch MakeBatch(const std::string& name) {
  return {name, manta::Put(kLong + name), {manta::Put(1), manta::Task([] { return 2; }).Remote()}};
}
std::string ReadBatch(const Batch& batch) {
  return batch.name + std::to_string(manta::Get(batch.text)->size()) + '/' + std::to_string(SumOfRefs(batch.numbers));
}

TEST(RefsInValues, InStructsGoThereAndBack) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto made = manta::Task(MakeBatch).SetRank(rank).Remote("b");

    EXPECT_EQ(ReadBatch(*manta::Get(made)), "b10001/3");
    EXPECT_EQ(*manta::Get(manta::Task(ReadBatch).SetRank((rank + 1) % manta::NumRanks()).Remote(made)), "b10001/3");
  }
}

TEST(RefsInValues, KeepTheirObjectsAliveAlone) {
  auto inner = manta::Put(kLong);
  auto outer = manta::Put(std::vector{std::move(inner)});

  const auto read = manta::Task([](manta::ObjectRef<std::vector<ObjectRef<std::string>>> ref) {
                      return *manta::Get(manta::Get(ref)->front());
                    }).SetRank(manta::NumRanks() - 1).Remote(outer);
  outer = {};

  EXPECT_EQ(*manta::Get(read), kLong);
}

TEST(RefsInValues, OfATaskThatIsOverStayGood) {
  const auto refs = manta::Take(manta::Task([] {
                                  std::vector<ObjectRef<std::string>> made;
                                  for (int i = 0; i < 10; ++i) made.push_back(manta::Put(kLong + std::to_string(i)));
                                  return made;
                                }).SetRank(manta::NumRanks() - 1).Remote());

  for (std::size_t i = 0; i < refs.size(); ++i) EXPECT_EQ(*manta::Get(refs[i]), kLong + std::to_string(i));
}

/// More than a message takes, and plain data: it is read where it lies.
struct Table {
  std::array<int, 4096> cells;
};

TEST(RefsInValues, AreReadOnTheirNodeWithoutTheirOwner) {
  constexpr std::size_t kCount = 50;
  const auto made = manta::Task([] {
                      std::vector<ObjectRef<Table>> tables;
                      for (std::size_t i = 0; i < kCount; ++i) {
                        Table table;
                        table.cells.fill(static_cast<int>(i));
                        tables.push_back(manta::Put(table));
                      }
                      return tables;
                    }).SetRank(manta::NumRanks() - 1).Remote();
  const auto refs = manta::Take(ObjectRef(made));
  const std::uint64_t before = manta::Stats().messages_sent;

  for (std::size_t i = 0; i < kCount; ++i) {
    const auto value = manta::Get(refs[i]);
    EXPECT_EQ(value->cells.front(), static_cast<int>(i));
    EXPECT_EQ(value->cells.back(), static_cast<int>(i));
  }

  const std::uint64_t sent = manta::Stats().messages_sent - before;
  if (manta::Nodes().size() == 1) {
    EXPECT_LT(sent, kCount) << "a question and an answer each would be twice as many";
  }
}

TEST(RefsInValues, OfLargeValuesOfRefsStayGood) {
  auto inner = manta::Task([] {
                 std::vector<ObjectRef<std::string>> texts;
                 for (int i = 0; i < 200; ++i) texts.push_back(manta::Put(std::to_string(i)));
                 return std::vector{manta::Put(std::move(texts))};
               }).SetRank(manta::NumRanks() - 1).Remote();
  const ObjectRef<std::vector<ObjectRef<std::string>>> texts = manta::Get(inner)->front();
  inner = {};

  const auto read = manta::Get(texts);

  ASSERT_EQ(read->size(), 200u);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(*manta::Get((*read)[static_cast<std::size_t>(i)]), std::to_string(i));
}

/// Keeps refs after the task that brought them.
struct Shelf {
  std::vector<ObjectRef<int>> refs;
  void Keep(const std::vector<ObjectRef<int>>& more) { refs.insert(refs.end(), more.begin(), more.end()); }
  int Sum() { return SumOfRefs(refs); }
};

TEST(RefsInValues, OfManyObjectsTravelInFewMessagesAndAllAreFreed) {
  constexpr int kRefs = 3000;  // several batches
  const std::uint64_t alive_before = manta::Stats().objects_alive;
  std::uint64_t sent = 0;
  {
    const auto shelf = manta::Actor<Shelf>().SetRank(manta::NumRanks() - 1).Remote();
    std::vector<ObjectRef<int>> refs;
    for (int i = 0; i < kRefs; ++i) refs.push_back(manta::Put(i));
    const std::uint64_t before = manta::Stats().messages_sent;

    manta::Get(shelf.Task(&Shelf::Keep).Remote(manta::Put(refs)));
    sent = manta::Stats().messages_sent - before;
    refs.clear();

    EXPECT_EQ(*manta::Get(shelf.Task(&Shelf::Sum).Remote()), kRefs * (kRefs - 1) / 2);
  }
  EXPECT_LT(sent, kRefs / 10);
  EXPECT_TRUE(api_test::Eventually([&] { return manta::Stats().objects_alive <= alive_before; }))
      << manta::Stats().objects_alive - alive_before << " more than before";
}

TEST(RefsInValues, OfPendingTasksMayTravelBeforeTheyAreReady) {
  auto pending = manta::Task([](int k) { return k; }).Remote(1);
  for (int i = 0; i < 50; ++i) pending = manta::Task([](int k) { return k + 1; }).Remote(pending);

  EXPECT_EQ(*manta::Get(manta::Task(SumOfRefs).SetRank(manta::NumRanks() - 1).Remote(std::vector{pending, pending})), 102);
}

TEST(NestedRefs, NeverFlatten) {
  const ObjectRef<ObjectRef<int>> twice = manta::Put(manta::Put(5));

  EXPECT_EQ(*manta::Get(*manta::Get(twice)), 5);
}

TEST(NestedRefs, AreWhatATaskThatReturnsARefGives) {
  const ObjectRef<ObjectRef<std::string>> twice =
      manta::Task([] { return manta::Task([] { return kLong; }).Remote(); }).SetRank(manta::NumRanks() - 1).Remote();

  EXPECT_EQ(*manta::Get(*manta::Get(twice)), kLong);
}

TEST(NestedRefs, ArePassedAsTheyAre) {
  const auto read = manta::Task([](ObjectRef<ObjectRef<int>> ref) { return *manta::Get(*manta::Get(ref)); })
                        .SetRank(manta::NumRanks() - 1)
                        .Remote(manta::Put(manta::Put(6)));

  EXPECT_EQ(*manta::Get(read), 6);
}

TEST(NestedRefs, ResolveByOneLevelForAParameterThatIsARef) {
  const auto read = manta::Task([](ObjectRef<int> ref) { return *manta::Get(ref); })
                        .SetRank(manta::NumRanks() - 1)
                        .Remote(manta::Put(manta::Put(7)));

  EXPECT_EQ(*manta::Get(read), 7);
}

}  // namespace
}  // namespace refs_in_values_test
