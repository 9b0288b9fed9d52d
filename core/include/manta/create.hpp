#pragma once
// Objects that are made where they will lie, so that nothing is copied:
//
//   manta::NewArray<float> image = manta::Create<float>(width * height);    // in the node's store; elements not set
//   Render(image.span());
//   manta::ObjectRef<manta::Array<float>> ref = image.Seal();               // from now on nobody changes it

#include <manta/array.hpp>
#include <manta/detail/core_api.hpp>
#include <manta/detail/type_ops.hpp>
#include <manta/error.hpp>
#include <manta/object_ref.hpp>

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>

namespace manta {

/// Elements that are being written, known to their maker only. Move-only. What is not sealed is given back at its end.
/// For one thread at a time; other threads may write elements while nobody seals it.
template <class T>
class NewArray {
 public:
  NewArray() = default;
  NewArray(NewArray&& other) noexcept : raw_(std::exchange(other.raw_, {})), size_(std::exchange(other.size_, 0)) {}
  NewArray& operator=(NewArray&& other) noexcept {
    raw_ = std::exchange(other.raw_, {});
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  /// Aligned to 64 bytes; null after Seal.
  T* data() { return reinterpret_cast<T*>(raw_.data); }
  std::size_t size() const { return size_; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  T& operator[](std::size_t i) { return data()[i]; }
  std::span<T> span() { return {data(), size_}; }

  /// Makes it an object and returns its ref; this is empty then. Takes microseconds, whatever the size. Throws UsageError
  /// where it was sealed before, or made by no Create of this session.
  [[nodiscard]] ObjectRef<Array<T>> Seal() {
    size_ = 0;
    return ObjectRef<Array<T>>(detail::SealRaw(std::exchange(raw_, {}), detail::OpsOf<Array<T>>()));
  }

 private:
  template <class U>
  friend NewArray<U> Create(std::size_t size);
  NewArray(detail::RawObject raw, std::size_t size) : raw_(std::move(raw)), size_(size) {}

  detail::RawObject raw_;
  std::size_t size_ = 0;
};

/// Room for `size` elements of plain data in the node's store, not set: what lies there is of former objects. Throws
/// OutOfMemoryError (bytes asked, bytes free). Any thread between Init and Shutdown; never waits.
template <class T>
[[nodiscard]] NewArray<T> Create(std::size_t size) {
  static_assert(sizeof(Array<T>) != 0);  // says what T must be
  static_assert(alignof(T) <= 64, "manta: the store aligns to 64 bytes");
  if (size > std::numeric_limits<std::size_t>::max() / 2 / sizeof(T))
    throw UsageError("Create: " + std::to_string(size) + " elements of " + std::to_string(sizeof(T)) +
                     " bytes are more than any memory has");
  return {detail::CreateRaw(size * sizeof(T)), size};
}

}  // namespace manta
