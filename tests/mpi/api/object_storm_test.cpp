// 20,000 objects of all sizes that every rank makes, reads, passes on and drops at random, with more alive at times than
// the stores hold. Runs on 4 ranks with --manta-fake-nodes 2 --manta-object-store-bytes 320M. The variable MANTA_STORM_SEED
// gives another storm.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/mpi/api/full_store_support.hpp"

namespace object_storm_test {

using manta::ObjectRef;

using Bytes = std::vector<std::uint8_t>;
using ByteArray = manta::Array<std::uint8_t>;

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kObjects = 20'000;
constexpr std::size_t kHuge = 64 * kMiB;
constexpr std::size_t kHugeEvery = 1000;      // twenty of them
constexpr std::size_t kHugeLife = 300;        // in objects that its maker makes meanwhile
constexpr std::size_t kLeastAlive = 60 * kMiB, kMostAlive = 290 * kMiB;  // of each rank, in turns
constexpr std::chrono::seconds kPatience{100};  // below the test's limit, so that it says what it waits for

/// An object, and what it must hold.
struct Item {
  ObjectRef<Bytes> ref;
  std::uint64_t seed = 0;
  std::uint64_t size = 0;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(ref, seed, size);
  }
};

/// Calls `use(place, word, bytes)` for the words that a seed stands for; the last one may have fewer bytes than 8.
template <class Use>
bool ForEachWord(std::uint64_t seed, std::size_t size, Use use) {
  std::uint64_t word = seed * 0x9e3779b97f4a7c15 + size;
  for (std::size_t at = 0; at < size; at += sizeof(word)) {
    word += 0x9e3779b97f4a7c15;
    if (!use(at, word, std::min(sizeof(word), size - at))) return false;
  }
  return true;
}
void Fill(std::uint8_t* bytes, std::uint64_t seed, std::size_t size) {
  ForEachWord(seed, size, [&](std::size_t at, std::uint64_t word, std::size_t count) {
    std::memcpy(bytes + at, &word, count);
    return true;
  });
}
bool Holds(std::span<const std::uint8_t> bytes, std::uint64_t seed, std::size_t size) {
  return bytes.size() == size && ForEachWord(seed, size, [&](std::size_t at, std::uint64_t word, std::size_t count) {
           return std::memcmp(bytes.data() + at, &word, count) == 0;
         });
}

Bytes Make(std::uint64_t seed, std::uint64_t size) {
  Bytes bytes(size);
  Fill(bytes.data(), seed, size);
  return bytes;
}
void Check(std::span<const std::uint8_t> bytes, std::uint64_t seed, std::uint64_t size) {
  if (!Holds(bytes, seed, size))
    throw std::logic_error("object of seed " + std::to_string(seed) + " and " + std::to_string(size) + " bytes, now " +
                           std::to_string(bytes.size()) + ", is not what was put");
}
void CheckItem(const Item& item) {
  if (item.seed % 2 == 0) {
    Check(manta::Get(ObjectRef<ByteArray>(item.ref), kPatience)->span(), item.seed, item.size);
  } else {
    Check(*manta::Get(item.ref, kPatience), item.seed, item.size);
  }
}

// What is passed to: each throws what makes the storm fail.
int CheckArray(const ByteArray& bytes, std::uint64_t seed, std::uint64_t size) {
  Check(bytes.span(), seed, size);
  return 0;
}
int CheckVector(const Bytes& bytes, std::uint64_t seed, std::uint64_t size) {
  Check(bytes, seed, size);
  return 0;
}
int CheckItems(const std::vector<Item>& items) {
  for (const Item& item : items) CheckItem(item);
  return 0;
}
/// Gives to a task of another rank what it was given.
int PassOn(const std::vector<Item>& items, int rank) {
  return *manta::Get(manta::Task(CheckItems).SetRank(rank).Remote(items), kPatience);
}

/// Where ranks leave objects for each other.
class Shelf {
 public:
  /// Gives back what lay there, or nothing.
  std::vector<Item> Swap(const std::vector<Item>& items, std::uint64_t choice) {
    shelf_.insert(shelf_.end(), items.begin(), items.end());
    if (shelf_.size() <= 20) return {};
    std::swap(shelf_[choice % shelf_.size()], shelf_.back());
    std::vector<Item> back{std::move(shelf_.back())};
    shelf_.pop_back();
    return back;
  }
  void Clear() { shelf_.clear(); }

 private:
  std::vector<Item> shelf_;
};

/// One rank's part of the storm.
class Storm {
 public:
  Storm(std::uint64_t seed, std::vector<manta::ActorHandle<Shelf>> shelves)
      : seed_(seed), shelves_(std::move(shelves)), random_(seed) {}

  void Run(std::size_t objects) {
    while (made_ < objects) {
      const std::size_t choice = Below(100);
      if (choice < 45 || alive_.empty()) {
        Put();
      } else if (choice < 65) {
        CheckItem(Any());
      } else if (choice < 80) {
        PassOne();
      } else if (choice < 90) {
        PassSome();
      } else {
        SwapOne();
      }
      MakeRoom();
      while (answers_.size() > 12) TakeAnswer();
    }
    while (!answers_.empty()) TakeAnswer();
    for (const Item& item : alive_) CheckItem(item);
  }

