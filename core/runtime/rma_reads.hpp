#pragma once
// One-sided reads as a part of polling: they may be asked for by any thread, but started and tested only by the holder
// of the progress token.

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/ports/remote_memory.hpp"
#include "core/ports/transport.hpp"

namespace manta::runtime {

class RmaReads : public Transport {
 public:
  explicit RmaReads(RemoteMemory& memory) : memory_(memory) {}

  /// `done` is called under the token.
  void Read(Rank target, std::uint64_t offset, std::byte* to, std::size_t size_bytes, std::function<void()> done) {
    std::lock_guard lock(mutex_);
    waiting_.push_back({target, offset, to, size_bytes, std::move(done)});
    has_waiting_.store(true, std::memory_order_release);
  }

  /// The session is over: reads that are under way end, but nobody is told; the others do not begin. Poll until
  /// MayHaveIncoming is false. The token's holder.
  void ForgetCallers() {
    std::lock_guard lock(mutex_);
    waiting_.clear();
    has_waiting_.store(false, std::memory_order_release);
    for (auto& [token, done] : running_) done = [] {};
  }

  std::string_view name() const override { return "rma"; }
  bool Reaches(Rank) const override { return false; }
  void Send(Rank, std::span<const std::byte>) override {}
  std::size_t Poll(MessageHandler&, std::size_t) override {
    std::vector<Request> start;
    if (has_waiting_.load(std::memory_order_acquire)) {
      std::lock_guard lock(mutex_);
      start.swap(waiting_);
      // First, so that MayHaveIncoming does not miss them in between.
      outstanding_.store(running_.size() + start.size(), std::memory_order_relaxed);
      has_waiting_.store(false, std::memory_order_release);
    }
    for (Request& request : start) {
      memory_.StartRead(request.target, request.offset, request.to, request.size_bytes, ++last_token_);
      running_.emplace(last_token_, std::move(request.done));
    }
    if (running_.empty()) return 0;
    std::vector<std::uint64_t> done;
    memory_.PollReads(done);
    for (const std::uint64_t token : done) {
      auto node = running_.extract(token);
      if (!node.empty()) node.mapped()();
    }
    outstanding_.store(running_.size(), std::memory_order_relaxed);
    return done.size();
  }
  bool Flushed() const override { return !has_waiting_.load(std::memory_order_acquire); }
  bool MayHaveIncoming() const override { return !Flushed() || outstanding_.load(std::memory_order_relaxed) != 0; }
  std::int64_t MaxSleepNanoseconds() const override { return MayHaveIncoming() ? 0 : 1'000'000'000; }
  TransportCounters counters() const override { return {}; }

 private:
  struct Request {
    Rank target;
    std::uint64_t offset;
    std::byte* to;
    std::size_t size_bytes;
    std::function<void()> done;
  };
  RemoteMemory& memory_;
  std::mutex mutex_;
  std::vector<Request> waiting_;                                      // guarded by mutex_
  std::atomic<bool> has_waiting_{false};                              // written under mutex_: a look without it
  std::unordered_map<std::uint64_t, std::function<void()>> running_;  // token's holder only
  std::uint64_t last_token_ = 0;                                      // token's holder only
  std::atomic<std::size_t> outstanding_{0};                           // written by the token's holder
};

}  // namespace manta::runtime
