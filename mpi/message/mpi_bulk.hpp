#pragma once
// The bulk transport over MPI: one non-blocking send or receive a piece, on a communicator of its own.

#include <cstdint>
#include <memory>
#include <vector>

#include "core/ports/bulk_transport.hpp"
#include "mpi/handles/communicator.hpp"
#include "mpi/handles/request.hpp"

namespace manta {

class MpiBulk final : public BulkTransport {
 public:
  /// Collective over `world`. Throws MpiError.
  static std::unique_ptr<MpiBulk> CollectiveCreate(const mpi::Communicator& world);

  void StartSend(Rank to, std::uint32_t tag, const std::byte* from, std::size_t size_bytes,
                 std::uint64_t token) override;
  void StartReceive(Rank from, std::uint32_t tag, std::byte* to, std::size_t size_bytes, std::uint64_t token) override;
  void CancelReceive(std::uint64_t token) override;
  void Poll(std::vector<std::uint64_t>& done) override;

  /// Nothing may be under way. Collective over the world. Throws MpiError.
  void CollectiveClose();

 private:
  struct Piece {
    std::uint64_t token;
    mpi::Request request;
  };
  explicit MpiBulk(mpi::Communicator own) : comm_(std::move(own)) {}

  mpi::Communicator comm_;
  std::vector<Piece> pieces_;  // under way, oldest first
};

}  // namespace manta
