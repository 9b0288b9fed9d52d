#pragma once
// What is said when a task needs more stack than there is, whether the guard below its stack or a look at it tells.

#include <cstddef>

namespace manta::worker {

/// Says on stderr that a task used up its stack, and what to do. For signal handlers too.
void SayStackOverflow();

/// While it lives, a fault in the red zone of the calling thread's running fiber is said before it ends the process. It
/// asks `is_red_zone` of the address, and hands every fault on to the handler that was there before.
class OverflowWatch {
 public:
  explicit OverflowWatch(bool (*is_red_zone)(const void* address));
  ~OverflowWatch();
  OverflowWatch(const OverflowWatch&) = delete;
  OverflowWatch& operator=(const OverflowWatch&) = delete;

 private:
  void* handler_stack_ = nullptr;  // null: the thread has one of its own
};

}  // namespace manta::worker
