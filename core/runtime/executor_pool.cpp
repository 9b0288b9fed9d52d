#include "core/runtime/executor_pool.hpp"

#include <pthread.h>

#include <bit>
#include <utility>

#include "core/topology/binding.hpp"

namespace manta::runtime {

namespace {
thread_local ExecutorPool::Executor* this_executor = nullptr;
}

class ExecutorPool::Executor : public worker::FiberThread, public WaitHooks {
 public:
  Executor(ExecutorPool& pool, int index)
      : FiberThread(pool.stacks_), pool_(pool), index_(index), core_(pool.progress_.block().running) {}
  void Start() {
    thread_ = std::thread([this] {
      if (static_cast<std::size_t>(index_) < pool_.options_.cpus.size())
        topology::BindThisThread(pool_.options_.cpus[static_cast<std::size_t>(index_)]);
      pthread_setname_np(pthread_self(), ("manta-exec-" + std::to_string(index_)).c_str());
      sleeper_.store(&worker::Sleeper::OfThisThread(), std::memory_order_release);
      WaitHooks::OfThisThread() = this;
      this_executor = this;
      RunLoop();
      this_executor = nullptr;
      core_.Drop();
      sleeper_.store(nullptr, std::memory_order_release);
    });
  }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }
  ~Executor() override {
    while (!came_.empty()) task::TaskPtr::Adopt(came_.Pop());
  }
  ExecutorPool& pool() { return pool_; }
  void Wake() {
    if (worker::Sleeper* sleeper = sleeper_.load(std::memory_order_acquire); sleeper != nullptr && sleeper->Wake())
      pool_.progress_.CountWakeup();
  }
  bool asleep() const {
    const worker::Sleeper* sleeper = sleeper_.load(std::memory_order_acquire);
    return sleeper != nullptr && sleeper->asleep();
  }
  bool has_lane_jobs() const { return lane_jobs_.load(std::memory_order_relaxed) != 0; }
  /// Flows stay on their thread. So while a lane job waits here no CPU task runs that it would wait for, and while any
  /// flow does, no lane job, which may block for long.
  bool TakesTasks() const { return !has_lane_jobs(); }
  bool TakesLaneJobs() const { return index_ < pool_.options_.executors && parked() == 0; }
  /// What it takes while it says that it is idle.
  bool Accepts(Takes what) const { return (takes_.load(std::memory_order_relaxed) & what) != 0; }
  bool polls() const { return polls_; }
  /// No flow waits here then, so nothing comes before it but a task.
  bool HandOver(LaneJob* job) {
    if (!polls_ || next_job_ != nullptr || !TakesLaneJobs() || !pool_.lanes_->empty()) return false;
    next_job_ = job;
    return true;
  }
  bool HandOver(task::TaskPtr& task) {
    if (!pool_.queue_.empty()) return false;
    if (!next_ && came_.empty() && (std::exchange(ends_task_, false) || TakeOwnTurn())) {
      next_ = std::move(task);
      return true;
    }
    // Those of other ranks that only this thread can run need not go through the queue.
    if (!polls_ || !TakesTasks() || task->owned() || !task->is_pinned() || !pool_.IsAlone()) return false;
    came_.Push(task.Release());
    return true;
  }
  void TaskEnds() { ends_task_ = TakesTasks(); }
  /// What was to be run next must not wait for something else that may be long.
  void ShareNext() {
    if (!next_ && came_.empty()) return;
    QueueNext();
    pool_.WakeOne();
  }
  /// In a poll of its own a task has come: whether it will run that one, and not one that came before.
  bool TakeOwnTurn() {
    if (!polls_ || !std::exchange(free_for_task_, false)) return false;
    if (SaysIdle()) ClearIdle();
    return true;
  }

