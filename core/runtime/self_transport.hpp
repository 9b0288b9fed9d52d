#pragma once
// Messages of a rank to itself, so that who happens to be rank 0, an owner or a host needs no second path.

#include <atomic>
#include <deque>
#include <mutex>
#include <vector>

#include "core/node/doorbell.hpp"
#include "core/ports/transport.hpp"

namespace manta::runtime {

class SelfTransport : public Transport {
 public:
  SelfTransport(Rank self, node::RankBlock& block) : self_(self), block_(block) {}

  std::string_view name() const override { return "loopback"; }
  bool Reaches(Rank destination) const override { return destination == self_; }
  void Send(Rank, std::span<const std::byte> message) override {
    {
      std::lock_guard lock(mutex_);
      queue_.emplace_back(message.begin(), message.end());
      size_.store(queue_.size(), std::memory_order_release);
    }
    node::RingBell(block_);
  }
  std::size_t Poll(MessageHandler& handler, std::size_t budget) override {
    std::size_t delivered = 0;
    // Acquire: what was queued before the size was set is there.
    while (delivered < budget && size_.load(std::memory_order_acquire) != 0) {
      std::vector<std::byte> message;
      {
        std::lock_guard lock(mutex_);
        message = std::move(queue_.front());
        queue_.pop_front();
        size_.store(queue_.size(), std::memory_order_release);
      }
      handler.OnMessage(self_, message);
      ++delivered;
    }
    return delivered;
  }
  bool Flushed() const override { return true; }
  bool MayHaveIncoming() const override { return size_.load(std::memory_order_acquire) != 0; }
  bool RingsSleepers() const override { return true; }
  std::int64_t MaxSleepNanoseconds() const override { return 1'000'000'000; }
  TransportCounters counters() const override { return {}; }  // no message leaves the process

 private:
  Rank self_;
  node::RankBlock& block_;
  std::mutex mutex_;
  std::deque<std::vector<std::byte>> queue_;  // guarded by mutex_
  std::atomic<std::size_t> size_{0};          // written under mutex_
};

}  // namespace manta::runtime
