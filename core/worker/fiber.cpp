#include "core/worker/fiber.hpp"

#include <pthread.h>

#include <boost/context/detail/fcontext.hpp>

#include <cxxabi.h>
#include <algorithm>
#include <cerrno>

#include "core/base/check.hpp"
#include "core/base/event_ring.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace manta::worker {
namespace {

namespace context = boost::context::detail;

// The Itanium C++ ABI, section 2.2.2: what __cxa_get_globals points to, one a thread.
struct ExceptionGlobals {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

thread_local FiberThread* current_thread = nullptr;

}  // namespace

struct Flow {
  context::fcontext_t context = nullptr;
  Stack stack;  // empty for the thread's own
  ExceptionGlobals exceptions;
  int saved_errno = 0;
  void* data = nullptr;
#if defined(__SANITIZE_ADDRESS__)
  void* fake_stack = nullptr;
#endif
#if defined(__SANITIZE_THREAD__)
  void* tsan_fiber = nullptr;
#endif
};

void FiberWait::Signal() {
  FiberThread& thread = thread_;
  // acq_rel: release what the signaler did to the waiter; acquire flow_ when it was parked.
  Flow* flow = nullptr;
  const int before = state_.exchange(kSignaled, std::memory_order_acq_rel);
  if (before == kParked) {
    // A parked flow runs on only after MakeReady, so this object is still there.
    flow = flow_;
    thread.MakeReady(flow);
  }
}

FiberThread::FiberThread(StackPool& stacks) : stacks_(stacks), native_(std::make_unique<Flow>()) {
  current_ = native_.get();
}

FiberThread::~FiberThread() {
  for (Flow* flow : spare_) {
    if (flow == native_.get()) continue;
#if defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(flow->tsan_fiber);
#endif
#if defined(__SANITIZE_ADDRESS__)
    // Loop's frames never return, and would leave their marks to the stack's next user. The context is the stack
    // pointer.
    auto* at = static_cast<std::byte*>(flow->context);
    __asan_unpoison_memory_region(at, static_cast<std::size_t>(flow->stack.top() - at));
#endif
    stacks_.GiveBack(flow->stack);
    delete flow;
  }
}

// Not inlined: the compiler may keep the address of a thread_local over a switch, and the flow's next line would then
// look at the thread it was on before. (Flows do not change threads here; this keeps it safe if they ever do.)
__attribute__((noinline)) FiberThread* FiberThread::Current() { return current_thread; }

void*& FiberThread::flow_data() { return current_->data; }

void FiberThread::RunLoop() {
  current_thread = this;
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    void* low = nullptr;
    std::size_t size = 0;
    pthread_attr_getstack(&attributes, &low, &size);
    native_->stack = {static_cast<std::byte*>(low), size};
    pthread_attr_destroy(&attributes);
  }
#if defined(__SANITIZE_THREAD__)
  native_->tsan_fiber = __tsan_get_current_fiber();
#endif
  Loop();
  MANTA_ASSERT(current_ == native_.get());
  current_thread = nullptr;
}

std::size_t FiberThread::StackLeft() const {
  char here;
  const auto* at = reinterpret_cast<const std::byte*>(&here);
#if defined(__SANITIZE_ADDRESS__)
  at = static_cast<const std::byte*>(__builtin_frame_address(0));  // &here may lie on ASan's fake stack
#endif
  return at > current_->stack.low ? static_cast<std::size_t>(at - current_->stack.low) : 0;
}

void FiberThread::MakeReady(Flow* flow) {
  {
    std::lock_guard lock(ready_mutex_);
    ready_.push_back(flow);
    has_ready_.store(true, std::memory_order_release);
  }
  WakeUp();
}

Flow* FiberThread::NewFlow() {
  auto flow = std::make_unique<Flow>();
  flow->stack = stacks_.Take();
  flow->context = context::make_fcontext(flow->stack.top(), flow->stack.size_bytes, [](context::transfer_t from) {
    static_cast<FiberThread*>(from.data)->EnterNewFlow(from.fctx);
  });
#if defined(__SANITIZE_THREAD__)
  flow->tsan_fiber = __tsan_create_fiber(0);
#endif
  return flow.release();
}

