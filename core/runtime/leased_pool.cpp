#include "core/runtime/leased_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/base/amount.hpp"
#include "core/base/log.hpp"
#include "core/topology/binding.hpp"
#include "core/worker/openmp.hpp"

namespace manta::runtime {

namespace {
/// OpenMP's regions of this thread, for as long as it lives, are as wide as the lease; then as before.
class ScopedWidth {
 public:
  explicit ScopedWidth(int width) : before_(worker::openmp::Width()) {
    if (before_ > 0) worker::openmp::SetWidth(width);
  }
  ScopedWidth(const ScopedWidth&) = delete;
  ScopedWidth& operator=(const ScopedWidth&) = delete;
  ~ScopedWidth() { worker::openmp::SetWidth(before_); }

 private:
  int before_;
};

int WidthOf(const wire::Lease& lease) {
  return static_cast<int>(std::clamp<std::int64_t>(Amount::FromUnits(lease.cpus).RoundedUp(), 1, 1 << 20));
}
}  // namespace

LeasedPool::~LeasedPool() { Stop(); }

void LeasedPool::Run(const wire::Lease& lease, Job job) {
  std::lock_guard lock(mutex_);
  // Who waited least first: its caches are warm, and the others may end.
  const auto idle = std::find_if(idle_.rbegin(), idle_.rend(),
                                 [&](const Threads::iterator& one) { return one->cores == lease.cores; });
  const bool found = idle != idle_.rend();
  const Threads::iterator thread = found ? *idle : threads_.emplace(threads_.end());
  thread->width = WidthOf(lease);
  if (!found) thread->cores = lease.cores;
  thread->job = std::move(job);
  if (found) {
    idle_.erase(std::next(idle).base());
    thread->changed.notify_one();
  } else {
    thread->thread = std::thread([this, thread] { ThreadMain(thread); });
  }
}

void LeasedPool::ThreadMain(Threads::iterator me) {
  pthread_setname_np(pthread_self(), "manta-leased");
  Bind(me->cores);
  std::unique_lock lock(mutex_);
  while (me->job) {
    Job job = std::exchange(me->job, nullptr);
    const int width = me->width;
    lock.unlock();
    {
      const ScopedWidth scope(width);
      job();
      job = nullptr;
    }
    lock.lock();
    if (stop_) break;
    idle_.push_back(me);
    if (idle_.size() > options_.most_idle) {
      idle_.front()->ends = true;
      idle_.front()->changed.notify_one();
      idle_.pop_front();
    }
    const auto told = [&] { return stop_ || me->ends || me->job; };
    if (!me->changed.wait_for(lock, options_.idle_life, told)) idle_.remove(me);
  }
  std::vector<std::thread> ended = std::exchange(ended_, {});
  ended_.push_back(std::move(me->thread));
  threads_.erase(me);
  if (threads_.empty()) none_left_.notify_all();
  lock.unlock();
  for (std::thread& thread : ended) thread.join();
}

void LeasedPool::Bind(const std::vector<std::int32_t>& cores) const {
  topology::CpuSet cpus;
  for (const std::int32_t core : cores)
    if (static_cast<std::size_t>(core) < options_.core_cpus.size())
      cpus |= options_.core_cpus[static_cast<std::size_t>(core)];
  if (!cpus.empty()) {
    const topology::BindResult bound = topology::BindThisThread(cpus);
    if (bound) return;
    static std::atomic<bool> said{false};
    if (!said.exchange(true))
      MANTA_LOG(kWarning, "leases",
                bound.reason << "; tasks like this one run on all that they may use; --manta-binding off binds nothing");
  }
  // A thread begins where the one is that made it, which may be bound itself.
  if (!options_.node_cpus.empty()) topology::BindThisThread(options_.node_cpus);
}

void LeasedPool::Stop() {
  std::vector<std::thread> ended;
  {
    std::unique_lock lock(mutex_);
    stop_ = true;
    idle_.clear();
    for (Thread& thread : threads_) thread.changed.notify_one();
    none_left_.wait(lock, [this] { return threads_.empty(); });
    ended.swap(ended_);
  }
  for (std::thread& thread : ended) thread.join();
}

std::size_t LeasedPool::size() const {
  std::lock_guard lock(mutex_);
  return threads_.size();
}

}  // namespace manta::runtime
