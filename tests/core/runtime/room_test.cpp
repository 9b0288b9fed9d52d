#include "core/runtime/room.hpp"

#include <manta/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/base/clock.hpp"
#include "tests/core/runtime/room_node.hpp"

namespace manta::runtime {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Seen = RoomNode::Seen;
using Objects = std::vector<RoomNode::Object>;

struct RoomTest : ::testing::Test {
  RoomTest() {
    std::string name = ::testing::TempDir() + "roomXXXXXX";
    parent = ::mkdtemp(name.data());
  }
  ~RoomTest() override {
    node.reset();
    EXPECT_TRUE(!fs::exists(parent) || fs::is_empty(parent));
    fs::remove_all(parent);
  }
  void Make(int ranks, double wait_seconds = 20) {
    node.reset();
    node.emplace(ranks, RoomNode::Options{parent, wait_seconds});
  }
  void MakeWithoutDisk(double wait_seconds) { node.emplace(1, RoomNode::Options{"", wait_seconds}); }
  /// Puts until the store is full; all of it cold.
  Objects Fill(int rank, std::uint64_t size = kMiB) {
    Objects objects;
    while (auto extent = node->store(rank).TryAllocate(size)) objects.push_back(node->Seal(rank, std::move(*extent), size));
    EXPECT_GE(objects.size(), 2u);
    return objects;
  }
  std::vector<LocalStore::Kept> KeepAll(const Objects& objects) {
    std::vector<LocalStore::Kept> kept;
    for (const auto& object : objects) kept.push_back(*node->store(object.rank).Keep(object.entry, object.id));
    return kept;
  }
  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    std::error_code gone;  // what comes and goes meanwhile
    for (fs::recursive_directory_iterator it(parent, gone), end; !gone && it != end; it.increment(gone))
      if (std::error_code unknown; it->is_regular_file(unknown)) files.push_back(it->path());
    return files;
  }
  template <class Holds>
  static bool Eventually(Holds holds) {
    for (const std::int64_t end = base::NowNanoseconds() + 20'000'000'000; !holds();) {
      if (base::NowNanoseconds() > end) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }
  /// The text of the OutOfMemoryError that Allocate throws, and how long it took.
  std::string AllocateFails(std::uint64_t size, double* seconds = nullptr) {
    const std::int64_t begin = base::NowNanoseconds();
    std::string text;
    try {
      node->room().Allocate(size);
    } catch (const OutOfMemoryError& error) {
      text = error.what();
    }
    if (seconds != nullptr) *seconds = static_cast<double>(base::NowNanoseconds() - begin) / 1e9;
    return text;
  }

  std::string parent;
  std::optional<RoomNode> node;
};

TEST_F(RoomTest, IsWaitedForWhileConsumersFreeIt) {
  // A consumer that the system keeps from running for 20 ms is no consumer: one of some rounds must do.
  bool any_without_disk = false;
  for (int round = 0; round < 10 && !any_without_disk; ++round) {
    Make(1);
    std::mutex mutex;
    std::deque<RoomNode::Object> made;
    constexpr int kProducers = 3, kEach = 20;
    std::vector<std::thread> producers;
    for (int i = 0; i < kProducers; ++i)
      producers.emplace_back([&] {
        for (int j = 0; j < kEach; ++j) {
          const auto object = node->Put(0, kMiB);
          std::lock_guard lock(mutex);
          made.push_back(object);
        }
      });
    for (int consumed = 0; consumed < kProducers * kEach;) {
      std::this_thread::sleep_for(milliseconds(1));
      std::lock_guard lock(mutex);
      if (made.empty()) continue;
      EXPECT_EQ(node->Read(0, made.front()), Seen::kWhole);
      node->Free(made.front());
      made.pop_front();
      ++consumed;
    }
    for (std::thread& producer : producers) producer.join();
    EXPECT_EQ(node->store().UsedBytes(), 0u);
    any_without_disk = node->Spilled() == 0;
  }
  EXPECT_TRUE(any_without_disk);
}

TEST_F(RoomTest, IsMadeAlsoWhileFreesAreOfNoUse) {
  Make(2);
  auto peers = node->store(1).TryAllocate(kMiB);
  const Objects cold = Fill(0);
  peers.reset();
  std::atomic<bool> stop{false};
  std::thread churn([&] {
    while (!stop) {
      {
        const auto room = node->store(1).TryAllocate(kMiB / 2);
        std::this_thread::sleep_for(milliseconds(1));
      }
      std::this_thread::sleep_for(milliseconds(1));
    }
  });
  auto put = std::async(std::launch::async, [&] { return node->Put(0, 2 * kMiB); });
  const bool has_room = put.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  stop = true;
  churn.join();
  EXPECT_TRUE(has_room) << "a peer's coming and going held it up";
  EXPECT_EQ(node->Read(0, put.get()), Seen::kWhole);
}

TEST_F(RoomTest, IsForPutsTooWhileOthersReadWithoutEnd) {
  Make(1);
  Objects objects;
  for (int i = 0; i < 24; ++i) objects.push_back(node->Put(0, kMiB));
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (unsigned i = 0; i < 12; ++i)
    readers.emplace_back([&, i] {
      std::mt19937 random(i);
      while (!stop) EXPECT_EQ(node->Read(0, objects[random() % objects.size()]), Seen::kWhole);
    });
  auto put = std::async(std::launch::async, [&] { return node->Put(0, kMiB); });
  const bool has_room = put.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_TRUE(has_room);
  EXPECT_EQ(node->Read(0, put.get()), Seen::kWhole);
}

TEST_F(RoomTest, IsMadeOfWhatNobodyReadsWhichComesBackWhole) {
  Make(1);
  Objects objects;
  for (int i = 0; i < 24; ++i) objects.push_back(node->Put(0, kMiB));
  EXPECT_GE(node->Spilled(), 16 * kMiB);
  for (int time = 0; time < 2; ++time)
    for (const auto& object : objects) EXPECT_EQ(node->Read(0, object), Seen::kWhole);
  EXPECT_GE(node->Restored(), 32 * kMiB);
  EXPECT_LE(node->Spilled(), 24 * kMiB) << "what has a file needs no second one";
  for (const auto& object : objects) node->Free(object);
  // One may just be written, ahead of need.
  EXPECT_TRUE(Eventually([&] {
    node->room().Housekeeping();
    return node->store().UsedBytes() == 0 && Files().empty();
  }));
}

TEST_F(RoomTest, IsMadeAheadOfTheNextOnceSpillingHasBegun) {
  Make(1);
  Fill(0);
  node->Put(0, kMiB);
  EXPECT_TRUE(Eventually([&] { return node->store().FreeBytesOnNode() >= kStoreBytes / 8; }));
}

TEST_F(RoomTest, TakesCopiesFirst) {
  Make(1);
  Objects copies;
  while (auto extent = node->store().TryAllocate(kMiB)) copies.push_back(node->Seal(0, std::move(*extent), kMiB, true));
  const auto read = node->store().Keep(copies[0].entry, copies[0].id);
  const auto object = node->Put(0, kMiB);
  EXPECT_EQ(node->Spilled(), 0u);
  EXPECT_TRUE(RoomNode::IsWhole(*read, copies[0]));
  EXPECT_FALSE(node->store().Holds(copies[1].entry, copies[1].id));
  EXPECT_EQ(node->Read(0, object), Seen::kWhole);
}

TEST_F(RoomTest, IsMadeByTheOtherRanksOfTheNode) {
  Make(2);
  const Objects others = Fill(1);
  const auto object = node->Put(0, 3 * kMiB);
  EXPECT_EQ(node->Spilled(0), 0u);
  EXPECT_GE(node->Spilled(1), 2 * kMiB);
  for (const auto& other : others) EXPECT_EQ(node->Read(0, other), Seen::kWhole);
  EXPECT_EQ(node->Read(1, object), Seen::kWhole);
}

TEST_F(RoomTest, IsMadeWhereAPeerWantsIt) {
  Make(1);
  Fill(0);
  node->room().On(Rank(1), {2 * kMiB});
  EXPECT_TRUE(Eventually([&] { return node->store().FreeBytesOnNode() >= 2 * kMiB; }));
}

TEST_F(RoomTest, IsRefusedWithThePathWhereTheDiskFails) {
  fs::remove(parent);
  Make(1, 0.3);
  const Objects objects = Fill(0);
  double seconds = 0;
  EXPECT_THAT(AllocateFails(kMiB, &seconds), AllOf(HasSubstr(parent + "/"), HasSubstr(std::strerror(ENOENT)),
                                                   HasSubstr(std::to_string(kMiB)), HasSubstr(std::to_string(kStoreBytes))));
  EXPECT_GE(seconds, 0.3);
  EXPECT_LT(seconds, 15);
  for (const auto& object : objects) EXPECT_EQ(node->Read(0, object), Seen::kWhole);

  fs::create_directory(parent);
  EXPECT_TRUE(Eventually([&] { return AllocateFails(kMiB).empty(); })) << "the disk is asked again";
  for (const auto& object : objects) EXPECT_EQ(node->Read(0, object), Seen::kWhole);
}

TEST_F(RoomTest, IsRefusedAfterAWhileInWhichNothingBecameFree) {
  MakeWithoutDisk(0.4);
  const Objects objects = Fill(0, kMiB / 2);
  std::atomic<std::int64_t> last_free{0};
  // Something becomes free every now and then, too little, and the wait begins anew.
  std::thread consumer([&] {
    for (const std::size_t i : {0u, 4u, 8u}) {
      std::this_thread::sleep_for(milliseconds(200));
      last_free = base::NowNanoseconds();
      node->Free(objects[i]);
    }
  });
  double seconds = 0;
  const std::string text = AllocateFails(2 * kMiB, &seconds);
  EXPECT_THAT(text, HasSubstr("--manta-spill-dir off"));
  EXPECT_GE(seconds, 1.0 - 0.001);
  EXPECT_GE(base::NowNanoseconds() - last_free, 399'000'000);
  consumer.join();
}

TEST_F(RoomTest, SaysWhatAllReadersTogetherKeepFromDisk) {
  Make(1, 0.1);
  const auto kept = KeepAll(Fill(0));
  EXPECT_THAT(AllocateFails(2 * kMiB), HasSubstr("being read"));
  EXPECT_EQ(node->Spilled(), 0u);
}

TEST_F(RoomTest, IsRefusedAtOnceToWhatNoStoreCouldHold) {
  Make(1);
  EXPECT_NO_THROW(node->room().CheckSize(kStoreBytes));
  EXPECT_THROW(node->room().CheckSize(kStoreBytes + 1), OutOfMemoryError);
  double seconds = 0;
  EXPECT_THAT(AllocateFails(kStoreBytes + 1, &seconds), HasSubstr("larger than"));
  EXPECT_LT(seconds, 10);
  object::ErrorPtr error;
  node->room().AllocateThen(kStoreBytes + 1, [&](const auto& extent, const object::ErrorPtr& why) {
    EXPECT_EQ(extent, nullptr);
    error = why;
  });
  ASSERT_NE(error, nullptr) << "before it returns";
  EXPECT_EQ(error->kind, object::ErrorKind::kOutOfMemory);
}

TEST_F(RoomTest, GoesToWhatIsReadBeforeWhatIsNew) {
  MakeWithoutDisk(20);
  const Objects objects = Fill(0, kMiB / 2);
  std::mutex mutex;
  std::vector<std::string> order;
  std::thread put([&] {
    const auto extent = node->room().Allocate(kMiB);
    std::lock_guard lock(mutex);
    order.push_back("new");
  });
  std::this_thread::sleep_for(milliseconds(20));
  std::promise<void> read;
  node->room().AllocateThen(kMiB, [&](const std::shared_ptr<LocalStore::Extent>& extent, const object::ErrorPtr&) {
    EXPECT_NE(extent, nullptr);
    {
      std::lock_guard lock(mutex);
      order.push_back("read");
    }
    read.set_value();
  });
  EXPECT_FALSE(node->room().TryAllocate(1)) << "nobody goes past who waits";
  for (const auto& object : objects) node->Free(object);
  put.join();
  read.get_future().get();
  EXPECT_EQ(order, (std::vector<std::string>{"read", "new"}));
  EXPECT_TRUE(Eventually([&] { return node->room().TryAllocate(1).has_value(); }));
}

TEST_F(RoomTest, RestoresOnceForAll) {
  Make(1);
  const auto object = node->Put(0, kMiB);
  node->room().On(Rank(1), {kMiB});
  ASSERT_TRUE(Eventually([&] { return node->store().UsedBytes() == 0; }));
  ASSERT_FALSE(node->store().Keep(object.entry, object.id));

  std::vector<std::thread> threads;
  std::atomic<int> whole{0};
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] { whole += node->Read(0, object) == Seen::kWhole; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(whole, 8);
  EXPECT_EQ(node->Restored(), kMiB);
  // The thread that told them may have its own still.
  EXPECT_TRUE(Eventually([&] { return node->store().Pins() == 0; }));
}

TEST_F(RoomTest, RestoresNothingThatIsHereOrGone) {
  Make(1);
  const auto object = node->Put(0, kMiB);
  auto answer = node->Restore(object).get();
  EXPECT_EQ(answer.kept.in, nullptr) << "it is here";
  EXPECT_EQ(answer.error, nullptr);
  node->room().On(Rank(1), {kMiB});
  ASSERT_TRUE(Eventually([&] { return node->store().UsedBytes() == 0; }));
  auto other = object;
  other.id.generation = 2;
  answer = node->Restore(other).get();
  EXPECT_EQ(answer.kept.in, nullptr) << "it is another's";
  node->Free(object);
  answer = node->Restore(object).get();
  EXPECT_EQ(answer.kept.in, nullptr) << "it is gone";
  EXPECT_EQ(answer.error, nullptr);
}

TEST_F(RoomTest, SaysThatAnObjectIsLostWithItsFile) {
  Make(1);
  const auto object = node->Put(0, kMiB);
  node->room().On(Rank(1), {kMiB});
  ASSERT_TRUE(Eventually([&] { return node->store().UsedBytes() == 0; }));
  const fs::path file = Files().at(0);
  fs::resize_file(file, kMiB / 2);
  for (int time = 0; time < 2; ++time) {
    const auto answer = node->Restore(object).get();
    ASSERT_NE(answer.error, nullptr);
    EXPECT_EQ(answer.error->kind, object::ErrorKind::kObjectLost);
    EXPECT_THAT(answer.error->message, HasSubstr(file.string()));
    EXPECT_TRUE(Eventually([&] { return node->store().UsedBytes() == 0; })) << "its room is given back";
  }
  node->Free(object);
  EXPECT_FALSE(node->store().Holds(object.entry, object.id));
}

TEST_F(RoomTest, EndsAllWaitsWhenItIsClosed) {
  for (const bool stops : {false, true}) {
    Make(1);
    const auto unloaded = node->Put(0, kMiB);
    node->room().On(Rank(1), {kMiB});
    ASSERT_TRUE(Eventually([&] { return node->store().UsedBytes() == 0; }));
    const Objects full = Fill(0);
    auto kept = KeepAll(full);
    std::vector<std::thread> puts;
    std::atomic<int> thrown{0}, told{0};
    for (int i = 0; i < 3; ++i)
      puts.emplace_back([&] {
        try {
          node->room().Allocate(kMiB);
        } catch (const UsageError&) {
          ++thrown;
        }
      });
    const auto count = [&](const std::shared_ptr<LocalStore::Extent>& extent, const object::ErrorPtr& error) {
      EXPECT_EQ(extent, nullptr);
      EXPECT_NE(error, nullptr);
      ++told;
    };
    for (int i = 0; i < 3; ++i) node->room().AllocateThen(kMiB, count);
    auto restored = node->Restore(unloaded);
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_EQ(thrown + told, 0);
    if (stops)
      node->room().Stop();
    else
      node->room().Close();
    EXPECT_EQ(told, 3) << "before it returns";
    for (std::thread& put : puts) put.join();
    EXPECT_EQ(thrown, 3);
    EXPECT_NE(restored.get().error, nullptr);

    node->room().AllocateThen(kMiB, count);
    EXPECT_EQ(told, 4);
    EXPECT_THROW(node->room().Allocate(kMiB), UsageError);
    EXPECT_NE(node->Restore(unloaded).get().error, nullptr);
    node->room().On(Rank(1), {kMiB});
    node->room().Housekeeping();
    kept.clear();
    for (const auto& object : full) node->Free(object);
    EXPECT_TRUE(node->room().TryAllocate(1)) << "who needs not wait gets it still";
  }
}

/// Files can't be larger than so many bytes. The signal that says so would end the process.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit low{bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
  }
  ~FileSizeLimit() {
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0);
  }

 private:
  rlimit before_{};
};

