// A full store: who needs room gets it in turn, and nobody blocks another for ever. Runs with spilling and without; what
// needs it is in the suite FullStoreSpilling. FullStoreHeld waits for nothing for a second; FullStoreHeldInPlace has one
// executor as well.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <thread>
#include <utility>
#include <vector>

#include "tests/mpi/api/full_store_support.hpp"

namespace full_store_test {
namespace {

using namespace std::chrono_literals;
using manta::ObjectRef;

bool IsArray(const WordArray& words, Word seed) { return IsMade(words.span(), seed); }

/// A consumer that is slower than its producer.
bool ReadSlowly(const WordArray& words, Word seed) {
  std::this_thread::sleep_for(3ms);
  return IsMade(words.span(), seed);
}

using FullStoreWaiting = FullStore;
using FullStoreSpilling = FullStore;
using FullStoreHeld = FullStore;
using FullStoreHeldInPlace = FullStore;

TEST_F(FullStoreWaiting, HasStoresThatAreFullSoon) {
  for (const auto& node : manta::Nodes()) EXPECT_LE(node.store_bytes, kStoreBytes);
}

TEST_F(FullStoreWaiting, ProducersWaitForConsumers) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    std::vector<ObjectRef<bool>> answers;
    for (std::size_t i = 0; i < kPieces; ++i)
      answers.push_back(
          manta::Task(ReadSlowly).SetRank(rank).Remote(ObjectRef<WordArray>(manta::Put(Make(i))), Word{i}));
    for (const auto& answer : answers) EXPECT_TRUE(*manta::Get(answer, kDiskPatience));
  }
}

TEST_F(FullStoreWaiting, ManyThreadsOfTheDriverWaitForRoom) {
  std::vector<int> good(4);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < good.size(); ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < kPieces / good.size(); ++i) {
        const Word seed = 1000 * t + i;
        const auto ref = manta::Put(Make(seed));
        good[t] += *manta::Get(manta::Task(ReadSlowly).SetRank(static_cast<int>(i) % manta::NumRanks())
                                   .Remote(ObjectRef<WordArray>(ref), seed));
      }
    });
  for (auto& thread : threads) thread.join();

  for (const int count : good) EXPECT_EQ(count, static_cast<int>(kPieces / good.size()));
}

TEST_F(FullStoreWaiting, ResultsWaitForRoom) {
  // Who reads them makes the room; at most 13 of the 16 that there is room for are alive.
  std::vector<ObjectRef<Words>> results;
  for (std::size_t i = 0; i < kPieces; ++i) {
    results.push_back(manta::Task([](Word seed) { return Make(seed); }).SetRank(static_cast<int>(i) % manta::NumRanks())
                          .Remote(Word{i}));
    if (i < 12) continue;
    EXPECT_TRUE(IsMade(manta::Take(std::exchange(results[i - 12], {})), i - 12));
  }
}

TEST_F(FullStoreWaiting, RoomThatWasMadeAndNotSealedComesBack) {
  for (std::size_t i = 0; i < kPieces; ++i) {
    auto made = manta::Create<Word>(2 * kPieceBytes / sizeof(Word));
    made[0] = i;
  }
  EXPECT_EQ(manta::Create<Word>(10 * kPieceBytes / sizeof(Word)).size(), 10 * kPieceBytes / sizeof(Word));
}

TEST_F(FullStoreWaiting, WhatTheWholeStoreCannotHoldIsRefusedAtOnce) {
  const auto start = std::chrono::steady_clock::now();
  const auto kept = manta::Put(Make(1));

  EXPECT_THROW(static_cast<void>(manta::Put(Make(2, kStoreBytes + kPieceBytes))), manta::OutOfMemoryError);
  EXPECT_THROW(static_cast<void>(manta::Create<char>(kStoreBytes + 1)), manta::OutOfMemoryError);
  const auto result = manta::Task([] { return Make(3, 2 * kStoreBytes); }).SetRank(Last()).Remote();
  EXPECT_THROW(manta::Get(result, api_test::kPatience), manta::OutOfMemoryError);

  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s) << "it waited for room that can't be";
  EXPECT_TRUE(IsMade(*manta::Get(kept), 1));
}

