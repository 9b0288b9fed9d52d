#include "core/object/object_state.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace manta::object {
namespace {

struct Recorder : ObjectWaiter {
  Recorder(std::vector<std::string>& log, std::string name) : log(log), name(std::move(name)) {}
  void ObjectDone(ObjectState& object) override {
    log.push_back(name + (object.status.load() == Status::kReady ? " ready" : " failed"));
  }
  std::vector<std::string>& log;
  std::string name;
};

struct Waiters : ::testing::Test {
  ObjectState object;
  std::vector<std::string> log;
  Recorder first{log, "first"}, second{log, "second"}, third{log, "third"};
};

TEST_F(Waiters, AreToldOnceInTheOrderInWhichTheyCame) {
  for (Recorder* one : {&first, &second, &third}) EXPECT_TRUE(object.AddWaiter(*one));

  EXPECT_TRUE(object.Complete(Status::kReady, [] {}));
  EXPECT_FALSE(object.Complete(Status::kFailed, [] { FAIL() << "it is done already"; }));

  EXPECT_EQ(log, (std::vector<std::string>{"first ready", "second ready", "third ready"}));
  EXPECT_EQ(object.status.load(), Status::kReady);
}

TEST_F(Waiters, AreNotToldOfAnObjectThatWasDoneBefore) {
  object.Complete(Status::kFailed, [] {});

  EXPECT_FALSE(object.AddWaiter(first));
  EXPECT_FALSE(object.RemoveWaiter(first));

  EXPECT_TRUE(log.empty());
}

TEST_F(Waiters, AreNotToldAfterTheyWereRemoved) {
  for (Recorder* removed : {&first, &second, &third}) {
    ObjectState one;
    log.clear();
    for (Recorder* waiter : {&first, &second, &third}) one.AddWaiter(*waiter);

    EXPECT_TRUE(one.RemoveWaiter(*removed));
    one.Complete(Status::kReady, [] {});

    EXPECT_EQ(log.size(), 2u);
    for (const std::string& line : log) EXPECT_NE(line, removed->name + " ready");
  }
}

TEST_F(Waiters, CanBeAllRemovedAndComeAgain) {
  object.AddWaiter(first);
  object.AddWaiter(second);
  EXPECT_TRUE(object.RemoveWaiter(first));
  EXPECT_TRUE(object.RemoveWaiter(second));
  EXPECT_FALSE(object.has_waiters());
  object.AddWaiter(first);

  object.Complete(Status::kFailed, [] {});

  EXPECT_EQ(log, std::vector<std::string>{"first failed"});
}

TEST_F(Waiters, SeeTheValueThatFillSet) {
  struct Reads : ObjectWaiter {
    void ObjectDone(ObjectState& object) override { std::memcpy(&seen, object.bytes(), object.size()); }
    int seen = 0;
  } reads;
  object.AddWaiter(reads);
  const int value = 201;

  object.Complete(Status::kReady, [&] { object.SetBytes(&value, sizeof(value)); });

  EXPECT_EQ(reads.seen, 201);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(object.bytes()) % 16, 0u);
}

/// A value of `size` bytes, each of another number.
std::vector<std::byte> Bytes(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + 1);
  return bytes;
}

TEST(ObjectState, KeepsBytesOfAnySizeAtAMultipleOf16) {
  for (const std::size_t size : {0, 1, 8, 16, 17, 24, 25, 32, 33, 1000}) {
    ObjectState object;
    const std::vector<std::byte> value = Bytes(size);

    object.Complete(Status::kReady, [&] {
      object.SetType(99, Format::kArray);
      object.SetBytes(value.data(), value.size());
    });

    ASSERT_EQ(object.size(), size);
    ASSERT_NE(object.bytes(), nullptr);
    EXPECT_TRUE(std::equal(value.begin(), value.end(), object.bytes())) << size;
    EXPECT_EQ(object.format(), Format::kArray);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(object.bytes()) % 16, 0u);
    EXPECT_EQ(object.inside(), size <= ObjectState::kSmallBytes);
    EXPECT_EQ(object.cold() == nullptr, object.inside()) << "small values need the record only";
    delete object.cold();
  }
}

TEST(ObjectState, KeepsItsProducerUntilThatIsTaken) {
  int task = 0;
  // An actor is ready, with its address, before the task that makes it has ended.
  for (const std::size_t size : {0, 12, 16, 17, 24, 40}) {
    ObjectState object;
    const std::vector<std::byte> value = Bytes(size);
    object.SetProducer(&task);
    EXPECT_EQ(object.producer(), &task);

    object.Complete(Status::kReady, [&] { object.SetBytes(value.data(), value.size()); });

    EXPECT_EQ(object.producer(), &task) << size;
    EXPECT_EQ(object.TakeProducer(), &task);
    EXPECT_EQ(object.TakeProducer(), nullptr);
    EXPECT_TRUE(std::equal(value.begin(), value.end(), object.bytes())) << size;
    delete object.cold();
  }
}

TEST(ObjectState, HasNoProducerWhereItsValueLies) {
  ObjectState object;
  int task = 0;
  object.SetProducer(&task);
  EXPECT_EQ(object.TakeProducer(), &task);
  const std::vector<std::byte> value = Bytes(24);

  object.Complete(Status::kReady, [&] { object.SetBytes(value.data(), value.size()); });

  EXPECT_TRUE(object.inside());
  EXPECT_EQ(object.producer(), nullptr);
  EXPECT_EQ(object.TakeProducer(), nullptr);
  EXPECT_EQ(std::memcmp(object.bytes(), value.data(), 24), 0);
}

TEST_F(Waiters, MayBeDestroyedWhenTheyAreTold) {
  struct Leaves final : ObjectWaiter {
    explicit Leaves(int& told) : told(told) {}
    void ObjectDone(ObjectState&) override {
      ++told;
      delete this;
    }
    int& told;
  };
  int told = 0;
  for (int i = 0; i < 3; ++i) object.AddWaiter(*new Leaves(told));

  object.Complete(Status::kReady, [] {});

  EXPECT_EQ(told, 3);
}

TEST_F(Waiters, OfManyThreadsAreEachToldOrRemovedOnce) {
  struct Counts : ObjectWaiter {
    void ObjectDone(ObjectState&) override { told.fetch_add(1); }
    std::atomic<int> told{0};
  };
  for (int round = 0; round < 200; ++round) {
    ObjectState one;
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    Counts counts[3];
    for (Counts& mine : counts) {
      threads.emplace_back([&] {
        if (!one.AddWaiter(mine)) return;
        if (one.RemoveWaiter(mine)) {
          if (mine.told != 0) ++wrong;
          return;
        }
        while (mine.told == 0) std::this_thread::yield();
        if (mine.told != 1) ++wrong;
      });
    }
    threads.emplace_back([&] { one.Complete(Status::kReady, [] {}); });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

}  // namespace
}  // namespace manta::object
