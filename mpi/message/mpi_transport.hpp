#pragma once
// The Transport between nodes: two-sided MPI on a communicator of its own.
//
//   auto transport = MpiTransport::CollectiveCreate(world, [&](Rank r) { return node_of(r) != my_node; });
//   transport->Send(Rank(3), bytes);        // any thread: copies into the outbox of rank 3, no MPI call
//   transport->Poll(handler, 64);           // the progress token: all MPI calls are here
//
// A batch leaves at the first Poll after its first message. A ring of persistent receives from any source is always
// posted and only its head is tested: receives match in the order they were started in, so messages of one source come
// out in the order they were sent in, without a probe or an allocation a message. MPI_THREAD_SERIALIZED is enough.
//
// Memory: what is sent waits here until MPI takes it, at most 8 batches (512 KiB) a destination at a time; a receiver
// that does not poll leaves the rest with the sender. Receives take 1 MiB.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/node/spin_lock.hpp"
#include "core/ports/transport.hpp"
#include "mpi/handles/communicator.hpp"
#include "mpi/handles/request.hpp"
#include "mpi/message/batch.hpp"
#include "mpi/message/outbox.hpp"

namespace manta {

class MpiTransport final : public Transport {
 public:
  /// Carries messages to the ranks of `world` (which counts as MPI_COMM_WORLD does) for which `reaches` holds; never
  /// to this rank itself. If a reaches b, b must reach a. Collective over `world`. Throws MpiError.
  static std::unique_ptr<MpiTransport> CollectiveCreate(const mpi::Communicator& world,
                                                        const std::function<bool(Rank)>& reaches);
  /// Without CollectiveClose, as after an error: drops what was not received, and leaves the buffers of unfinished
  /// sends to MPI for good. Holder of the progress token.
  ~MpiTransport() override;

  std::string_view name() const override { return "mpi"; }
  bool Reaches(Rank destination) const override;
  void Send(Rank destination, std::span<const std::byte> message) override;
  std::size_t Poll(MessageHandler& handler, std::size_t budget) override;
  bool Flushed() const override;
  /// MPI says what came in only to who calls it: true wherever there is a peer.
  bool MayHaveIncoming() const override { return num_peers_ > 0; }
  /// A quarter of the time since the last traffic, see QuietSleepNanoseconds; 0 while messages wait for a Poll.
  std::int64_t MaxSleepNanoseconds() const override;
  TransportCounters counters() const override;

  /// The orderly end: sends all that waits, delivers all that was sent to this rank, then ends the receives. No rank
  /// may Send any more, from here on. Collective over all ranks, peers or not; they must all live. Throws MpiError.
  void CollectiveClose(MessageHandler& handler);

 private:
  struct InFlight {
    mpi::Batch batch;
    mpi::Request request;
  };
  /// All but the outbox belongs to the holder of the token.
  struct Peer {
    explicit Peer(mpi::BatchPool& pool) : outbox(pool) {}
    mpi::Outbox outbox;
    std::deque<InFlight> in_flight;  // oldest first
    mpi::Assembly assembly;
    std::uint64_t batches_sent = 0;
  };
  struct Receive {
    std::unique_ptr<std::byte[]> buffer;
    mpi::Request request;
  };

  MpiTransport(mpi::Communicator own, const std::function<bool(Rank)>& reaches);

  // All of these: holder of the token.
  void FinishSends();
  void StartSends();
  void StartSend(int destination, mpi::Batch batch);
  void FinishSend(InFlight&& send);
  std::size_t Deliver(MessageHandler& handler, std::size_t budget);
  bool ReceiveBatch();
  void RestartHead();
  void PollUntil(MessageHandler& handler, const std::function<bool()>& done);
  void NoteTraffic() {
    if (!has_traffic_.load(std::memory_order_relaxed)) has_traffic_.store(true, std::memory_order_relaxed);
  }

  // Fixed after construction.
  mpi::Communicator comm_;
  int num_peers_ = 0;
  std::vector<std::unique_ptr<Peer>> peers_;  // by rank; null where this transport does not reach

  mpi::BatchPool pool_;
  node::SpinLock listed_mutex_;  // taken after an outbox's lock is released, or under the token
  std::vector<int> listed_;  // guarded by listed_mutex_: destinations whose outbox became listed since the last Poll

  // Whether listed_ has entries. Owner: who holds listed_mutex_; read without it, acquire paired with the release of
  // Send only saves the lock: a stale false costs one Poll, as if Send had come a moment later.
  std::atomic<bool> has_listed_{false};
  // Messages sent whose batch MPI has not finished with. Senders add (before the append, so that it never falls below
  // zero), the token holder subtracts with release; an acquire load of zero sees those sends done.
  std::atomic<std::int64_t> unsent_messages_{0};
  // Whether there was traffic since a sleeper last asked, and when one last found that. Relaxed: hints for sleepers,
  // nothing is read through them; the clock is for them alone, since it costs as much as a lock.
  mutable std::atomic<bool> has_traffic_{false};
  mutable std::atomic<std::int64_t> last_traffic_ns_;
  // Owner: the token holder, any thread reads. Relaxed: statistics.
  std::atomic<std::uint64_t> messages_received_{0};
  std::atomic<std::uint64_t> bytes_received_{0};
  // Set by CollectiveClose, checked by Send. Relaxed: only catches misuse.
  std::atomic<bool> closed_{false};

  // Holder of the token.
  std::vector<int> to_send_;   // destinations whose outbox is listed
  std::vector<int> sending_;   // destinations with sends in flight
  std::vector<Receive> ring_;  // started in this order, from head_ on
  std::size_t head_ = 0;
  bool head_is_received_ = false;  // the head's buffer is being read
  int source_ = -1;                // of that buffer
  mpi::BatchReader reader_;        // the rest of it
  std::uint64_t batches_received_ = 0;
  std::vector<std::uint64_t> closing_counts_;  // lives on while the closing sum is under way
  std::uint64_t closing_sum_ = 0;
};

namespace mpi {
/// How long one may sleep after `quiet` nanoseconds without traffic: a quarter of that, from 50 us to 10 ms. MPI can
/// wake nobody, so this bounds what a message loses: by a quarter of the silence before it, and never over 10 ms; and
/// an idle rank polls a hundred times a second, some 0.1 % of a core.
std::int64_t QuietSleepNanoseconds(std::int64_t quiet);
}  // namespace mpi

}  // namespace manta
