#pragma once
// Fibers: a thread that runs tasks can put a waiting one aside and go on with the next.
//
// A FiberThread runs its owner's Loop, on a stack of the pool. A task runs as a plain call from Loop. When it must wait,
// Park puts the whole stack aside (the flow: Loop, the task, the wait) and goes on in another flow that runs Loop from
// its start. When the wait is over, a flow that stands at the top of Loop changes places with it. So a task that never
// waits costs nothing more than a call, and one that waits costs two switches. A flow never leaves its thread.
//
// What belongs to the flow of control and is changed with it: the stack, the exceptions being handled (so that a task
// may Get inside catch and rethrow), errno, OpenMP's number of threads, what others asked for (KeepAcrossParks), and
// one pointer of the owner. thread_local data and held mutexes are not.
//
// Flows that nobody needs any more give their stacks back some milliseconds later, but for a few.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "core/worker/stack_pool.hpp"

namespace manta::worker {

class FiberThread;
struct Flow;

/// One wait of one flow. Made on the stack of who waits, given to who will end it.
class FiberWait {
 public:
  explicit FiberWait(FiberThread& thread) : thread_(thread) {}
  FiberWait(const FiberWait&) = delete;
  FiberWait& operator=(const FiberWait&) = delete;

  /// Ends the wait. Any thread; may come before the wait begins. This object may be gone when it returns.
  void Signal();
  bool signaled() const { return state_.load(std::memory_order_acquire) == kSignaled; }

 private:
  friend class FiberThread;
  enum State : int { kRunning, kParked, kSignaled };
  FiberThread& thread_;
  bool timed_out_ = false;  // the thread's own
  Flow* flow_ = nullptr;    // written before kParked is published (release), read after it is seen (acquire)
  std::atomic<int> state_{kRunning};
};

/// The fibers of one thread. Everything but MakeReady and HasReady is for that thread alone.
class FiberThread {
 public:
  explicit FiberThread(StackPool& stacks);
  virtual ~FiberThread();
  FiberThread(const FiberThread&) = delete;
  FiberThread& operator=(const FiberThread&) = delete;

  /// The fibers of the calling thread; null where it has none.
  static FiberThread* Current();

  /// The same where the calling flow may be put aside; null in an OpenMP region, whose state belongs to the thread:
  /// there the thread itself must wait.
  static FiberThread* CurrentToPark();

  /// A value of the calling thread that belongs to the task that set it: `save` reads it when a flow is put aside,
  /// `restore` puts it back when the flow goes on; a new flow begins with what the thread had at first. At most
  /// kMaxKept; before any thread runs fibers, for the rest of the process.
  static void KeepAcrossParks(std::uint64_t (*save)(), void (*restore)(std::uint64_t));
  static constexpr std::size_t kMaxKept = 2;

  /// Runs Loop for the calling thread until it returns with no flow parked.
  void RunLoop();

  /// Puts the calling flow aside until `wait` is signaled or `deadline_ns` (base::NowNanoseconds; negative: none) has
  /// passed. Returns whether it was signaled. Throws OutOfMemoryError where there is no stack for who goes on. Ends the
  /// process when the flow has written below its stack.
  bool Park(FiberWait& wait, std::int64_t deadline_ns);
  std::size_t parked() const { return parked_; }
  /// Bytes left on the running stack.
  std::size_t StackLeft() const;

  /// One pointer that belongs to the flow.
  void*& flow_data();

  /// Whether SwitchToReady would do something. Any thread.
  bool HasReady() const { return has_ready_.load(std::memory_order_acquire); }

 protected:
  /// Runs tasks until the thread shall end and nothing is parked. Called on several stacks, in turns.
  virtual void Loop() = 0;
  /// A flow became ready: wake the thread if it sleeps. Any thread.
  virtual void WakeUp() = 0;
  /// At the top of Loop, with no task on the stack: goes on with a flow whose wait is over, if there is one, and
  /// returns (later, when this flow is needed again) true.
  bool SwitchToReady();
  /// When there is nothing to run: signals what is due, and gives back some of the stacks that are not needed. Returns
  /// the time for the next call, or -1.
  std::int64_t FireTimers(std::int64_t now_ns);

 private:
  friend class FiberWait;
  void MakeReady(Flow* flow);
  void SwitchTo(Flow* next, FiberWait* publish);
  void AfterSwitch(void* from_context, void* fake_stack);
  Flow* NewFlow();
  Flow* SpareOrNewFlow();
  void Release(Flow* flow);
  std::int64_t ReleaseSpares(std::int64_t now_ns);
  static bool IsRedZone(const void* address);
  void EnterNewFlow(void* from_context);

  StackPool& stacks_;
  std::unique_ptr<Flow> native_;  // the thread's own stack; runs nothing but RunLoop
  Flow* current_ = nullptr;
  std::deque<Flow*> spare_;  // flows that stand at the top of Loop, the last one used most lately
  std::int64_t release_at_ns_ = -1;
  std::size_t parked_ = 0;
  std::multimap<std::int64_t, FiberWait*> timers_;
  // What the flow we came from asked to be done once its stack is no longer in use.
  Flow* from_after_switch_ = nullptr;
  FiberWait* publish_after_switch_ = nullptr;
  std::mutex ready_mutex_;
  std::deque<Flow*> ready_;             // guarded by ready_mutex_, first in first out
  std::atomic<bool> has_ready_{false};  // written under ready_mutex_ (release), read by the loop (acquire)
};

}  // namespace manta::worker
