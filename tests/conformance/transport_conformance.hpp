#pragma once
// What every Transport must do. A suite is made for an implementation by a *world*: a default-constructible type with
//
//   int size() const;                              // ranks 0 to size - 1, of which each reaches all others
//   std::vector<TransportEndpoint> endpoints();    // those of this process: all (rings, loopback), or one (MPI)
//   void Barrier();                                // returns when all processes have called it; may call MPI, not Poll
//
// and then, in a .cpp: INSTANTIATE_TYPED_TEST_SUITE_P(Mpi, TransportConformance, MpiWorld);
// A world's destructor closes its transports; it is made anew for each test. Worlds of one rank skip the suite.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "core/ports/transport.hpp"

namespace manta::testing {

struct TransportEndpoint {
  Rank rank;
  Transport* transport;
};

/// The test message number `sequence` from `source`: a header that says so, then bytes that follow from it.
inline std::vector<std::byte> MakeMessage(Rank source, std::uint32_t lane, std::uint32_t sequence, std::size_t size) {
  const std::array<std::uint32_t, 3> header{static_cast<std::uint32_t>(source.value), lane, sequence};
  std::vector<std::byte> message(std::max(size, sizeof(header)));
  std::memcpy(message.data(), header.data(), sizeof(header));
  for (std::size_t i = sizeof(header); i < message.size(); ++i)
    message[i] = static_cast<std::byte>(i * 7 + sequence * 13 + static_cast<std::uint32_t>(source.value));
  return message;
}

/// Checks that what comes in is what MakeMessage made, each lane of a source in order.
class CheckingHandler : public MessageHandler {
 public:
  void OnMessage(Rank source, std::span<const std::byte> message) override {
    std::array<std::uint32_t, 3> header;
    ASSERT_GE(message.size(), sizeof(header));
    std::memcpy(header.data(), message.data(), sizeof(header));
    EXPECT_EQ(header[0], static_cast<std::uint32_t>(source.value));
    std::uint32_t& next = next_[std::pair(source, header[1])];
    EXPECT_EQ(header[2], next++) << "out of order, from rank " << source;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(message.data()) % 8, 0u);
    const std::vector<std::byte> expected = MakeMessage(source, header[1], header[2], message.size());
    EXPECT_EQ(std::memcmp(message.data(), expected.data(), message.size()), 0) << "other bytes than sent";
    ++received_;
    bytes_ += message.size();
  }
  std::size_t received() const { return received_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::map<std::pair<Rank, std::uint32_t>, std::uint32_t> next_;  // by source and lane
  std::size_t received_ = 0;
  std::size_t bytes_ = 0;
};

template <class World>
class TransportConformance : public ::testing::Test {
 protected:
  void SetUp() override {
    if (world_.size() < 2) GTEST_SKIP() << "needs two ranks";
    for (TransportEndpoint endpoint : world_.endpoints()) sides_.push_back({endpoint.rank, endpoint.transport, {}});
  }

  struct Side {
    Rank rank;
    Transport* transport;
    CheckingHandler handler;

    void Send(Rank destination, std::uint32_t sequence, std::size_t size, std::uint32_t lane = 0) {
      transport->Send(destination, MakeMessage(rank, lane, sequence, size));
    }
  };

  /// Calls f(side, peer) for each endpoint of this process and each other rank.
  template <class F>
  void ForEachPair(F f) {
    for (Side& side : sides_)
      for (int peer = 0; peer < world_.size(); ++peer)
        if (Rank(peer) != side.rank) f(side, Rank(peer));
  }

  /// Polls all endpoints of this process until each has received `count` messages and sent all it had; then waits for
  /// the other processes, and sees that nothing else comes in.
  void ExpectEachReceives(std::size_t count, std::size_t budget = 64) {
    const std::int64_t deadline = base::NowNanoseconds() + 30'000'000'000;
    bool done = false;
    while (!done) {
      done = true;
      for (Side& side : sides_) {
        ASSERT_LE(side.transport->Poll(side.handler, budget), budget);
        if (side.handler.received() < count || !side.transport->Flushed()) done = false;
      }
      if (!done) std::this_thread::yield();
      ASSERT_LT(base::NowNanoseconds(), deadline) << "messages are missing";
    }
    world_.Barrier();
    for (Side& side : sides_) {
      side.transport->Poll(side.handler, budget);
      EXPECT_EQ(side.handler.received(), count);
    }
  }
  std::size_t num_peers() const { return static_cast<std::size_t>(world_.size()) - 1; }

