#pragma once
// What a thread is reading bytes for, so that refs found in them are registered with the right guard, many at a time.

#include <cstddef>
#include <vector>

#include "core/object/object_state.hpp"

namespace manta::runtime {

class ObjectPlane;

/// Borrowed objects of one owner that it has not been told of.
struct Borrows {
  Rank owner;
  std::vector<wire::SlotUse> objects;
  std::vector<object::ObjectState*> records;  // via_pending, so they stay
};

/// While it lives, refs that this thread reads are kept alive by `container` until their owners know of them, and are
/// noted in the running task's list (RunScope). Their owners are told at its end at the latest. Scopes nest. Reading
/// never parks, so a thread_local is right.
class ReadScope {
 public:
  ReadScope(ObjectPlane& plane, object::Handle container)
      : plane_(plane), container_(std::move(container)), outer_(Current()) {
    Current() = this;
  }
  ~ReadScope();
  ReadScope(const ReadScope&) = delete;
  ReadScope& operator=(const ReadScope&) = delete;

  const object::Handle& container() const { return container_; }
  /// Its owner is to be told that we borrow the object.
  void Tell(const ObjectId& id, object::ObjectState& record);
  static ReadScope*& Current() {
    thread_local ReadScope* current = nullptr;
    return current;
  }

 private:
  static constexpr std::size_t kBatch = 512;  // a few KiB, so that owners begin while we read on

  ObjectPlane& plane_;
  object::Handle container_;
  ReadScope* outer_;
  std::vector<Borrows> untold_;  // by owner, of which there are few
};

}  // namespace manta::runtime