void FiberThread::EnterNewFlow(void* from_context) {
  AfterSwitch(from_context, nullptr);
  *reinterpret_cast<ExceptionGlobals*>(abi::__cxa_get_globals()) = ExceptionGlobals{};
  for (;;) {
    Loop();
    // The thread ends on its own stack, which stands at the top of Loop and sees that it may end too. If it finds more
    // to do instead, this flow may be needed again: it begins Loop anew.
    MANTA_ASSERT(parked_ == 0);
    auto native = std::find(spare_.begin(), spare_.end(), native_.get());
    MANTA_ASSERT(native != spare_.end());
    spare_.erase(native);
    spare_.push_back(current_);
    SwitchTo(native_.get(), nullptr);
  }
}

bool FiberThread::Park(FiberWait& wait, std::int64_t deadline_ns) {
  if (wait.signaled()) return true;
  auto timer = timers_.end();
  if (deadline_ns >= 0) timer = timers_.emplace(deadline_ns, &wait);
  Flow* next = nullptr;
  if (spare_.empty()) {
    next = NewFlow();
  } else {
    next = spare_.back();
    spare_.pop_back();
  }
  wait.flow_ = current_;
  ++parked_;
  base::Record(base::EventKind::kParked, reinterpret_cast<std::uintptr_t>(current_));
  SwitchTo(next, &wait);
  --parked_;
  base::Record(base::EventKind::kResumed, reinterpret_cast<std::uintptr_t>(current_));
  if (timer != timers_.end() && !wait.timed_out_) timers_.erase(timer);
  return !wait.timed_out_;
}

bool FiberThread::SwitchToReady() {
  if (!has_ready_.load(std::memory_order_acquire)) return false;
  Flow* flow = nullptr;
  {
    std::lock_guard lock(ready_mutex_);
    flow = ready_.front();
    ready_.pop_front();
    has_ready_.store(!ready_.empty(), std::memory_order_release);
  }
  spare_.push_back(current_);
  SwitchTo(flow, nullptr);
  return true;
}

std::int64_t FiberThread::FireTimers(std::int64_t now_ns) {
  while (!timers_.empty() && timers_.begin()->first <= now_ns) {
    auto first = timers_.begin();
    FiberWait* wait = first->second;
    int expected = FiberWait::kParked;
    if (!wait->state_.compare_exchange_strong(expected, FiberWait::kSignaled, std::memory_order_acq_rel)) {
      // Signaled meanwhile: the flow is ready and removes its timer itself; it must be found there.
      return first->first;
    }
    wait->timed_out_ = true;
    timers_.erase(first);
    MakeReady(wait->flow_);
  }
  return timers_.empty() ? -1 : timers_.begin()->first;
}

void FiberThread::SwitchTo(Flow* next, FiberWait* publish) {
  Flow* from = current_;
  auto* globals = reinterpret_cast<ExceptionGlobals*>(abi::__cxa_get_globals());
  from->exceptions = *globals;
  from->saved_errno = errno;
  from_after_switch_ = from;
  publish_after_switch_ = publish;
  current_ = next;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&from->fake_stack, next->stack.low, next->stack.size_bytes);
#endif
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(next->tsan_fiber, 0);
#endif
  const context::transfer_t back = context::jump_fcontext(next->context, this);
#if defined(__SANITIZE_ADDRESS__)
  AfterSwitch(back.fctx, from->fake_stack);
#else
  AfterSwitch(back.fctx, nullptr);
#endif
  *reinterpret_cast<ExceptionGlobals*>(abi::__cxa_get_globals()) = from->exceptions;
  errno = from->saved_errno;
}

void FiberThread::AfterSwitch(void* from_context, [[maybe_unused]] void* fake_stack) {
#if defined(__SANITIZE_ADDRESS__)
  const void* low = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(fake_stack, &low, &size);
  // ASan knows the native stack's bounds only from here.
  if (from_after_switch_ == native_.get() && low != nullptr)
    native_->stack = {static_cast<std::byte*>(const_cast<void*>(low)), size};
#endif
  from_after_switch_->context = from_context;
  // Only now is the stack we came from whole and at rest, so only now may another thread make it ready.
  if (FiberWait* wait = publish_after_switch_) {
    publish_after_switch_ = nullptr;
    int expected = FiberWait::kRunning;
    // release: flow_ and the flow's context, for who signals; acquire on failure: what the signaler did.
    if (!wait->state_.compare_exchange_strong(expected, FiberWait::kParked, std::memory_order_acq_rel))
      MakeReady(wait->flow_);
  }
}

}  // namespace manta::worker