  World world_;
  std::vector<Side> sides_;
};

TYPED_TEST_SUITE_P(TransportConformance);

TYPED_TEST_P(TransportConformance, ReachesAllOthersAndNotItself) {
  this->ForEachPair([](auto& side, Rank peer) { EXPECT_TRUE(side.transport->Reaches(peer)); });
  for (auto& side : this->sides_) {
    EXPECT_FALSE(side.transport->Reaches(side.rank));
    EXPECT_FALSE(side.transport->Reaches(Rank(this->world_.size())));
    EXPECT_FALSE(side.transport->Reaches(Rank()));
    EXPECT_FALSE(side.transport->name().empty());
  }
}

TYPED_TEST_P(TransportConformance, DeliversNothingWhereNothingWasSent) {
  for (auto& side : this->sides_) {
    EXPECT_EQ(side.transport->Poll(side.handler, 64), 0u);
    EXPECT_TRUE(side.transport->Flushed());
    EXPECT_GE(side.transport->MaxSleepNanoseconds(), 0);
  }
}

TYPED_TEST_P(TransportConformance, DeliversMessagesOfAllSmallSizesAlignedAndWhole) {
  constexpr std::uint32_t kCount = 300;

  this->ForEachPair([](auto& side, Rank peer) {
    for (std::uint32_t i = 0; i < kCount; ++i) side.Send(peer, i, i);
  });

  this->ExpectEachReceives(this->num_peers() * kCount);
}

TYPED_TEST_P(TransportConformance, DeliversAMessageOfOneByte) {
  struct : MessageHandler {
    void OnMessage(Rank, std::span<const std::byte> message) override {
      EXPECT_EQ(message.size(), 1u);
      EXPECT_EQ(message[0], std::byte{42});
      ++received;
    }
    std::size_t received = 0;
  } handler;
  const std::array<std::byte, 1> message{std::byte{42}};
  const std::size_t expected = this->num_peers() * this->sides_.size();

  this->ForEachPair([&](auto& side, Rank peer) { side.transport->Send(peer, message); });

  while (handler.received < expected)
    for (auto& side : this->sides_) side.transport->Poll(handler, 64);
  this->world_.Barrier();
}

TYPED_TEST_P(TransportConformance, KeepsOrderBetweenLargeAndSmallMessages) {
  const std::vector<std::size_t> sizes{12, 5 << 20, 100, 65'400, 65'401, 65'536, 3'000, 1 << 20, 64, 200'001, 16};

  this->ForEachPair([&](auto& side, Rank peer) {
    for (std::uint32_t i = 0; i < sizes.size(); ++i) side.Send(peer, i, sizes[i]);
  });

  this->ExpectEachReceives(this->num_peers() * sizes.size());
}

TYPED_TEST_P(TransportConformance, SurvivesRandomTrafficBetweenAll) {
  constexpr std::uint32_t kRounds = 40;
  constexpr std::uint32_t kPerRound = 25;
  std::map<std::pair<Rank, Rank>, std::uint32_t> sent;
  std::mt19937 random(201);

  for (std::uint32_t round = 0; round < kRounds; ++round) {
    this->ForEachPair([&](auto& side, Rank peer) {
      for (std::uint32_t i = 0; i < kPerRound; ++i) {
        const std::size_t size = random() % 50 == 0 ? random() % 300'000 : random() % 600;
        side.Send(peer, sent[{side.rank, peer}]++, size);
      }
    });
    for (auto& side : this->sides_) side.transport->Poll(side.handler, random() % 40);
  }

  this->ExpectEachReceives(this->num_peers() * kRounds * kPerRound);
}

TYPED_TEST_P(TransportConformance, HoldsWhatAReceiverDoesNotPoll) {
  constexpr std::uint32_t kCount = 100'000;

  if (!this->sides_.empty() && this->sides_[0].rank == Rank(0))
    for (std::uint32_t i = 0; i < kCount; ++i) {
      this->sides_[0].Send(Rank(1), i, 40);
      if (i % 64 == 0) this->sides_[0].transport->Poll(this->sides_[0].handler, 64);  // pushes against the receiver
    }
  this->world_.Barrier();

  const std::int64_t deadline = base::NowNanoseconds() + 30'000'000'000;
  std::size_t expected = 0;
  for (auto& side : this->sides_)
    if (side.rank == Rank(1)) expected = kCount;
  std::size_t received = 0;
  bool done = false;
  while (!done) {
    done = true;
    received = 0;
    for (auto& side : this->sides_) {
      side.transport->Poll(side.handler, 256);
      received += side.handler.received();
      done = done && side.transport->Flushed();
    }
    done = done && received >= expected;
    ASSERT_LT(base::NowNanoseconds(), deadline) << received << " of " << expected << " messages came in";
  }
  this->world_.Barrier();
  EXPECT_EQ(received, expected);
}

TYPED_TEST_P(TransportConformance, DeliversNoMoreThanItsBudget) {
  this->ForEachPair([](auto& side, Rank peer) {
    for (std::uint32_t i = 0; i < 20; ++i) side.Send(peer, i, 30);
  });

  this->ExpectEachReceives(this->num_peers() * 20, 1);
}

TYPED_TEST_P(TransportConformance, KeepsTheOrderOfEachSendingThread) {
  constexpr std::uint32_t kThreads = 3;
  constexpr std::uint32_t kCount = 2'000;
  std::vector<std::thread> threads;

  for (auto& side : this->sides_)
    for (std::uint32_t lane = 0; lane < kThreads; ++lane)
      threads.emplace_back([&side, lane, size = this->world_.size()] {
        for (std::uint32_t i = 0; i < kCount; ++i)
          for (int peer = 0; peer < size; ++peer)
            if (Rank(peer) != side.rank) side.Send(Rank(peer), i, 20 + i % 200, lane);
      });
  this->ExpectEachReceives(this->num_peers() * kThreads * kCount);

  for (std::thread& thread : threads) thread.join();
}

TYPED_TEST_P(TransportConformance, LetsAHandlerSend) {
  // Each message that comes in with hops left goes back with one less.
  struct Echo : MessageHandler {
    explicit Echo(Transport& back) : transport(back) {}
    void OnMessage(Rank source, std::span<const std::byte> message) override {
      std::uint64_t hops;
      std::memcpy(&hops, message.data(), sizeof(hops));
      ++received;
      if (hops-- > 0) transport.Send(source, std::as_bytes(std::span(&hops, 1)));
    }
    Transport& transport;
    std::size_t received = 0;
  };
  constexpr std::uint64_t kHops = 200;
  std::vector<Echo> handlers;
  for (auto& side : this->sides_) handlers.emplace_back(*side.transport);

  this->ForEachPair([&](auto& side, Rank peer) { side.transport->Send(peer, std::as_bytes(std::span(&kHops, 1))); });

  const std::size_t each = this->num_peers() * (kHops + 1);  // one chain begun by each side of each pair
  const std::int64_t deadline = base::NowNanoseconds() + 30'000'000'000;
  for (bool done = false; !done;) {
    done = true;
    for (std::size_t i = 0; i < handlers.size(); ++i) {
      if (this->sides_[i].transport->Poll(handlers[i], 16) == 0) std::this_thread::yield();
      if (handlers[i].received < each || !this->sides_[i].transport->Flushed()) done = false;
    }
    ASSERT_LT(base::NowNanoseconds(), deadline) << "an answer is missing";
  }
  this->world_.Barrier();
  for (const Echo& handler : handlers) EXPECT_EQ(handler.received, each);
}

TYPED_TEST_P(TransportConformance, SaysWhenAllHasLeftAndCountsIt) {
  this->ForEachPair([](auto& side, Rank peer) {
    for (std::uint32_t i = 0; i < 10; ++i) side.Send(peer, i, 100);
  });

  this->ExpectEachReceives(this->num_peers() * 10);

  for (auto& side : this->sides_) {
    EXPECT_TRUE(side.transport->Flushed());
    const TransportCounters counters = side.transport->counters();
    EXPECT_EQ(counters.messages_sent, this->num_peers() * 10);
    EXPECT_EQ(counters.messages_received, this->num_peers() * 10);
    EXPECT_EQ(counters.bytes_sent, this->num_peers() * 1'000);
    EXPECT_EQ(counters.bytes_received, this->num_peers() * 1'000);
  }
}

TYPED_TEST_P(TransportConformance, SaysThatSomethingMayHaveComeIn) {
  this->ForEachPair([](auto& side, Rank peer) { side.Send(peer, 0, 50); });

  // All processes push their messages out; after the barrier they are under way or there.
  for (auto& side : this->sides_) side.transport->Poll(side.handler, 0);
  this->world_.Barrier();

  for (auto& side : this->sides_) {
    const bool has_all = side.handler.received() == this->num_peers();
    EXPECT_TRUE(has_all || side.transport->MayHaveIncoming());
  }
  this->ExpectEachReceives(this->num_peers());
}

REGISTER_TYPED_TEST_SUITE_P(TransportConformance, ReachesAllOthersAndNotItself, DeliversNothingWhereNothingWasSent,
                            DeliversMessagesOfAllSmallSizesAlignedAndWhole, DeliversAMessageOfOneByte,
                            KeepsOrderBetweenLargeAndSmallMessages, SurvivesRandomTrafficBetweenAll,
                            HoldsWhatAReceiverDoesNotPoll, DeliversNoMoreThanItsBudget,
                            KeepsTheOrderOfEachSendingThread, LetsAHandlerSend, SaysWhenAllHasLeftAndCountsIt,
                            SaysThatSomethingMayHaveComeIn);

}  // namespace manta::testing
