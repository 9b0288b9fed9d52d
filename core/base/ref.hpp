#pragma once
// A counted pointer whose count lies in the object, for records that several queues and tables hold at once.

#include <atomic>
#include <cstdint>
#include <utility>

namespace manta::base {

/// What a T of Ref<T> derives from.
class Counted {
 public:
  Counted() = default;
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  template <class T>
  friend class Ref;
  std::atomic<std::uint32_t> count_{0};
};

template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) { Retain(); }
  Ref(const Ref& other) : object_(other.object_) { Retain(); }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ == nullptr) return;
    // A hold that is the only one stays so: new ones are made from others. Acquire, and acq_rel below: all that the
    // holders did with the object happens before its end.
    if (object_->count_.load(std::memory_order_acquire) == 1 ||
        object_->count_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      delete object_;
  }
  /// A second hold on an object that no other thread knows yet; saves the locked instruction of a copy.
  Ref CopyUnshared() const {
    object_->count_.store(object_->count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return Adopt(object_);
  }
  /// The first hold on an object that was just made: no other thread knows it.
  static Ref First(T* object) {
    object->count_.store(1, std::memory_order_relaxed);
    return Adopt(object);
  }
  /// Lets go of a hold on the same object that nobody makes others from, such as one taken out of a table. Where the two
  /// are all, nobody else can make or drop one meanwhile: no locked instruction is needed.
  void DropOther() const {
    // Acquire: what those who dropped theirs before did with the object happens before our end of it.
    if (object_->count_.load(std::memory_order_acquire) == 2)
      object_->count_.store(1, std::memory_order_relaxed);
    else
      object_->count_.fetch_sub(1, std::memory_order_acq_rel);
  }
  T* get() const { return object_; }
  /// Gives the hold to the caller, who Adopts it again some time: for lists through the objects themselves.
  T* Release() { return std::exchange(object_, nullptr); }
  static Ref Adopt(T* object) {
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) { return a.object_ == b.object_; }

 private:
  void Retain() const {
    // relaxed: made from a hold that exists.
    if (object_ != nullptr) object_->count_.fetch_add(1, std::memory_order_relaxed);
  }
  T* object_ = nullptr;
};

}  // namespace manta::base
