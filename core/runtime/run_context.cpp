#include "core/runtime/run_context.hpp"

#include <atomic>

#include "core/worker/fiber.hpp"

namespace manta::runtime {
namespace {

// Not inlined for the same reason as FiberThread::Current.
__attribute__((noinline)) void*& Slot() {
  thread_local void* plain_thread = nullptr;
  worker::FiberThread* fibers = worker::FiberThread::Current();
  return fibers != nullptr ? fibers->flow_data() : plain_thread;
}

}  // namespace

std::uint64_t IdOf(task::Submitter& submitter) {
  static std::atomic<std::uint64_t> next{1};
  if (submitter.id == 0) submitter.id = next.fetch_add(1, std::memory_order_relaxed);  // only unique
  return submitter.id;
}

void RunContext::MakeId() {
  static std::atomic<std::uint32_t> next{0};
  while (id_ == 0) id_ = next.fetch_add(1, std::memory_order_relaxed) + 1;  // only unique; 0 is nobody's
  task->where.store(id_, std::memory_order_relaxed);
}

RunContext* RunContext::Current() { return static_cast<RunContext*>(Slot()); }

RunContext::Scope::Scope(RunContext& run) : current_(Slot()) {
  run.outer = static_cast<RunContext*>(current_);
  current_ = &run;
}
RunContext::Scope::~Scope() { current_ = static_cast<RunContext*>(current_)->outer; }

namespace {
thread_local task::Submitter thread_submitter;
}

task::Submitter& CurrentSubmitter() { return SubmitterOf(RunContext::Current()); }

task::Submitter& SubmitterOf(RunContext* run) {
  if (run != nullptr) return run->submitter;
  if (thread_submitter.seed == 0)
    thread_submitter.seed = base::MixHash(0x7468726561640000ull, IdOf(thread_submitter), 0);
  return thread_submitter;
}

void SetThreadSeed(std::uint64_t seed) {
  thread_submitter.id = 0;
  thread_submitter.seed = seed;
  thread_submitter.submitted = 0;
}

}  // namespace manta::runtime
