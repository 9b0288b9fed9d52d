#pragma once
// What runs now: the task or actor call of the calling flow, or the driver.

#include <cstdint>
#include <memory>
#include <vector>

#include "core/task/task_record.hpp"

namespace manta::runtime {

class ActorInstance;

/// One run. Lives on the stack of the thread that runs it; belongs to the flow of control.
struct RunContext {
  task::TaskRecord* task = nullptr;
  ActorInstance* actor = nullptr;  // of an actor call
  task::Submitter submitter;
  std::vector<object::Handle> unconfirmed;  // refs met in its arguments whose owners do not know of us yet
  int executor = -1;                        // index; -1: a lane or a leased thread
  bool exit_actor = false;
  RunContext* outer = nullptr;  // the run below it on this stack (a parent that runs its child in place)

  /// Unique in this process among the runs of today (32 bits); made when the run's first child asks for it, 0 until
  /// then. The run's own thread.
  std::uint32_t id() const { return id_; }
  std::uint32_t Id() {
    if (id_ == 0) MakeId();
    return id_;
  }

  static RunContext* Current();
  /// Makes it current for the flow while the scope lives.
  class Scope {
   public:
    explicit Scope(RunContext& run);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    void*& current_;  // the flow's, which stays on its thread
  };

 private:
  void MakeId();
  std::uint32_t id_ = 0;
};

/// The submitter that calls of this thread count for: the run's, or the thread's own. The driver's main thread is told
/// by SetThreadSeed.
task::Submitter& CurrentSubmitter();
/// The same where `run` is RunContext::Current().
task::Submitter& SubmitterOf(RunContext* run);
void SetThreadSeed(std::uint64_t seed);
/// The submitter's id, made now if it has none: most tasks call no actor.
std::uint64_t IdOf(task::Submitter& submitter);

}  // namespace manta::runtime
