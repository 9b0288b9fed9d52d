#include "core/runtime/room.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/clock.hpp"
#include "core/base/log.hpp"
#include "core/runtime/wait_point.hpp"
#include "core/topology/binding.hpp"

namespace manta::runtime {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
// How long nothing must have become free before bytes are written to disk; less where they were just now.
constexpr std::int64_t kConsumersFirstNs = 20 * kMillisecond;
constexpr std::int64_t kConsumersAgainNs = 2 * kMillisecond;
// What became free meanwhile may be of no use here: a peer takes it again, or it is too small.
constexpr std::int64_t kFreesInVainNs = 10 * kConsumersFirstNs;
constexpr std::int64_t kPutsTurnNs = 1000 * kMillisecond;
constexpr std::int64_t kJustNowNs = 500 * kMillisecond;
constexpr std::int64_t kDiskRetryNs = 1000 * kMillisecond;  // after a write that failed
constexpr std::int64_t kAskAgainNs = 2 * kMillisecond;
constexpr auto kLook = std::chrono::microseconds(300);  // frees of other ranks are seen, not told
constexpr std::uint64_t kAheadShare = 8;                // of the store

object::ErrorPtr OutOfMemory(const std::string& text, std::uint64_t asked, std::uint64_t free) {
  object::ErrorRecord record;
  record.kind = object::ErrorKind::kOutOfMemory;
  record.message = text;
  record.asked_bytes = asked;
  record.free_bytes = free;
  return std::make_shared<const object::ErrorRecord>(std::move(record));
}

object::ErrorPtr SessionIsOver() {
  return object::MakeError(object::ErrorKind::kUsage, "the session ended while room in the object store was waited for");
}

}  // namespace

Room::Room(Options options, LocalStore& store, node::SpillFiles& files, Router& router, worker::Progress& progress,
           Counters& counters)
    : options_(std::move(options)), store_(store), files_(files), router_(router), progress_(progress),
      counters_(counters) {
  files_.GiveUp(false);  // the session before may have
  // Without the lock: a look that is missed comes 300 us later.
  store_.OnFree([this] {
    if (queue_.load(std::memory_order_relaxed)) changed_.notify_one();
  });
}

void Room::CheckSize(std::uint64_t size_bytes) const {
  if (size_bytes <= store_.total_bytes()) return;
  object::Throw(*TooLarge(size_bytes));
}

object::ErrorPtr Room::TooLarge(std::uint64_t size_bytes) const {
  return OutOfMemory("an object of " + std::to_string(size_bytes) + " bytes is larger than the node's object store of " +
                         std::to_string(store_.total_bytes()) +
                         " bytes; start with a larger --manta-object-store-bytes",
                     size_bytes, store_.FreeBytesOnNode());
}

// ---- who needs room ----
LocalStore::Extent Room::Allocate(std::uint64_t size_bytes, std::uint64_t instead_of) {
  CheckSize(size_bytes);
  if (auto extent = TryAllocate(size_bytes, instead_of)) return std::move(*extent);
  struct Waiting {
    explicit Waiting(worker::Progress& progress) : here(progress) {}
    WaitPoint here;
    std::shared_ptr<LocalStore::Extent> extent;
    object::ErrorPtr error;
  };
  // Shared: the wait throws where there is no memory to park in, and the callback comes all the same.
  const auto waiting = std::make_shared<Waiting>(progress_);
  Lock lock(mutex_);
  const auto then = [waiting](std::shared_ptr<LocalStore::Extent> got, const object::ErrorPtr& why_not) {
    waiting->extent = std::move(got);
    waiting->error = why_not;
    waiting->here.Signal();
  };
  Enqueue(lock, instead_of != 0 ? reads_ : puts_, size_bytes, then, instead_of);
  waiting->here.Wait(-1);
  if (waiting->error != nullptr) object::Throw(*waiting->error);
  return std::move(*waiting->extent);
}

