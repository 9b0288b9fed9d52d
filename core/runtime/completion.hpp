#pragma once
// Objects in the order in which they are done.

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/object/object_state.hpp"
#include "core/runtime/cancellable.hpp"
#include "core/runtime/wait_note.hpp"
#include "core/runtime/wait_point.hpp"

namespace manta::runtime {

/// Registers with every object once, so that taking all of them costs one registration each. One reader.
class Completion {
 public:
  Completion(worker::Progress& progress, std::vector<object::Handle> refs)
      : progress_(progress), refs_(std::move(refs)), nodes_(refs_.size()), left_(refs_.size()) {
    for (std::size_t i = 0; i < refs_.size(); ++i) {
      nodes_[i].owner = this;
      nodes_[i].index = i;
      if (!object::StateOf(refs_[i])->AddWaiter(nodes_[i])) {
        nodes_[i].told_by_us = true;
        Push(i);
      }
    }
  }
  ~Completion() {
    std::size_t told_must_be = 0;
    for (Node& node : nodes_)
      if (!node.told_by_us && !object::StateOf(refs_[node.index])->RemoveWaiter(node)) ++told_must_be;
    // Who tells may still be in ObjectDone: it takes a few instructions.
    while (told_.load(std::memory_order_acquire) != told_must_be) std::this_thread::yield();
  }
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  /// The position of the next one that is done; nothing when all were given, or when the deadline has passed.
  std::optional<std::size_t> Next(std::int64_t deadline_ns, bool* timed_out) {
    if (timed_out != nullptr) *timed_out = false;
    if (left_ == 0) return std::nullopt;
    for (;;) {
      WaitPoint point(progress_);
      {
        std::lock_guard lock(mutex_);
        if (!ready_.empty()) {
          const std::size_t index = ready_.front();
          ready_.pop_front();
          --left_;
          return index;
        }
        waiting_ = &point;
      }
      Cancellable cancellable(point);
      WaitNote note(refs_, 1, deadline_ns);
      const bool signaled = point.Wait(deadline_ns);
      std::lock_guard lock(mutex_);
      waiting_ = nullptr;
      if (cancellable.IsCancelled()) throw CancelledError("the task was cancelled while it waited in AsCompleted");
      if (!signaled && ready_.empty()) {
        if (timed_out != nullptr) *timed_out = true;
        return std::nullopt;
      }
    }
  }

 private:
  struct Node final : object::ObjectWaiter {
    void ObjectDone(object::ObjectState&) override {
      Completion* completion = owner;
      completion->Push(index);
      completion->told_.fetch_add(1, std::memory_order_release);  // the last touch
    }
    Completion* owner = nullptr;
    std::size_t index = 0;
    bool told_by_us = false;
  };
  void Push(std::size_t index) {
    std::lock_guard lock(mutex_);
    ready_.push_back(index);
    // Under the lock: the reader takes it before its WaitPoint goes.
    if (waiting_ != nullptr) std::exchange(waiting_, nullptr)->Signal();
  }
  worker::Progress& progress_;
  std::vector<object::Handle> refs_;
  std::vector<Node> nodes_;
  std::mutex mutex_;
  std::deque<std::size_t> ready_;  // guarded by mutex_
  WaitPoint* waiting_ = nullptr;   // guarded by mutex_
  std::size_t left_;               // the reader's own
  std::atomic<std::size_t> told_{0};
};

}  // namespace manta::runtime
