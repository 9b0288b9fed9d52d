#include "core/worker/sleeper.hpp"

#include <climits>
#include <mutex>
#include <vector>

#include "core/base/event_ring.hpp"
#include "core/node/doorbell.hpp"

namespace manta::worker {
namespace {

std::mutex pool_mutex;
std::vector<Sleeper*>& Pool() {
  static auto* pool = new std::vector<Sleeper*>();  // never freed: threads may end after main
  return *pool;
}

thread_local Sleeper* mine = nullptr;

/// Gives a thread's sleeper back when the thread ends.
struct Return {
  ~Return() {
    std::lock_guard lock(pool_mutex);
    Pool().push_back(mine);
    mine = nullptr;  // the main thread still waits once, in an exit handler: it takes another, for good
  }
};

}  // namespace

Sleeper& Sleeper::OfThisThread() {
  if (mine == nullptr) {
    std::lock_guard lock(pool_mutex);
    if (Pool().empty()) {
      mine = new Sleeper();
    } else {
      mine = Pool().back();
      Pool().pop_back();
    }
    thread_local Return at_end;
    static_cast<void>(at_end);
  }
  return *mine;
}

void Sleeper::Sleep(std::uint32_t seen, std::int64_t timeout_ns) {
  base::Record(base::EventKind::kSleep);
  place_.store(kOwnBed, std::memory_order_seq_cst);
  if (word_.load(std::memory_order_seq_cst) == seen) node::FutexWait(word_, seen, timeout_ns);
  place_.store(kAwake, std::memory_order_relaxed);
  base::Record(base::EventKind::kWake);
}

void Sleeper::SleepAtDoor(std::uint32_t seen, node::RankBlock& block, std::uint32_t bell_seen,
                          std::int64_t timeout_ns) {
  block_.store(&block, std::memory_order_relaxed);
  base::Record(base::EventKind::kSleep);
  place_.store(kDoor, std::memory_order_seq_cst);
  if (word_.load(std::memory_order_seq_cst) == seen) node::FutexWait(block.doorbell, bell_seen, timeout_ns);
  place_.store(kAwake, std::memory_order_relaxed);
  base::Record(base::EventKind::kWake);
}

bool Sleeper::Wake() {
  word_.fetch_add(1, std::memory_order_seq_cst);
  switch (place_.load(std::memory_order_seq_cst)) {
    case kOwnBed:
      return node::FutexWake(word_, 1) > 0;
    case kDoor: {
      node::RankBlock& block = *block_.load(std::memory_order_relaxed);
      // As a message would: a sleep that has not begun yet sees another bell.
      block.doorbell.fetch_add(1, std::memory_order_release);
      node::FutexWake(block.doorbell, INT_MAX);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace manta::worker