TEST_F(RoomTest, IsClosedWhileAWriteThatFailsIsOnItsWay) {
  const FileSizeLimit limit(6 * kMiB);
  for (int round = 0; round < 10; ++round) {
    Make(1, 0.001);
    const auto large = node->Put(0, 7 * kMiB);
    std::atomic<int> told{0};
    node->room().AllocateThen(2 * kMiB, [&](const auto&, const object::ErrorPtr& error) {
      EXPECT_NE(error, nullptr);
      ++told;
    });
    while (Files().empty() && told == 0) std::this_thread::yield();
    node->room().Close();
    EXPECT_EQ(told, 1);
    node->room().Stop();
    EXPECT_EQ(told, 1);
    EXPECT_TRUE(node->store().Keep(large.entry, large.id));
  }
}

TEST_F(RoomTest, ServesManyAtOnce) {
  Make(2);
  constexpr int kThreads = 4, kSlots = 60;
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  struct Slot {
    std::mutex mutex;
    std::optional<RoomNode::Object> object;
  };
  std::vector<Slot> slots(kSlots);
  std::atomic<int> puts{0}, reads{0}, bad{0};
  const std::int64_t end = base::NowNanoseconds() + 3'000'000'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      std::mt19937 random(seed + static_cast<unsigned>(i));
      const int rank = i % 2;
      while (base::NowNanoseconds() < end && bad == 0) {
        Slot& slot = slots[random() % kSlots];
        std::optional<RoomNode::Object> object;
        {
          std::lock_guard lock(slot.mutex);
          object = slot.object;
          if (object && random() % 8 == 0) slot.object.reset();
          else if (object) object.reset();
        }
        if (object) {
          node->Free(*object);
          continue;
        }
        if (random() % 4 != 0) {
          {
            std::lock_guard lock(slot.mutex);
            object = slot.object;
          }
          if (!object) continue;
          const Seen seen = node->Read(rank, *object);  // which may be freed meanwhile
          reads += seen == Seen::kWhole;
          bad += seen == Seen::kBroken || seen == Seen::kError;
        } else {
          try {
            object = node->Put(rank, kMiB / 16 + 8 * (random() % (kMiB / 16)));
          } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
            ++bad;
            return;
          }
          ++puts;
          {
            std::lock_guard lock(slot.mutex);
            std::swap(object, slot.object);
          }
          if (object) node->Free(*object);
        }
        if (random() % 16 == 0) {
          node->room(rank).Housekeeping();
          node->store(rank).Reclaim();
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad, 0);
  std::printf("%d puts, %d reads; spilled %llu and %llu MiB, restored %llu and %llu MiB; seed %u\n", puts.load(), reads.load(),
              static_cast<unsigned long long>(node->Spilled(0) / kMiB), static_cast<unsigned long long>(node->Spilled(1) / kMiB),
              static_cast<unsigned long long>(node->Restored(0) / kMiB),
              static_cast<unsigned long long>(node->Restored(1) / kMiB), seed);
  EXPECT_GT(puts, 20);
  EXPECT_GT(node->Spilled(0) + node->Spilled(1), 0u);
  EXPECT_GT(node->Restored(0) + node->Restored(1), 0u);
  for (Slot& slot : slots)
    if (slot.object) {
      EXPECT_EQ(node->Read(0, *slot.object), Seen::kWhole);
      node->Free(*slot.object);
    }
  for (int rank = 0; rank < 2; ++rank) {
    // What the room's threads are writing just now has pins.
    EXPECT_TRUE(Eventually([&] {
      node->store(rank).Reclaim();
      node->room(rank).Housekeeping();
      return node->store(rank).UsedBytes() == 0 && node->store(rank).Pins() == 0;
    }));
  }
  EXPECT_TRUE(Eventually([&] { return Files().empty(); }));
}

}  // namespace
}  // namespace manta::runtime