  // A task that waits leaves its CPU to the thread, which runs others or gives it back; and has it again afterwards
  // even where none is free: it must not wait twice.
  bool BeforeWait() override {
    ends_task_ = false;
    pool_.parks_.fetch_add(1, std::memory_order_relaxed);
    pool_.work_.RunningTaskWaits();
    return std::exchange(in_lane_job_, false);
  }
  void AfterWait(bool in_lane_job) override {
    in_lane_job_ = in_lane_job;
    core_.Take();
    if (in_lane_job) {
      GiveSlotBack();
    } else if (!has_slot_) {
      pool_.slots_.GiveBack(Amount::Whole(-1));
      has_slot_ = true;
    }
    pool_.work_.RunningTaskGoesOn();
  }

 protected:
  void Loop() override {
    for (;;) {
      if (HasReady()) {
        ShareNext();
        SwitchToReady();
        continue;
      }
      if (RunLaneJob() || RunTask()) {
        Poll();
        continue;
      }
      GiveSlotBack();
      if (pool_.stop_.load(std::memory_order_acquire) && parked() == 0) return;
      const std::int64_t timer = parked() == 0 ? -1 : FireTimers(base::NowNanoseconds());
      if (!HasReady()) Idle(timer);
    }
  }
  void WakeUp() override { Wake(); }

 private:
  std::atomic<std::uint64_t>& word() { return pool_.idle_[static_cast<std::size_t>(index_) / 64]; }
  std::uint64_t bit() const { return std::uint64_t{1} << (index_ % 64); }
  bool SaysIdle() { return (word().load(std::memory_order_relaxed) & bit()) != 0; }
  void SetIdle() { word().fetch_or(bit(), std::memory_order_seq_cst); }
  void ClearIdle() { word().fetch_and(~bit(), std::memory_order_relaxed); }

