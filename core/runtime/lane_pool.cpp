#include "core/runtime/lane_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "core/runtime/executor_pool.hpp"

namespace manta::runtime {

class LanePool::Lane : public worker::FiberThread {
 public:
  Lane(LanePool& pool, worker::StackPool& stacks) : FiberThread(stacks), pool_(pool) {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "manta-lane");
      sleeper_.store(&worker::Sleeper::OfThisThread(), std::memory_order_release);
      RunLoop();
      sleeper_.store(nullptr, std::memory_order_release);
    });
  }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }
  void Wake() {
    if (worker::Sleeper* sleeper = sleeper_.load(std::memory_order_acquire); sleeper != nullptr && sleeper->Wake())
      pool_.progress_.CountWakeup();
  }

 protected:
  void Loop() override {
    worker::Sleeper& me = *sleeper_.load(std::memory_order_relaxed);
    for (;;) {
      if (SwitchToReady()) continue;
      const std::uint32_t seen = me.Look();
      // Before the look at the jobs: who pushes after it calls again.
      pool_.called_.store(false, std::memory_order_relaxed);
      if (LaneJob* job = pool_.Take()) {
        job->run(job);
        continue;
      }
      const std::int64_t timer = parked() == 0 ? -1 : FireTimers(base::NowNanoseconds());
      if (HasReady()) continue;
      {
        std::lock_guard lock(pool_.lock_);
        if (pool_.first_ != nullptr) continue;
        if (pool_.stop_ && parked() == 0) return;
        pool_.idle_.push_back(this);
      }
      me.Sleep(seen, timer < 0 ? -1 : std::max<std::int64_t>(0, timer - base::NowNanoseconds()));
      std::lock_guard lock(pool_.lock_);
      std::erase(pool_.idle_, this);
    }
  }
  void WakeUp() override { Wake(); }

 private:
  LanePool& pool_;
  std::atomic<worker::Sleeper*> sleeper_{nullptr};
  std::thread thread_;  // last: it uses the others
};

LanePool::LanePool(worker::Progress& progress, ExecutorPool& executors) : progress_(progress), executors_(executors) {
  executors_.SetLanes(*this);
}
LanePool::~LanePool() { Stop(); }

std::size_t LanePool::Put(LaneJob* job) {
  job->next = nullptr;
  std::lock_guard lock(lock_);
  (first_ == nullptr ? first_ : last_->next) = job;
  last_ = job;
  const std::size_t waiting = waiting_.load(std::memory_order_relaxed) + 1;
  waiting_.store(waiting, std::memory_order_release);
  return waiting;
}

void LanePool::Push(LaneJob* job) {
  if (executors_.HandOver(job)) return;
  const std::size_t waiting = Put(job);
  if (executors_.ThisOnePolls()) return;
  // The driver, or another plain thread of the user's. One that has the token pushes what has come, and may compute
  // next.
  const bool may_leave = worker::FiberThread::Current() == nullptr && !progress_.HeldByThisThread();
  if (!may_leave || waiting % kRow == 0) return WakeSomeone();
  progress_.LeaveForWait();
  node::FullFence();  // as in WakeSomeone; and the job before the look at the watch
  if (!executors_.WakeForLaneJob(true)) progress_.EnsureWatch();
}

void LanePool::Push(std::function<void()> work) {
  struct Owned : LaneJob {
    std::function<void()> work;
  };
  auto* owned = new Owned();
  owned->work = std::move(work);
  owned->run = [](LaneJob* job) {
    const std::unique_ptr<Owned> self(static_cast<Owned*>(job));
    self->work();
  };
  Push(owned);
}

LaneJob* LanePool::Take() {
  if (empty()) return nullptr;
  std::lock_guard lock(lock_);
  LaneJob* job = first_;
  if (job == nullptr) return nullptr;
  first_ = job->next;
  ++taken_;
  waiting_.store(waiting_.load(std::memory_order_relaxed) - 1, std::memory_order_release);
  return job;
}

void LanePool::WakeSomeone() {
  node::FullFence();  // after the push, before the look at who is idle; an executor says so before it looks
  if (executors_.WakeForLaneJob(true) || WakeLane() || executors_.WakeForLaneJob(false)) return;
  // All are inside jobs or tasks: the service thread sees to it that this one does not wait long.
  if (!AddLane(true)) progress_.EnsureWatch();
}

void LanePool::CallLane() {
  // Relaxed: a lane that comes just now and finds nothing looks under the lock before it sleeps; and Tick looks too.
  if (called_.load(std::memory_order_relaxed) || called_.exchange(true, std::memory_order_relaxed)) return;
  if (WakeLane() || AddLane(true)) return;
  node::FullFence();  // the jobs before the look at the watch
  progress_.EnsureWatch();
}

bool LanePool::WakeLane() {
  Lane* lane = nullptr;
  {
    std::lock_guard lock(lock_);
    if (idle_.empty()) return false;
    lane = idle_.back();
    idle_.pop_back();
  }
  lane->Wake();
  return true;
}

bool LanePool::AddLane(bool first_only) {
  std::lock_guard lock(lanes_mutex_);
  if (lanes_.size() >= (first_only ? 1 : kMaxLanes)) return false;
  lanes_.push_back(std::make_unique<Lane>(*this, executors_.stacks()));
  return true;
}

bool LanePool::Tick() {
  std::uint64_t taken = 0;
  {
    std::lock_guard lock(lock_);
    if (first_ == nullptr || stop_) {
      seen_since_ns_ = -1;
      return false;  // Push wakes the watch when there is something that nobody comes for
    }
    taken = taken_;
  }
  const std::int64_t now = base::NowNanoseconds();
  if (seen_since_ns_ < 0 || taken != seen_taken_) {
    seen_taken_ = taken;
    seen_since_ns_ = now;
    progress_.BeforeWait();
  } else if (now - seen_since_ns_ > kPatienceNs) {
    // The oldest has waited behind long ones, or who was to run it has a CPU task instead.
    seen_since_ns_ = now;
    if (!WakeLane()) AddLane(false);
  }
  return true;
}

void LanePool::Stop() {
  {
    std::lock_guard lock(lock_);
    stop_ = true;
  }
  if (!empty()) AddLane(true);
  std::vector<std::unique_ptr<Lane>> lanes;
  {
    std::lock_guard lock(lanes_mutex_);
    lanes.swap(lanes_);
  }
  for (auto& lane : lanes) {
    lane->Wake();
    lane->Join();
  }
}

}  // namespace manta::runtime
