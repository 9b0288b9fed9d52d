#include "core/object/object_state.hpp"

#include <array>

namespace manta::object {

std::mutex& ObjectState::Lock() const {
  static std::array<std::mutex, 256> locks;
  return locks[pool_index % locks.size()];
}

bool ObjectState::AddWaiter(ObjectWaiter& waiter) {
  std::lock_guard lock(Lock());
  if (done()) return false;
  waiter.previous_ = nullptr;
  waiter.next_ = waiters;
  if (waiters != nullptr) waiters->previous_ = &waiter;
  waiters = &waiter;
  return true;
}

bool ObjectState::RemoveWaiter(ObjectWaiter& waiter) {
  std::lock_guard lock(Lock());
  if (done()) return false;
  if (waiter.previous_ != nullptr)
    waiter.previous_->next_ = waiter.next_;
  else
    waiters = waiter.next_;
  if (waiter.next_ != nullptr) waiter.next_->previous_ = waiter.previous_;
  return true;
}

void ObjectState::Tell(ObjectWaiter* first) {
  // The list is ours; a waiter may be gone as soon as it was told. Oldest first: they were pushed to the front.
  ObjectWaiter* oldest_first = nullptr;
  while (first != nullptr) {
    ObjectWaiter* next = first->next_;
    first->next_ = oldest_first;
    oldest_first = first;
    first = next;
  }
  while (oldest_first != nullptr) {
    ObjectWaiter* next = oldest_first->next_;
    oldest_first->ObjectDone(*this);
    oldest_first = next;
  }
}

}  // namespace manta::object
