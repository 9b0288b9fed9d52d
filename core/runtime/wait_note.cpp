#include "core/runtime/wait_note.hpp"

#include <algorithm>
#include <mutex>

#include "core/runtime/actor_plane.hpp"

namespace manta::runtime {

/// All notes of the process.
struct Notes {
  std::mutex mutex;  // guards all below, and keeps a note and what it points to while it is read
  WaitNote* first = nullptr;
  NoteCounts counts;

  static Notes& All() {
    static auto* notes = new Notes();  // never freed: threads may end after main
    return *notes;
  }
  int& CountOf(const WaitNote& note) {
    return note.run_ != nullptr ? counts.in_runs : counts.outside;
  }
  static int Runs() { return RunNote::runs.load(std::memory_order_relaxed); }

  int timed_in_runs = 0;
  void Count(const WaitNote& note, int by) {
    if (!note.timed_) {
      CountOf(note) += by;
      return;
    }
    counts.timed += by;
    if (note.run_ != nullptr) timed_in_runs += by;
  }
  std::vector<wire::HangWait> Read(std::size_t limit, std::uint64_t* more) {
    std::vector<wire::HangWait> waits;
    *more = 0;
    std::lock_guard lock(mutex);
    for (const WaitNote* note = first; note != nullptr; note = note->next_) {
      if (note->timed_) continue;
      if (waits.size() < limit)
        waits.push_back(note->Read());
      else
        ++*more;
    }
    return waits;
  }
};

void WaitNote::Enter() {
  run_ = RunContext::Current();
  listed_ = true;
  Notes& notes = Notes::All();
  std::lock_guard lock(notes.mutex);
  next_ = notes.first;
  if (next_ != nullptr) next_->previous_ = this;
  notes.first = this;
  notes.Count(*this, 1);
}

void WaitNote::Leave() {
  Notes& notes = Notes::All();
  std::lock_guard lock(notes.mutex);
  (previous_ != nullptr ? previous_->next_ : notes.first) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  notes.Count(*this, -1);
}

wire::HangWait WaitNote::Read() const {
  constexpr std::size_t kObjects = 4;  // enough to see what it is about
  wire::HangWait wait;
  if (what_ != nullptr) wait.what = what_;
  if (run_ != nullptr) {
    const task::TaskRecord& task = *run_->task;
    wait.run = task.result();
    wait.name = TaskPlane::NameOf(task);
    for (const RunContext* outer = run_->outer; outer != nullptr; outer = outer->outer)
      wait.outers.push_back(outer->task->result());
    if (run_->actor != nullptr) {
      wait.actor = run_->actor->id;
      std::lock_guard lock(run_->actor->mutex);
      wait.actor_name = run_->actor->name();
    } else {
      wait.lease = task.lease_id();
    }
  }
  std::size_t pending = 0;
  auto look = [&](const object::ObjectState& object) {
    if (object.done()) return;
    if (wait.objects.size() < kObjects) wait.objects.push_back(object.id);
    ++pending;
  };
  for (const object::ObjectState* object : objects_) look(*object);
  for (const object::Handle& ref : refs_) look(*object::StateOf(ref));
  wait.more = pending - wait.objects.size();
  // Only then does each of them hold the flow back.
  wait.needs_all = pending == 1 || wanted_ == objects_.size() + refs_.size();
  return wait;
}

NoteCounts CountNotes() {
  Notes& notes = Notes::All();
  std::lock_guard lock(notes.mutex);
  NoteCounts counts = notes.counts;
  counts.computing = std::max(0, Notes::Runs() - counts.in_runs - notes.timed_in_runs);
  return counts;
}

std::vector<wire::HangWait> ReadWaitNotes(std::size_t limit, std::uint64_t* more) {
  return Notes::All().Read(limit, more);
}

}  // namespace manta::runtime