 private:
  std::size_t Below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }
  int AnyRank() { return static_cast<int>(Below(static_cast<std::size_t>(manta::NumRanks()))); }
  Item& Any() { return alive_[Below(alive_.size())]; }

  void Put() {
    Item item;
    const bool is_huge = ++made_ % kHugeEvery == kHugeEvery / 2;
    item.seed = (seed_ << 32) + made_;
    item.size = is_huge ? kHuge : static_cast<std::uint64_t>(std::exp2(logarithm_(random_)));  // 1 B to 4 MiB
    switch (Below(4)) {
      case 0: {
        const Bytes bytes = Make(item.seed, item.size);
        item.ref = manta::Put(bytes);
        break;
      }
      case 1: item.ref = manta::Put(Make(item.seed, item.size)); break;
      case 2: {
        auto made = manta::Create<std::uint8_t>(item.size);
        Fill(made.data(), item.seed, item.size);
        item.ref = made.Seal();
        break;
      }
      default: item.ref = manta::Task(Make).SetRank(AnyRank()).Remote(item.seed, item.size);
    }
    if (is_huge) huge_.emplace_back(made_, item.seed);
    Add(std::move(item));
  }
  void PassOne() {
    const Item& item = Any();
    const int rank = AnyRank();
    answers_.push_back(
        item.seed % 2 == 0
            ? manta::Task(CheckArray).SetRank(rank).Remote(ObjectRef<ByteArray>(item.ref), item.seed, item.size)
            : manta::Task(CheckVector).SetRank(rank).Remote(item.ref, item.seed, item.size));
  }
  void PassSome() {
    std::vector<Item> some;
    for (std::size_t i = 1 + Below(5); i-- > 0;) some.push_back(Any());
    const int rank = AnyRank();
    answers_.push_back(Below(2) == 0 ? manta::Task(CheckItems).SetRank(rank).Remote(some)
                                     : manta::Task(PassOn).SetRank(rank).Remote(some, AnyRank()));
  }
  void SwapOne() {
    const std::size_t place = Below(alive_.size());
    if (alive_[place].size == kHuge) return;  // what shelves hold is not counted
    auto& shelf = shelves_[Below(shelves_.size())];
    const auto swapped = shelf.Task(&Shelf::Swap).Remote(std::vector{alive_[place]}, std::uint64_t{random_()});
    const auto back = manta::Get(swapped, kPatience);
    Drop(place);
    for (const Item& item : *back) {
      CheckItem(item);
      Add(item);
    }
  }

  void Add(Item item) {
    alive_bytes_ += item.size;
    alive_.push_back(std::move(item));
  }
  void Drop(std::size_t place) {
    alive_bytes_ -= alive_[place].size;
    std::swap(alive_[place], alive_.back());
    alive_.pop_back();
  }
  void MakeRoom() {
    while (!huge_.empty() && huge_.front().first + kHugeLife < made_) {
      const auto is_it = [&](const Item& item) { return item.seed == huge_.front().second; };
      const auto found = std::find_if(alive_.begin(), alive_.end(), is_it);
      if (found != alive_.end()) Drop(static_cast<std::size_t>(found - alive_.begin()));
      huge_.pop_front();
    }
    // How much may live swells and shrinks, so that there is a time to spill and a time to restore.
    const double wave = 0.5 - 0.5 * std::cos(static_cast<double>(made_) * (2 * 3.14159265358979 / 1250));
    const auto most = kLeastAlive + static_cast<std::uint64_t>(wave * static_cast<double>(kMostAlive - kLeastAlive));
    while (alive_bytes_ > most) {
      const std::size_t a = Below(alive_.size()), b = Below(alive_.size());
      Drop(alive_[a].size > alive_[b].size ? a : b);
    }
  }
  void TakeAnswer() {
    const ObjectRef<int> answer = std::move(answers_.front());
    answers_.pop_front();
    manta::Get(answer, kPatience);
  }

  std::uint64_t seed_;
  std::vector<manta::ActorHandle<Shelf>> shelves_;
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> logarithm_{0, 22};
  std::size_t made_ = 0;
  std::vector<Item> alive_;
  std::uint64_t alive_bytes_ = 0;
  std::deque<std::pair<std::size_t, std::uint64_t>> huge_;  // when it was made, and its seed
  std::deque<ObjectRef<int>> answers_;
};

void RunStorm(std::uint64_t seed, std::size_t objects, const std::vector<manta::ActorHandle<Shelf>>& shelves) {
  Storm(seed, shelves).Run(objects);
}

namespace {

using ObjectStorm = full_store_test::FullStore;

TEST_F(ObjectStorm, LosesNothing) {
  const char* chosen = std::getenv("MANTA_STORM_SEED");
  const std::uint64_t seed = chosen == nullptr ? 1 : std::strtoull(chosen, nullptr, 10);
  const auto ranks = static_cast<std::size_t>(manta::NumRanks());
  std::vector<manta::ActorHandle<Shelf>> shelves;
  for (std::size_t rank = 0; rank < ranks; ++rank)
    shelves.push_back(manta::Actor<Shelf>().SetRank(static_cast<int>(rank)).Remote());

  std::vector<ObjectRef<void>> storms;
  for (std::size_t rank = 0; rank < ranks; ++rank)
    storms.push_back(manta::Task(RunStorm).SetRank(static_cast<int>(rank))
                         .Remote(seed * 100 + rank, kObjects / ranks, shelves));
  for (const auto& storm : storms) EXPECT_NO_THROW(manta::Get(storm)) << "seed " << seed;
  for (auto& shelf : shelves) manta::Get(shelf.Task(&Shelf::Clear).Remote());

  EXPECT_GT(SpilledSince(), 100 * kMiB) << "it was no storm";
  EXPECT_GT(RestoredSince(), 100 * kMiB);
}

}  // namespace
}  // namespace object_storm_test
