#include "core/runtime/threads.hpp"

#include <pthread.h>

#include <utility>

#include "core/topology/binding.hpp"

namespace manta::runtime {

// ---- executors ----
class ExecutorPool::Executor : public worker::FiberThread, public WaitHooks {
 public:
  Executor(ExecutorPool& pool, int index) : FiberThread(pool.stacks_), pool_(pool), index_(index) {}
  void Start() {
    thread_ = std::thread([this] {
      if (!pool_.options_.cpus.empty()) topology::BindThisThread(pool_.options_.cpus[static_cast<std::size_t>(index_)]);
      pthread_setname_np(pthread_self(), ("manta-exec-" + std::to_string(index_)).c_str());
      sleeper_.store(&worker::Sleeper::OfThisThread(), std::memory_order_release);
      WaitHooks::OfThisThread() = this;
      SetThisExecutor(this);
      RunLoop();
      SetThisExecutor(nullptr);
      sleeper_.store(nullptr, std::memory_order_release);
    });
  }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }
  ExecutorPool& pool() { return pool_; }
  /// Whether it was idle and now looks again.
  bool WakeIfIdle() {
    if (!idle_.exchange(false, std::memory_order_acq_rel)) return false;
    pool_.idle_.fetch_sub(1, std::memory_order_relaxed);
    Wake();
    return true;
  }
  void Wake() {
    if (worker::Sleeper* sleeper = sleeper_.load(std::memory_order_acquire); sleeper != nullptr && sleeper->Wake())
      pool_.progress_.CountWakeup();
  }

  // A task that waits leaves its CPU to others, and takes one again afterwards even where none is free: it must not
  // wait twice.
  void BeforeWait() override {
    pool_.parks_.fetch_add(1, std::memory_order_relaxed);
    pool_.slots_.GiveBack(Amount::Whole(1));
    pool_.progress_.block().running.fetch_sub(1, std::memory_order_relaxed);
    pool_.work_.SlotWasReturned();
  }
  void AfterWait() override {
    pool_.slots_.GiveBack(Amount::Whole(-1));
    pool_.progress_.block().running.fetch_add(1, std::memory_order_relaxed);
  }

