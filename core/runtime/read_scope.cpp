#include "core/runtime/read_scope.hpp"

#include "core/runtime/object_plane.hpp"

namespace manta::runtime {

ReadScope::~ReadScope() {
  Current() = outer_;
  for (Borrows& borrows : untold_)
    if (!borrows.objects.empty()) plane_.TellOwner(std::move(borrows), container_);
}

void ReadScope::Tell(const ObjectId& id, object::ObjectState& record) {
  Borrows* of_owner = nullptr;
  for (Borrows& borrows : untold_)
    if (borrows.owner == id.owner) of_owner = &borrows;
  if (of_owner == nullptr) of_owner = &untold_.emplace_back(Borrows{id.owner, {}, {}});
  of_owner->objects.push_back({id.slot, id.generation});
  of_owner->records.push_back(&record);
  if (of_owner->objects.size() < kBatch) return;
  plane_.TellOwner(std::exchange(*of_owner, Borrows{id.owner, {}, {}}), container_);
}

}  // namespace manta::runtime
