#include "gpu/fake/fake_stream.hpp"

#include <chrono>
#include <utility>

namespace manta::gpu {

void FakeMark::Set() {
  const std::lock_guard lock(mutex_);
  set_ = true;
  changed_.notify_all();
}

void FakeMark::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return set_; });
}

bool FakeMark::IsSet() const {
  const std::lock_guard lock(mutex_);
  return set_;
}

FakeStream::FakeStream(std::uint64_t seed, int max_delay_us)
    : max_delay_us_(max_delay_us), random_(seed), thread_([this] { Run(); }) {}

FakeStream::~FakeStream() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void FakeStream::Push(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    ++pushed_;
  }
  changed_.notify_all();
}

void FakeStream::Wait() {
  std::unique_lock lock(mutex_);
  const std::uint64_t target = pushed_;
  changed_.wait(lock, [&] { return done_ >= target; });
}

bool FakeStream::Idle() const {
  const std::lock_guard lock(mutex_);
  return done_ == pushed_;
}

void FakeStream::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    if (max_delay_us_ > 0) {
      std::uniform_int_distribution<int> delay_us(0, max_delay_us_);
      std::this_thread::sleep_for(std::chrono::microseconds(delay_us(random_)));
    }
    work();
    work = nullptr;  // what it captured goes before anybody hears that it is done
    lock.lock();
    ++done_;
    changed_.notify_all();
  }
}

}  // namespace manta::gpu
