#include "core/runtime/bulk_moves.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace manta::runtime {
namespace {

constexpr std::uint64_t kPiece = BulkMoves::kPieceBytes;
constexpr std::size_t kAtOnce = BulkMoves::kPiecesUnderWay;

/// Notes what is started; the test says what is done.
class NotingBulk : public BulkTransport {
 public:
  struct Started {
    bool sends;
    Rank peer;
    std::uint32_t tag;
    const std::byte* at;
    std::size_t size;
    std::uint64_t token;
  };
  void StartSend(Rank to, std::uint32_t tag, const std::byte* from, std::size_t size, std::uint64_t token) override {
    started.push_back({true, to, tag, from, size, token});
  }
  void StartReceive(Rank from, std::uint32_t tag, std::byte* to, std::size_t size, std::uint64_t token) override {
    started.push_back({false, from, tag, to, size, token});
  }
  void CancelReceive(std::uint64_t token) override { cancelled.push_back(token); }
  void Poll(std::vector<std::uint64_t>& done) override {
    done.insert(done.end(), ended.begin(), ended.end());
    ended.clear();
  }
  void End(std::size_t piece) { ended.push_back(started.at(piece).token); }

  std::vector<Started> started;
  std::vector<std::uint64_t> cancelled, ended;
};

struct Moves : ::testing::Test {
  NotingBulk bulk;
  BulkMoves moves{bulk};
  std::vector<std::byte> bytes = std::vector<std::byte>(6 * kPiece + 5);
  std::vector<std::uint64_t> arrived;
  int sent = 0;

