#pragma once
// Reads of another node's segment by MPI_Rget, where MPI makes them without the help of the other rank.
//
//   auto remote = WorldWindow::CollectiveCreate(world, *segment, node_of_rank, RmaMode::kAuto);
//   if (remote->available()) remote->StartRead(owner, offset, destination, size_bytes, token);
//   remote->PollReads(done);
//
// Whether it works is tried at start, never guessed from a version: Open MPI 4.1 over TCP cannot make the window, and
// Open MPI 5 and MPICH wait for the target's next MPI call.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/ports/remote_memory.hpp"
#include "core/ports/segment.hpp"
#include "core/runtime/settings.hpp"
#include "mpi/handles/communicator.hpp"
#include "mpi/handles/request.hpp"
#include "mpi/handles/window.hpp"

namespace manta {

// RmaMode::kAuto: if there are several nodes, and the window can be made, and it progresses without its target. kOn: if
// the window can be made, be there one node or many.

class WorldWindow final : public RemoteMemory {
 public:
  /// `segment`: this rank's node segment; it must outlive this object. `node_of_rank`: by rank of `world`, the same on
  /// all ranks, as is `mode`. Collective over `world`; takes below 150 ms, and is only safe while no rank is kept from
  /// calling it: at start. Does not throw for what makes RMA unusable: available() and reason() say so, the same on
  /// all ranks. Throws MpiError if `world` itself fails.
  static std::unique_ptr<WorldWindow> CollectiveCreate(const mpi::Communicator& world, const Segment& segment,
                                                       std::span<const NodeId> node_of_rank, RmaMode mode);
  /// Without CollectiveClose the window stays until the process ends, see mpi::Window.
  ~WorldWindow() override = default;

  bool available() const override { return available_; }
  /// One line for the start message: "on", or why not ("off: asked for", "off: MPI cannot make the window").
  const std::string& reason() const { return reason_; }

  /// A read is cut into pieces of 512 KiB, of which 4 are under way at a time, so that no call holds the token for
  /// long: some MPIs copy a piece within the call. The rest is started by PollReads. Both throw MpiError, after which
  /// the destinations of all reads must stay for good.
  void StartRead(Rank target, std::uint64_t offset, std::byte* destination, std::size_t size_bytes,
                 std::uint64_t token) override;
  void PollReads(std::vector<std::uint64_t>& done) override;

  /// Frees the window. No read may be under way. Collective over `world`. Throws MpiError.
  void CollectiveClose();

 private:
  struct Read {
    Rank target;
    std::uint64_t offset;
    std::byte* destination;
    std::size_t size_bytes;
    std::size_t started = 0;  // bytes for which a piece has been started
    std::size_t finished = 0;
    std::uint64_t token;
  };
  struct Piece {
    std::shared_ptr<Read> read;
    std::size_t size_bytes;
    mpi::Request request;
  };

  WorldWindow() = default;
  // Empty, or why the window is of no use; the same on all ranks.
  std::string CollectiveOpen(const Segment& segment, std::span<const NodeId> node_of_rank, RmaMode mode);
  bool CollectiveMakeWindow(const Segment& segment);
  bool CollectiveProbe(std::span<const NodeId> node_of_rank);
  bool CollectiveProbeRound(int target, std::vector<std::byte>& buffer);
  std::int64_t TimeRead(int target, std::span<std::byte> destination);
  void StartPieces();

  bool available_ = false;
  std::string reason_;
  mpi::Communicator comm_;  // the window's own
  mpi::Window window_;
  std::vector<std::uint64_t> segment_sizes_;   // by rank
  std::deque<std::shared_ptr<Read>> waiting_;  // with bytes not started; oldest first
  std::deque<Piece> pieces_;                   // under way; oldest first
  std::vector<std::uint64_t> empty_reads_;     // tokens of reads of 0 bytes
};

}  // namespace manta
