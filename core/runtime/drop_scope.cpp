#include "core/runtime/drop_scope.hpp"

namespace manta::runtime {
namespace {

wire::DroppedBorrow Dropped(const ObjectId& id, std::uint32_t received) { return {{id.slot, id.generation}, received}; }

}  // namespace

// Not inlined: a caller that switches fibers must not keep the place of a thread_local.
__attribute__((noinline)) DropScope*& DropScope::Current() {
  thread_local DropScope* current = nullptr;
  return current;
}

void DropScope::Drop(Router& router, const ObjectId& id, std::uint32_t received) {
  if (DropScope* const scope = Current())
    scope->Add(id, received);
  else
    router.Send(id.owner, wire::BorrowDrop{{Dropped(id, received)}});
}

void DropScope::Add(const ObjectId& id, std::uint32_t received) {
  Drops* of_owner = nullptr;
  for (Drops& drops : drops_)
    if (drops.owner == id.owner) of_owner = &drops;
  if (of_owner == nullptr) of_owner = &drops_.emplace_back(Drops{id.owner, {}});
  auto& dropped = of_owner->message.dropped;
  dropped.push_back(Dropped(id, received));
  if (dropped.size() < kBatch) return;
  router_.Send(id.owner, of_owner->message);
  dropped.clear();
}

void DropScope::SendAll() {
  for (Drops& drops : drops_) {
    if (drops.message.dropped.empty()) continue;
    router_.Send(drops.owner, drops.message);
    drops.message.dropped.clear();
  }
}

}  // namespace manta::runtime