  bool HasNext() const { return next_ || !came_.empty(); }
  bool AnyTask() const { return HasNext() || !pool_.queue_.empty(); }
  bool HasTask() const { return AnyTask() && TakesTasks() && (has_slot_ || pool_.HasSlot()); }
  bool HasLaneJob() const { return (next_job_ != nullptr || !pool_.lanes_->empty()) && TakesLaneJobs(); }
  bool HasWork() {
    return HasReady() || HasTask() || HasLaneJob() || (pool_.stop_.load(std::memory_order_acquire) && parked() == 0);
  }
  /// Waits for work, polling if nobody else does.
  void Idle(std::int64_t timer) {
    polls_ = true;
    free_for_task_ = TakesTasks();
    // Relaxed: SetIdle follows.
    takes_.store(static_cast<std::uint8_t>((TakesTasks() ? kTasks : 0) | (TakesLaneJobs() ? kLaneJobs : 0)),
                 std::memory_order_relaxed);
    pool_.progress_.Wait(
        *sleeper_.load(std::memory_order_relaxed),
        [this] {
          if (HasWork()) return true;
          if (SaysIdle()) return false;
          // At first, and when a wake-up brought nothing. Whoever pushes from now on wakes us.
          SetIdle();
          if (TakesTasks() && pool_.HasSlot()) pool_.work_.ExecutorIsIdle();
          return HasWork();
        },
        timer, &core_);
    polls_ = false;
    if (SaysIdle()) ClearIdle();
  }
  /// Between two tasks. While others wait here, only after a microsecond or two: each look at a ring takes the line of its
  /// next cell from the writer, who then waits for it with each message.
  void Poll() {
    const std::uint64_t now = base::CycleTicks();
    if ((!came_.empty() || !pool_.queue_.empty()) && now - polled_at_ < kTicksBetweenPolls) return;
    polled_at_ = now;
    polls_ = true;
    free_for_task_ = TakesTasks() && !AnyTask();
    pool_.progress_.PollIfDue();
    polls_ = false;
  }
  /// Kept from task to task; given back for a lane job, when there is nothing to do, and when the ledger wants CPUs.
  void GiveSlotBack() {
    if (!has_slot_) return;
    has_slot_ = false;
    pool_.slots_.GiveBack(Amount::Whole(1));
    pool_.work_.SlotWasReturned();
  }
  bool RunLaneJob() {
    if (!HasLaneJob()) return false;
    if (HasTask()) {
      if (next_job_ != nullptr) pool_.lanes_->Put(std::exchange(next_job_, nullptr));
      pool_.lanes_->CallLane();
      return false;
    }
    LaneJob* job = next_job_ != nullptr ? std::exchange(next_job_, nullptr) : pool_.lanes_->Take();
    if (job == nullptr) return false;
    ShareNext();
    GiveSlotBack();
    if (!pool_.lanes_->empty() || !pool_.queue_.empty()) pool_.progress_.EnsureWatch();  // this one may be long
    core_.Take();
    in_lane_job_ = true;
    lane_jobs_.store(lane_jobs_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    job->run(job);
    in_lane_job_ = false;
    lane_jobs_.store(lane_jobs_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    return true;
  }
  bool RunTask() {
    if (has_slot_ && pool_.work_.SlotsAreOwed()) GiveSlotBack();
    if (!AnyTask() || !TakesTasks()) return false;
    if (!has_slot_ && !pool_.slots_.TryTake(Amount::Whole(1))) {
      QueueNext();
      return false;
    }
    has_slot_ = true;
    const task::TaskPtr task = TakeTask();
    if (!task) return false;
    core_.Take();
    pool_.work_.RunOnExecutor(task, index_);
    ends_task_ = false;
    return true;
  }
  /// Claimed. Empty where there is none.
  task::TaskPtr TakeTask() {
    while (HasNext()) {
      task::TaskPtr task = next_ ? std::move(next_) : task::TaskPtr::Adopt(came_.Pop());
      if (task->Claim()) return task;
    }
    return pool_.queue_.Pop(static_cast<std::size_t>(index_));
  }
  void QueueNext() {
    if (next_) pool_.queue_.Push(std::move(next_));
    while (!came_.empty()) pool_.queue_.Push(task::TaskPtr::Adopt(came_.Pop()));
  }

  ExecutorPool& pool_;
  const int index_;
  // The thread's own.
  worker::CoreClaim core_;
  bool has_slot_ = false;
  bool polls_ = false;
  static constexpr std::uint64_t kTicksBetweenPolls = 4096;
  std::uint64_t polled_at_ = 0;         // CycleTicks
  task::TaskPtr next_;                  // came in its own poll, or with the end of its task: run before the queue
  task::RecordList came_;               // came after that, while the queue was empty: run after it; with their holds
  bool ends_task_ = false;              // it tells of a task's end, and is free for what becomes ready by that
  LaneJob* next_job_ = nullptr;         // the same of a lane job
  bool free_for_task_ = false;          // while it polls: nothing is queued that it has to run first
  bool in_lane_job_ = false;            // of the running flow
  std::atomic<int> lane_jobs_{0};       // that run or wait here; relaxed, read by the service thread
  std::atomic<std::uint8_t> takes_{0};  // of enum Takes; relaxed: a hint, Tick comes where it was old
  std::thread thread_;
  std::atomic<worker::Sleeper*> sleeper_{nullptr};
};

ExecutorPool::ExecutorPool(Options options, worker::Progress& progress, node::SlotTable& slots,
                           scheduling::ReadyQueue& queue, ThreadWork& work)
    : options_(std::move(options)),
      progress_(progress),
      slots_(slots),
      queue_(queue),
      work_(work),
      executors_(WithSpares(options_.executors)),
      idle_((executors_.size() + 63) / 64) {}

ExecutorPool::~ExecutorPool() { Stop(); }

void ExecutorPool::Start() {
  std::lock_guard lock(start_mutex_);
  for (int i = 0; i < options_.executors; ++i) StartNext();
}

void ExecutorPool::StartNext() {
  const std::size_t index = started_.load(std::memory_order_relaxed);
  executors_[index] = std::make_unique<Executor>(*this, static_cast<int>(index));
  started_.store(index + 1, std::memory_order_relaxed);
  executors_[index]->Start();
}

void ExecutorPool::Stop() {
  std::size_t started = 0;
  {
    std::lock_guard lock(start_mutex_);
    stop_.store(true, std::memory_order_release);
    started = started_.load(std::memory_order_relaxed);
  }
  for (std::size_t i = 0; i < started; ++i) {
    executors_[i]->Wake();
    executors_[i]->Join();
  }
}

bool ExecutorPool::WakeIdle(Takes what, bool awake) {
  for (std::size_t w = 0; w < idle_.size(); ++w) {
    // Relaxed: the caller has fenced. What the executor did before is not read; what we did it sees by its sleeper.
    for (std::uint64_t left = idle_[w].load(std::memory_order_relaxed); left != 0; left &= left - 1) {
      const std::size_t index = 64 * w + static_cast<std::size_t>(std::countr_zero(left));
      if (!executors_[index]->Accepts(what) || (awake && executors_[index]->asleep())) continue;
      const std::uint64_t bit = left & (~left + 1);
      if ((idle_[w].fetch_and(~bit, std::memory_order_acq_rel) & bit) == 0) continue;  // another woke it
      executors_[index]->Wake();
      return true;
    }
  }
  return false;
}

bool ExecutorPool::HandOver(task::TaskPtr& task) {
  return this_executor != nullptr && &this_executor->pool() == this && this_executor->HandOver(task);
}

bool ExecutorPool::HandOver(LaneJob* job) {
  return this_executor != nullptr && &this_executor->pool() == this && this_executor->HandOver(job);
}

void ExecutorPool::TaskEnds() {
  if (this_executor != nullptr && &this_executor->pool() == this) this_executor->TaskEnds();
}

void ExecutorPool::ShareNext() {
  if (this_executor != nullptr && &this_executor->pool() == this) this_executor->ShareNext();
}

bool ExecutorPool::WakeOne() {
  if (this_executor != nullptr && &this_executor->pool() == this) {
    // An executor that polls and got the task itself is the best to run it: it is awake.
    if (this_executor->TakeOwnTurn()) return true;
    if (this_executor->polls() && IsAlone()) return false;
  }
  node::FullFence();  // after the push, before the look at who is idle
  if (!HasSlot()) return false;
  if (WakeIdle(kTasks, false)) return true;
  // A CPU is free and nobody is: some are inside lane jobs, which may be long.
  progress_.EnsureWatch();
  return false;
}

bool ExecutorPool::AnyIdle() const {
  if (!HasSlot()) return false;
  for (std::size_t w = 0; w < idle_.size(); ++w)
    for (std::uint64_t left = idle_[w].load(std::memory_order_relaxed); left != 0; left &= left - 1)
      if (executors_[64 * w + static_cast<std::size_t>(std::countr_zero(left))]->Accepts(kTasks)) return true;
  return false;
}

bool ExecutorPool::ThisOnePolls() const {
  return this_executor != nullptr && &this_executor->pool() == this && this_executor->polls() &&
         this_executor->TakesLaneJobs();
}

bool ExecutorPool::WakeForLaneJob(bool awake) { return WakeIdle(kLaneJobs, awake); }

bool ExecutorPool::Tick() {
  if (queue_.empty() || !HasSlot()) {
    stuck_since_ns_ = -1;
    return false;
  }
  std::unique_lock lock(start_mutex_);
  bool in_lane_job = false;
  for (std::size_t i = 0; i < started_; ++i) in_lane_job = in_lane_job || executors_[i]->has_lane_jobs();
  if (!in_lane_job || stop_.load(std::memory_order_relaxed)) {
    stuck_since_ns_ = -1;
    return false;
  }
  const std::int64_t now = base::NowNanoseconds();
  if (stuck_since_ns_ < 0) stuck_since_ns_ = now;
  if (now - stuck_since_ns_ <= kPatienceNs || WakeIdle(kTasks, false) || started_ == executors_.size()) return true;
  StartNext();
  stuck_since_ns_ = now;
  return true;
}

}  // namespace manta::runtime
