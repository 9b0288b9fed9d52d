#include "core/worker/fiber.hpp"

#include <boost/context/detail/fcontext.hpp>

#include <cxxabi.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "core/base/check.hpp"
#include "core/base/event_ring.hpp"
#include "core/worker/openmp.hpp"
#include "core/worker/stack_overflow.hpp"

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

// Spare flows of a thread that keep their stacks, and how the others give theirs back: so many at a time (some 100 us),
// after so long, for tasks that wait come in bursts.
constexpr std::size_t kSparesKept = 16;
constexpr std::size_t kReleasedAtOnce = 64;
constexpr std::int64_t kReleaseAfterNs = 10'000'000;
constexpr std::int64_t kReleaseAgainNs = 1'000'000;

struct Kept {
  std::uint64_t (*save)();
  void (*restore)(std::uint64_t);
};
// Written before any thread runs fibers.
std::array<Kept, FiberThread::kMaxKept> kept{};
std::size_t kept_count = 0;

/// What a thread has one of and each flow is to have of its own.
struct ThreadState {
  ExceptionGlobals exceptions;
  int error_number = 0;
  int openmp_width = 0;
  std::array<std::uint64_t, FiberThread::kMaxKept> kept{};

  void Save() {
    exceptions = *reinterpret_cast<ExceptionGlobals*>(abi::__cxa_get_globals());
    error_number = errno;
    openmp_width = openmp::Width();
    for (std::size_t i = 0; i < kept_count; ++i) kept[i] = worker::kept[i].save();
  }
  void Restore() const {
    *reinterpret_cast<ExceptionGlobals*>(abi::__cxa_get_globals()) = exceptions;
    if (openmp::Width() != openmp_width) openmp::SetWidth(openmp_width);
    for (std::size_t i = 0; i < kept_count; ++i) worker::kept[i].restore(kept[i]);
    errno = error_number;
  }
};

}  // namespace

struct Flow {
  context::fcontext_t context = nullptr;
  Stack stack;  // empty for the thread's own
  ThreadState state;
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
  for (Flow* flow : spare_) Release(flow);
}

void FiberThread::Release(Flow* flow) {
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(flow->tsan_fiber);
#endif
#if defined(__SANITIZE_ADDRESS__)
  // Loop's frames never return, and would leave their marks to the stack's next user. The context is the stack pointer.
  auto* at = static_cast<std::byte*>(flow->context);
  __asan_unpoison_memory_region(at, static_cast<std::size_t>(flow->stack.top() - at));
#endif
  stacks_.GiveBack(flow->stack);
  delete flow;
}

std::int64_t FiberThread::ReleaseSpares(std::int64_t now_ns) {
  if (spare_.size() <= kSparesKept) return release_at_ns_ = -1;
  if (release_at_ns_ < 0) return release_at_ns_ = now_ns + kReleaseAfterNs;
  if (now_ns < release_at_ns_) return release_at_ns_;
  for (std::size_t i = 0; i < kReleasedAtOnce && spare_.size() > kSparesKept; ++i) {
    Release(spare_.front());
    spare_.pop_front();
  }
  return release_at_ns_ = spare_.size() > kSparesKept ? now_ns + kReleaseAgainNs : -1;
}

// Not inlined: the compiler may keep the address of a thread_local over a switch, and the flow's next line would then
// look at the thread it was on before. (Flows do not change threads here; this keeps it safe if they ever do.)
__attribute__((noinline)) FiberThread* FiberThread::Current() { return current_thread; }

FiberThread* FiberThread::CurrentToPark() {
  FiberThread* thread = Current();
  return thread != nullptr && !openmp::InParallelRegion() ? thread : nullptr;
}

void FiberThread::KeepAcrossParks(std::uint64_t (*save)(), void (*restore)(std::uint64_t)) {
  MANTA_ASSERT(kept_count < kMaxKept);
  kept[kept_count++] = {save, restore};
}

bool FiberThread::IsRedZone(const void* address) {
  const FiberThread* thread = current_thread;
  if (thread == nullptr) return false;
  const std::byte* low = thread->current_->stack.low;
  return low != nullptr && address < low && address >= low - StackPool::kRedZoneBytes;
}

void*& FiberThread::flow_data() { return current_->data; }

void FiberThread::RunLoop() {
  current_thread = this;
  const OverflowWatch watch(IsRedZone);
#if defined(__SANITIZE_THREAD__)
  native_->tsan_fiber = __tsan_get_current_fiber();
#endif
  // Not here: a stack of the pool has a known size, whatever the limits of the system are.
  SwitchTo(SpareOrNewFlow(), nullptr);
  MANTA_ASSERT(parked_ == 0);
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
  ThreadState first = native_->state;
  first.exceptions = {};
  first.Restore();
  for (;;) {
    Loop();
    // All other flows stand at the top of Loop. When the thread runs its loop again, this one begins it anew.
    spare_.push_back(current_);
    SwitchTo(native_.get(), nullptr);
  }
}

Flow* FiberThread::SpareOrNewFlow() {
  if (spare_.empty()) return NewFlow();
  Flow* flow = spare_.back();
  spare_.pop_back();
  return flow;
}

bool FiberThread::Park(FiberWait& wait, std::int64_t deadline_ns) {
  if (!current_->stack.guarded && (StackLeft() == 0 || RedZoneIsDamaged(current_->stack))) {
    SayStackOverflow();
    std::abort();
  }
  if (wait.signaled()) return true;
  Flow* next = SpareOrNewFlow();
  auto timer = timers_.end();
  if (deadline_ns >= 0) timer = timers_.emplace(deadline_ns, &wait);
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
    // A stack that was parked among thousands is in no cache, nor is its page in the TLB: have them fetched while
    // others run.
    if (!ready_.empty()) __builtin_prefetch(ready_.front()->context);
    if (ready_.size() > 1) __builtin_prefetch(ready_[1]);
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
  const std::int64_t release = ReleaseSpares(now_ns);
  if (timers_.empty()) return release;
  return release < 0 ? timers_.begin()->first : std::min(release, timers_.begin()->first);
}

void FiberThread::SwitchTo(Flow* next, FiberWait* publish) {
  Flow* from = current_;
  from->state.Save();
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
  from->state.Restore();
}

void FiberThread::AfterSwitch(void* from_context, [[maybe_unused]] void* fake_stack) {
#if defined(__SANITIZE_ADDRESS__)
  const void* low = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(fake_stack, &low, &size);
  // ASan knows the native stack's bounds only from here.
  if (from_after_switch_ == native_.get() && low != nullptr)
    native_->stack = {static_cast<std::byte*>(const_cast<void*>(low)), size, true};
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
