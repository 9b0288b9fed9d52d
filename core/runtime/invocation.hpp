#pragma once
// The running call as its thunk sees it (detail::Invocation), over a task record.

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>

#include "core/base/clock.hpp"
#include "core/runtime/object_plane.hpp"
#include "core/task/task_record.hpp"

namespace manta::runtime {

class TaskInvocation final : public detail::Invocation {
 public:
  TaskInvocation(task::TaskRecord& task, void* self, ObjectPlane& objects, task::RunResult& result)
      : task_(task), self_(self), objects_(objects), result_(result) {}

  /// Sees to it that the values of all arguments can be read until this ends. May park; throws what keeps one away.
  /// `nested`: on the stack of another task, which waits for this one.
  void KeepArguments(bool nested) {
    const std::span<const detail::ArgumentRef> all = task_.arguments();
    if (all.empty()) return;
    const std::uint64_t bytes = objects_.BytesToKeep(all);
    if (objects_.admission().IsSmall(bytes) || IsBroughtAhead(all)) {
      KeepAll(all, false);
      return;
    }
    objects_.CheckSizes(all);
    const std::int64_t since = base::NowNanoseconds();
    for (;; objects_.admission().LetOthersGo()) {
      admitted_ = objects_.admission().Admit(bytes, nested);
      try {
        KeepAll(all, objects_.admission().IsLarge(bytes));
        admitted_.EndTurn();
        return;
      } catch (const OutOfMemoryError&) {
        // Others' arguments have its room. They go when those tasks end; for who waits for this one they never do, as
        // the one below on this stack.
        kept_.clear();
        if (nested || !objects_.admission().OthersMayEnd(bytes, since)) throw;
        admitted_ = {};
      }
    }
  }

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
    ObjectState& object = *object::StateOf(argument.object);
    return objects_.Materialize(object, ops, KeptOf(argument));
  }
  std::shared_ptr<const void> FreshValue(const detail::ArgumentRef& argument, const TypeOps& ops) override {
    ObjectState& object = *object::StateOf(argument.object);
    objects_.MakeBytes(object);
    return objects_.MaterializeFresh(object, ops, objects_.KeepHere(object, true));
  }
  void CopyPlain(const detail::ArgumentRef& argument, const TypeOps& ops, void* to) override {
    objects_.CopyPlain(*object::StateOf(argument.object), ops, KeptOf(argument), to);
  }
  const std::byte* ArrayInPlace(const detail::ArgumentRef& argument, std::size_t* size_bytes) override {
    if (object::StateOf(argument.object)->format() != detail::Format::kArray) return nullptr;
    const LocalStore::Kept kept = KeptOf(argument);
    *size_bytes = kept.size;
    return kept.bytes;
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
  /// With what admits it. Where a part could not be brought all is let go of, to be waited for as if nothing had been.
  bool IsBroughtAhead(std::span<const detail::ArgumentRef> all) {
    task::ArgumentPart& part = *task_.argument_part();
    if (!part.has_kept()) return false;
    const std::vector<std::shared_ptr<const void>>& kept = part.MakeKept().values;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (kept[i] != nullptr || !all[i].object || objects_.IsHere(*object::StateOf(all[i].object))) continue;
      part.DropKept();
      return false;
    }
    return true;
  }
  void KeepAll(std::span<const detail::ArgumentRef> all, bool is_large) {
    std::vector<std::size_t> here;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!all[i].object) continue;
      ObjectState& object = *object::StateOf(all[i].object);
      if (object.inside()) continue;
      if (kept_.empty()) kept_.resize(all.size());
      // Those first that need room, while the others may still be moved out of their way.
      if (is_large && objects_.IsHere(object))
        here.push_back(i);
      else
        kept_[i] = objects_.KeepHere(object);
    }
    for (const std::size_t i : here) kept_[i] = objects_.KeepHere(*object::StateOf(all[i].object));
  }

  LocalStore::Kept KeptOf(const detail::ArgumentRef& argument) const {
    if (const ObjectState& object = *object::StateOf(argument.object); object.inside())
      return {object.bytes(), object.size(), nullptr};
    return kept_[static_cast<std::size_t>(&argument - task_.arguments().data())];
  }

  task::TaskRecord& task_;
  void* self_;
  ObjectPlane& objects_;
  task::RunResult& result_;
  ArgumentAdmission::Entry admitted_;
  std::vector<LocalStore::Kept> kept_;  // of the arguments; empty where all lie in their records
};

/// Thrown by ExitActor through the method that called it.
struct ExitActorSignal {};

}  // namespace manta::runtime
