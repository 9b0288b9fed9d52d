#include "mpi/message/outbox.hpp"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <utility>

#include "core/base/check.hpp"

namespace manta::mpi {

bool Outbox::Append(std::span<const std::byte> message) {
  MANTA_ASSERT(!message.empty());
  // A long one is made aside: half a message in the row would spoil all that follows, and the lock spins.
  std::deque<Batch> pieces;
  if (message.size() > kMaxRecordPayload) pieces = CutUp(message);
  std::lock_guard lock(mutex_);
  const bool was_listed = !waiting_.empty();
  if (!pieces.empty()) {
    waiting_.insert(waiting_.end(), std::make_move_iterator(pieces.begin()), std::make_move_iterator(pieces.end()));
  } else {
    const std::size_t size = RecordSize(message.size());
    if (!was_listed || waiting_.back().room() < size)
      waiting_.push_back(pool_.Take(was_listed ? kLargeBatchBytes : size));
    waiting_.back().Append(message, 0);
  }
  ++messages_;
  bytes_ += message.size();
  return !was_listed;
}

std::deque<Batch> Outbox::CutUp(std::span<const std::byte> message) {
  std::deque<Batch> pieces;
  while (!message.empty()) {
    const std::size_t size = std::min(message.size(), kMaxRecordPayload);
    pieces.push_back(pool_.Take(RecordSize(size)));
    pieces.back().Append(message.first(size), message.size() - size);
    message = message.subspan(size);
  }
  return pieces;
}

std::optional<Batch> Outbox::TakeOldest(bool* is_listed) {
  std::lock_guard lock(mutex_);
  std::optional<Batch> oldest;
  if (!waiting_.empty()) {
    oldest = std::move(waiting_.front());
    waiting_.pop_front();
  }
  *is_listed = !waiting_.empty();
  return oldest;
}

std::uint64_t Outbox::messages() const {
  std::lock_guard lock(mutex_);
  return messages_;
}

std::uint64_t Outbox::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace manta::mpi
