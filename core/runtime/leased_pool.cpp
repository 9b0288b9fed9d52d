#include "core/runtime/leased_pool.hpp"

#include <pthread.h>

#include <utility>

namespace manta::runtime {

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
