#pragma once
// A Transport between endpoints of one process, for tests of what lies above: no MPI, no shared memory, no threads.
//
//   LoopbackNetwork network(3);
//   network.endpoint(Rank(0)).Send(Rank(2), bytes);
//   network.endpoint(Rank(0)).Poll(handler0, 64);   // what is sent leaves at the sender's Poll, as with MPI
//   network.endpoint(Rank(2)).Poll(handler2, 64);   // handler2 gets it
//
// Endpoints may be used from one thread each, or all from one: a test that drives them in a fixed order is repeatable.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/check.hpp"
#include "core/ports/transport.hpp"

namespace manta::testing {

class LoopbackNetwork;

class LoopbackTransport final : public Transport {
 public:
  LoopbackTransport(LoopbackNetwork& network, Rank self) : network_(network), self_(self) {}

  std::string_view name() const override { return "loopback"; }
  bool Reaches(Rank destination) const override;
  void Send(Rank destination, std::span<const std::byte> message) override {
    MANTA_ASSERT(Reaches(destination) && !message.empty());
    std::lock_guard lock(mutex_);
    outbox_.push_back({destination, {message.begin(), message.end()}});
    ++counters_.messages_sent;
    counters_.bytes_sent += message.size();
  }
  std::size_t Poll(MessageHandler& handler, std::size_t budget) override;
  bool Flushed() const override {
    std::lock_guard lock(mutex_);
    return outbox_.empty();
  }
  bool MayHaveIncoming() const override {
    std::lock_guard lock(mutex_);
    return !inbox_.empty();
  }
  std::int64_t MaxSleepNanoseconds() const override { return 3'600'000'000'000; }
  TransportCounters counters() const override {
    std::lock_guard lock(mutex_);
    return counters_;
  }

 private:
  struct Message {
    Rank peer;  // destination in an outbox, source in an inbox
    std::vector<std::byte> bytes;
  };

  void Flush();

  LoopbackNetwork& network_;
  const Rank self_;
  mutable std::mutex mutex_;    // never held while another endpoint's is taken
  std::deque<Message> outbox_;  // guarded by mutex_
  std::deque<Message> inbox_;   // guarded by mutex_
  TransportCounters counters_;  // guarded by mutex_
};

/// The endpoints of ranks 0 to size - 1.
class LoopbackNetwork {
 public:
  explicit LoopbackNetwork(int size) {
    for (int rank = 0; rank < size; ++rank)
      endpoints_.push_back(std::make_unique<LoopbackTransport>(*this, Rank(rank)));
  }
  int size() const { return static_cast<int>(endpoints_.size()); }
  LoopbackTransport& endpoint(Rank rank) { return *endpoints_[static_cast<std::size_t>(rank.value)]; }

 private:
  std::vector<std::unique_ptr<LoopbackTransport>> endpoints_;  // fixed after construction
};

inline bool LoopbackTransport::Reaches(Rank destination) const {
  return destination.valid() && destination.value < network_.size() && destination != self_;
}

inline void LoopbackTransport::Flush() {
  std::deque<Message> leaving;
  {
    std::lock_guard lock(mutex_);
    leaving.swap(outbox_);
  }
  for (Message& message : leaving) {
    LoopbackTransport& peer = network_.endpoint(std::exchange(message.peer, self_));
    std::lock_guard lock(peer.mutex_);
    peer.inbox_.push_back(std::move(message));
  }
}

inline std::size_t LoopbackTransport::Poll(MessageHandler& handler, std::size_t budget) {
  Flush();
  for (std::size_t delivered = 0; delivered < budget; ++delivered) {
    Message message;
    {
      std::lock_guard lock(mutex_);
      if (inbox_.empty()) return delivered;
      message = std::move(inbox_.front());
      inbox_.pop_front();
      ++counters_.messages_received;
      counters_.bytes_received += message.bytes.size();
    }
    handler.OnMessage(message.peer, message.bytes);
  }
  return budget;
}

}  // namespace manta::testing
