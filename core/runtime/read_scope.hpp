#pragma once
// What a thread is reading bytes for, so that refs found in them are registered with the right guard.

#include <vector>

#include "core/object/object_state.hpp"

namespace manta::runtime {

/// While it lives, refs that this thread reads are kept alive by `container` until their owners know of them, and are
/// noted in the running task's list (RunScope). Scopes nest. Reading never parks, so a thread_local is right.
class ReadScope {
 public:
  explicit ReadScope(object::Handle container) : container_(std::move(container)), outer_(Current()) {
    Current() = this;
  }
  ~ReadScope() { Current() = outer_; }
  ReadScope(const ReadScope&) = delete;
  ReadScope& operator=(const ReadScope&) = delete;

  const object::Handle& container() const { return container_; }
  static ReadScope*& Current() {
    thread_local ReadScope* current = nullptr;
    return current;
  }

 private:
  object::Handle container_;
  ReadScope* outer_;
};

}  // namespace manta::runtime
