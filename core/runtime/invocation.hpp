#pragma once
// The running call as its thunk sees it (detail::Invocation), over a task record.

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

#include "core/runtime/object_plane.hpp"
#include "core/task/task_record.hpp"

namespace manta::runtime {

class TaskInvocation final : public detail::Invocation {
 public:
  TaskInvocation(task::TaskRecord& task, void* self, ObjectPlane& objects, task::RunResult& result)
      : task_(task), self_(self), objects_(objects), result_(result) {}

  std::span<const std::byte> bytes() const override { return task_.bytes(); }
  const detail::CodeWords& callable() const override { return task_.task_class().callable; }
  void* self() const override { return self_; }
  std::span<const detail::ArgumentRef> Given(std::uint32_t param) const override {
    const std::span<const detail::ArgumentRef> all = task_.arguments();
    if (all.empty()) return {};
    if (all.size() == 1) return all.front().param == param ? all : std::span<const detail::ArgumentRef>();
    auto less = [](const detail::ArgumentRef& a, std::uint32_t p) { return a.param < p; };
    auto first = std::lower_bound(all.begin(), all.end(), param, less);
    auto last = std::lower_bound(first, all.end(), param + 1, less);
    return {first, last};
  }
  std::shared_ptr<const void> Value(const detail::ArgumentRef& argument, const TypeOps& ops) override {
    return objects_.Materialize(*object::StateOf(argument.object), ops);
  }
  std::shared_ptr<const void> FreshValue(const detail::ArgumentRef& argument, const TypeOps& ops) override {
    return objects_.MaterializeFresh(*object::StateOf(argument.object), ops);
  }
  void CopyPlain(const detail::ArgumentRef& argument, const TypeOps& ops, void* to) override {
    objects_.CopyPlain(*object::StateOf(argument.object), ops, to);
  }
  const std::byte* ArrayInPlace(const detail::ArgumentRef& argument, std::size_t* size_bytes) override {
    ObjectState& object = *object::StateOf(argument.object);
    std::lock_guard lock(object.Lock());
    if (object.format() != detail::Format::kArray) return nullptr;
    if (object.bytes() != nullptr) {
      *size_bytes = object.size();
      return object.bytes();
    }
    const object::Cold* const cold = object.cold();
    if (cold == nullptr || cold->live == nullptr) return nullptr;
    *size_bytes = cold->ops->measure(cold->live.get());
    return static_cast<const std::byte*>(cold->ops->elements(cold->live.get()));
  }
  void ReturnNothing() override {}
  void ReturnPlain(const TypeOps& ops, const void* value) override {
    result_.ops = &ops;
    result_.plain_size = ops.item_bytes;
    std::memcpy(result_.plain, value, ops.item_bytes);
  }
  void ReturnObject(const TypeOps& ops, std::shared_ptr<const void> object) override {
    result_.ops = &ops;
    result_.live = std::move(object);
  }
  void ReturnActor(std::shared_ptr<void> instance) override { result_.actor = std::move(instance); }

 private:
  task::TaskRecord& task_;
  void* self_;
  ObjectPlane& objects_;
  task::RunResult& result_;
};

/// Thrown by ExitActor through the method that called it.
struct ExitActorSignal {};

}  // namespace manta::runtime
