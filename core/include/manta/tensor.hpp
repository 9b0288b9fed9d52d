#pragma once
// Arrays of several axes that are read where they lie: in the node's object store, or in memory of this process.
//
//   manta::NewTensor<float> made = manta::Create<float>({rows, columns});      // create.hpp
//   manta::ObjectRef<manta::Tensor<float>> ref = made.Seal();
//   double Mean(const manta::Tensor<float>& image);                            // a task: no copy, whatever its size
//   image(y, x);  image.Slice(8, 4);  image.Select(1, x);  image.Transpose();  // views share the elements

#include <manta/array.hpp>
#include <manta/detail/plain.hpp>
#include <manta/error.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace manta {

/// A number for each axis: a shape, or strides. None is the shape of a single element.
class Dims {
 public:
  static constexpr std::size_t kMaxRank = 16;

  Dims() = default;
  /// They throw UsageError where there are more than kMaxRank.
  explicit Dims(std::span<const std::size_t> dims) : rank_(dims.size()) {
    if (rank_ > kMaxRank)
      throw UsageError("a shape of " + std::to_string(rank_) + " axes; at most " + std::to_string(kMaxRank) +
                       " are possible");
    std::copy(dims.begin(), dims.end(), dims_.begin());
  }
  Dims(std::initializer_list<std::size_t> dims) : Dims(std::span<const std::size_t>(dims.begin(), dims.size())) {}
  Dims(const std::vector<std::size_t>& dims) : Dims(std::span<const std::size_t>(dims)) {}

  std::size_t size() const { return rank_; }
  const std::size_t* data() const { return dims_.data(); }
  const std::size_t* begin() const { return data(); }
  const std::size_t* end() const { return data() + rank_; }
  std::size_t* begin() { return dims_.data(); }
  std::size_t* end() { return dims_.data() + rank_; }
  std::size_t operator[](std::size_t axis) const { return dims_[axis]; }
  std::size_t& operator[](std::size_t axis) { return dims_[axis]; }
  friend bool operator==(const Dims& a, const Dims& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

  /// As "[2, 3]".
  std::string ToString() const {
    std::string text = "[";
    for (const std::size_t dim : *this) text += (text.size() == 1 ? "" : ", ") + std::to_string(dim);
    return text + ']';
  }

 private:
  std::size_t rank_ = 0;
  std::array<std::size_t, kMaxRank> dims_{};
};

namespace detail {

/// The number of elements of a shape. Throws UsageError where their bytes are more than any memory has.
inline std::size_t CountElements(const Dims& shape, std::size_t item_bytes) {
  if (std::find(shape.begin(), shape.end(), 0u) != shape.end()) return 0;
  std::size_t count = 1;
  for (const std::size_t dim : shape) {
    if (dim > std::numeric_limits<std::size_t>::max() / 2 / item_bytes / count)
      throw UsageError("a shape of " + shape.ToString() + " has more elements of " + std::to_string(item_bytes) +
                       " bytes than any memory");
    count *= dim;
  }
  return count;
}

inline Dims RowMajorStrides(const Dims& shape) {
  Dims strides = shape;
  std::size_t step = 1;
  for (std::size_t axis = shape.size(); axis-- > 0; step *= shape[axis]) strides[axis] = step;
  return strides;
}

inline std::size_t OffsetOf(const Dims& index, const Dims& strides) {
  std::size_t offset = 0;
  for (std::size_t axis = 0; axis < index.size(); ++axis) offset += index[axis] * strides[axis];
  return offset;
}

/// Calls `row` with the index of the first element of each row (the elements along the last axis) in row-major order.
template <class F>
void ForEachRow(const Dims& shape, F row) {
  if (std::find(shape.begin(), shape.end(), 0u) != shape.end()) return;
  Dims index = shape;
  std::fill(index.begin(), index.end(), 0u);
  for (;;) {
    row(std::as_const(index));
    std::size_t axis = shape.size() == 0 ? 0 : shape.size() - 1;
    do {
      if (axis == 0) return;
      --axis;
      index[axis] = index[axis] + 1 == shape[axis] ? 0 : index[axis] + 1;
    } while (index[axis] == 0);
  }
}

}  // namespace detail

/// Elements of plain data with a shape, which nobody changes; the last axis is the densest ("row-major") unless a view
/// changed that. Copies and views share them and keep them, as those of an Array: also after the last ref to their object
/// went, but not beyond Shutdown where they lie in the store. Distinct copies may be used from any thread.
template <class T>
class Tensor {
  static_assert(detail::kPlainData<T> && std::is_same_v<T, std::remove_cv_t<T>>,
                "manta: a Tensor has elements of plain data (numbers, structs of numbers), not const");
  static_assert(!std::is_same_v<T, bool>, "manta: a Tensor has no bools, since a std::vector packs them; use std::uint8_t");

