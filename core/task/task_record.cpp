#include "core/task/task_record.hpp"

#include <memory>
#include <utility>

#include "core/base/slab.hpp"

namespace manta::task {

ArgumentPart::ArgumentPart(std::size_t count, std::size_t offset)
    : count_(static_cast<std::uint32_t>(count)),
      room_(static_cast<std::uint32_t>(count)),
      offset_(static_cast<std::uint32_t>(offset)) {
  std::uninitialized_default_construct_n(reinterpret_cast<detail::ArgumentRef*>(this + 1), count);
}

void ArgumentPart::Drop() {
  std::destroy_n(reinterpret_cast<detail::ArgumentRef*>(this + 1), std::exchange(count_, 0));
  kept_.reset();
}

bool ArgumentPart::Await(TaskPtr& task, ArgumentEvents& events) {
  while (next_ < count_) {
    object::ObjectState& argument = *object::StateOf(refs()[next_++].object);
    if (argument.done()) continue;
    events_ = &events;
    TaskRecord* const held = task.Release();  // by the wait, which may be over before AddWaiter returns
    if (argument.AddWaiter(*this)) return false;
    task = TaskPtr::Adopt(held);
  }
  return true;
}

void ArgumentPart::ObjectDone(object::ObjectState&) {
  TaskPtr task = TaskPtr::Adopt(reinterpret_cast<TaskRecord*>(reinterpret_cast<std::byte*>(this) - offset_));
  if (Await(task, *events_)) events_->ArgumentsDone(std::move(task));
}

inline TaskRecord::TaskRecord(TaskKind kind, bool owned, bool extra, bool arguments, std::size_t inside)
    : kind_(kind),
      one_cpu(false),
      zero_cpu(false),
      ordered(false),
      pinned_(false),
      owned_(owned),
      has_extra_(extra),
      has_arguments_(arguments),
      has_parts_(extra || arguments || kind == TaskKind::kActorCall),
      bytes_(static_cast<std::uint16_t>(inside)),
      credit_returned(false),
      counts_unended(false),
      counts_unstarted(false) {
  result_.object = nullptr;
}

inline TaskRecord* TaskRecord::Make(const Layout& layout, bool owned) {
  const bool outside = layout.bytes > kMaxInside;
  const std::size_t inside = outside ? 0 : layout.bytes;
  const bool extra = layout.extra || outside;
  const bool call = layout.kind == TaskKind::kActorCall;
  std::size_t parts = call ? sizeof(ActorPart) : 0;
  if (layout.arguments != 0) parts += ArgumentPart::BytesFor(layout.arguments);
  if (extra) parts += sizeof(TaskExtra*);
  auto* const record = new (base::SlabAllocate(sizeof(TaskRecord) + parts + inside))
      TaskRecord(layout.kind, owned, extra, layout.arguments != 0, inside);
  if (parts != 0) record->MakeParts(layout, outside);
  return record;
}

void TaskRecord::MakeParts(const Layout& layout, bool outside) {
  if (kind_ == TaskKind::kActorCall) new (ActorSlot()) ActorPart();
  if (has_arguments_) new (ArgumentSlot()) ArgumentPart(layout.arguments, sizeof(TaskRecord) + actor_bytes());
  if (!has_extra_) return;
  auto* const extra = *ExtraSlot() = new TaskExtra();
  if (!outside) return;
  extra->bytes = std::make_unique_for_overwrite<std::byte[]>(layout.bytes);
  extra->byte_count = layout.bytes;
}

void TaskRecord::DestroyParts() {
  if (has_extra_) delete *ExtraSlot();
  if (has_arguments_) ArgumentSlot()->~ArgumentPart();
  if (kind_ == TaskKind::kActorCall) ActorSlot()->~ActorPart();
}

void TaskRecord::operator delete(TaskRecord* record, std::destroying_delete_t) {
  const std::size_t bytes = record->block_bytes();
  record->~TaskRecord();
  base::SlabFree(record, bytes);
}

TaskPtr TaskRecord::MakeOwned(const Layout& layout, object::Handle result) {
  TaskPtr task = TaskPtr::First(Make(layout, true));
  // The handle's hold becomes the record's.
  task->result_.object = static_cast<object::ObjectState*>(std::move(result).Release());
  return task;
}

TaskPtr TaskRecord::MakeForeign(const Layout& layout, const ObjectId& result) {
  TaskPtr task = TaskPtr::First(Make(layout, false));
  task->result_.id = {result.slot, result.generation};
  task->rank_ = result.owner.value;
  return task;
}

std::span<std::byte> TaskRecord::BytesBehindParts() {
  if (has_extra_ && (*ExtraSlot())->byte_count != 0) return {(*ExtraSlot())->bytes.get(), (*ExtraSlot())->byte_count};
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
