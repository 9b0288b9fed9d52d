#pragma once
// A counted hold on a record of the runtime (an object or an actor as this process knows it).

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace manta::detail {

/// What every record begins with. The count is of holds in this process: refs of the user, arguments of tasks, waits.
struct CountedRecord {
  std::atomic<std::int32_t> holds{0};
};

/// Called when the last hold goes; the record may be gone afterwards. Any thread.
void ReleaseLast(CountedRecord* record) noexcept;
/// Lets go of a hold that is most likely the only one; most records end with that, in one step.
void ReleaseSole(CountedRecord* record) noexcept;

class Handle {
 public:
  Handle() = default;
  explicit Handle(CountedRecord* record) : record_(record) { Retain(); }
  /// Takes over a hold that was counted already.
  Handle(const Handle& other) : record_(other.record_) { Retain(); }
  Handle(Handle&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
  Handle& operator=(Handle other) noexcept {
    std::swap(record_, other.record_);
    return *this;
  }
  ~Handle() { Reset(); }

  CountedRecord* get() const { return record_; }
  /// Gives the hold to the caller, who Adopts it again some time.
  CountedRecord* Release() && { return std::exchange(record_, nullptr); }
  static Handle Adopt(CountedRecord* record) {
    Handle handle;
    handle.record_ = record;
    return handle;
  }
  explicit operator bool() const { return record_ != nullptr; }
  void Reset() noexcept {
    if (record_ == nullptr) return;
    // Acquire, acq_rel: what other holders did with the record happens before its end.
    if (record_->holds.load(std::memory_order_acquire) == 1) ReleaseSole(record_);
    else if (record_->holds.fetch_sub(1, std::memory_order_acq_rel) == 1) ReleaseLast(record_);
    record_ = nullptr;
  }

 private:
  // relaxed: a new hold is made from an existing one, which keeps the record.
  void Retain() const {
    if (record_ != nullptr) record_->holds.fetch_add(1, std::memory_order_relaxed);
  }
  CountedRecord* record_ = nullptr;
};

/// Handles that lie in an array of larger or other objects (refs), seen without copying them.
class HandleView {
 public:
  HandleView() = default;
  /// `first` begins the first of `count` objects of `stride` bytes, each of which begins with a Handle.
  HandleView(const Handle* first, std::size_t count, std::size_t stride = sizeof(Handle))
      : first_(reinterpret_cast<const std::byte*>(first)), count_(count), stride_(stride) {}
  std::size_t size() const { return count_; }
  const Handle& operator[](std::size_t i) const { return *reinterpret_cast<const Handle*>(first_ + i * stride_); }

 private:
  const std::byte* first_ = nullptr;
  std::size_t count_ = 0;
  std::size_t stride_ = sizeof(Handle);
};

}  // namespace manta::detail
