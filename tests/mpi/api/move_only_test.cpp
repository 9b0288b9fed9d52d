// Arguments and results that can only be moved.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Letter {
  std::unique_ptr<std::string> text;
  std::vector<std::unique_ptr<int>> numbers;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(text, numbers);
  }
};

Letter Extend(Letter letter, std::unique_ptr<std::string> more) {
  *letter.text += *more;
  letter.numbers.push_back(std::make_unique<int>(static_cast<int>(letter.text->size())));
  return letter;
}
std::size_t Read(const Letter& letter) { return letter.text->size() + letter.numbers.size(); }

Letter Make(const std::string& text) {
  Letter letter;
  letter.text = std::make_unique<std::string>(text);
  return letter;
}

TEST(MoveOnly, ArgumentsAndResultsTravel) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    auto ref = manta::Task(Extend).SetRank(rank).Remote(Make("a"), std::make_unique<std::string>("bc"));

    const Letter back = manta::Take(std::move(ref));

    EXPECT_EQ(*back.text, "abc");
    EXPECT_EQ(*back.numbers.at(0), 3);
  }
}

TEST(MoveOnly, RefsAreGivenAsValues) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto ref = manta::Put(Make("kept"));

    const auto extended = manta::Task(Extend).SetRank(rank).Remote(ref, std::make_unique<std::string>("!"));

    EXPECT_EQ(*manta::Get(extended)->text, "kept!");
    EXPECT_EQ(*manta::Get(ref)->text, "kept") << "the stored object was changed";
  }
}

TEST(MoveOnly, RefsAreReadByReference) {
  const auto made = manta::Task(Make).SetRank(manta::NumRanks() - 1).Remote(std::string(5000, 'x'));

  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    EXPECT_EQ(*manta::Get(manta::Task(Read).SetRank(rank).Remote(made)), 5000u);
}

TEST(MoveOnly, OneRefIsGivenAsValueAndReadByReference) {
  // The value is made of bytes, in whose favour the stored object goes while it is read.
  const auto value_first = [](Letter a, const Letter& b) { return a.text->size() + b.text->size(); };
  const auto value_last = [](const Letter& a, Letter b) { return a.text->size() + b.text->size(); };
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto made = [&] { return manta::Task(Make).SetRank(rank).Remote(std::string(5000, 'x')); };
    const auto first = made(), second = made();

    EXPECT_EQ(*manta::Get(manta::Task(value_first).SetRank(rank).Remote(first, first)), 10000u);
    EXPECT_EQ(*manta::Get(manta::Task(value_last).SetRank(rank).Remote(second, second)), 10000u);
  }
}

TEST(MoveOnly, ChainsOfTasksPassThemOn) {
  auto ref = manta::Put(Make(""));
  for (int i = 0; i < 10; ++i)
    ref = manta::Task(Extend).SetRank(i % manta::NumRanks()).Remote(ref, std::make_unique<std::string>("x"));

  EXPECT_EQ(*manta::Take(std::move(ref)).text, "xxxxxxxxxx");
}

}  // namespace
