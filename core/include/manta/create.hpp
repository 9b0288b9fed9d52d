#pragma once
// Objects that are made where they will lie, so that nothing is copied:
//
//   manta::NewArray<float> image = manta::Create<float>(width * height);    // in the node's store; elements not set
//   Render(image.span());
//   manta::ObjectRef<manta::Array<float>> ref = image.Seal();               // from now on nobody changes it
//
//   manta::NewTensor<float> table = manta::Create<float>({rows, columns});  // the same with a shape

#include <manta/array.hpp>
#include <manta/detail/core_api.hpp>
#include <manta/detail/type_ops.hpp>
#include <manta/error.hpp>
#include <manta/object_ref.hpp>
#include <manta/tensor.hpp>

#include <concepts>
#include <cstddef>
#include <initializer_list>
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

/// The same with a shape; the last axis is the densest.
template <class T>
class NewTensor {
 public:
  NewTensor() = default;
  NewTensor(NewTensor&& other) noexcept { *this = std::move(other); }
  NewTensor& operator=(NewTensor&& other) noexcept {
    raw_ = std::exchange(other.raw_, {});
    elements_ = std::exchange(other.elements_, nullptr);
    size_ = std::exchange(other.size_, 0);
    shape_ = std::exchange(other.shape_, Dims{0});
    strides_ = other.strides_;
    return *this;
  }

  /// Aligned to 64 bytes; null after Seal.
  T* data() { return elements_; }
  std::size_t size() const { return size_; }
  const Dims& shape() const { return shape_; }
  std::span<T> span() { return {data(), size_}; }
  /// The element at an index of as many numbers as there are axes; nothing is checked.
  template <std::convertible_to<std::size_t>... I>
  T& operator()(I... index) {
    std::size_t offset = 0, axis = 0;
    ((offset += static_cast<std::size_t>(index) * strides_[axis++]), ...);
    return elements_[offset];
  }

  /// As that of a NewArray.
  [[nodiscard]] ObjectRef<Tensor<T>> Seal() {
    NewTensor sealed = std::move(*this);
    return ObjectRef<Tensor<T>>(detail::SealRaw(std::move(sealed.raw_), detail::OpsOf<Tensor<T>>()));
  }

 private:
  template <class U>
  friend NewTensor<U> Create(const Dims& shape);
  NewTensor(const Dims& shape, std::size_t size)
      : size_(size), shape_(shape), strides_(detail::RowMajorStrides(shape)) {
    detail::ByteCounter header(detail::kAlwaysInPlace);
    detail::WriteTensorHeader(header, shape, size * sizeof(T));
    raw_ = detail::CreateRaw(header.size() + size * sizeof(T));
    detail::ByteWriter writer(raw_.data, header.size(), detail::kAlwaysInPlace);
    detail::WriteTensorHeader(writer, shape, size * sizeof(T));
    elements_ = reinterpret_cast<T*>(writer.position());
  }

  detail::RawObject raw_;
  T* elements_ = nullptr;
  std::size_t size_ = 0;
  Dims shape_{0};
  Dims strides_{1};
};

/// Room for a Tensor of `shape`; throws UsageError where no memory has that many elements. Otherwise as Create of a size:
/// `Create<T>(n)` makes an Array, `Create<T>({n})` a Tensor of one axis.
template <class T>
[[nodiscard]] NewTensor<T> Create(const Dims& shape) {
  static_assert(sizeof(Tensor<T>) != 0);  // says what T must be
  static_assert(alignof(T) <= detail::kElementAlignment, "manta: the store aligns to 64 bytes");
  return {shape, detail::CountElements(shape, sizeof(T))};
}
template <class T>
[[nodiscard]] NewTensor<T> Create(std::initializer_list<std::size_t> shape) {
  return Create<T>(Dims(shape));
}

}  // namespace manta
