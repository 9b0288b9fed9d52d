#pragma once
// What waits and what runs in this process, noted only where hangs are watched for (hang-seconds above 0): else each
// note costs one predicted branch.
//
//   WaitNote note(objects, wanted, deadline_ns);   // beside the wait, on the stack of who waits

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/object/object_state.hpp"
#include "core/runtime/run_context.hpp"
#include "core/wire/hang_messages.hpp"

namespace manta::runtime {

/// Whether notes are made. Written before a session's threads start and after they ended (relaxed); a process has one.
inline std::atomic<bool> notes_are_made{false};

/// A flow waits while this lives. What it is given must live as long.
class WaitNote {
 public:
  WaitNote(std::span<object::ObjectState* const> objects, std::size_t wanted, std::int64_t deadline_ns)
      : objects_(objects), wanted_(wanted), timed_(deadline_ns >= 0) {
    if (notes_are_made.load(std::memory_order_relaxed)) [[unlikely]]
      Enter();
  }
  WaitNote(std::span<const object::Handle> refs, std::size_t wanted, std::int64_t deadline_ns)
      : refs_(refs), wanted_(wanted), timed_(deadline_ns >= 0) {
    if (notes_are_made.load(std::memory_order_relaxed)) [[unlikely]]
      Enter();
  }
  /// For something that is no object: "all tasks to end".
  explicit WaitNote(const char* what) : what_(what) {
    if (notes_are_made.load(std::memory_order_relaxed)) [[unlikely]]
      Enter();
  }
  ~WaitNote() {
    if (listed_) [[unlikely]]
      Leave();
  }
  WaitNote(const WaitNote&) = delete;
  WaitNote& operator=(const WaitNote&) = delete;

 private:
  friend struct Notes;
  void Enter();
  void Leave();
  wire::HangWait Read() const;

  std::span<object::ObjectState* const> objects_;
  std::span<const object::Handle> refs_;
  const char* what_ = nullptr;
  std::size_t wanted_ = 0;
  bool timed_ = false;
  bool listed_ = false;
  RunContext* run_ = nullptr;
  WaitNote* next_ = nullptr;  // guarded by the list's mutex, as is previous_
  WaitNote* previous_ = nullptr;
};

/// A flow runs user code (or writes it to bytes) while this lives. One made inside a run counts for nothing.
class RunNote {
 public:
  RunNote() : counted_(notes_are_made.load(std::memory_order_relaxed) && RunContext::Current() == nullptr) {
    if (counted_) runs.fetch_add(1, std::memory_order_relaxed);
  }
  ~RunNote() {
    if (counted_) runs.fetch_sub(1, std::memory_order_relaxed);
  }
  RunNote(const RunNote&) = delete;
  RunNote& operator=(const RunNote&) = delete;

 private:
  friend struct Notes;
  static inline std::atomic<int> runs{0};  // relaxed: read for a picture that must stay the same for a while
  const bool counted_;
};

struct NoteCounts {
  int computing = 0;  // runs that are in no wait
  int timed = 0;      // waits that end by themselves
  int in_runs = 0;    // waits without end, of tasks and actor calls
  int outside = 0;    // and of the driver or a thread of the user's
};
NoteCounts CountNotes();
/// The waits without end, the first `limit` of them, and how many there are more.
std::vector<wire::HangWait> ReadWaitNotes(std::size_t limit, std::uint64_t* more);

}  // namespace manta::runtime
