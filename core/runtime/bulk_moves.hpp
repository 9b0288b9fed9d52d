#pragma once
// Whole objects over the bulk transport: cut into pieces, a few of which are under way at a time, so that no call of the
// transport holds the progress token for long and a rank that is still receiving can pass on what has come.
//
//   MoveId in = moves.Receive(holder, tag, to, size, [](std::uint64_t arrived) { ... });   // then ask the holder
//   MoveId out = moves.Send(asker, tag, from, size, size, [] { ... });
//
// Both sides cut alike. A Transport towards the progress loop only, which polls it with the others.

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "core/ports/bulk_transport.hpp"
#include "core/ports/transport.hpp"

namespace manta::runtime {

using MoveId = std::uint64_t;

/// Holder of the progress token only, but for what Transport says.
class BulkMoves final : public Transport {
 public:
  static constexpr std::uint64_t kPieceBytes = 1u << 20;
  static constexpr std::size_t kPiecesUnderWay = 4;

  explicit BulkMoves(BulkTransport& transport) : transport_(transport) {}

  /// `ready_bytes` of them are there; the rest when Extend says so. `done`: they may change.
  MoveId Send(Rank to, std::uint32_t tag, const std::byte* from, std::uint64_t size_bytes, std::uint64_t ready_bytes,
              std::function<void()> done);
  void Extend(MoveId send, std::uint64_t ready_bytes);
  /// Ends a send of which nothing was ready yet, or a receive to which nothing was sent. No callback.
  void Cancel(MoveId move);
  /// `arrived(bytes so far)` with each piece, in order; the last time with all.
  MoveId Receive(Rank from, std::uint32_t tag, std::byte* to, std::uint64_t size_bytes,
                 std::function<void(std::uint64_t)> arrived);

  /// The session is over on this rank: moves go on, so that no other rank waits for them in MPI, but nobody is told.
  void ForgetCallers();
  /// On all ranks nothing more is sent: takes back the receives that are left.
  void CancelReceives();

  std::string_view name() const override { return "bulk"; }
  bool Reaches(Rank) const override { return false; }
  void Send(Rank, std::span<const std::byte>) override {}
  std::size_t Poll(MessageHandler&, std::size_t) override { return PollMoves(); }
  std::size_t PollMoves();
  /// Whether MPI is done with all that may be sent by now. (The rest of a send may never come: the session ends.)
  bool Flushed() const override { return sends_.load(std::memory_order_relaxed) == 0; }
  bool MayHaveIncoming() const override { return active_.load(std::memory_order_relaxed) != 0; }
  std::int64_t MaxSleepNanoseconds() const override { return MayHaveIncoming() ? 0 : 1'000'000'000; }
  TransportCounters counters() const override { return {}; }

 private:
  struct Piece {
    std::uint64_t token;
    std::uint64_t size_bytes;
    bool done = false;
  };
  struct Move {
    bool sends = false;
    Rank peer;
    std::uint32_t tag = 0;
    std::byte* at = nullptr;
    std::uint64_t size = 0, ready = 0, started = 0, finished = 0;
    std::deque<Piece> pieces;  // under way, in order
    std::function<void()> done;
    std::function<void(std::uint64_t)> arrived;
  };
  MoveId Add(Move&& move);
  void StartPieces(MoveId id, Move& move);
  void PieceDone(std::uint64_t token);
  void CountMoves();

  BulkTransport& transport_;
  std::map<MoveId, Move> moves_;
  std::unordered_map<std::uint64_t, MoveId> move_of_;  // by token
  std::vector<std::uint64_t> tokens_done_;             // of one poll
  std::uint64_t last_id_ = 0;
  std::uint64_t last_token_ = 0;
  // Relaxed: hints for threads that do not hold the token; the holder's own writes.
  std::atomic<std::size_t> active_{0};
  std::atomic<std::size_t> sends_{0};  // with pieces under way
};

}  // namespace manta::runtime