void Room::AllocateThen(std::uint64_t size_bytes, Allocated then) {
  if (size_bytes > store_.total_bytes()) {
    then(nullptr, TooLarge(size_bytes));
    return;
  }
  Lock lock(mutex_);
  Enqueue(lock, reads_, size_bytes, std::move(then));
}

/// Unlocks.
void Room::Enqueue(Lock& lock, std::deque<Waiter>& queue, std::uint64_t size_bytes, Allocated then,
                   std::uint64_t instead_of) {
  if (closed_) {
    lock.unlock();
    then(nullptr, SessionIsOver());
    return;
  }
  Wake();  // first: it throws where no thread can be made, and then nothing is in the queue
  Waiter waiter{size_bytes, instead_of, base::NowNanoseconds(), std::move(then)};
  // What makes room itself may be what the first waits for.
  if (instead_of != 0)
    queue.push_front(std::move(waiter));
  else
    queue.push_back(std::move(waiter));
  queue_.store(true, std::memory_order_relaxed);
  lock.unlock();
}

void Room::Restore(std::uint32_t entry, ObjectId id, Restored then) {
  Lock lock(mutex_);
  if (const auto known = loading_.find(entry); known != loading_.end()) {
    known->second.push_back(std::move(then));
    return;
  }
  if (!closed_) Wake();  // may throw, and then nothing was begun
  const auto file = store_.BeginLoad(entry, id);
  if (!file) {
    lock.unlock();
    then({}, nullptr);
    return;
  }
  loading_[entry].push_back(std::move(then));
  const std::uint64_t size = store_.SizeOf(entry);
  Enqueue(lock, reads_, size, [this, entry, id, file = *file, size](const auto& extent, const object::ErrorPtr& error) {
    Load(entry, id, file, size, extent, error);
  });
}

void Room::Load(std::uint32_t entry, ObjectId id, node::SpillFiles::File file, std::uint64_t size_bytes,
                const std::shared_ptr<LocalStore::Extent>& extent, object::ErrorPtr error) {
  LocalStore::Kept kept;
  if (error == nullptr) {
    try {
      files_.Read(file, id, store_.At(extent->offset()), size_bytes);
      Counters::Add(counters_.bytes_restored, size_bytes);
    } catch (const node::SpillReadError& failed) {
      error = object::MakeError(object::ErrorKind::kObjectLost, failed.what());
    }
  }
  std::vector<Restored> told;
  {
    Lock lock(mutex_);
    // In one step with the record's: who asks from now on begins anew.
    auto loaded = store_.EndLoad(entry, error == nullptr ? std::optional(std::move(*extent)) : std::nullopt);
    if (loaded) kept = std::move(*loaded);
    told = std::move(loading_.extract(entry).mapped());
  }
  for (const Restored& one : told) one(kept, error);
}

void Room::On(Rank, const wire::RoomWanted& message) {
  Lock lock(mutex_);
  if (closed_) return;
  wanted_ = std::max(wanted_, message.bytes);
  Wake();
}

void Room::Housekeeping() {
  if (!files_.HasDiscarded()) return;
  Lock lock(mutex_);
  if (!closed_) Wake();
}

// ---- the thread ----
/// Locked.
void Room::Wake() {
  if (!thread_.joinable() && !stops_) thread_ = std::thread([this] { Run(); });
  changed_.notify_one();
}

void Room::Run() {
  pthread_setname_np(pthread_self(), "manta-room");
  if (!options_.cpus.empty()) topology::BindThisThread(options_.cpus);
  // A file that may not grow so large (RLIMIT_FSIZE) is a write that fails, and not the end of the job.
  sigset_t too_large;
  sigemptyset(&too_large);
  sigaddset(&too_large, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &too_large, nullptr);
  Lock lock(mutex_);
  while (!stops_) {
    if (!reads_.empty() || !puts_.empty()) {
      ServeFirst(lock);
    } else if (wanted_ != 0) {
      FreeForPeers(lock);
    } else if (spills_ahead_) {
      spills_ahead_ = store_.FreeBytesOnNode() < store_.total_bytes() / kAheadShare && SpillOne(lock).has_value();
    } else if (!files_.HasDiscarded()) {
      changed_.wait(lock);
    }
    if (files_.HasDiscarded()) {
      lock.unlock();
      files_.RemoveDiscarded();
      lock.lock();
    }
  }
}

