#include "core/task/task_record.hpp"

#include <cstring>
#include <utility>

#include "core/base/slab.hpp"

namespace manta::task {

TaskRecord::TaskRecord(const Layout& layout, bool owned)
    : kind_(layout.kind),
      one_cpu(false),
      zero_cpu(false),
      ordered(false),
      pinned_(false),
      owned_(owned),
      has_extra_(layout.extra || layout.bytes > kMaxInside),
      bytes_(static_cast<std::uint16_t>(layout.bytes > kMaxInside ? 0 : layout.bytes & 0x1fff)),
      credit_returned(false),
      counts_unended(false),
      counts_unstarted(false) {
  result_.object = nullptr;
  if (kind_ == TaskKind::kActorCall) new (ActorSlot()) ActorPart();
  if (has_extra_) *ExtraSlot() = new TaskExtra();
  if (layout.bytes > kMaxInside) (*ExtraSlot())->bytes.Reset(layout.bytes);
}

TaskRecord::~TaskRecord() {
  ResetResult();
  if (has_extra_) delete *ExtraSlot();
  if (kind_ == TaskKind::kActorCall) ActorSlot()->~ActorPart();
}

TaskRecord* TaskRecord::Allocate(const Layout& layout, bool owned) {
  const std::size_t head = (layout.kind == TaskKind::kActorCall ? sizeof(ActorPart) : 0) +
                           (layout.extra || layout.bytes > kMaxInside ? sizeof(TaskExtra*) : 0);
  const std::size_t inside = layout.bytes > kMaxInside ? 0 : layout.bytes;
  return new (base::SlabAllocate(sizeof(TaskRecord) + head + inside)) TaskRecord(layout, owned);
}

std::size_t TaskRecord::block_bytes() const { return sizeof(TaskRecord) + head_bytes() + bytes_; }

void TaskRecord::operator delete(TaskRecord* record, std::destroying_delete_t) {
  const std::size_t bytes = record->block_bytes();
  record->~TaskRecord();
  base::SlabFree(record, bytes);
}

TaskPtr TaskRecord::MakeOwned(const Layout& layout, object::Handle result) {
  TaskPtr task(Allocate(layout, true));
  // The handle's hold becomes the record's.
  task->result_.object = static_cast<object::ObjectState*>(std::move(result).Release());
  return task;
}

TaskPtr TaskRecord::MakeForeign(const Layout& layout, const ObjectId& result) {
  TaskPtr task(Allocate(layout, false));
  task->result_.id = {result.slot, result.generation};
  task->rank_ = result.owner.value;
  return task;
}

void TaskRecord::ResetResult() {
  if (!owned_) return;
  object::Handle::Adopt(std::exchange(result_.object, nullptr)).Reset();
}

std::span<std::byte> TaskRecord::bytes() {
  if (has_extra_ && (*ExtraSlot())->bytes.size() != 0) return {(*ExtraSlot())->bytes.data(), (*ExtraSlot())->bytes.size()};
  return {Tail() + head_bytes(), bytes_};
}

const std::string& TaskRecord::name() const {
  static const std::string none;
  return has_extra_ ? (*ExtraSlot())->name : none;
}

Amount TaskRecord::cpus() const {
  if (has_extra_) return (*ExtraSlot())->cpus;
  return Amount::Whole(one_cpu ? 1 : 0);
}

}  // namespace manta::task
