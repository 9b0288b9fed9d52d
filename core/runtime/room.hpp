#pragma once
// Room in the node's store, when there is none: who needs some waits here, and a thread of the rank makes it.
//
//   LocalStore::Extent extent = room.Allocate(size);                       // blocks or parks; throws OutOfMemoryError
//   room.AllocateThen(size, [](auto extent, auto error) { ... });          // for who must not wait
//   room.Restore(entry, id, [](const auto& kept, auto error) { ... });     // of this rank, from its file
//
// In this order, until the first in the queue has room (what is read goes before what is new):
//   1. copies of other nodes' objects, and bytes that are in a file too, are dropped where nobody reads them;
//   2. while bytes are being freed by those who use them, it waits for that ("consumers first"), as long as somebody gets room;
//   3. values that count against the store are written into it, the oldest bytes of this rank that nobody reads are written to files, and the ranks of the node are asked to do the
//      same with theirs; once this has begun, an eighth of the store is kept free ahead of need;
//   4. who has waited for `wait_seconds` in which nothing became free on the node gets OutOfMemoryError.
//
// The thread is started by the first who waits. It takes no lock of others while it holds its own but the store's, and calls
// back with none.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/node/spill_files.hpp"
#include "core/object/error_record.hpp"
#include "core/runtime/counters.hpp"
#include "core/runtime/local_store.hpp"
#include "core/runtime/router.hpp"
#include "core/topology/cpu_set.hpp"
#include "core/worker/progress.hpp"

namespace manta::runtime {

/// Any thread.
class Room {
 public:
  struct Options {
    std::vector<Rank> peers;  // the other ranks of the node
    /// Has values that count, of so many bytes, written into the store, where they can be moved to disk; returns at once.
    std::function<void(std::uint64_t size_bytes)> seal_live;
    double wait_seconds = 10;
    topology::CpuSet cpus = {};  // where the thread runs; empty: where the one that first needs it does
  };
  Room(Options options, LocalStore& store, node::SpillFiles& files, Router& router, worker::Progress& progress,
       Counters& counters);
  ~Room() { Stop(); }

  /// Throws OutOfMemoryError where no store of this size could hold so many bytes.
  void CheckSize(std::uint64_t size_bytes) const;
  /// `instead_of`: so many bytes of values that count already go for it; it then goes before all others.
  LocalStore::Extent Allocate(std::uint64_t size_bytes, std::uint64_t instead_of = 0);
  /// Nothing where there is no room now, or others wait for it.
  std::optional<LocalStore::Extent> TryAllocate(std::uint64_t size_bytes, std::uint64_t instead_of = 0) {
    if (queue_.load(std::memory_order_relaxed)) return std::nullopt;
    return store_.TryAllocate(size_bytes, instead_of);
  }
  /// See LocalStore; false also where others wait for room.
  bool TryCountLive(std::shared_ptr<const void>& live, std::uint64_t size_bytes) {
    return !queue_.load(std::memory_order_relaxed) && store_.TryCountLive(live, size_bytes);
  }
  using Allocated = std::function<void(std::shared_ptr<LocalStore::Extent>, const object::ErrorPtr&)>;
  /// `then` on the room's thread, or at once with an error. For bytes that are read: before those of new objects.
  void AllocateThen(std::uint64_t size_bytes, Allocated then);
  using Restored = std::function<void(const LocalStore::Kept&, const object::ErrorPtr&)>;
  /// Brings back an unloaded entry of this rank. `then` on the room's thread, with the bytes kept,
  /// or nothing kept and no error: somebody else has done it, or the object is gone.
  void Restore(std::uint32_t entry, ObjectId id, Restored then);
  void On(Rank from, const wire::RoomWanted& message);
  /// Sees to it that the files of objects that are gone are removed.
  void Housekeeping();

  /// Fails all that wait: the session is over. Nothing waits from then on.
  void Close();
  /// Ends the thread. Then nothing is called back.
  void Stop();

 private:
  struct Waiter {
    std::uint64_t size = 0;
    std::uint64_t instead_of = 0;
    std::int64_t since_ns = 0;
    Allocated then;
  };
  using Lock = std::unique_lock<std::mutex>;

  void Enqueue(Lock& lock, std::deque<Waiter>& queue, std::uint64_t size_bytes, Allocated then,
               std::uint64_t instead_of = 0);
  void Wake();
  void Run();
  std::deque<Waiter>& FirstQueue() { return reads_.empty() ? puts_ : reads_; }
  void ServeFirst(Lock& lock);
  bool TryServe(Lock& lock, std::deque<Waiter>& queue);
  void MakeRoom(Lock& lock, std::uint64_t size_bytes);
  std::optional<std::uint64_t> SpillOne(Lock& lock);
  void FreeForPeers(Lock& lock);
  void AskPeers(Lock& lock, std::uint64_t size_bytes);
  void FailFirst(Lock& lock);
  void Load(std::uint32_t entry, ObjectId id, node::SpillFiles::File file, std::uint64_t size_bytes,
            const std::shared_ptr<LocalStore::Extent>& extent, object::ErrorPtr error);
  object::ErrorPtr TooLarge(std::uint64_t size_bytes) const;
  std::string WhyNoRoom(std::uint64_t size_bytes, const std::string& disk_error) const;

  const Options options_;
  LocalStore& store_;
  node::SpillFiles& files_;
  Router& router_;
  worker::Progress& progress_;
  Counters& counters_;

  std::atomic<bool> queue_{false};  // whether somebody waits: a hint (relaxed) for who would go past the queue

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<Waiter> reads_;
  std::deque<Waiter> puts_;
  std::unordered_map<std::uint32_t, std::vector<Restored>> loading_;  // by entry: who is told
  std::uint64_t wanted_ = 0;   // bytes that peers want freed here
  bool spills_ahead_ = false;  // keeps room free before it is asked for
  bool closed_ = false;
  bool stops_ = false;
  std::thread thread_;
  std::string disk_error_;  // of the last write; empty: it went well
  // Written by the thread only.
  std::uint64_t seen_frees_ = 0, seen_free_bytes_ = 0;
  std::int64_t quiet_since_ns_ = 0;  // since when nothing has become free
  std::int64_t served_at_ns_ = 0;    // when the last one had room
  std::int64_t spilled_at_ns_ = 0;   // the last time; 0: never
  std::int64_t disk_failed_at_ns_ = 0;
  std::int64_t asked_peers_at_ns_ = 0;
  std::int64_t asked_live_at_ns_ = 0;
  std::uint64_t asked_peers_for_ = 0;
};

}  // namespace manta::runtime
