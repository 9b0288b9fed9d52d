#pragma once
// Waits for one object, or for some of several.

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <thread>

#include "core/object/object_state.hpp"
#include "core/runtime/wait_point.hpp"

namespace manta::runtime {

/// Registers with an object and is signaled when it is done. The object must be held meanwhile. No allocation.
class SingleWait final : public object::ObjectWaiter {
 public:
  SingleWait(worker::Progress& progress, object::ObjectState& object) : point_(progress), object_(object) {
    registered_ = object_.AddWaiter(*this);
    if (!registered_) point_.Signal();
  }
  ~SingleWait() {
    if (!registered_ || object_.RemoveWaiter(*this)) return;
    // Who tells may still be in ObjectDone: it takes a few instructions.
    while (!told_.load(std::memory_order_acquire)) std::this_thread::yield();
  }
  SingleWait(const SingleWait&) = delete;
  SingleWait& operator=(const SingleWait&) = delete;

  bool Wait(std::int64_t deadline_ns) { return point_.Wait(deadline_ns); }
  WaitPoint& point() { return point_; }

 private:
  void ObjectDone(object::ObjectState&) override {
    point_.Signal();
    told_.store(true, std::memory_order_release);  // the last touch
  }
  WaitPoint point_;
  object::ObjectState& object_;
  bool registered_ = false;
  std::atomic<bool> told_{false};
};

/// Registers with each object and is signaled when `wanted` of them are done. The objects must be held meanwhile.
class MultiWait {
 public:
  MultiWait(worker::Progress& progress, std::span<object::ObjectState* const> objects, std::size_t wanted)
      : point_(progress), nodes_(std::make_unique<Node[]>(objects.size())), count_(objects.size()), wanted_(wanted) {
    for (std::size_t i = 0; i < count_; ++i) {
      nodes_[i].owner = this;
      if (objects[i]->AddWaiter(nodes_[i])) {
        nodes_[i].object = objects[i];
      } else {
        ++told_must_be_;
        CountOne();
      }
    }
  }
  ~MultiWait() {
    for (std::size_t i = 0; i < count_; ++i)
      if (nodes_[i].object != nullptr && !nodes_[i].object->RemoveWaiter(nodes_[i])) ++told_must_be_;
    // Who tells may still be in ObjectDone: it takes a few instructions.
    while (told_.load(std::memory_order_acquire) != told_must_be_) std::this_thread::yield();
    while (told_must_be_ >= wanted_ && wanted_ != 0 && !signaled_.load(std::memory_order_acquire))
      std::this_thread::yield();
  }
  MultiWait(const MultiWait&) = delete;
  MultiWait& operator=(const MultiWait&) = delete;

  bool Wait(std::int64_t deadline_ns) { return point_.Wait(deadline_ns); }
  WaitPoint& point() { return point_; }

 private:
  struct Node final : object::ObjectWaiter {
    void ObjectDone(object::ObjectState&) override { owner->CountOne(); }
    MultiWait* owner = nullptr;
    object::ObjectState* object = nullptr;  // null: it was done before
  };
  void CountOne() {
    // acq_rel: the waiter sees all that each teller did. For all but one teller this is the last touch.
    if (told_.fetch_add(1, std::memory_order_acq_rel) + 1 != wanted_) return;
    point_.Signal();
    signaled_.store(true, std::memory_order_release);  // the last touch of this one
  }
  WaitPoint point_;
  std::unique_ptr<Node[]> nodes_;
  const std::size_t count_;
  const std::size_t wanted_;
  std::size_t told_must_be_ = 0;  // the waiter's own
  std::atomic<std::size_t> told_{0};
  std::atomic<bool> signaled_{false};
};

}  // namespace manta::runtime