 protected:
  void Loop() override {
    for (;;) {
      if (SwitchToReady()) continue;
      if (pool_.stop_.load(std::memory_order_acquire) && parked() == 0) return;
      if (RunOne()) {
        pool_.progress_.PollIfDue();
        continue;
      }
      const std::int64_t timer = FireTimers(base::NowNanoseconds());
      if (HasReady()) continue;
      SayIdle();
      pool_.work_.ExecutorIsIdle();
      pool_.progress_.Wait(
          *sleeper_.load(std::memory_order_relaxed),
          [this] {
            if (SayIdle()) pool_.work_.ExecutorIsIdle();
            return HasReady() || (pool_.stop_.load(std::memory_order_acquire) && parked() == 0) || HasTask();
          },
          timer);
      if (idle_.exchange(false, std::memory_order_acq_rel)) pool_.idle_.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  void WakeUp() override { Wake(); }

 private:
  static void SetThisExecutor(Executor* executor);
  /// Said before looking at the queue, and again when a wake-up took it back: who pushes looks at it after pushing
  /// (WakeOne).
  bool SayIdle() {
    if (idle_.load(std::memory_order_relaxed)) return false;
    idle_.store(true, std::memory_order_seq_cst);
    pool_.idle_.fetch_add(1, std::memory_order_seq_cst);
    return true;
  }
  bool HasTask() const { return !pool_.queue_.empty() && pool_.slots_.FreeOf(my_slot()) >= Amount::Whole(1); }
  std::uint32_t my_slot() const { return pool_.my_index(); }
  bool RunOne() {
    if (pool_.queue_.empty() || !pool_.slots_.TryTake(Amount::Whole(1))) return false;
    task::TaskPtr task = pool_.queue_.Pop(static_cast<std::size_t>(index_));
    if (!task) {
      pool_.slots_.GiveBack(Amount::Whole(1));
      return false;
    }
    pool_.progress_.block().running.fetch_add(1, std::memory_order_relaxed);
    pool_.work_.RunOnExecutor(std::move(task), index_);
    pool_.progress_.block().running.fetch_sub(1, std::memory_order_relaxed);
    pool_.slots_.GiveBack(Amount::Whole(1));
    pool_.work_.SlotWasReturned();
    return true;
  }

  ExecutorPool& pool_;
  const int index_;
  std::thread thread_;
  std::atomic<worker::Sleeper*> sleeper_{nullptr};
  std::atomic<bool> idle_{false};
};

namespace {
thread_local ExecutorPool::Executor* this_executor = nullptr;
}
void ExecutorPool::Executor::SetThisExecutor(Executor* executor) { this_executor = executor; }

ExecutorPool::ExecutorPool(Options options, worker::Progress& progress, node::SlotTable& slots,
                           scheduling::ReadyQueue& queue, ThreadWork& work)
    : options_(std::move(options)), progress_(progress), slots_(slots), queue_(queue), work_(work) {
  for (int i = 0; i < options_.executors; ++i) executors_.push_back(std::make_unique<Executor>(*this, i));
}

ExecutorPool::~ExecutorPool() { Stop(); }

void ExecutorPool::Start() {
  for (auto& executor : executors_) executor->Start();
}

void ExecutorPool::Stop() {
  stop_.store(true, std::memory_order_release);
  for (auto& executor : executors_) {
    executor->Wake();
    executor->Join();
  }
}

bool ExecutorPool::WakeOne() {
  node::FullFence();  // after the push, before the look at who is idle
  // An executor that polls and got the task itself is the best to run it: it is awake.
  if (this_executor != nullptr && &this_executor->pool() == this && this_executor->WakeIfIdle()) return true;
  if (idle_.load(std::memory_order_relaxed) <= 0) return false;
  for (auto& executor : executors_)
    if (executor->WakeIfIdle()) return true;
  return false;
}

// ---- lanes ----
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
  bool stop = false;  // guarded by the pool's mutex

 protected:
  void Loop() override {
    worker::Sleeper& me = *sleeper_.load(std::memory_order_relaxed);
    for (;;) {
      if (SwitchToReady()) continue;
      const std::uint32_t seen = me.Look();
      Job job;
      if (pool_.Take(job)) {
        pool_.progress_.EnsureWatch();
        job();
        job = nullptr;
        continue;
      }
      const std::int64_t timer = FireTimers(base::NowNanoseconds());
      if (HasReady()) continue;
      {
        std::lock_guard lock(pool_.mutex_);
        if (!pool_.jobs_.empty()) continue;
        if (stop && parked() == 0) return;
        pool_.idle_.push_back(this);
      }
      me.Sleep(seen, timer < 0 ? -1 : std::max<std::int64_t>(0, timer - base::NowNanoseconds()));
      std::lock_guard lock(pool_.mutex_);
      std::erase(pool_.idle_, this);
    }
  }
  void WakeUp() override { Wake(); }

 private:
  LanePool& pool_;
  std::atomic<worker::Sleeper*> sleeper_{nullptr};
  std::thread thread_;  // last: it uses the others
};

LanePool::LanePool(worker::Progress& progress, worker::StackPool& stacks) : progress_(progress), stacks_(stacks) {}
LanePool::~LanePool() { Stop(); }

void LanePool::AddLane() { lanes_.push_back(std::make_unique<Lane>(*this, stacks_)); }

void LanePool::Push(Job job) {
  Lane* wake = nullptr;
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(job), base::NowNanoseconds()});
    waiting_.store(jobs_.size(), std::memory_order_release);
    if (lanes_.empty()) {
      AddLane();
    } else if (!idle_.empty()) {
      wake = idle_.back();
      idle_.pop_back();
    }
  }
  if (wake != nullptr)
    wake->Wake();
  else
    progress_.EnsureWatch();  // all lanes run: the service thread sees to it that the job does not wait long
}

bool LanePool::Take(Job& job) {
  if (waiting_.load(std::memory_order_acquire) == 0) return false;
  std::lock_guard lock(mutex_);
  if (jobs_.empty()) return false;
  job = std::move(jobs_.front().job);
  jobs_.pop_front();
  waiting_.store(jobs_.size(), std::memory_order_release);
  return true;
}

bool LanePool::Tick() {
  if (waiting_.load(std::memory_order_acquire) == 0)
    return false;  // Push wakes the watch when there is something again
  Lane* wake = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (jobs_.empty() || stop_) return false;
    if (!idle_.empty()) {
      wake = idle_.back();
      idle_.pop_back();
    } else if (base::NowNanoseconds() - jobs_.front().since_ns > kPatienceNs && lanes_.size() < kMaxLanes) {
      AddLane();
    }
  }
  if (wake != nullptr) wake->Wake();
  return true;
}

void LanePool::Stop() {
  std::vector<std::unique_ptr<Lane>> lanes;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    lanes.swap(lanes_);
    for (auto& lane : lanes) lane->stop = true;
  }
  for (auto& lane : lanes) {
    lane->Wake();
    lane->Join();
  }
}

// ---- leased threads ----
LeasedPool::~LeasedPool() { Stop(); }

void LeasedPool::Run(Job job) {
  std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  if (idle_ < jobs_.size())
    threads_.emplace_back([this] { ThreadMain(); });
  else
    changed_.notify_one();
}

void LeasedPool::ThreadMain() {
  pthread_setname_np(pthread_self(), "manta-leased");
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    progress_.EnsureWatch();
    job();
    job = nullptr;
    lock.lock();
  }
}

void LeasedPool::Stop() {
  std::vector<std::thread> threads;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    threads.swap(threads_);
    changed_.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace manta::runtime
