#pragma once
// What rank 0 asks when nothing goes on, and what ranks answer (docs/lifecycle.md).

#include <cstdint>
#include <string>
#include <vector>

#include "core/wire/messages.hpp"

namespace manta::wire {

/// What waits without end on a rank.
struct HangWait {
  ObjectId run;                  // the result of the task or call that waits; invalid: the driver, or a thread
  std::vector<ObjectId> outers;  // of the runs below it on its stack
  std::string name;
  ObjectId actor;
  std::string actor_name;
  std::string what;              // if it is not for objects
  std::vector<ObjectId> objects;
  std::uint64_t more = 0;        // objects beyond those
  std::uint8_t needs_all = 0;
  std::uint64_t lease = 0;       // of a task; what it keeps while it waits
  template <class V>
  void Fields(V& v) {
    v(run); v(outers); v(name); v(actor); v(actor_name); v(what); v(objects); v(more); v(needs_all); v(lease);
  }
};
/// Who keeps resources: an actor, or a task that waits.
struct HangHolder {
  std::string name;
  std::uint64_t lease = 0;
  template <class V>
  void Fields(V& v) { v(name); v(lease); }
};
/// kReady, kNoTask (no task makes it), kSent: of the owner. kMailbox, kNotMade (the actor): of an actor's host.
enum class HangState : std::uint8_t { kReady, kNoTask, kArguments, kResources, kQueued, kMailbox, kNotMade, kSent, kRunning };
/// How a task stands, as its owner or its runner knows it.
struct HangTask {
  ObjectId id;
  HangState state = HangState::kReady;
  TaskKind kind = TaskKind::kTask;
  std::string name;
  ObjectId actor;
  std::string actor_name;
  Rank where;                    // of kSent
  std::vector<ObjectId> behind;  // arguments, or calls that it can't begin before
  Shape shape;
  std::uint64_t running = 0, ahead = 0;  // calls of its actor
  template <class V>
  void Fields(V& v) {
    v(id); v(state); v(kind); v(name); v(actor); v(actor_name); v(where); v(behind); v(shape); v(running); v(ahead);
  }
};
struct HangQuery {
  static constexpr Kind kKind = Kind::kHangQuery;
  std::uint64_t round = 0;
  std::uint8_t waits = 0;         // whether to tell them
  std::vector<ObjectId> objects;  // whose tasks to tell of
  template <class V>
  void Fields(V& v) { v(round); v(waits); v(objects); }
};
struct HangReply {
  static constexpr Kind kKind = Kind::kHangReply;
  std::uint64_t round = 0;
  std::uint64_t progress = 0;     // grows with each thing that is done
  std::uint32_t computing = 0;    // runs that wait for nothing
  std::uint32_t endless = 0;      // waits without a time limit, and with one
  std::uint32_t timed = 0;
  std::uint8_t driver_waits = 0;  // rank 0: without a time limit
  std::vector<HangWait> waits;
  std::uint64_t more_waits = 0;
  std::vector<HangTask> tasks;
  std::vector<HangHolder> holders;
  template <class V>
  void Fields(V& v) {
    v(round); v(progress); v(computing); v(endless); v(timed); v(driver_waits); v(waits); v(more_waits); v(tasks);
    v(holders);
  }
};

}  // namespace manta::wire
