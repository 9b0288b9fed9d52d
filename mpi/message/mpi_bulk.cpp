#include "mpi/message/mpi_bulk.hpp"

#include <algorithm>
#include <utility>

#include "core/base/check.hpp"

namespace manta {

std::unique_ptr<MpiBulk> MpiBulk::CollectiveCreate(const mpi::Communicator& world) {
  return std::unique_ptr<MpiBulk>(new MpiBulk(world.CollectiveDup()));
}

void MpiBulk::StartSend(Rank to, std::uint32_t tag, const std::byte* from, std::size_t size_bytes,
                        std::uint64_t token) {
  Piece piece{token, {}};
  // Synchronous: at the end of a session a small piece must not be left on its way, for the next one's receives.
  piece.request.SynchronousSend(from, static_cast<int>(size_bytes), to.value, static_cast<int>(tag), comm_.get());
  pieces_.push_back(std::move(piece));
}

void MpiBulk::StartReceive(Rank from, std::uint32_t tag, std::byte* to, std::size_t size_bytes, std::uint64_t token) {
  Piece piece{token, {}};
  piece.request.Receive(to, static_cast<int>(size_bytes), from.value, static_cast<int>(tag), comm_.get());
  pieces_.push_back(std::move(piece));
}

void MpiBulk::CancelReceive(std::uint64_t token) {
  const auto it = std::find_if(pieces_.begin(), pieces_.end(), [&](const Piece& one) { return one.token == token; });
  if (it == pieces_.end()) return;
  it->request.CancelReceive();
  pieces_.erase(it);
}

void MpiBulk::Poll(std::vector<std::uint64_t>& done) {
  std::erase_if(pieces_, [&](Piece& piece) {
    if (!piece.request.Test()) return false;
    done.push_back(piece.token);
    return true;
  });
}

void MpiBulk::CollectiveClose() {
  MANTA_ASSERT(pieces_.empty());
  comm_.Close();
}

}  // namespace manta
