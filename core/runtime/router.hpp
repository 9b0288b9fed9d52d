#pragma once
// Sends message structs to ranks, over whichever transport reaches them.

#include <cstdint>
#include <vector>

#include "core/base/check.hpp"
#include "core/node/doorbell.hpp"
#include "core/ports/transport.hpp"
#include "core/runtime/send_buffer.hpp"
#include "core/wire/messages.hpp"

namespace manta::runtime {

/// Any thread. Send never blocks.
class Router {
 public:
  /// `transports` in order of preference; each rank takes the first that reaches it.
  Router(int ranks, const std::vector<Transport*>& transports, std::uint32_t session, node::RankBlock& own_block)
      : session_(session), own_block_(own_block) {
    for (int rank = 0; rank < ranks; ++rank) {
      Transport* found = nullptr;
      for (Transport* transport : transports)
        if (found == nullptr && transport->Reaches(Rank(rank))) found = transport;
      MANTA_ASSERT(found != nullptr);
      by_rank_.push_back({found, found->RingsSleepers()});
    }
  }
  template <class M>
  void Send(Rank to, const M& message) {
    std::vector<std::byte>& buffer = SendBuffer<M>();
    buffer.clear();
    wire::Encode(buffer, session_, message);
    SendBytes(to, buffer);
    if (buffer.capacity() > kKeptBytes) std::vector<std::byte>().swap(buffer);
  }
  /// For messages that are bytes already and begin with `Head`.
  template <class Head>
  void StampHeader(Head& head) const {
    head.header = {Head::kKind, 0, session_};
  }
  void SendBytes(Rank to, std::span<const std::byte> message) {
    const Way& way = by_rank_[static_cast<std::size_t>(to.value)];
    way.transport->Send(to, message);
    // What does not leave by itself leaves when one of us polls: wake who sleeps.
    if (!way.rings) node::RingBell(own_block_);
  }
  template <class M>
  void SendToAllOthers(Rank self, const M& message) {
    for (int rank = 0; rank < ranks(); ++rank)
      if (Rank(rank) != self) Send(Rank(rank), message);
  }
  int ranks() const { return static_cast<int>(by_rank_.size()); }
  std::uint32_t session() const { return session_; }

 private:
  static constexpr std::size_t kKeptBytes = 1 << 20;
  struct Way {
    Transport* transport;
    bool rings;  // as it says
  };
  std::vector<Way> by_rank_;
  std::uint32_t session_;
  node::RankBlock& own_block_;
};

}  // namespace manta::runtime
