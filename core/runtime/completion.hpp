#pragma once
// Objects in the order in which they are done.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/object/object_state.hpp"
#include "core/runtime/cancellable.hpp"
#include "core/runtime/wait_note.hpp"
#include "core/runtime/wait_point.hpp"

namespace manta::runtime {

/// Registers with every object once, so that taking all of them costs one registration each. One reader. The objects
/// must be held as long as this lives.
///
/// Those that are done later come through a stack of any number of writers, linked by its head: a writer puts its node
/// there (release) and is done with it; the reader takes all of them at once (acquire) and turns them round. A reader
/// that found none leaves the address of `sleeping_` as the head: who finds that there wakes it.
class Completion {
 public:
  Completion(worker::Progress& progress, const detail::HandleView& refs) : progress_(progress), left_(refs.size()) {
    std::vector<std::uint32_t> pending;
    for (std::size_t i = 0; i < refs.size(); ++i)
      (object::StateOf(refs[i])->done() ? done_ : pending).push_back(static_cast<std::uint32_t>(i));
    if (pending.empty()) return;
    nodes_ = std::make_unique<Node[]>(pending.size());
    node_count_ = pending.size();
    for (std::size_t i = 0; i < node_count_; ++i) {
      Node& node = nodes_[i];
      node.owner = this;
      node.index = pending[i];
      node.object = object::StateOf(refs[pending[i]]);
      if (node.object->AddWaiter(node)) continue;
      node.object = nullptr;
      done_.push_back(node.index);
    }
  }
  ~Completion() {
    // All were given: nobody knows of us.
    if (left_ == 0) return;
    for (Node* node : {taken_, Reversed(head_.exchange(nullptr, std::memory_order_acquire))})
      for (; node != nullptr; node = node->next_ready) node->object = nullptr;
    std::size_t on_their_way = 0;
    for (std::size_t i = 0; i < node_count_; ++i)
      if (nodes_[i].object != nullptr && !nodes_[i].object->RemoveWaiter(nodes_[i])) ++on_their_way;
    // Who tells is about to put its node on the stack: it takes a few instructions.
    while (on_their_way != 0) {
      for (Node* node = head_.exchange(nullptr, std::memory_order_acquire); node != nullptr; node = node->next_ready)
        --on_their_way;
      if (on_their_way != 0) std::this_thread::yield();
    }
  }
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  /// The position of the next one that is done; nothing when all were given, or when the deadline has passed.
  std::optional<std::size_t> Next(std::int64_t timeout_ns, bool* timed_out) {
    if (timed_out != nullptr) *timed_out = false;
    if (left_ == 0) return std::nullopt;
    if (next_done_ == done_.size() && taken_ == nullptr && !Fetch() && !Sleep(timeout_ns)) {
      if (timed_out != nullptr) *timed_out = true;
      return std::nullopt;
    }
    --left_;
    if (next_done_ < done_.size()) return done_[next_done_++];
    Node* const node = std::exchange(taken_, taken_->next_ready);
    node->object = nullptr;
    return node->index;
  }

 private:
  struct Node final : object::ObjectWaiter {
    void ObjectDone(object::ObjectState&) override { owner->Push(*this); }
    Completion* owner = nullptr;
    object::ObjectState* object = nullptr;  // null: the reader knows that it is done
    Node* next_ready = nullptr;             // the writer's, then the reader's
    std::uint32_t index = 0;
  };

  void Push(Node& node) {
    Completion* const completion = this;
    Node* head = completion->head_.load(std::memory_order_relaxed);
    do {
      node.next_ready = head == &completion->sleeping_ ? nullptr : head;
    } while (
        !completion->head_.compare_exchange_weak(head, &node, std::memory_order_acq_rel, std::memory_order_relaxed));
    // For all but who finds the reader asleep, that was the last touch.
    if (head != &completion->sleeping_) return;
    completion->asleep_->Signal();
    completion->woken_.store(true, std::memory_order_release);
  }
  static Node* Reversed(Node* first) {
    Node* turned = nullptr;
    while (first != nullptr) {
      Node* const next = std::exchange(first->next_ready, turned);
      turned = std::exchange(first, next);
    }
    return turned;
  }
  bool Fetch() {
    if (head_.load(std::memory_order_relaxed) == nullptr) return false;
    taken_ = Reversed(head_.exchange(nullptr, std::memory_order_acquire));
    return true;
  }
  /// Waits until one is there; false when the time is up. The stack was empty a moment ago.
  bool Sleep(std::int64_t timeout_ns) {
    WaitPoint point(progress_);
    Cancellable cancellable(point);
    asleep_ = &point;
    Node* expected = nullptr;
    // Release: who finds `sleeping_` there reads asleep_.
    if (!head_.compare_exchange_strong(expected, &sleeping_, std::memory_order_release, std::memory_order_relaxed))
      return Fetch();
    point.Wait(DeadlineOf(timeout_ns));
    Node* const found = head_.exchange(nullptr, std::memory_order_acquire);
    if (found != &sleeping_) {
      // Somebody woke us, or is about to: `point` must live until it has.
      while (!woken_.load(std::memory_order_acquire)) std::this_thread::yield();
      woken_.store(false, std::memory_order_relaxed);
      taken_ = Reversed(found);
    }
    if (cancellable.IsCancelled()) throw CancelledError("the task was cancelled while it waited in AsCompleted");
    return found != &sleeping_;
  }

  worker::Progress& progress_;
  std::unique_ptr<Node[]> nodes_;  // of those that were pending at the beginning
  std::size_t node_count_ = 0;
  std::vector<std::uint32_t> done_;  // that were done at the beginning; the reader's own
  std::size_t next_done_ = 0;        // the reader's own
  std::size_t left_;                 // the reader's own
  Node* taken_ = nullptr;            // the reader's own, oldest first
  std::atomic<Node*> head_{nullptr};
  Node sleeping_;                // only its address is used
  WaitPoint* asleep_ = nullptr;  // written before `sleeping_` is the head
  std::atomic<bool> woken_{false};
};

}  // namespace manta::runtime
