#pragma once
// A queue of task records, linked through them: a record lies in one such list, or in the ready queue, or in none.

#include <utility>

#include "core/task/task_record.hpp"

namespace manta::task {

/// First in, first out. Who uses it says whose holds it has, and guards it.
class RecordList {
 public:
  constexpr RecordList() = default;
  RecordList(const RecordList&) = delete;
  RecordList& operator=(const RecordList&) = delete;
  RecordList(RecordList&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr)) {}

  bool empty() const { return first_ == nullptr; }
  TaskRecord* first() const { return first_; }
  void Push(TaskRecord* record) {
    record->queue_next = nullptr;
    (first_ == nullptr ? first_ : last_->queue_next) = record;
    last_ = record;
  }
  /// Not empty.
  TaskRecord* Pop() {
    TaskRecord* const record = first_;
    first_ = std::exchange(record->queue_next, nullptr);
    return record;
  }
  /// False when it is not there.
  bool Remove(TaskRecord& record) {
    TaskRecord* before = nullptr;
    for (TaskRecord* at = first_; at != nullptr; before = at, at = at->queue_next) {
      if (at != &record) continue;
      (before == nullptr ? first_ : before->queue_next) = at->queue_next;
      if (last_ == at) last_ = before;
      at->queue_next = nullptr;
      return true;
    }
    return false;
  }

 private:
  TaskRecord* first_ = nullptr;
  TaskRecord* last_ = nullptr;
};

}  // namespace manta::task