void Room::ServeFirst(Lock& lock) {
  // A row of reads without end must not starve what asked long before them: that has what room there is.
  const bool puts_turn = !puts_.empty() && !reads_.empty() && reads_.front().instead_of == 0 &&
                         puts_.front().since_ns + kPutsTurnNs < reads_.front().since_ns;
  if (puts_turn && TryServe(lock, puts_)) return;
  if (!TryServe(lock, FirstQueue())) MakeRoom(lock, FirstQueue().front().size);
}

bool Room::TryServe(Lock& lock, std::deque<Waiter>& queue) {
  auto extent = store_.TryAllocate(queue.front().size, queue.front().instead_of);
  if (!extent) return false;
  const Waiter first = std::move(queue.front());
  queue.pop_front();
  queue_.store(!reads_.empty() || !puts_.empty(), std::memory_order_relaxed);
  asked_peers_for_ = 0;
  served_at_ns_ = base::NowNanoseconds();
  lock.unlock();
  first.then(std::make_shared<LocalStore::Extent>(std::move(*extent)), nullptr);
  lock.lock();
  return true;
}

void Room::MakeRoom(Lock& lock, std::uint64_t size_bytes) {
  const std::int64_t now = base::NowNanoseconds();
  const std::uint64_t frees = store_.frees();
  const std::uint64_t free_bytes = store_.FreeBytesOnNode();
  if (frees != seen_frees_ || free_bytes > seen_free_bytes_) quiet_since_ns_ = now;
  seen_frees_ = frees;
  seen_free_bytes_ = free_bytes;
  const auto waiting_since = [this] {
    return std::max(quiet_since_ns_, FirstQueue().front().since_ns);
  };
  const std::int64_t since = waiting_since();

  if (store_.FreeCheaply(size_bytes) != 0) return;
  const bool just_now = spilled_at_ns_ != 0 && now - spilled_at_ns_ < kJustNowNs;
  const bool in_vain = now - std::max(served_at_ns_, FirstQueue().front().since_ns) > kFreesInVainNs;
  if (!spills_ahead_ && !in_vain && now - since < (just_now ? kConsumersAgainNs : kConsumersFirstNs)) {
    changed_.wait_for(lock, kLook);
    return;
  }
  if (files_.enabled() && store_.live_bytes() != 0 && now - asked_live_at_ns_ > kAskAgainNs) {
    asked_live_at_ns_ = now;
    lock.unlock();
    options_.seal_live(size_bytes);
    lock.lock();
    if (stops_ || (reads_.empty() && puts_.empty())) return;
  }
  if (SpillOne(lock)) {
    spills_ahead_ = !closed_;
    return;
  }
  spills_ahead_ = false;
  // Meanwhile the lock was free: none may wait any more, or one that has just come.
  if ((reads_.empty() && puts_.empty()) || waiting_since() != since) return;
  if (static_cast<double>(now - since) >= options_.wait_seconds * 1e9) {
    FailFirst(lock);
    return;
  }
  AskPeers(lock, size_bytes);
  if (!stops_) changed_.wait_for(lock, kLook);
}

