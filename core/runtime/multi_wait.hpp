#pragma once
// Waits for some of several objects.

#include <atomic>
#include <cstddef>
#include <span>
#include <thread>
#include <vector>

#include "core/object/object_state.hpp"
#include "core/runtime/wait_point.hpp"

namespace manta::runtime {

/// Registers with each object and is signaled when `wanted` of them are done. The objects must be held meanwhile.
class MultiWait {
 public:
  MultiWait(worker::Progress& progress, std::span<object::ObjectState* const> objects, std::size_t wanted)
      : point_(progress), nodes_(objects.size()), remaining_(static_cast<std::ptrdiff_t>(wanted)) {
    for (std::size_t i = 0; i < objects.size(); ++i) {
      nodes_[i].owner = this;
      nodes_[i].object = objects[i];
      if (!objects[i]->AddWaiter(nodes_[i])) {
        nodes_[i].object = nullptr;
        CountOne();
      }
    }
  }
  ~MultiWait() {
    std::size_t told_must_be = 0;
    for (Node& node : nodes_)
      if (node.object != nullptr && !node.object->RemoveWaiter(node)) ++told_must_be;
    // Who tells may still be in ObjectDone: it takes a few instructions.
    while (told_.load(std::memory_order_acquire) != told_must_be) std::this_thread::yield();
  }
  bool Wait(std::int64_t deadline_ns) { return point_.Wait(deadline_ns); }
  WaitPoint& point() { return point_; }

 private:
  struct Node : object::ObjectWaiter {
    void ObjectDone(object::ObjectState&) override {
      MultiWait* wait = owner;
      wait->CountOne();
      wait->told_.fetch_add(1, std::memory_order_release);  // the last touch
    }
    MultiWait* owner = nullptr;
    object::ObjectState* object = nullptr;
  };
  void CountOne() {
    if (remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1) point_.Signal();
  }
  WaitPoint point_;
  std::vector<Node> nodes_;
  std::atomic<std::ptrdiff_t> remaining_;
  std::atomic<std::size_t> told_{0};
};

}  // namespace manta::runtime