 public:
  using value_type = T;

  /// No elements, of shape [0].
  Tensor() : shape_{0}, strides_{1} {}
  /// Elements in row-major order; those of an Array are shared. Throws UsageError where `shape` wants more or fewer.
  Tensor(Array<T> elements, const Dims& shape)
      : size_(detail::CountElements(shape, sizeof(T))), shape_(shape), strides_(detail::RowMajorStrides(shape)) {
    if (elements.size() != size_)
      throw UsageError(std::to_string(elements.size()) + " elements were given for a Tensor of shape " + shape.ToString() +
                       ", which has " + std::to_string(size_));
    data_ = elements.shared();
  }
  Tensor(std::vector<T> elements, const Dims& shape) : Tensor(Array<T>(std::move(elements)), shape) {}
  Tensor(std::initializer_list<T> elements, const Dims& shape) : Tensor(Array<T>(elements), shape) {}

  std::size_t rank() const { return shape_.size(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Dims& shape() const { return shape_; }
  /// In elements.
  const Dims& strides() const { return strides_; }
  /// The first element.
  const T* data() const { return data_.get(); }

  /// The element at an index of as many numbers as there are axes; nothing is checked.
  template <std::convertible_to<std::size_t>... I>
  const T& operator()(I... index) const {
    std::size_t offset = 0, axis = 0;
    ((offset += static_cast<std::size_t>(index) * strides_[axis++]), ...);
    return data()[offset];
  }
  /// The same; throws std::out_of_range, and UsageError for another number of axes.
  template <std::convertible_to<std::size_t>... I>
  const T& at(I... index) const {
    const Dims all{static_cast<std::size_t>(index)...};
    if (all.size() != rank())
      throw UsageError("index " + all.ToString() + " into a Tensor of shape " + shape_.ToString() + ": it has " +
                       std::to_string(rank()) + " axes");
    for (std::size_t axis = 0; axis < rank(); ++axis)
      if (all[axis] >= shape_[axis])
        throw std::out_of_range("index " + all.ToString() + " into a Tensor of shape " + shape_.ToString());
    return data()[detail::OffsetOf(all, strides_)];
  }

  // ---- views: they share the elements, and cost no more for large ones ----
  /// `count` rows (matrices, ...) from `first` on, along the first axis. Throws std::out_of_range where there are fewer.
  Tensor Slice(std::size_t first, std::size_t count) const {
    CheckAxis(0);
    if (first > shape_[0] || count > shape_[0] - first)
      throw std::out_of_range("a slice of " + std::to_string(count) + " from " + std::to_string(first) +
                              " on, of a Tensor of shape " + shape_.ToString());
    Dims shape = shape_;
    shape[0] = count;
    return {*this, first * strides_[0], shape, strides_};
  }
  /// What lies at `index` of an axis: of one axis less. Select(0, y) is a row of a matrix, Select(1, x) a column. Throws
  /// std::out_of_range.
  Tensor Select(std::size_t axis, std::size_t index) const {
    CheckAxis(axis);
    if (index >= shape_[axis])
      throw std::out_of_range("index " + std::to_string(index) + " of axis " + std::to_string(axis) +
                              " of a Tensor of shape " + shape_.ToString());
    return {*this, index * strides_[axis], Without(shape_, axis), Without(strides_, axis)};
  }
  /// The axes in another order: axis i of the result is axis order[i] of this. Throws UsageError unless each is there once.
  Tensor Permute(const Dims& order) const {
    Dims shape = shape_, strides = strides_;
    std::array<bool, Dims::kMaxRank> seen{};
    bool each_once = order.size() == rank();
    for (std::size_t axis = 0; each_once && axis < rank(); ++axis) {
      each_once = order[axis] < rank() && !std::exchange(seen[order[axis]], true);
      if (!each_once) break;
      shape[axis] = shape_[order[axis]];
      strides[axis] = strides_[order[axis]];
    }
    if (!each_once)
      throw UsageError("Permute by " + order.ToString() + ": not each of " + std::to_string(rank()) + " axes once");
    return {*this, 0, shape, strides};
  }
  /// The axes in reverse order.
  Tensor Transpose() const {
    Dims order = shape_;
    for (std::size_t axis = 0; axis < rank(); ++axis) order[axis] = rank() - 1 - axis;
    return Permute(order);
  }
  /// The same elements in row-major order under another shape. Throws UsageError where that has more or fewer, or where the
  /// elements are not contiguous.
  Tensor Reshape(const Dims& shape) const {
    CheckContiguous("Reshape");
    return {Flat(), shape};
  }

  // ---- all elements, in row-major order ----
  /// Whether they lie one after the other.
  bool contiguous() const {
    std::size_t step = 1;
    for (std::size_t axis = rank(); axis-- > 0; step *= shape_[axis])
      if (shape_[axis] != 1 && strides_[axis] != step) return size_ == 0;
    return true;
  }
  /// Throws UsageError where they are not contiguous, as Flat does.
  std::span<const T> span() const {
    CheckContiguous("span");
    return {data(), size_};
  }
  /// Shared with this.
  Array<T> Flat() const {
    CheckContiguous("Flat");
    return {data_, size_};
  }
  std::vector<T> MutableCopy() const {
    if (contiguous()) return std::vector<T>(data(), data() + size_);
    std::vector<T> copy;
    copy.reserve(size_);
    detail::ForEachRow(shape_, [&](const Dims& index) {
      const T* element = data() + detail::OffsetOf(index, strides_);
      for (std::size_t i = 0; i < shape_[rank() - 1]; ++i, element += strides_[rank() - 1]) copy.push_back(*element);
    });
    return copy;
  }

  /// Of one shape, and element by element.
  friend bool operator==(const Tensor& a, const Tensor& b)
    requires requires(const T& x) { x == x; }
  {
    if (a.shape_ != b.shape_) return false;
    bool equal = true;
    detail::ForEachRow(a.shape_, [&](const Dims& index) {
      const T* x = a.data() + detail::OffsetOf(index, a.strides_);
      const T* y = b.data() + detail::OffsetOf(index, b.strides_);
      const std::size_t last = a.rank() - 1;
      const std::size_t count = a.rank() == 0 ? 1 : a.shape_[last];
      for (std::size_t i = 0; i < count && equal; ++i)
        equal = a.rank() == 0 ? *x == *y : x[i * a.strides_[last]] == y[i * b.strides_[last]];
    });
    return equal;
  }

 private:
  Tensor(const Tensor& whole, std::size_t offset, const Dims& shape, const Dims& strides)
      : size_(detail::CountElements(shape, sizeof(T))), shape_(shape), strides_(strides) {
    // Without elements an offset may lead out of the memory.
    data_ = std::shared_ptr<const T>(whole.data_, whole.data() + (size_ == 0 ? 0 : offset));
  }
  static Dims Without(const Dims& dims, std::size_t axis) {
    Dims rest(std::span<const std::size_t>(dims.data(), dims.size() - 1));
    std::copy(dims.begin() + axis + 1, dims.end(), rest.begin() + axis);
    return rest;
  }
  void CheckAxis(std::size_t axis) const {
    if (axis >= rank())
      throw std::out_of_range("axis " + std::to_string(axis) + " of a Tensor of shape " + shape_.ToString());
  }
  void CheckContiguous(const char* what) const {
    if (!contiguous())
      throw UsageError(std::string(what) + " of a Tensor whose elements are not contiguous (shape " + shape_.ToString() +
                       ", strides " + strides_.ToString() + "): copy it by Tensor(t.MutableCopy(), t.shape())");
  }

  std::shared_ptr<const T> data_;
  std::size_t size_ = 0;
  Dims shape_;
  Dims strides_;
};

namespace detail {

/// The elements in row-major order, as bytes.
template <class T>
void CopyRowMajor(const Tensor<T>& tensor, std::byte* to) {
  const void* const all = tensor.data();
  if (tensor.size() == 0) return;
  if (tensor.contiguous()) {
    std::memcpy(to, all, tensor.size() * sizeof(T));
    return;
  }
  const std::size_t last = tensor.rank() - 1;  // one without axes is contiguous
  const std::size_t count = tensor.shape()[last], stride = tensor.strides()[last];
  ForEachRow(tensor.shape(), [&](const Dims& index) {
    const T* const row = tensor.data() + OffsetOf(index, tensor.strides());
    if (stride == 1) {
      std::memcpy(to, static_cast<const void*>(row), count * sizeof(T));
      to += count * sizeof(T);
      return;
    }
    for (std::size_t i = 0; i < count; ++i, to += sizeof(T))
      std::memcpy(to, static_cast<const void*>(row + i * stride), sizeof(T));
  });
}

}  // namespace detail
}  // namespace manta