TEST_F(FullStoreSpilling, LargeArgumentsAreAdmittedWhole) {
  // The store of a node holds two of these, and each task needs two.
  constexpr std::size_t kLarge = 28 * kMiB;
  std::vector<ObjectRef<WordArray>> large;
  for (Word i = 0; i < 4; ++i) large.push_back(manta::Put(Make(i, kLarge)));
  const auto read = [](const WordArray& a, const WordArray& b, Word of_a, Word of_b) {
    std::this_thread::sleep_for(5ms);
    return IsMade(a.span(), of_a, kLarge) && IsMade(b.span(), of_b, kLarge);
  };

  for (int round = 0; round < 4; ++round) {
    std::vector<ObjectRef<bool>> answers;
    for (std::size_t a = 0; a < 4; ++a) {
      const std::size_t b = (a + 1) % 4;  // in a circle
      answers.push_back(manta::Task(read).SetCpus(0).SetRank(static_cast<int>(a) % manta::NumRanks())
                            .Remote(large[a], large[b], Word{a}, Word{b}));
      const std::size_t c = (b + 2) % 4;
      answers.push_back(manta::Task(read).SetCpus(0).SetRank(Last()).Remote(large[b], large[c], Word{b}, Word{c}));
    }
    for (const auto& answer : answers) ASSERT_TRUE(*manta::Get(answer, kDiskPatience));
  }
}

TEST_F(FullStoreSpilling, AnArgumentThatIsGivenTwiceNeedsItsRoomOnce) {
  constexpr std::size_t kLarge = 40 * kMiB;
  const ObjectRef<WordArray> large = manta::Put(Make(7, kLarge));
  const auto other = manta::Put(Make(8, kLarge));  // now one of them is on disk

  const auto read = [](const WordArray& a, const WordArray& b) {
    return IsMade(a.span(), 7, kLarge) && IsMade(b.span(), 7, kLarge);
  };
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    EXPECT_TRUE(*manta::Get(manta::Task(read).SetRank(rank).Remote(large, large), kDiskPatience));
}

TEST_F(FullStoreSpilling, NestedTasksPutIntoAFullStore) {
  std::vector<ObjectRef<Words>> kept;
  for (std::size_t i = 0; i < kPieces / 2; ++i) kept.push_back(manta::Put(Make(i)));

  const auto parent = [](Word seed) {
    std::vector<ObjectRef<std::vector<ObjectRef<Words>>>> children;
    for (Word c = 0; c < 4; ++c)
      children.push_back(manta::Task([](Word of_child) {
                           std::vector<ObjectRef<Words>> made;
                           for (Word i = 0; i < 3; ++i) made.push_back(manta::Put(Make(of_child + i)));
                           return made;
                         }).Remote(seed + 10 * c));
    std::vector<ObjectRef<Words>> all;
    for (const auto& child : children)
      for (const auto& ref : *manta::Get(child)) all.push_back(ref);
    return all;
  };
  std::vector<ObjectRef<std::vector<ObjectRef<Words>>>> parents;
  for (Word p = 0; p < 4; ++p)
    parents.push_back(manta::Task(parent).SetRank(static_cast<int>(p) % manta::NumRanks()).Remote(1000 * (p + 1)));

  for (Word p = 0; p < 4; ++p) {
    const auto refs = *manta::Get(parents[p], kDiskPatience);
    ASSERT_EQ(refs.size(), 12u);
    for (std::size_t i = 0; i < refs.size(); ++i)
      EXPECT_TRUE(IsMade(*manta::Get(refs[i], kDiskPatience), 1000 * (p + 1) + i / 3 * 10 + i % 3)) << p << '/' << i;
  }
  for (const std::size_t i : AtRandom(kept.size())) EXPECT_TRUE(IsMade(*manta::Get(kept[i]), i)) << i;
}

