#pragma once
// Messages between ranks, as bytes. Order is kept per pair of ranks; nothing is lost while both live.
//
//   transport.Send(Rank(1), bytes);            // any thread, never blocks
//   transport.Poll(handler, 64);               // the holder of the progress token only

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/ids.hpp"

namespace manta {

/// Takes what comes in. Called under the progress token: must not block, and must not run user code.
class MessageHandler {
 public:
  virtual ~MessageHandler() = default;
  /// `message` is valid during the call only. Its start is aligned to 8 bytes.
  virtual void OnMessage(Rank source, std::span<const std::byte> message) = 0;
  /// After a batch of them.
  virtual void OnPolled() {}
};

struct TransportCounters {
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t wakeups_sent = 0;  // doorbells that cost a system call
};

class Transport {
 public:
  virtual ~Transport() = default;

  /// "ring", "mpi", "loopback".
  virtual std::string_view name() const = 0;
  /// Whether this transport can carry messages to `destination`.
  virtual bool Reaches(Rank destination) const = 0;
  /// Queues a copy of `message` (1 byte to 2^31 - 1) for `destination`. Never blocks: what does not fit waits in memory
  /// of this process until Poll. Any thread; messages of one thread to one destination arrive in order. Never after
  /// Close.
  virtual void Send(Rank destination, std::span<const std::byte> message) = 0;
  /// Pushes out what waits and delivers at most `budget` messages. Holder of the progress token only.
  /// Returns the number delivered.
  virtual std::size_t Poll(MessageHandler& handler, std::size_t budget) = 0;
  /// Whether all that was sent has left this process. Any thread; a snapshot.
  virtual bool Flushed() const = 0;
  /// Whether something may have come in: false is certain only in the order of the caller's own fence. Cheap; any
  /// thread.
  virtual bool MayHaveIncoming() const = 0;
  /// Whether a message that comes in rings the rank's doorbell, so that a sleeper need not wake by itself to look.
  virtual bool RingsSleepers() const { return false; }
  /// How long a sleeper may sleep before it must Poll again, in nanoseconds: rings wake it (a large number), MPI can't.
  virtual std::int64_t MaxSleepNanoseconds() const = 0;
  virtual TransportCounters counters() const = 0;
};

}  // namespace manta
