#pragma once
// Elements that are read where they lie: in the node's object store, or in memory of this process.
//
//   manta::ObjectRef<std::vector<float>> ref = manta::Put(LoadVector());
//   manta::Array<float> all = *manta::Get(manta::ObjectRef<manta::Array<float>>(ref));    // no copy, whatever its size
//   double Sum(const manta::Array<float>& values);                                        // a task: the same there
//
// An Array and a std::vector of the same elements are the same bytes: a ref to the one is a ref to the other.

#include <manta/detail/plain.hpp>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace manta {

/// Elements of plain data in one piece, which nobody changes. Copies and slices share them and keep them: also after
/// the last ref to their object went, but not beyond Shutdown where they lie in the store. Distinct copies may be used
/// from any thread.
template <class T>
class Array {
  static_assert(detail::kPlainData<T> && std::is_same_v<T, std::remove_cv_t<T>>,
                "manta: an Array has elements of plain data (numbers, structs of numbers), not const");
  static_assert(!std::is_same_v<T, bool>, "manta: an Array has no bools, since a std::vector packs them; use std::uint8_t");

 public:
  using value_type = T;
  using size_type = std::size_t;
  using difference_type = std::ptrdiff_t;
  using const_reference = const T&;
  using reference = const T&;
  using const_iterator = const T*;
  using iterator = const T*;

  Array() = default;
  /// Copies of the elements.
  Array(const T* first, const T* last) : Array(std::vector<T>(first, last)) {}
  explicit Array(std::span<const T> elements) : Array(elements.data(), elements.data() + elements.size()) {}
  Array(std::initializer_list<T> elements) : Array(elements.begin(), elements.end()) {}
  /// Takes them over.
  explicit Array(std::vector<T>&& elements) {
    auto kept = std::make_shared<const std::vector<T>>(std::move(elements));
    size_ = kept->size();
    data_ = std::shared_ptr<const T>(kept, kept->data());
  }
  /// `size` elements from `data` on, which stay as they are while it is held.
  Array(std::shared_ptr<const T> data, std::size_t size) : data_(std::move(data)), size_(size) {}

  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  const T& operator[](std::size_t i) const { return data()[i]; }
  /// Throws std::out_of_range.
  const T& at(std::size_t i) const {
    if (i >= size_)
      throw std::out_of_range("element " + std::to_string(i) + " of an Array of " + std::to_string(size_));
    return data()[i];
  }
  const T& front() const { return data()[0]; }
  const T& back() const { return data()[size_ - 1]; }
  std::span<const T> span() const { return {data(), size_}; }
  /// data(), with a share in what keeps it.
  const std::shared_ptr<const T>& shared() const { return data_; }

  /// `count` elements from `first` on, shared with this. Throws std::out_of_range where there are fewer.
  Array Slice(std::size_t first, std::size_t count) const {
    if (first > size_ || count > size_ - first)
      throw std::out_of_range("a slice of " + std::to_string(count) + " elements from " + std::to_string(first) +
                              " on, of an Array of " + std::to_string(size_));
    return {std::shared_ptr<const T>(data_, data() + first), count};
  }
  std::vector<T> MutableCopy() const { return std::vector<T>(begin(), end()); }

  friend bool operator==(const Array& a, const Array& b)
    requires requires(const T& x) { x == x; }
  {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::shared_ptr<const T> data_;
  std::size_t size_ = 0;
};

}  // namespace manta
