#include "mpi/message/batch.hpp"

#include <cstring>
#include <mutex>
#include <utility>

#include "core/base/check.hpp"

namespace manta::mpi {

void Batch::Append(std::span<const std::byte> payload, std::size_t remaining) {
  const RecordHeader header{static_cast<std::uint32_t>(payload.size()), static_cast<std::uint32_t>(remaining)};
  std::byte* at = buffer.get() + used;
  std::memcpy(at, &header, sizeof(header));
  std::memcpy(at + sizeof(header), payload.data(), payload.size());
  const std::size_t size = RecordSize(payload.size());
  const std::size_t pad = size - sizeof(header) - payload.size();
  std::memset(at + sizeof(header) + payload.size(), 0, pad);  // MPI sends it: no stray bytes, no valgrind noise
  used += size;
  if (remaining == 0) ++messages;
}

Batch BatchPool::Take(std::size_t min_bytes) {
  MANTA_ASSERT(min_bytes <= kLargeBatchBytes);
  const bool is_small = min_bytes <= kSmallBatchBytes;
  {
    std::lock_guard lock(mutex_);
    std::vector<Batch>& kept = is_small ? small_ : large_;
    if (!kept.empty()) {
      Batch batch = std::move(kept.back());
      kept.pop_back();
      return batch;
    }
  }
  const std::size_t capacity = is_small ? kSmallBatchBytes : kLargeBatchBytes;
  return Batch{std::make_unique_for_overwrite<std::byte[]>(capacity), capacity};
}

void BatchPool::Give(Batch batch) {
  batch.used = 0;
  batch.messages = 0;
  std::lock_guard lock(mutex_);
  std::vector<Batch>& kept = batch.capacity == kSmallBatchBytes ? small_ : large_;
  if (kept.size() < kKept) kept.push_back(std::move(batch));
}

BatchReader::Record BatchReader::Next() {
  RecordHeader header;
  MANTA_ASSERT(rest_.size() >= sizeof(header));
  std::memcpy(&header, rest_.data(), sizeof(header));
  const std::size_t size = RecordSize(header.bytes);
  MANTA_ASSERT(header.bytes > 0 && size <= rest_.size());
  const Record record{rest_.subspan(sizeof(header), header.bytes), header.remaining};
  rest_ = rest_.subspan(size);
  return record;
}

Assembly::Message Assembly::Add(BatchReader::Record record) {
  if (memory_ == nullptr) {
    if (record.remaining == 0) return {record.payload, nullptr};
    total_ = record.payload.size() + record.remaining;
    have_ = 0;
    memory_ = std::make_unique_for_overwrite<std::byte[]>(total_);
  }
  MANTA_ASSERT(have_ + record.payload.size() + record.remaining == total_);
  std::memcpy(memory_.get() + have_, record.payload.data(), record.payload.size());
  have_ += record.payload.size();
  if (record.remaining > 0) return {};
  return {{memory_.get(), total_}, std::move(memory_)};
}

}  // namespace manta::mpi
