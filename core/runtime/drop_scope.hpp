#pragma once
// Borrowed refs that one step of a thread drops, given back to their owners in few messages.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/runtime/router.hpp"

namespace manta::runtime {

/// While the outermost one of a thread lives, its drops are gathered; they leave at its end at the latest. Destructors of
/// the user's may run in it, and wait: a wait first sends what was gathered, and then there is no scope (Pause).
class DropScope {
 public:
  explicit DropScope(Router& router) : router_(router), outermost_(Current() == nullptr) {
    if (outermost_) Current() = this;
  }
  ~DropScope() {
    if (!outermost_) return;
    Current() = nullptr;
    SendAll();
  }
  DropScope(const DropScope&) = delete;
  DropScope& operator=(const DropScope&) = delete;

  /// Gives back what this rank received of the object.
  static void Drop(Router& router, const ObjectId& id, std::uint32_t received);

  /// Around a wait, during which other flows run on this thread.
  class Pause {
   public:
    Pause() : scope_(std::exchange(Current(), nullptr)) {
      if (scope_ != nullptr) scope_->SendAll();
    }
    ~Pause() { Current() = scope_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    DropScope* const scope_;
  };

 private:
  static constexpr std::size_t kBatch = 512;
  struct Drops {
    Rank owner;
    wire::BorrowDrop message;
  };
  static DropScope*& Current();
  void Add(const ObjectId& id, std::uint32_t received);
  void SendAll();

  Router& router_;
  const bool outermost_;
  std::vector<Drops> drops_;  // by owner, of which there are few
};

}  // namespace manta::runtime
