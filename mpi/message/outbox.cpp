#include "mpi/message/outbox.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/check.hpp"

namespace manta::mpi {

bool Outbox::Append(std::span<const std::byte> message) {
  MANTA_ASSERT(!message.empty());
  std::lock_guard lock(mutex_);
  if (message.size() > kMaxRecordPayload) {
    AppendLong(message);
  } else {
    const std::size_t size = RecordSize(message.size());
    if (waiting_.empty() || waiting_.back().room() < size) {
      const bool is_behind = !waiting_.empty();
      waiting_.push_back(pool_.Take(is_behind ? kLargeBatchBytes : size));
    }
    waiting_.back().Append(message, 0);
  }
  ++messages_;
  bytes_ += message.size();
  return !std::exchange(listed_, true);
}

void Outbox::AppendLong(std::span<const std::byte> message) {
  // Made aside first: half a message in the row would spoil all that follows.
  std::deque<Batch> pieces;
  while (!message.empty()) {
    const std::size_t size = std::min(message.size(), kMaxRecordPayload);
    pieces.push_back(pool_.Take(RecordSize(size)));
    pieces.back().Append(message.first(size), message.size() - size);
    message = message.subspan(size);
  }
  waiting_.insert(waiting_.end(), std::make_move_iterator(pieces.begin()), std::make_move_iterator(pieces.end()));
}

std::optional<Batch> Outbox::TakeOldest() {
  std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    listed_ = false;
    return std::nullopt;
  }
  Batch oldest = std::move(waiting_.front());
  waiting_.pop_front();
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