/// The bytes that became free; nothing where no file was written.
std::optional<std::uint64_t> Room::SpillOne(Lock& lock) {
  const std::int64_t now = base::NowNanoseconds();
  if (!files_.enabled() || closed_ || (disk_failed_at_ns_ != 0 && now - disk_failed_at_ns_ < kDiskRetryNs)) return std::nullopt;
  lock.unlock();
  const auto bytes = store_.BeginUnload();
  std::optional<std::uint64_t> freed;
  std::string error;
  if (bytes) {
    node::SpillFiles::File file = 0;
    try {
      file = files_.Write(bytes->id, bytes->data, bytes->size);
      Counters::Add(counters_.bytes_spilled, bytes->size);
    } catch (const node::SpillWriteError& failed) {
      error = failed.what();
    }
    const std::uint64_t free_now = store_.EndUnload(bytes->entry, file);
    if (file != 0) freed = free_now;
  }
  lock.lock();
  if (bytes && !closed_) {
    if (!error.empty() && disk_error_.empty()) base::SayLine("objects can't be moved to disk: " + error);
    disk_error_ = error;
    disk_failed_at_ns_ = error.empty() ? 0 : base::NowNanoseconds();
    if (error.empty()) spilled_at_ns_ = base::NowNanoseconds();
  }
  return freed;
}

void Room::FreeForPeers(Lock& lock) {
  const std::uint64_t wanted = std::exchange(wanted_, 0);
  std::uint64_t freed = store_.FreeCheaply(wanted);
  // Who needs room here goes first.
  while (freed < wanted && !closed_ && reads_.empty() && puts_.empty()) {
    const auto more = SpillOne(lock);
    if (!more) return;
    freed += *more;
  }
}

void Room::AskPeers(Lock& lock, std::uint64_t size_bytes) {
  const std::int64_t now = base::NowNanoseconds();
  if (options_.peers.empty() || now - asked_peers_at_ns_ < kAskAgainNs) return;
  asked_peers_at_ns_ = now;
  // More each time: what is freed may not lie side by side.
  asked_peers_for_ = std::min(std::max(size_bytes, 2 * asked_peers_for_), store_.total_bytes());
  const wire::RoomWanted wanted{asked_peers_for_};
  lock.unlock();
  for (const Rank peer : options_.peers) router_.Send(peer, wanted);
  lock.lock();
}

/// Of this rank's disk; where it has nothing to write it tries, as its peers may have failed.
std::string Room::WhyNoRoom(std::uint64_t size_bytes, const std::string& disk_error) const {
  if (!files_.enabled()) return "nothing is moved to disk (--manta-spill-dir off)";
  const std::string error = disk_error.empty() ? files_.WhyUnusable(size_bytes) : disk_error;
  if (!error.empty()) return "objects can't be moved to disk: " + error;
  return "what could be moved to disk was, all else is being read";
}

void Room::FailFirst(Lock& lock) {
  std::deque<Waiter>& queue = FirstQueue();
  const Waiter first = std::move(queue.front());
  queue.pop_front();
  queue_.store(!reads_.empty() || !puts_.empty(), std::memory_order_relaxed);
  const std::string disk_error = disk_error_;
  lock.unlock();
  const std::uint64_t free = store_.FreeBytesOnNode();
  const object::ErrorPtr error = OutOfMemory(
      "the node's object store has no room for " + std::to_string(first.size) + " bytes: " + std::to_string(free) +
          " of " + std::to_string(store_.total_bytes()) + " bytes are free, and none became free for a while; " +
          WhyNoRoom(first.size, disk_error) + "; drop refs, or start with a larger --manta-object-store-bytes",
      first.size, free);
  first.then(nullptr, error);
  lock.lock();
}

// ---- the end ----
void Room::Close() {
  std::deque<Waiter> waiters;
  {
    Lock lock(mutex_);
    closed_ = true;
    files_.GiveUp(true);  // a slow disk must not hold the session's end up
    for (std::deque<Waiter>* queue : {&reads_, &puts_}) {
      for (Waiter& one : *queue) waiters.push_back(std::move(one));
      queue->clear();
    }
    queue_.store(false, std::memory_order_relaxed);
    wanted_ = 0;
    spills_ahead_ = false;
  }
  for (const Waiter& one : waiters) one.then(nullptr, SessionIsOver());
}

void Room::Stop() {
  Close();
  store_.OnFree(nullptr);
  std::thread thread;
  {
    Lock lock(mutex_);
    stops_ = true;
    changed_.notify_one();
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

}  // namespace manta::runtime
