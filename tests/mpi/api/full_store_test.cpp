// More objects than the store holds: what is kept goes to disk and comes back when it is read.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <string>
#include <utility>
#include <vector>

#include "tests/mpi/api/full_store_support.hpp"

namespace full_store_test {

/// Elements in place inside a value that is made by its serializer.
struct Record {
  std::string name;
  manta::Tensor<Word> table;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, table);
  }
};

/// Ballast and refs, as the values of a tree have.
struct Branch {
  Words ballast;
  std::vector<manta::ObjectRef<Words>> leaves;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ballast, leaves);
  }
};

namespace {

using manta::ObjectRef;

bool IsWords(const Words& words, Word seed) { return IsMade(words, seed); }
bool IsArray(const WordArray& words, Word seed) { return IsMade(words.span(), seed); }

std::string TextOf(Word seed) {
  std::string text(kPieceBytes, static_cast<char>('a' + seed % 26));
  text.replace(text.size() / 2, 0, std::to_string(seed));
  return text;
}
bool IsText(const std::string& text, Word seed) { return text == TextOf(seed); }

Record RecordOf(Word seed) {
  return {std::to_string(seed), manta::Tensor<Word>(Make(seed), {kPieceBytes / sizeof(Word) / 64, 64})};
}
bool IsRecord(const Record& record, Word seed) {
  return record.name == std::to_string(seed) && record.table.rank() == 2 &&
         IsMade({record.table.data(), record.table.size()}, seed);
}

/// Four times the store, the i-th made by make(i).
template <class Maker>
auto Keep(Maker make) {
  std::vector<decltype(make(Word{0}))> kept;
  kept.reserve(kPieces);
  for (std::size_t i = 0; i < kPieces; ++i) kept.push_back(make(i));
  return kept;
}
std::vector<ObjectRef<Words>> KeepWords() {
  return Keep([](Word i) { return manta::Put(Make(i)); });
}

template <class T, class Check>
void ReadHere(const std::vector<ObjectRef<T>>& kept, const std::vector<std::size_t>& places, Check check) {
  for (const std::size_t i : places) ASSERT_TRUE(check(*manta::Get(kept[i], kDiskPatience), i)) << "object " << i;
}
/// By tasks of one rank, as many as there are objects at once: all of them ask for room there.
template <class T, class Check>
void ReadThere(int rank, const std::vector<ObjectRef<T>>& kept, const std::vector<std::size_t>& places, Check check) {
  const auto read = manta::Task(check).SetRank(rank);
  std::vector<std::pair<std::size_t, ObjectRef<bool>>> answers;
  for (const std::size_t i : places) answers.emplace_back(i, read.Remote(kept[i], Word{i}));
  for (const auto& [i, answer] : answers)
    ASSERT_TRUE(*manta::Get(answer, kDiskPatience)) << "object " << i << " on rank " << rank;
}
/// Wherever there is a rank, each time in another order.
template <class T, class Check>
void ReadEverywhere(const std::vector<ObjectRef<T>>& kept, Check check) {
  ReadHere(kept, InOrder(kept.size()), check);
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    ReadThere(rank, kept, AtRandom(kept.size(), static_cast<unsigned>(rank)), check);
}

class Spilling : public FullStore {
 protected:
  /// Of `kept` bytes all but what the stores hold, and what is on its way.
  void ExpectSpilled(std::size_t kept = kPieces * kPieceBytes) const {
    EXPECT_GE(SpilledSince() + kStoreBytes * manta::Nodes().size() + kStoreBytes / 2, kept);
    EXPECT_LE(manta::Stats().store_bytes_used, kStoreBytes * manta::Nodes().size());
  }
};

/// Of results of all ranks in turn: what the driver's rank makes for itself may stay in its memory, where others are.
std::size_t BytesOfOtherRanks() {
  const auto ranks = static_cast<std::size_t>(manta::NumRanks());
  return kPieces * kPieceBytes * (ranks == 1 ? 1 : ranks - 1) / ranks;
}

TEST_F(Spilling, KeepsWhatIsPutAndReadsItInAnyOrder) {
  const auto kept = KeepWords();
  ExpectSpilled();
  EXPECT_FALSE(Files().empty());

  ReadHere(kept, InOrder(kept.size()), IsWords);
  EXPECT_GE(RestoredSince(), kStoreBytes);
  ReadHere(kept, InReverse(kept.size()), IsWords);
  ReadHere(kept, AtRandom(kept.size()), IsWords);
}

TEST_F(Spilling, KeepsCopiesOfAVector) {
  const auto kept = Keep([](Word i) {
    const Words words = Make(i);
    return manta::Put(words);
  });
  ExpectSpilled();

  ReadEverywhere(kept, IsWords);
}

TEST_F(Spilling, KeepsVectorsThatWereMovedIn) {
  const auto kept = KeepWords();

  ReadEverywhere(kept, IsWords);
  ExpectSpilled();
}

TEST_F(Spilling, KeepsWhatIsReadInPlace) {
  const auto kept = Keep([](Word i) { return ObjectRef<WordArray>(manta::Put(Make(i))); });

  ReadEverywhere(kept, IsArray);
  ExpectSpilled();
}

TEST_F(Spilling, KeepsWhatIsMadeInPlace) {
  const auto kept = Keep([](Word i) {
    auto made = manta::Create<Word>(kPieceBytes / sizeof(Word));
    const Words words = Make(i);
    std::copy(words.begin(), words.end(), made.begin());
    return made.Seal();
  });
  ExpectSpilled();

  ReadEverywhere(kept, IsArray);
}

TEST_F(Spilling, KeepsStrings) {
  const auto kept = Keep([](Word i) { return manta::Put(TextOf(i)); });
  ExpectSpilled();

  ReadEverywhere(kept, IsText);
}

TEST_F(Spilling, KeepsStructsWithTensors) {
  const auto kept = Keep([](Word i) { return manta::Put(RecordOf(i)); });
  ExpectSpilled();

  ReadEverywhere(kept, IsRecord);
}

TEST_F(Spilling, KeepsResultsOfTasks) {
  const auto kept = Keep([](Word i) {
    return manta::Task([](Word seed) { return Make(seed); }).SetRank(static_cast<int>(i) % manta::NumRanks()).Remote(i);
  });

  ReadEverywhere(kept, IsWords);
  ExpectSpilled(BytesOfOtherRanks());
}

TEST_F(Spilling, KeepsResultsOfTasksThatWereNeverRead) {
  auto kept = Keep([](Word i) {
    return manta::Task([](Word seed) { return RecordOf(seed); }).SetRank(static_cast<int>(i) % manta::NumRanks()).Remote(i);
  });
  manta::Drain();
  ExpectSpilled(BytesOfOtherRanks());

  ReadHere(kept, AtRandom(kept.size()), IsRecord);
}

TEST_F(Spilling, KeepsObjectsOfAllSizes) {
  std::vector<ObjectRef<Words>> kept;
  std::vector<std::size_t> sizes;
  std::size_t total = 0;
  for (std::size_t i = 0; total < 3 * kStoreBytes; ++i) {
    sizes.push_back((std::size_t{64} << i % 19) + i / 19 * sizeof(Word));  // 64 B to 16 MiB, and a little more
    total += sizes.back();
    kept.push_back(manta::Put(Make(i, sizes.back())));
  }

  for (const std::size_t i : AtRandom(kept.size()))
    ASSERT_TRUE(IsMade(*manta::Get(kept[i], kDiskPatience), i, sizes[i])) << "object " << i << " of " << sizes[i];
  const auto read = manta::Task([](const Words& words, Word seed, std::size_t bytes) { return IsMade(words, seed, bytes); })
                        .SetRank(Last());
  for (const std::size_t i : AtRandom(kept.size(), 2))
    ASSERT_TRUE(*manta::Get(read.Remote(kept[i], Word{i}, sizes[i]), kDiskPatience)) << "object " << i << " of " << sizes[i];
}

TEST_F(Spilling, KeepsRefsInsideOfWhatIsSpilled) {
  auto branches = Keep([](Word i) {
    Branch branch{Make(i), {}};
    for (Word leaf = 0; leaf < 3; ++leaf) branch.leaves.push_back(manta::Put(Make(100 * i + leaf, 64 << 10)));
    return manta::Put(std::move(branch));
  });
  ExpectSpilled();

  const auto read = [](const Branch& branch, Word seed) {
    if (!IsMade(branch.ballast, seed) || branch.leaves.size() != 3) return false;
    for (Word leaf = 0; leaf < 3; ++leaf)
      if (!IsMade(*manta::Get(branch.leaves[leaf], kDiskPatience), 100 * seed + leaf, 64 << 10)) return false;
    return true;
  };
  ReadEverywhere(branches, read);

  // A leaf that outlives its branch.
  const auto leaf = manta::Get(branches[5])->leaves[1];
  branches.clear();
  EXPECT_TRUE(IsMade(*manta::Get(leaf), 501, 64 << 10));
}

TEST_F(Spilling, FreesTheFilesOfWhatIsDropped) {
  auto kept = KeepWords();
  ExpectSpilled();
  const std::size_t all = Files().size();
  EXPECT_GE(all, (kPieces * kPieceBytes - 2 * kStoreBytes) / kPieceBytes) << "a file an object";

  kept.erase(kept.begin() + 3, kept.end());
  EXPECT_TRUE(api_test::Eventually([&] { return Files().size() <= 3; })) << Files().size();
  ReadHere(kept, InOrder(kept.size()), IsWords);
  kept.clear();
  EXPECT_TRUE(api_test::Eventually([&] { return Files().empty(); })) << Files().size();
}

TEST_F(Spilling, FreesTheFilesOfWhatIsDroppedWhileItIsRead) {
  for (int round = 0; round < 3; ++round) {
    auto kept = KeepWords();
    std::vector<ObjectRef<bool>> answers;
    for (const std::size_t i : AtRandom(kept.size(), static_cast<unsigned>(round)))
      answers.push_back(manta::Task(IsArray).SetRank(static_cast<int>(i) % manta::NumRanks())
                            .Remote(ObjectRef<WordArray>(kept[i]), Word{i}));
    kept.clear();
    for (const auto& answer : answers) EXPECT_TRUE(*manta::Get(answer, kDiskPatience));
  }
}

TEST_F(Spilling, LeavesWhatSomebodyReadsWhereItIs) {
  constexpr std::size_t kHeld = kStoreBytes / kPieceBytes / 2;
  std::vector<ObjectRef<WordArray>> refs;
  std::vector<manta::Value<WordArray>> held;
  for (std::size_t i = 0; i < kHeld; ++i) {
    auto made = manta::Create<Word>(kPieceBytes / sizeof(Word));
    const Words words = Make(1000 + i);
    std::copy(words.begin(), words.end(), made.begin());
    refs.push_back(made.Seal());
    held.push_back(manta::Get(refs.back()));
  }
  EXPECT_GE(manta::Stats().store_pins, kHeld);

  const auto kept = KeepWords();
  ReadHere(kept, AtRandom(kept.size()), IsWords);
  ExpectSpilled();

  for (std::size_t i = 0; i < kHeld; ++i) {
    EXPECT_TRUE(IsMade(held[i]->span(), 1000 + i)) << "held " << i;
    EXPECT_EQ(manta::Get(refs[i])->data(), held[i]->data()) << "held " << i << " was moved";
  }
  refs.clear();
  for (std::size_t i = 0; i < kHeld; ++i) EXPECT_TRUE(IsMade(held[i]->span(), 1000 + i)) << "held without a ref " << i;
}

TEST_F(Spilling, GivesWhatWasSpilledToManyTasksAtOnce) {
  const auto kept = KeepWords();
  const ObjectRef<WordArray> first(kept[0]);  // spilled by now
  std::vector<ObjectRef<bool>> answers;
  for (int i = 0; i < 40; ++i)
    answers.push_back(manta::Task(IsArray).SetRank(i % manta::NumRanks()).Remote(first, Word{0}));

  for (const auto& answer : answers) EXPECT_TRUE(*manta::Get(answer, kDiskPatience));
}

TEST_F(Spilling, TakesWhatWasSpilled) {
  auto kept = KeepWords();

  for (const std::size_t i : AtRandom(kept.size()))
    ASSERT_TRUE(IsMade(manta::Take(std::exchange(kept[i], {})), i)) << "object " << i;
}

}  // namespace
}  // namespace full_store_test
