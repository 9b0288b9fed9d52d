// Waiting for objects: one, some of several, and all in the order in which they are done.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "core/object/object_pool.hpp"
#include "core/runtime/completion.hpp"
#include "core/runtime/multi_wait.hpp"
#include "tests/core/worker/progress_rig.hpp"

namespace manta::runtime {
namespace {

using object::Handle;
using object::ObjectState;
using object::StateOf;
using object::Status;

constexpr std::int64_t kPatience = 20'000'000'000;
constexpr std::int64_t kShort = 1'000'000;

struct Waits : ::testing::Test {
  Waits() {
    static auto* const pool = new object::ObjectPool();  // records outlive their users
    for (int i = 0; i < 200; ++i) {
      refs.push_back(pool->MakeOwned(Rank(0), 1));
      objects.push_back(StateOf(refs.back()));
    }
  }
  void Complete(std::size_t i) {
    objects[i]->Complete(Status::kReady, [] {});
  }
  detail::HandleView View(std::size_t count) const { return {refs.data(), count}; }

  testing::ProgressRig rig;
  std::vector<Handle> refs;
  std::vector<ObjectState*> objects;
};

TEST_F(Waits, ForOneEndsWhenItIsDone) {
  for (std::size_t i = 0; i < objects.size(); ++i) {
    std::thread other([&] { Complete(i); });
    {
      SingleWait wait(rig.progress, *objects[i]);
      EXPECT_TRUE(wait.Wait(base::NowNanoseconds() + kPatience));
      EXPECT_TRUE(objects[i]->done());
    }
    other.join();
  }
}

TEST_F(Waits, ForOneCanBeGivenUp) {
  for (std::size_t i = 0; i < 20; ++i) {
    {
      SingleWait wait(rig.progress, *objects[i]);
      EXPECT_FALSE(wait.Wait(base::NowNanoseconds() + kShort));
    }
    EXPECT_FALSE(objects[i]->has_waiters());
  }
  Complete(20);
  SingleWait done(rig.progress, *objects[20]);
  EXPECT_TRUE(done.Wait(-1));
}

TEST_F(Waits, ForSomeEndWhenSoManyAreDone) {
  Complete(0);
  std::thread other([&] {
    for (std::size_t i = 1; i < 100; ++i) Complete(i);
  });
  {
    MultiWait wait(rig.progress, objects, 50);
    EXPECT_TRUE(wait.Wait(base::NowNanoseconds() + kPatience));
  }
  EXPECT_GE(std::count_if(objects.begin(), objects.end(), [](ObjectState* one) { return one->done(); }), 50);
  other.join();
  MultiWait more(rig.progress, objects, 101);
  EXPECT_FALSE(more.Wait(base::NowNanoseconds() + kShort));
}

TEST_F(Waits, InOrderOfCompletionGiveThoseThatWereDoneFirst) {
  for (const std::size_t i : {7, 3, 5}) Complete(i);
  Completion completion(rig.progress, View(9));
  for (const std::size_t i : {8, 0, 4}) Complete(i);

  std::vector<std::size_t> order;
  for (int i = 0; i < 6; ++i) order.push_back(completion.Next(-1, nullptr).value());

  EXPECT_EQ(order, (std::vector<std::size_t>{3, 5, 7, 8, 0, 4}));
  bool timed_out = false;
  EXPECT_FALSE(completion.Next(kShort, &timed_out));
  EXPECT_TRUE(timed_out);
  Complete(1);
  EXPECT_EQ(completion.Next(-1, &timed_out), std::optional<std::size_t>(1));
  EXPECT_FALSE(timed_out);
}

TEST_F(Waits, InOrderOfCompletionGiveEachOnce) {
  constexpr std::size_t kThreads = 3;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < objects.size(); i += kThreads) {
        if (i % 16 < kThreads) std::this_thread::yield();
        Complete(i);
      }
    });
  std::vector<int> times(objects.size(), 0);
  {
    Completion completion(rig.progress, View(objects.size()));
    while (const auto next = completion.Next(kPatience, nullptr)) ++times[*next];
  }
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(std::count(times.begin(), times.end(), 1), static_cast<std::ptrdiff_t>(objects.size()));
}

TEST_F(Waits, InOrderOfCompletionMayEndEarly) {
  for (std::size_t read = 0; read < 40; ++read) {
    std::vector<Handle> own;
    static auto* const pool = new object::ObjectPool();
    for (int i = 0; i < 40; ++i) own.push_back(pool->MakeOwned(Rank(0), 1));
    std::thread other([&] {
      for (const Handle& ref : own) StateOf(ref)->Complete(Status::kReady, [] {});
    });
    {
      Completion completion(rig.progress, {own.data(), own.size()});
      for (std::size_t i = 0; i < read; ++i) EXPECT_TRUE(completion.Next(kPatience, nullptr));
    }
    other.join();
  }
}

}  // namespace
}  // namespace manta::runtime
