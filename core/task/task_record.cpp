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

TaskRecord::TaskRecord(const Layout& layout, bool owned)
    : kind_(layout.kind),
      one_cpu(false),
      zero_cpu(false),
      ordered(false),
      pinned_(false),
      owned_(owned),
      has_extra_(layout.extra || layout.bytes > kMaxInside),
      has_arguments_(layout.arguments != 0),
      bytes_(static_cast<std::uint16_t>(layout.bytes > kMaxInside ? 0 : layout.bytes & 0x1fff)),
      credit_returned(false),
      counts_unended(false),
      counts_unstarted(false) {
  result_.object = nullptr;
  if (kind_ == TaskKind::kActorCall) new (ActorSlot()) ActorPart();
  if (has_arguments_) new (ArgumentSlot()) ArgumentPart(layout.arguments, sizeof(TaskRecord) + actor_bytes());
  if (has_extra_) *ExtraSlot() = new TaskExtra();
  if (layout.bytes > kMaxInside) {
    (*ExtraSlot())->bytes = std::make_unique_for_overwrite<std::byte[]>(layout.bytes);
    (*ExtraSlot())->byte_count = layout.bytes;
  }
}

TaskRecord::~TaskRecord() {
  ResetResult();
  if (has_extra_) delete *ExtraSlot();
  if (has_arguments_) ArgumentSlot()->~ArgumentPart();
  if (kind_ == TaskKind::kActorCall) ActorSlot()->~ActorPart();
}

TaskRecord* TaskRecord::Allocate(const Layout& layout, bool owned) {
  const std::size_t head = (layout.kind == TaskKind::kActorCall ? sizeof(ActorPart) : 0) +
                           (layout.arguments != 0 ? ArgumentPart::BytesFor(layout.arguments) : 0) +
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
  TaskPtr task = TaskPtr::First(Allocate(layout, true));
  // The handle's hold becomes the record's.
  task->result_.object = static_cast<object::ObjectState*>(std::move(result).Release());
  return task;
}

TaskPtr TaskRecord::MakeForeign(const Layout& layout, const ObjectId& result) {
  TaskPtr task = TaskPtr::First(Allocate(layout, false));
  task->result_.id = {result.slot, result.generation};
  task->rank_ = result.owner.value;
  return task;
}

void TaskRecord::ResetResult() {
  if (!owned_) return;
  object::Handle::Adopt(std::exchange(result_.object, nullptr)).Reset();
}

std::span<std::byte> TaskRecord::bytes() {
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
