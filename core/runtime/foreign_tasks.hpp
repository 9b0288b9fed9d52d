#pragma once
// Other ranks' tasks that are at this rank, to be found by their ids when they are cancelled.

#include <atomic>
#include <vector>

#include "core/runtime/slot_chunks.hpp"
#include "core/task/task_record.hpp"

namespace manta::runtime {

/// By owner and slot: an owner uses a slot for one unfinished task at a time. One exchange to add, one to remove.
/// Find is for the holder of the progress token.
///
/// A word is null, or a record with a hold of the table's. Remove and Find both exchange it for null, so one of them
/// gets the record; Find puts it back, unless its end (`kDone`, set before Remove's exchange) is seen after that:
/// either Remove finds the record in the word, or Find, which looks at the phase after putting it back, takes it out.
/// Both sides are sequentially consistent for that (Dekker).
class ForeignTasks {
 public:
  explicit ForeignTasks(int ranks) : owners_(static_cast<std::size_t>(ranks)) {}
  ~ForeignTasks() {
    for (auto& owner : owners_) owner.ForEach([](Word& word) { Drop(word.load(std::memory_order_relaxed)); });
  }
  ForeignTasks(const ForeignTasks&) = delete;
  ForeignTasks& operator=(const ForeignTasks&) = delete;

  /// Holder of the token, before anybody else knows the task. A record that is there already is of an attempt that nobody
  /// listens to any more.
  void Add(const task::TaskPtr& task, const ObjectId& id) {
    // A word without a record is changed by the token's holder only. Release: who removes the task has it from us.
    Word& word = OwnerOf(id).Make(id.slot);
    task::TaskRecord* const record = task.CopyUnshared().Release();
    if (word.load(std::memory_order_acquire) == nullptr)
      word.store(record, std::memory_order_release);
    else
      Drop(word.exchange(record, std::memory_order_seq_cst));
  }
  /// Any thread; the record's phase says kDone by now (or it is given back to its owner, by the token's holder).
  void Remove(const task::TaskPtr& task, const ObjectId& id) {
    Word* const word = OwnerOf(id).Find(id.slot);
    if (word == nullptr) return;
    task::TaskRecord* expected = task.get();
    if (word->compare_exchange_strong(expected, nullptr, std::memory_order_seq_cst)) task.DropOther();
  }
  /// Holder of the token. Empty if there is none, or its end is near.
  task::TaskPtr Find(const ObjectId& id) {
    Word* const word = OwnerOf(id).Find(id.slot);
    task::TaskRecord* found = word == nullptr ? nullptr : word->exchange(nullptr, std::memory_order_seq_cst);
    if (found == nullptr) return {};
    task::TaskPtr task(found);
    word->store(found, std::memory_order_seq_cst);
    if (task->phase.load(std::memory_order_seq_cst) == task::Phase::kDone)
      Drop(word->exchange(nullptr, std::memory_order_seq_cst));
    return task->result() == id ? task : task::TaskPtr();
  }

 private:
  using Word = std::atomic<task::TaskRecord*>;
  static void Drop(task::TaskRecord* held) { task::TaskPtr::Adopt(held); }
  SlotChunks<Word>& OwnerOf(const ObjectId& id) { return owners_[static_cast<std::size_t>(id.owner.value)]; }

  std::vector<SlotChunks<Word>> owners_;
};

}  // namespace manta::runtime
