#pragma once
// One rank with a Progress of its own, and a peer that the test speaks for.

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "core/worker/progress.hpp"
#include "tests/support/loopback_transport.hpp"

namespace manta::testing {

/// Rank 0's loopback endpoint, as if its messages came through rings: they wake who sleeps.
class RingingTransport final : public Transport {
 public:
  RingingTransport(LoopbackNetwork& network, node::RankBlock& block) : network_(network), block_(block) {}

  /// What rank 1 does: writes a message and rings. Any thread but rank 0's handlers.
  void Deliver(std::byte what) {
    struct Nobody : MessageHandler {
      void OnMessage(Rank, std::span<const std::byte>) override { ADD_FAILURE() << "rank 1 gets no messages here"; }
    } nobody;
    network_.endpoint(Rank(1)).Send(Rank(0), std::span(&what, 1));
    network_.endpoint(Rank(1)).Poll(nobody, 1);
    node::RingBell(block_);
  }

  std::string_view name() const override { return "ringing loopback"; }
  bool Reaches(Rank destination) const override { return mine().Reaches(destination); }
  void Send(Rank destination, std::span<const std::byte> message) override { mine().Send(destination, message); }
  std::size_t Poll(MessageHandler& handler, std::size_t budget) override { return mine().Poll(handler, budget); }
  bool Flushed() const override { return mine().Flushed(); }
  bool MayHaveIncoming() const override { return mine().MayHaveIncoming(); }
  bool RingsSleepers() const override { return true; }
  std::int64_t MaxSleepNanoseconds() const override { return mine().MaxSleepNanoseconds(); }
  TransportCounters counters() const override { return mine().counters(); }

 private:
  LoopbackTransport& mine() const { return network_.endpoint(Rank(0)); }
  LoopbackNetwork& network_;
  node::RankBlock& block_;
};

/// Counts the messages of each kind and wakes whoever is registered for it, as completions of tasks do.
class CountingHandler final : public MessageHandler {
 public:
  static constexpr std::size_t kKinds = 4;
  void OnMessage(Rank, std::span<const std::byte> message) override {
    EXPECT_EQ(inside_.fetch_add(1), 0) << "the token keeps handlers apart";
    const auto kind = static_cast<std::size_t>(message.front());
    last_thread = std::this_thread::get_id();
    count[kind].fetch_add(1, std::memory_order_release);
    if (worker::Sleeper* one = wake[kind].load()) one->Wake();
    inside_.fetch_sub(1);
  }
  std::atomic<int> count[kKinds]{};
  std::atomic<worker::Sleeper*> wake[kKinds]{};
  std::atomic<std::thread::id> last_thread{};

 private:
  std::atomic<int> inside_{0};
};

struct ProgressRig {
  explicit ProgressRig(std::function<void()> housekeeping = {}, std::function<bool()> on_tick = {}, int node_cores = 2)
      : progress({std::span(block.get(), 1), 0, node_cores, std::move(housekeeping), std::move(on_tick)}, {&transport}, handler) {}

  /// Waits on this thread until `count` messages of `kind` came in all.
  bool WaitFor(std::size_t kind, int count, std::int64_t timeout_ns = 20'000'000'000) {
    worker::Sleeper& me = worker::Sleeper::OfThisThread();
    handler.wake[kind] = &me;
    return progress.Wait(
        me, [&] { return handler.count[kind].load(std::memory_order_acquire) >= count; }, base::NowNanoseconds() + timeout_ns);
  }
  /// Looks, without waiting in Progress, until `holds()`; false after 20 s.
  template <class Holds>
  static bool Eventually(Holds holds) {
    const std::int64_t end = base::NowNanoseconds() + 20'000'000'000;
    while (!holds()) {
      if (base::NowNanoseconds() > end) return false;
      std::this_thread::yield();
    }
    return true;
  }
  node::Duty duty() const { return block->duty.load(); }

  LoopbackNetwork network{2};
  std::unique_ptr<node::RankBlock> block = std::make_unique<node::RankBlock>();
  RingingTransport transport{network, *block};
  CountingHandler handler;
  worker::Progress progress;
};

}  // namespace manta::testing
