#pragma once
// Message structs to bytes and back. A struct lists its fields once, in `Fields`, for both directions:
//
//   struct Drop { static constexpr Kind kKind = Kind::kDrop; ObjectId id; std::uint32_t received;
//                 template <class V> void Fields(V& v) { v(id); v(received); } };
//   Writer writer(buffer); Encode(writer, session, drop);
//   Reader reader(bytes);  Drop drop = Decode<Drop>(reader);
//
// Native byte order: all ranks of a job run the same binary. Reads are bounds-checked: a short message is a bug of ours
// or a broken transport, and throws std::runtime_error.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "core/base/ids.hpp"

namespace manta::wire {

/// Appends to a byte vector.
class Writer {
 public:
  explicit Writer(std::vector<std::byte>& to) : to_(to) {}
  void Raw(const void* data, std::size_t size) {
    const auto* const from = static_cast<const std::byte*>(data);
    to_.insert(to_.end(), from, from + size);
  }
  std::size_t size() const { return to_.size(); }
  /// Over what was written at `at`.
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void Rewrite(std::size_t at, const T& value) { std::memcpy(to_.data() + at, &value, sizeof(T)); }
  template <class T>
  void operator()(const T& value) {
    Write(value);
  }

 private:
  template <class T>
  void Write(const T& value) {
    if constexpr (std::is_trivially_copyable_v<T>)
      Raw(&value, sizeof(T));
    else
      const_cast<T&>(value).Fields(*this);
  }
  void Write(const std::string& text) {
    Write(static_cast<std::uint32_t>(text.size()));
    Raw(text.data(), text.size());
  }
  void Write(const std::vector<std::byte>& bytes) {
    Write(static_cast<std::uint64_t>(bytes.size()));
    Raw(bytes.data(), bytes.size());
  }
  template <class T>
  void Write(const std::vector<T>& list) {
    Write(static_cast<std::uint32_t>(list.size()));
    if constexpr (std::is_trivially_copyable_v<T>)
      Raw(list.data(), list.size() * sizeof(T));
    else
      for (const T& one : list) Write(one);
  }
  template <class T>
  void Write(const std::optional<T>& maybe) {
    Write(static_cast<std::uint8_t>(maybe.has_value()));
    if (maybe) Write(*maybe);
  }
  template <class A, class B>
  void Write(const std::pair<A, B>& two) {
    Write(two.first);
    Write(two.second);
  }
  std::vector<std::byte>& to_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> from) : from_(from) {}
  void Raw(void* data, std::size_t size) {
    Need(size);
    if (size != 0) std::memcpy(data, from_.data(), size);
    from_ = from_.subspan(size);
  }
  /// Passes over `size` bytes, and returns where they lie.
  const std::byte* Skip(std::size_t size) {
    Need(size);
    const std::byte* const at = from_.data();
    from_ = from_.subspan(size);
    return at;
  }
  template <class T>
  void operator()(T& value) {
    Read(value);
  }
  std::size_t left() const { return from_.size(); }

 private:
  void Need(std::size_t size) const {
    if (size > from_.size()) throw std::runtime_error("a message ends before its fields do");
  }
  template <class T>
  void Read(T& value) {
    if constexpr (std::is_trivially_copyable_v<T>)
      Raw(&value, sizeof(T));
    else
      value.Fields(*this);
  }
  void Read(std::string& text) {
    std::uint32_t size = 0;
    Read(size);
    Need(size);
    text.resize(size);
    Raw(text.data(), size);
  }
  void Read(std::vector<std::byte>& bytes) {
    std::uint64_t size = 0;
    Read(size);
    Need(size);
    bytes.assign(from_.begin(), from_.begin() + static_cast<std::ptrdiff_t>(size));
    from_ = from_.subspan(size);
  }
  template <class T>
  void Read(std::vector<T>& list) {
    std::uint32_t count = 0;
    Read(count);
    Need(count);  // an element takes at least a byte
    list.clear();
    if constexpr (std::is_trivially_copyable_v<T>) {
      Need(count * sizeof(T));
      list.resize(count);
      Raw(list.data(), count * sizeof(T));
    } else {
      list.reserve(count);
      for (std::uint32_t i = 0; i < count; ++i) Read(list.emplace_back());
    }
  }
  template <class T>
  void Read(std::optional<T>& maybe) {
    std::uint8_t has = 0;
    Read(has);
    if (has != 0)
      Read(maybe.emplace());
    else
      maybe.reset();
  }
  template <class A, class B>
  void Read(std::pair<A, B>& two) {
    Read(two.first);
    Read(two.second);
  }
  std::span<const std::byte> from_;
};

}  // namespace manta::wire