/// Keeps refs that it was given and objects that it made.
class Keeper {
 public:
  void Keep(const std::vector<ObjectRef<Words>>& refs) { refs_.insert(refs_.end(), refs.begin(), refs.end()); }
  void Make(Word seed) { refs_.push_back(manta::Put(full_store_test::Make(seed))); }
  bool Holds(std::size_t place, Word seed) const { return IsMade(*manta::Get(refs_.at(place)), seed); }
  void Drop() { refs_.clear(); }

 private:
  std::vector<ObjectRef<Words>> refs_;
};

TEST_F(FullStoreSpilling, ActorsKeepMoreThanTheStoreHolds) {
  const auto ranks = static_cast<std::size_t>(manta::NumRanks());
  const std::size_t each = 2 * kStoreBytes / kPieceBytes / ranks;  // of the driver's and of its own, together four times
  std::vector<manta::ActorHandle<Keeper>> keepers;
  for (std::size_t k = 0; k < ranks; ++k) {
    keepers.push_back(manta::Actor<Keeper>().SetRank(static_cast<int>(k)).Remote());
    for (std::size_t i = 0; i < each; ++i) {
      const Word seed = 1000 * k + 2 * i;
      keepers[k].Task(&Keeper::Keep).Remote(std::vector{manta::Put(Make(seed))});
      keepers[k].Task(&Keeper::Make).Remote(seed + 1);
    }
  }

  for (std::size_t k = 0; k < ranks; ++k)
    for (const std::size_t i : AtRandom(2 * each, static_cast<unsigned>(k)))
      ASSERT_TRUE(*manta::Get(keepers[k].Task(&Keeper::Holds).Remote(i, Word{1000 * k + i}), kDiskPatience))
          << "object " << i << " of actor " << k;
  for (auto& keeper : keepers) manta::Get(keeper.Task(&Keeper::Drop).Remote());
}

TEST_F(FullStoreSpilling, CopiesOfOtherNodesObjectsMakeWay) {
  // Each rank reads more than its store holds, twice; with one node these are no copies.
  std::vector<ObjectRef<WordArray>> kept;
  for (std::size_t i = 0; i < 24; ++i) kept.push_back(manta::Put(Make(i)));

  for (int round = 0; round < 2; ++round)
    for (int rank = 0; rank < manta::NumRanks(); ++rank) {
      const auto read = manta::Task(IsArray).SetRank(rank);
      std::vector<ObjectRef<bool>> answers;
      for (std::size_t i = 0; i < kept.size(); ++i) answers.push_back(read.Remote(kept[i], Word{i}));
      for (const auto& answer : answers) ASSERT_TRUE(*manta::Get(answer, kDiskPatience));
    }
  EXPECT_LE(manta::Stats().store_bytes_used, kStoreBytes * manta::Nodes().size());
}

TEST_F(FullStoreSpilling, ALargeObjectFindsRoomAmongManySmallOnes) {
  std::vector<ObjectRef<Words>> small;
  for (std::size_t i = 0; i < 3000; ++i) small.push_back(manta::Put(Make(i, 32 << 10)));  // half as much again
  const auto large = manta::Put(Make(9999, 48 * kMiB));

  EXPECT_TRUE(IsMade(*manta::Get(large), 9999, 48 * kMiB));
  for (const std::size_t i : AtRandom(small.size())) ASSERT_TRUE(IsMade(*manta::Get(small[i]), i, 32 << 10)) << i;
}

