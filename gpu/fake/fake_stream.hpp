#pragma once
// A fake stream: a thread that does queued work in order, each piece after a random delay, so that whoever forgets to
// synchronize is found out. And the mark that an event leaves in it.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <random>
#include <thread>

namespace manta::gpu {

/// Set once by one thread, waited for by any.
class FakeMark {
 public:
  void Set();
  void Wait();
  bool IsSet() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;  // guarded by mutex_
};

/// Any thread, but the last owner must not be its own work.
class FakeStream {
 public:
  /// The delays, 0 to `max_delay_us`, depend on `seed` alone.
  FakeStream(std::uint64_t seed, int max_delay_us);
  /// Does what is still queued, then ends the thread: blocks.
  ~FakeStream();

  void Push(std::function<void()> work);
  /// Blocks until all that was pushed before is done.
  void Wait();
  bool Idle() const;

 private:
  void Run();

  const int max_delay_us_;
  mutable std::mutex mutex_;  // guards all below but thread_ and random_
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::uint64_t pushed_ = 0;
  std::uint64_t done_ = 0;
  bool closing_ = false;
  std::mt19937_64 random_;  // the thread's alone
  std::thread thread_;      // last: it uses all above
};

}  // namespace manta::gpu