  MoveId Receive(std::uint64_t size) {
    return moves.Receive(Rank(3), 17, bytes.data(), size, [this](std::uint64_t so_far) { arrived.push_back(so_far); });
  }
  MoveId Send(std::uint64_t size, std::uint64_t ready) {
    return moves.Send(Rank(2), 9, bytes.data(), size, ready, [this] { ++sent; });
  }
  void End(std::size_t piece) {
    bulk.End(piece);
    EXPECT_EQ(moves.PollMoves(), 1u);
  }
};

TEST_F(Moves, CutAnObjectIntoPiecesInOrder) {
  Receive(bytes.size());
  for (std::size_t i = 0; i < bulk.started.size(); ++i) End(i);
  ASSERT_EQ(bulk.started.size(), 7u);
  for (std::size_t i = 0; i < 7; ++i) {
    const auto& piece = bulk.started[i];
    EXPECT_FALSE(piece.sends);
    EXPECT_EQ(piece.peer, Rank(3));
    EXPECT_EQ(piece.tag, 17u);
    EXPECT_EQ(piece.at, bytes.data() + i * kPiece);
    EXPECT_EQ(piece.size, i < 6 ? kPiece : 5u);
    EXPECT_EQ(arrived[i], std::min<std::uint64_t>((i + 1) * kPiece, bytes.size()));
  }
  EXPECT_FALSE(moves.MayHaveIncoming());
}

TEST_F(Moves, CutAlikeOnBothSides) {
  for (const std::uint64_t size : {std::uint64_t{1}, kPiece - 1, kPiece, kPiece + 1, 2 * kPiece, bytes.size()}) {
    bulk.started.clear();
    Send(size, size);
    Receive(size);
    for (std::size_t i = 0; i < bulk.started.size(); ++i) End(i);
    std::vector<std::size_t> out, in;
    for (const auto& piece : bulk.started) (piece.sends ? out : in).push_back(piece.size);
    EXPECT_EQ(out, in) << size;
  }
}

TEST_F(Moves, HaveAFewPiecesUnderWayAtATime) {
  Send(bytes.size(), bytes.size());
  EXPECT_EQ(bulk.started.size(), kAtOnce);
  End(0);
  EXPECT_EQ(bulk.started.size(), kAtOnce + 1);
  EXPECT_EQ(sent, 0);
}

TEST_F(Moves, TellOnlyOfWhatHasComeFromTheBeginning) {
  Receive(3 * kPiece);
  End(1);
  End(2);
  EXPECT_TRUE(arrived.empty()) << "the first piece is not there";
  End(0);
  EXPECT_EQ(arrived, std::vector<std::uint64_t>{3 * kPiece});
}

TEST_F(Moves, TellOnceWhenAllIsSent) {
  Send(2 * kPiece, 2 * kPiece);
  End(1);
  EXPECT_EQ(sent, 0);
  EXPECT_FALSE(moves.Flushed());
  End(0);
  EXPECT_EQ(sent, 1);
  EXPECT_TRUE(moves.Flushed());
}

TEST_F(Moves, SendOnlyWhatIsReady) {
  const MoveId send = Send(2 * kPiece + 5, 0);
  EXPECT_TRUE(bulk.started.empty());
  moves.Extend(send, kPiece - 1);
  EXPECT_TRUE(bulk.started.empty()) << "no part of a piece: the receiver cuts alike";
  moves.Extend(send, 2 * kPiece);
  EXPECT_EQ(bulk.started.size(), 2u);
  End(0);
  End(1);
  EXPECT_EQ(sent, 0);
  moves.Extend(send, 2 * kPiece + 5);
  ASSERT_EQ(bulk.started.size(), 3u);
  EXPECT_EQ(bulk.started[2].size, 5u);
  End(2);
  EXPECT_EQ(sent, 1);
}

TEST_F(Moves, AreFlushedWhileASendWaitsForBytesThatMayNeverCome) {
  const MoveId send = Send(2 * kPiece, 0);
  EXPECT_TRUE(moves.Flushed());
  moves.Extend(send, kPiece);
  EXPECT_FALSE(moves.Flushed());
  End(0);
  EXPECT_TRUE(moves.Flushed());
  EXPECT_TRUE(moves.MayHaveIncoming()) << "it is not over";
  Receive(5);
  EXPECT_TRUE(moves.Flushed()) << "receives don't leave";
}

TEST_F(Moves, CancelReceivesWithoutACallback) {
  const MoveId receive = Receive(2 * kPiece);
  moves.Cancel(receive);
  EXPECT_EQ(bulk.cancelled.size(), 2u);
  bulk.End(0);  // too late to be of use
  moves.PollMoves();
  EXPECT_TRUE(arrived.empty());
  EXPECT_FALSE(moves.MayHaveIncoming());
  moves.Cancel(receive);
  moves.Cancel(0);
  EXPECT_EQ(bulk.cancelled.size(), 2u) << "once";
}

TEST_F(Moves, CancelSendsThatNothingWasSentOf) {
  const MoveId send = Send(kPiece, 0);
  moves.Cancel(send);
  moves.Extend(send, kPiece);
  EXPECT_TRUE(bulk.started.empty());
  EXPECT_EQ(sent, 0);
}

TEST_F(Moves, GoOnWithoutTheirCallersAtTheEndOfASession) {
  Receive(bytes.size());
  Send(bytes.size(), bytes.size());
  moves.ForgetCallers();
  for (std::size_t i = 0; i < bulk.started.size(); ++i) End(i);
  EXPECT_EQ(bulk.started.size(), 14u);
  EXPECT_TRUE(arrived.empty());
  EXPECT_EQ(sent, 0);
  EXPECT_FALSE(moves.MayHaveIncoming());
}

TEST_F(Moves, TakeBackTheReceivesThatAreLeft) {
  Receive(6 * kPiece);
  Send(kPiece, 0);
  End(1);  // is there, but not the first
  moves.CancelReceives();
  std::vector<std::uint64_t> expected;
  for (const std::size_t piece : {0, 2, 3}) expected.push_back(bulk.started[piece].token);
  EXPECT_EQ(bulk.cancelled, expected);
  EXPECT_FALSE(moves.MayHaveIncoming());
  EXPECT_TRUE(moves.Flushed());
}

TEST_F(Moves, MayBeStartedByACallback) {
  moves.Receive(Rank(3), 1, bytes.data(), kPiece, [this](std::uint64_t) { Send(2 * kPiece, kPiece); });
  End(0);
  ASSERT_EQ(bulk.started.size(), 2u);
  EXPECT_TRUE(bulk.started[1].sends);
}

}  // namespace
}  // namespace manta::runtime