TEST_F(FullStoreHeld, ArgumentsWaitForTasksThatRunForLong) {
  constexpr std::size_t kLarge = 36 * kMiB;  // one of them in the store at a time
  const auto read_for = [](const WordArray& words, Word seed, int milliseconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    bool is_made = true;
    do {
      is_made = is_made && IsMade(words.span(), seed, kLarge);
    } while (std::chrono::steady_clock::now() < end);
    return is_made;
  };
  const auto task = [&] { return manta::Task(read_for).SetCpus(0).SetRank(0); };
  const ObjectRef<WordArray> first = manta::Put(Make(1, kLarge));
  const ObjectRef<WordArray> second = manta::Put(Make(2, kLarge));
  std::vector<ObjectRef<bool>> answers;
  answers.push_back(task().Remote(first, Word{1}, 4'000));  // four times what is waited for room
  answers.push_back(task().Remote(second, Word{2}, 0));
  for (const auto& answer : answers) EXPECT_TRUE(*manta::Get(answer, kDiskPatience));
}

TEST_F(FullStoreHeld, WhatCouldNotBeBroughtAheadComesWhenOthersEnd) {
  const auto sealed = [](Word seed, std::size_t bytes) {
    auto made = manta::Create<Word>(bytes / sizeof(Word));
    const Words words = Make(seed, bytes);
    std::copy(words.begin(), words.end(), made.begin());
    return made.Seal();
  };
  constexpr std::size_t kLarge = 40 * kMiB;
  const ObjectRef<WordArray> late = sealed(1, 2 * kPieceBytes), large = sealed(2, kLarge);
  std::vector<manta::Value<WordArray>> held;
  for (Word i = 0; i < 5; ++i) held.push_back(manta::Get(sealed(10 + i, kPieceBytes)));  // now `late` is on disk
  api_test::Journal journal;
  const auto read_for_long = [](const WordArray& words, const std::string& path) {
    api_test::Note(path, "began");
    std::this_thread::sleep_for(4s);  // four times what is waited for room
    return IsMade(words.span(), 2, kLarge);
  };
  const auto first = manta::Task(read_for_long).SetCpus(0).SetRank(0).Remote(large, journal.path());
  ASSERT_TRUE(journal.WaitFor("began"));
  const auto read = [](const WordArray& words) { return IsMade(words.span(), 1, 2 * kPieceBytes); };
  EXPECT_TRUE(*manta::Get(manta::Task(read).SetCpus(0).SetRank(0).Remote(late), kDiskPatience));
  EXPECT_TRUE(*manta::Get(first));
}

TEST_F(FullStoreHeldInPlace, AChildThatNeedsItsParentsRoomFails) {
  constexpr std::size_t kLarge = 36 * kMiB;  // one of them in the store at a time
  const ObjectRef<WordArray> first = manta::Put(Make(1, kLarge));
  const ObjectRef<WordArray> second = manta::Put(Make(2, kLarge));
  const auto parent = [](const WordArray& words, const std::vector<ObjectRef<WordArray>>& others) {
    const auto child = manta::Task([](const WordArray& other) { return IsMade(other.span(), 2, kLarge); });
    try {
      manta::Get(child.Remote(others[0]));
      return false;
    } catch (const manta::OutOfMemoryError&) {
      return IsMade(words.span(), 1, kLarge);
    }
  };
  EXPECT_TRUE(*manta::Get(manta::Task(parent).Remote(first, std::vector{second}), kDiskPatience));
  EXPECT_TRUE(IsMade(manta::Get(second)->span(), 2, kLarge)) << "it is not lost";
}

TEST_F(FullStoreHeldInPlace, WhoTellsOfAResultWaitsForNoRoom) {
  if (manta::NumRanks() == 1) GTEST_SKIP() << "a result is sent to nobody";
  // Half of the store, in holes that are too small for the result, which stays a value until the other rank's task is
  // to have it.
  std::vector<manta::Value<WordArray>> held;
  std::vector<ObjectRef<WordArray>> dropped;
  for (std::size_t i = 0; i < kStoreBytes / kPieceBytes - 1; ++i) {
    const ObjectRef<WordArray> piece = manta::Create<Word>(kPieceBytes / sizeof(Word)).Seal();
    if (i % 2 == 0)
      held.push_back(manta::Get(piece));
    else
      dropped.push_back(piece);
  }
  dropped.clear();
  const auto parent = [](int last) {
    const auto result = manta::Task([] { return Make(1, 3 * kPieceBytes); }).SetRank(0).Remote();
    const auto reader = manta::Task([](const Words& words) { return IsMade(words, 1, 3 * kPieceBytes); }).SetRank(last);
    const auto read = reader.Remote(result);
    const auto other = manta::Task([] {
                         std::this_thread::sleep_for(200ms);
                         return Words();
                       }).SetRank(last).SetCpus(0).Remote();
    const auto start = std::chrono::steady_clock::now();
    static_cast<void>(manta::Wait(std::vector{result, other}, 1));
    const bool was_told = std::chrono::steady_clock::now() - start < 1s;
    EXPECT_THROW(manta::Get(read), manta::OutOfMemoryError);
    return was_told;
  };
  EXPECT_TRUE(*manta::Get(manta::Task(parent).SetRank(0).Remote(Last()), kDiskPatience));
}

TEST_F(FullStoreHeld, FailsWhoNeedsRoomAndNobodyElse) {
  std::vector<ObjectRef<WordArray>> kept;
  for (std::size_t i = 0; i < 24; ++i) {  // half as much again
    auto made = manta::Create<Word>(kPieceBytes / sizeof(Word));
    const Words words = Make(i);
    std::copy(words.begin(), words.end(), made.begin());
    kept.push_back(made.Seal());
  }
  std::vector<manta::Value<WordArray>> held;
  EXPECT_THROW(
      for (const auto& ref : kept) held.push_back(manta::Get(ref, kDiskPatience)), manta::OutOfMemoryError);
  ASSERT_GE(held.size(), 12u);
  ASSERT_LE(held.size(), kStoreBytes / kPieceBytes);

  EXPECT_THROW(static_cast<void>(manta::Put(Make(100, 4 * kPieceBytes))), manta::OutOfMemoryError);
  EXPECT_THROW(static_cast<void>(manta::Create<char>(4 * kPieceBytes)), manta::OutOfMemoryError);
  const auto lost_for_now = manta::Task(IsArray).SetRank(0).Remote(kept.back(), Word{kept.size() - 1});
  EXPECT_THROW(manta::Get(lost_for_now, kDiskPatience), manta::OutOfMemoryError);
  const auto fits = manta::Task([](int number) { return number + 1; }).SetRank(Last()).Remote(4);
  EXPECT_EQ(*manta::Get(fits, kDiskPatience), 5);
  for (std::size_t i = 0; i < held.size(); ++i) EXPECT_TRUE(IsMade(held[i]->span(), i)) << i;

  held.clear();
  for (const std::size_t i : AtRandom(kept.size())) EXPECT_TRUE(IsMade(manta::Get(kept[i])->span(), i)) << i;
  EXPECT_TRUE(IsMade(*manta::Get(manta::Put(Make(100, 4 * kPieceBytes))), 100, 4 * kPieceBytes));
}

TEST_F(FullStoreHeld, FailsTheReaderWhoseNodeHasNoRoomForACopy) {
  if (manta::Nodes().size() == 1) GTEST_SKIP() << "one node has no copies";
  // A task of the last rank holds its node's store full until the gate opens.
  api_test::Gate gate;
  api_test::Journal journal;
  const auto hold = [](const std::string& path, const std::string& journal_path) {
    std::vector<manta::Value<WordArray>> held;
    for (Word i = 0; i < 15; ++i) {
      auto made = manta::Create<Word>(kPieceBytes / sizeof(Word));
      made[0] = i;
      held.push_back(manta::Get(made.Seal()));
    }
    api_test::Note(journal_path, "full");
    api_test::PassGate(path);
    return held.back()->front();
  };
  const auto holder = manta::Task(hold).SetRank(Last()).SetCpus(0).Remote(gate.path(), journal.path());
  ASSERT_TRUE(journal.WaitFor("full"));

  const auto object = manta::Put(Make(3, 2 * kPieceBytes));
  const auto read = manta::Task([](const WordArray& words) { return IsMade(words.span(), 3, 2 * kPieceBytes); })
                        .SetRank(Last()).SetCpus(0);
  EXPECT_THROW(manta::Get(read.Remote(ObjectRef<WordArray>(object)), kDiskPatience), manta::OutOfMemoryError);
  EXPECT_TRUE(IsMade(*manta::Get(object), 3, 2 * kPieceBytes)) << "it is not lost where it is";

  gate.Open();
  EXPECT_EQ(*manta::Get(holder, kDiskPatience), 14u);
  EXPECT_TRUE(*manta::Get(read.Remote(ObjectRef<WordArray>(object)), kDiskPatience));
}

}  // namespace
}  // namespace full_store_test
