#include "core/runtime/bulk_moves.hpp"

#include <algorithm>
#include <utility>

#include "core/base/check.hpp"

namespace manta::runtime {

MoveId BulkMoves::Send(Rank to, std::uint32_t tag, const std::byte* from, std::uint64_t size_bytes,
                       std::uint64_t ready_bytes, std::function<void()> done) {
  Move move;
  move.sends = true;
  move.peer = to;
  move.tag = tag;
  move.at = const_cast<std::byte*>(from);  // it is only read
  move.size = size_bytes;
  move.ready = ready_bytes;
  move.done = std::move(done);
  return Add(std::move(move));
}

MoveId BulkMoves::Receive(Rank from, std::uint32_t tag, std::byte* to, std::uint64_t size_bytes,
                          std::function<void(std::uint64_t)> arrived) {
  Move move;
  move.peer = from;
  move.tag = tag;
  move.at = to;
  move.size = move.ready = size_bytes;
  move.arrived = std::move(arrived);
  return Add(std::move(move));
}

MoveId BulkMoves::Add(Move&& move) {
  MANTA_ASSERT(move.size > 0);
  const MoveId id = ++last_id_;
  StartPieces(id, moves_.emplace(id, std::move(move)).first->second);
  CountMoves();
  return id;
}

void BulkMoves::Extend(MoveId send, std::uint64_t ready_bytes) {
  const auto it = moves_.find(send);
  if (it == moves_.end()) return;
  it->second.ready = ready_bytes;
  StartPieces(send, it->second);
  CountMoves();
}

void BulkMoves::Cancel(MoveId id) {
  const auto it = moves_.find(id);
  if (it == moves_.end()) return;
  Move& move = it->second;
  MANTA_ASSERT(move.sends ? move.started == 0 : move.finished == 0);
  for (const Piece& piece : move.pieces) {
    transport_.CancelReceive(piece.token);
    move_of_.erase(piece.token);
  }
  moves_.erase(it);
  CountMoves();
}

void BulkMoves::StartPieces(MoveId id, Move& move) {
  while (move.pieces.size() < kPiecesUnderWay && move.started < move.size) {
    const std::uint64_t size = std::min(kPieceBytes, move.size - move.started);
    if (move.started + size > move.ready) return;
    const std::uint64_t token = ++last_token_;
    std::byte* const at = move.at + move.started;
    if (move.sends)
      transport_.StartSend(move.peer, move.tag, at, size, token);
    else
      transport_.StartReceive(move.peer, move.tag, at, size, token);
    move.started += size;
    move.pieces.push_back({token, size});
    move_of_.emplace(token, id);
  }
}

std::size_t BulkMoves::PollMoves() {
  if (moves_.empty()) return 0;
  tokens_done_.clear();
  transport_.Poll(tokens_done_);
  std::vector<std::uint64_t> done;
  done.swap(tokens_done_);  // a callback may poll nothing, but may start moves
  for (const std::uint64_t token : done) PieceDone(token);
  const std::size_t count = done.size();
  tokens_done_.swap(done);
  return count;
}

void BulkMoves::PieceDone(std::uint64_t token) {
  const auto known = move_of_.find(token);
  if (known == move_of_.end()) return;
  const MoveId id = known->second;
  move_of_.erase(known);
  Move& move = moves_.at(id);
  for (Piece& piece : move.pieces) piece.done |= piece.token == token;
  const std::uint64_t before = move.finished;
  for (; !move.pieces.empty() && move.pieces.front().done; move.pieces.pop_front())
    move.finished += move.pieces.front().size_bytes;
  if (move.finished == before) return;  // an earlier one is still under way
  if (move.finished < move.size) {
    StartPieces(id, move);
    CountMoves();
    if (move.arrived) std::function<void(std::uint64_t)>(move.arrived)(move.finished);
    return;
  }
  const std::uint64_t size = move.size;
  const auto done = std::move(move.done);
  const auto arrived = std::move(move.arrived);
  moves_.erase(id);
  CountMoves();
  if (done) done();
  if (arrived) arrived(size);
}

void BulkMoves::ForgetCallers() {
  for (auto& [id, move] : moves_) {
    move.done = nullptr;
    move.arrived = nullptr;
  }
}

void BulkMoves::CancelReceives() {
  for (auto it = moves_.begin(); it != moves_.end();) {
    for (const Piece& piece : it->second.pieces) {
      if (!it->second.sends && !piece.done) transport_.CancelReceive(piece.token);
      move_of_.erase(piece.token);
    }
    it = moves_.erase(it);
  }
  CountMoves();
}

void BulkMoves::CountMoves() {
  active_.store(moves_.size(), std::memory_order_relaxed);
  sends_.store(static_cast<std::size_t>(
                   std::count_if(moves_.begin(), moves_.end(), [](const auto& one) {
                 return one.second.sends && !one.second.pieces.empty();
               })),
               std::memory_order_relaxed);
}

}  // namespace manta::runtime
