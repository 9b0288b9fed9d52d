#include "mpi/rma/world_window.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/clock.hpp"
#include "core/base/log.hpp"

namespace manta {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{512} << 10;
constexpr std::size_t kPiecesUnderWay = 4;

constexpr std::size_t kProbeBytes = std::size_t{1} << 20;
constexpr std::int64_t kProbePassNs = 5'000'000;
constexpr std::chrono::milliseconds kTargetStaysAway{30};
constexpr std::chrono::milliseconds kOriginHoldsBack{5};
constexpr int kProbeRounds = 2;  // a busy machine may spoil one

}  // namespace

std::unique_ptr<WorldWindow> WorldWindow::CollectiveCreate(const mpi::Communicator& world, const Segment& segment,
                                                           std::span<const NodeId> node_of_rank, RmaMode mode) {
  MANTA_ASSERT(static_cast<int>(node_of_rank.size()) == world.size());
  auto made = std::unique_ptr<WorldWindow>(new WorldWindow());
  made->comm_ = world.CollectiveDup();
  const std::string why_not = made->CollectiveOpen(segment, node_of_rank, mode);
  made->available_ = why_not.empty();
  made->reason_ = made->available_ ? "on" : "off: " + why_not;
  return made;
}

std::string WorldWindow::CollectiveOpen(const Segment& segment, std::span<const NodeId> node_of_rank, RmaMode mode) {
  if (mode == RmaMode::kOff) return "asked for";
  const bool is_one_node = std::ranges::count(node_of_rank, node_of_rank[0]) == comm_.size();
  if (mode == RmaMode::kAuto && is_one_node) return "there is one node";
  if (!CollectiveMakeWindow(segment)) return "MPI cannot make the window";
  if (mode == RmaMode::kAuto && !CollectiveProbe(node_of_rank)) {
    window_.CollectiveClose();
    return "a read waits for its target, or for longer than 5 ms";
  }
  return "";
}

bool WorldWindow::CollectiveMakeWindow(const Segment& segment) {
  const std::uint64_t size = segment.bytes().size();
  segment_sizes_.resize(static_cast<std::size_t>(comm_.size()));
  MANTA_MPI_TRY(MPI_Allgather(&size, 1, MPI_UINT64_T, segment_sizes_.data(), 1, MPI_UINT64_T, comm_.get()));
  bool is_made = false;
  try {
    window_ = mpi::Window::CollectiveCreate(comm_, segment.bytes().data(), segment.bytes().size());
    is_made = true;
  } catch (const MpiError& e) {
    MANTA_LOG(kInfo, "mpi", "no window over the world: " << e.what());
  }
  // Where it failed on some ranks only, the others can't free theirs: it stays, unused.
  return comm_.CollectiveMin(is_made ? 1 : 0) == 1;
}

bool WorldWindow::CollectiveProbe(std::span<const NodeId> node_of_rank) {
  // The first rank of each node takes part: those of even nodes read from the next node, the last from the one before.
  std::vector<NodeId> nodes;
  std::vector<int> leaders;
  for (int rank = 0; rank < comm_.size(); ++rank) {
    const NodeId node = node_of_rank[static_cast<std::size_t>(rank)];
    if (std::ranges::find(nodes, node) != nodes.end()) continue;
    nodes.push_back(node);
    leaders.push_back(rank);
  }
  int target = -1;
  for (std::size_t i = 0; i < leaders.size(); i += 2)
    if (leaders[i] == comm_.rank()) target = i + 1 < leaders.size() ? leaders[i + 1] : leaders[i - 1];

  std::vector<std::byte> buffer(std::min<std::uint64_t>(kProbeBytes, *std::ranges::min_element(segment_sizes_)));
  for (int round = 0; round < kProbeRounds; ++round)
    if (CollectiveProbeRound(target, buffer)) return true;
  return false;
}

bool WorldWindow::CollectiveProbeRound(int target, std::vector<std::byte>& buffer) {
  const std::span<std::byte> whole(buffer);
  const std::span<std::byte> word = whole.first(std::min<std::size_t>(whole.size(), 8));
  if (target >= 0) TimeRead(target, word);  // opens the connection, with the target in MPI
  comm_.CollectiveBarrier();
  bool is_fast = true;
  if (target >= 0) {
    std::this_thread::sleep_for(kOriginHoldsBack);  // until the target is surely out of the barrier
    is_fast = TimeRead(target, word) < kProbePassNs && TimeRead(target, whole) < kProbePassNs;
  } else {
    std::this_thread::sleep_for(kTargetStaysAway);
  }
  return comm_.CollectiveMin(is_fast ? 1 : 0) == 1;
}

std::int64_t WorldWindow::TimeRead(int target, std::span<std::byte> destination) {
  const std::int64_t start = base::NowNanoseconds();
  try {
    mpi::Request request;
    request.Get(destination.data(), static_cast<int>(destination.size()), target, 0, window_.get());
    request.Wait();
  } catch (const MpiError& e) {
    MANTA_LOG(kInfo, "mpi", "a first read through the window failed: " << e.what());
    return std::numeric_limits<std::int64_t>::max();
  }
  return base::NowNanoseconds() - start;
}

void WorldWindow::StartRead(Rank target, std::uint64_t offset, std::byte* destination, std::size_t size_bytes,
                            std::uint64_t token) {
  MANTA_ASSERT(available_);
  const std::uint64_t limit = segment_sizes_[static_cast<std::size_t>(target.value)];
  MANTA_ASSERT(offset <= limit && size_bytes <= limit - offset);
  if (size_bytes == 0) {
    empty_reads_.push_back(token);
    return;
  }
  waiting_.push_back(std::make_shared<Read>(Read{target, offset, destination, size_bytes, 0, 0, token}));
  StartPieces();
}

void WorldWindow::StartPieces() {
  while (pieces_.size() < kPiecesUnderWay && !waiting_.empty()) {
    const std::shared_ptr<Read> read = waiting_.front();
    const std::size_t size = std::min(kPieceBytes, read->size_bytes - read->started);
    Piece piece{read, size, {}};
    piece.request.Get(read->destination + read->started, static_cast<int>(size), read->target.value,
                      static_cast<MPI_Aint>(read->offset + read->started), window_.get());
    pieces_.push_back(std::move(piece));
    read->started += size;
    if (read->started == read->size_bytes) waiting_.pop_front();
  }
}

void WorldWindow::PollReads(std::vector<std::uint64_t>& done) {
  done.insert(done.end(), empty_reads_.begin(), empty_reads_.end());
  empty_reads_.clear();
  for (auto piece = pieces_.begin(); piece != pieces_.end();) {
    if (!piece->request.Test()) {
      ++piece;
      continue;
    }
    Read& read = *piece->read;
    read.finished += piece->size_bytes;
    if (read.finished == read.size_bytes) done.push_back(read.token);
    piece = pieces_.erase(piece);
  }
  StartPieces();
}

void WorldWindow::CollectiveClose() {
  MANTA_ASSERT(pieces_.empty() && waiting_.empty());
  available_ = false;
  window_.CollectiveClose();
  comm_.Close();
}

}  // namespace manta
