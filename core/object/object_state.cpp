#include "core/object/object_state.hpp"

#include <memory>
#include <new>

#include "core/base/slab.hpp"

namespace manta::object {

static_assert(sizeof(ObjectLock) == 1);

std::shared_ptr<std::byte[]> AlignedBytes(std::size_t size) {
#if !defined(__SANITIZE_ADDRESS__)  // which is to see what is written past the end
  // glibc keeps no aligned blocks for a thread: they cost several times as much as others.
  constexpr std::size_t kSmallBlock = 512, kAlignment = 64;
  if (const std::size_t room = size + kAlignment; room <= kSmallBlock) {
    void* const block = base::SlabAllocate(room);
    void* at = block;
    std::size_t left = room;
    std::align(kAlignment, size, at, left);
    return {static_cast<std::byte*>(at), [block, room](std::byte*) { base::SlabFree(block, room); },
            base::SlabAllocator<std::byte>()};
  }
#endif
  auto* bytes = static_cast<std::byte*>(::operator new (size == 0 ? 1 : size, std::align_val_t{64}));
  return {bytes, [](std::byte* p) { ::operator delete (p, std::align_val_t{64}); }};
}

void ObjectState::SetBytes(const void* from, std::size_t size) {
  // A task that has not ended yet must find its own pointer: larger values of such objects lie elsewhere.
  if (size <= kBeforeProducer || (size <= kSmallBytes && words_.pending.producer == nullptr)) {
    if (size != 0) std::memcpy(words_.small, from, size);
    shape_ = static_cast<std::uint8_t>((shape_ & kFormatBits) | kInside | size << kSizeShift);
    return;
  }
  Cold& part = MakeCold();
  std::byte* to = part.inside;
  if (size > Cold::kInsideBytes) {
    auto heap = AlignedBytes(size);
    to = heap.get();
    part.heap = std::move(heap);
  }
  std::memcpy(to, from, size);
  part.data = to;
  part.size = size;
}

bool ObjectState::AddWaiter(ObjectWaiter& waiter) {
  if (done()) return false;
  std::lock_guard lock(Lock());
  if (done()) return false;
  ObjectWaiter*& first = words_.pending.waiters;
  waiter.previous_ = nullptr;
  waiter.next_ = first;
  if (first != nullptr) first->previous_ = &waiter;
  first = &waiter;
  return true;
}

bool ObjectState::RemoveWaiter(ObjectWaiter& waiter) {
  if (done()) return false;
  std::lock_guard lock(Lock());
  if (done()) return false;
  if (waiter.previous_ != nullptr)
    waiter.previous_->next_ = waiter.next_;
  else
    words_.pending.waiters = waiter.next_;
  if (waiter.next_ != nullptr) waiter.next_->previous_ = waiter.previous_;
  return true;
}

void ObjectState::Tell(ObjectWaiter* first) {
  // The list is ours; a waiter may be gone as soon as it was told. Oldest first: they were pushed to the front.
  ObjectWaiter* oldest_first = nullptr;
  while (first != nullptr) {
    ObjectWaiter* next = first->next_;
    first->next_ = oldest_first;
    oldest_first = first;
    first = next;
  }
  while (oldest_first != nullptr) {
    ObjectWaiter* next = oldest_first->next_;
    oldest_first->ObjectDone(*this);
    oldest_first = next;
  }
}

}  // namespace manta::object
