#pragma once
// Cereal archives over plain memory: one counts the bytes of an object, one writes them in place, one reads them with
// every length checked. A stringstream costs nine times as much for small objects and thirty for large ones.

#include <manta/detail/handle.hpp>
#include <manta/detail/plain.hpp>
#include <manta/error.hpp>

#include <cereal/cereal.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace manta::archive_probe {

/// Stands for any archive but ours, to ask whether a type has serialization of its own. Never made. In a namespace of its own:
/// the question must not find what manta::detail answers with it.
class ProbeArchive : public cereal::OutputArchive<ProbeArchive> {
 public:
  ProbeArchive() : OutputArchive(this) {}
};

}  // namespace manta::archive_probe

namespace manta::detail {

[[noreturn]] void ThrowTruncated(std::size_t wanted_bytes, std::size_t left_bytes);
[[noreturn]] void ThrowNoRoom(std::size_t wanted_bytes, std::size_t left_bytes);
/// Throws UsageError for a ref that is of no use in this session. Empty ones may travel.
void CheckRef(const Handle& ref);

// ---- where elements lie ----
// The elements of an Array or a Tensor can be read in place where they are aligned and their memory is kept. So whoever
// counts, writes or reads says from how many bytes on that is to be: such elements begin at a multiple of 64 bytes from
// the begin of the bytes, after zeros. All three must say the same.
inline constexpr std::size_t kElementAlignment = 64;
/// Of a whole Tensor.
inline constexpr std::size_t kAlwaysInPlace = 0;
/// Of what lies inside of an object: fewer bytes are as soon copied as shared, and should not keep a large object's memory.
inline constexpr std::size_t kInPlaceBytes = 4096;
/// Of what lies inside of a call: nothing keeps its bytes, and its archive begins anywhere in them.
inline constexpr std::size_t kNeverInPlace = ~std::size_t{0};

constexpr std::size_t PaddingAt(std::size_t position, std::size_t size, std::size_t in_place_bytes) {
  return size < in_place_bytes ? 0 : (kElementAlignment - position % kElementAlignment) % kElementAlignment;
}

/// Counts what a ByteWriter would write.
class ByteCounter {
 public:
  explicit ByteCounter(std::size_t in_place_bytes = kNeverInPlace) : in_place_bytes_(in_place_bytes) {}
  void Bytes(const void*, std::size_t size) { size_ += size; }
  /// Before elements of `size` bytes.
  void Align(std::size_t size) { size_ += PaddingAt(size_, size, in_place_bytes_); }
  /// Room for the caller to fill; null, since there is none here.
  std::byte* Reserve(std::size_t size) {
    size_ += size;
    return nullptr;
  }
  std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
  std::size_t in_place_bytes_;
};

/// Counts what a WriteArchive would write.
class SizeArchive : public cereal::OutputArchive<SizeArchive, cereal::AllowEmptyClassElision>, public ByteCounter {
 public:
  explicit SizeArchive(std::size_t in_place_bytes = kNeverInPlace) : OutputArchive(this), ByteCounter(in_place_bytes) {}
  void AddRef(const Handle& ref) {
    CheckRef(ref);
    Reserve(kRefBytes);
  }

  static constexpr std::size_t kRefBytes = 24;
};

/// Writes to memory of the caller; throws when it does not suffice (an object that changed between the two passes).
class ByteWriter {
 public:
  ByteWriter(std::byte* begin, std::size_t size, std::size_t in_place_bytes = kNeverInPlace)
      : begin_(begin), at_(begin), end_(begin + size), in_place_bytes_(in_place_bytes) {}
  void Bytes(const void* data, std::size_t size) {
    std::byte* const to = Reserve(size);
    if (size != 0) std::memcpy(to, data, size);
  }
  /// Before elements of `size` bytes.
  void Align(std::size_t size) {
    const std::size_t padding = PaddingAt(static_cast<std::size_t>(at_ - begin_), size, in_place_bytes_);
    if (std::byte* const to = Reserve(padding); padding != 0) std::memset(to, 0, padding);
  }
  /// Room for the caller to fill.
  std::byte* Reserve(std::size_t size) {
    if (size > left()) ThrowNoRoom(size, left());
    return std::exchange(at_, at_ + size);
  }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  std::byte* position() const { return at_; }
  void Skip(std::size_t size) { at_ += size; }

 private:
  std::byte* begin_;
  std::byte* at_;
  std::byte* end_;
  std::size_t in_place_bytes_;
};

/// Reads from memory of the caller, which `kept` keeps, unless it is null or empty; throws UsageError when the bytes end
/// early or a length is absurd.
class ByteReader {
 public:
  ByteReader(const std::byte* begin, std::size_t size, std::size_t in_place_bytes = kNeverInPlace,
             const std::shared_ptr<const void>* kept = nullptr)
      : begin_(begin), at_(begin), end_(begin + size), in_place_bytes_(in_place_bytes), kept_(kept) {}
  void Bytes(void* data, std::size_t size) {
    if (size > left()) ThrowTruncated(size, left());
    if (size != 0) std::memcpy(data, at_, size);
    at_ += size;
  }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  const std::byte* position() const { return at_; }
  void Skip(std::size_t size) {
    if (size > left()) ThrowTruncated(size, left());
    at_ += size;
  }
  /// Before elements of `size` bytes.
  void Align(std::size_t size) { Skip(PaddingAt(static_cast<std::size_t>(at_ - begin_), size, in_place_bytes_)); }
  /// What keeps the `size` bytes that come now, where they may stay and are aligned to `alignment`; else null. They count
  /// as read in place then.
  const std::shared_ptr<const void>* LeaveInPlace(std::size_t size, std::size_t alignment) {
    if (kept_ == nullptr || *kept_ == nullptr || size < in_place_bytes_ ||
        reinterpret_cast<std::uintptr_t>(at_) % alignment != 0)
      return nullptr;
    in_place_ += size;
    return kept_;
  }
  /// How many bytes were left where they lie.
  std::size_t in_place() const { return in_place_; }

 private:
  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  std::size_t in_place_bytes_;
  const std::shared_ptr<const void>* kept_;
  std::size_t in_place_ = 0;
};

/// Refs that it meets are appended to `refs`, in the order in which they lie in the bytes.
class WriteArchive : public cereal::OutputArchive<WriteArchive, cereal::AllowEmptyClassElision>, public ByteWriter {
 public:
  WriteArchive(std::byte* begin, std::size_t size, std::vector<Handle>* refs, std::size_t in_place_bytes = kNeverInPlace)
      : OutputArchive(this), ByteWriter(begin, size, in_place_bytes), refs_(refs) {}
  void AddRef(const Handle& ref);

 private:
  std::vector<Handle>* refs_;
};

class ReadArchive : public cereal::InputArchive<ReadArchive, cereal::AllowEmptyClassElision>, public ByteReader {
 public:
  ReadArchive(const std::byte* begin, std::size_t size, std::size_t in_place_bytes = kNeverInPlace,
              const std::shared_ptr<const void>* kept = nullptr)
      : InputArchive(this), ByteReader(begin, size, in_place_bytes, kept) {}
  Handle ReadRef();
  void CheckLength(std::size_t elements) {
    // An element may take no bytes (empty classes), but never this many of them, in all.
    if (elements <= left()) return;
    if (elements > empty_elements_left_) ThrowTruncated(elements, left());
    empty_elements_left_ -= elements;
  }

  // Cereal calls these for the numbers by which shared pointers go, and would cast to any type. They count from 1.
  void ExpectPointerTo(const std::type_info& type) { pointer_type_ = &type; }
  void registerSharedPointer(std::uint32_t id, const std::shared_ptr<void>& pointer) {
    pointer_types_.push_back(pointer_type_);
    if ((id & ~cereal::detail::msb_32bit) != pointer_types_.size()) ThrowWrongPointer();
    InputArchive::registerSharedPointer(id, pointer);
  }
  std::shared_ptr<void> getSharedPointer(std::uint32_t id) {
    if (id != 0 && (id > pointer_types_.size() || *pointer_types_[id - 1] != *pointer_type_)) ThrowWrongPointer();
    return InputArchive::getSharedPointer(id);
  }

 private:
  [[noreturn]] static void ThrowWrongPointer() {
    throw UsageError("serialized bytes have a shared pointer of another type, or none, where one was to be; do save and "
                     "load of this type agree?");
  }

  std::size_t empty_elements_left_ = 1u << 20;
  const std::type_info* pointer_type_ = nullptr;     // that is read now
  std::vector<const std::type_info*> pointer_types_;  // of the shared pointers so far
};

/// Writes the bytes of a call: plain data and arrays of it as they are; what only Cereal can write through one archive,
/// made when the first such value comes. Most calls have none, and an archive costs more than they do: its base has
/// hash maps for shared pointers.
class CallWriter : public ByteWriter {
 public:
  CallWriter(std::byte* begin, std::size_t size, std::vector<Handle>* refs) : ByteWriter(begin, size), refs_(refs) {}
  template <class... T>
  void operator()(const T&... values) {
    if (!archive_) archive_ = std::make_unique<WriteArchive>(position(), left(), refs_);
    else archive_->Skip(static_cast<std::size_t>(position() - archive_->position()));
    (*archive_)(values...);
    Skip(static_cast<std::size_t>(archive_->position() - position()));
  }

 private:
  std::vector<Handle>* refs_;
  std::unique_ptr<WriteArchive> archive_;
};

/// Reads what a CallWriter wrote.
class CallReader : public ByteReader {
 public:
  using ByteReader::ByteReader;
  template <class... T>
  void operator()(T&&... values) {
    if (!archive_) archive_ = std::make_unique<ReadArchive>(position(), left());
    else archive_->Skip(static_cast<std::size_t>(position() - archive_->position()));
    (*archive_)(std::forward<T>(values)...);
    Skip(static_cast<std::size_t>(archive_->position() - position()));
  }

 private:
  std::unique_ptr<ReadArchive> archive_;
};

template <class A>
inline constexpr bool kIsMantaArchive =
    std::is_same_v<A, SizeArchive> || std::is_same_v<A, WriteArchive> || std::is_same_v<A, ReadArchive>;

/// Plain data without a serialize function, as an element of something that Cereal writes: its bytes.
template <class T>
inline constexpr bool kRawElement = std::is_class_v<T> && !std::is_empty_v<T> && kPlainData<T> &&
                                    !cereal::traits::is_output_serializable<T, archive_probe::ProbeArchive>::value;

// What Cereal asks of an archive (its documentation, "Adding more archives").
#define MANTA_DETAIL_OUTPUT_ARCHIVE(Archive)                                                              \
  template <class T>                                                                                      \
    requires std::is_arithmetic_v<T>                                                                      \
  inline void CEREAL_SAVE_FUNCTION_NAME(Archive& ar, const T& t) { ar.Bytes(&t, sizeof(t)); }             \
  /* The archive's type is asked first: the question behind kRawElement looks at these functions too. */   \
  template <class A, class T>                                                                             \
    requires(std::is_same_v<A, Archive> && kRawElement<T>)                                                \
  inline void CEREAL_SAVE_FUNCTION_NAME(A& ar, const T& t) { ar.Bytes(&t, sizeof(t)); }                   \
  template <class T>                                                                                      \
  inline void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& ar, cereal::NameValuePair<T>& t) { ar(t.value); }   \
  template <class T>                                                                                      \
  inline void CEREAL_SERIALIZE_FUNCTION_NAME(Archive& ar, cereal::SizeTag<T>& t) { ar(t.size); }          \
  template <class T>                                                                                      \
  inline void CEREAL_SAVE_FUNCTION_NAME(Archive& ar, const cereal::BinaryData<T>& t) {                    \
    ar.Bytes(t.data, static_cast<std::size_t>(t.size));                                                   \
  }
MANTA_DETAIL_OUTPUT_ARCHIVE(SizeArchive)
MANTA_DETAIL_OUTPUT_ARCHIVE(WriteArchive)
#undef MANTA_DETAIL_OUTPUT_ARCHIVE

template <class T>
  requires std::is_arithmetic_v<T>
inline void CEREAL_LOAD_FUNCTION_NAME(ReadArchive& ar, T& t) {
  if constexpr (std::is_same_v<T, bool>) {
    std::uint8_t byte = 0;  // a bool of another value than 0 and 1 would be undefined behaviour
    ar.Bytes(&byte, 1);
    t = byte != 0;
  } else {
    ar.Bytes(&t, sizeof(t));
  }
}
template <class A, class T>
  requires(std::is_same_v<A, ReadArchive> && kRawElement<T>)
inline void CEREAL_LOAD_FUNCTION_NAME(A& ar, T& t) { ar.Bytes(&t, sizeof(t)); }
template <class T>
inline void CEREAL_SERIALIZE_FUNCTION_NAME(ReadArchive& ar, cereal::NameValuePair<T>& t) { ar(t.value); }
template <class T>
inline void CEREAL_SERIALIZE_FUNCTION_NAME(ReadArchive& ar, cereal::SizeTag<T>& t) {
  ar(t.size);
  ar.CheckLength(static_cast<std::size_t>(t.size));
}
template <class T>
inline void CEREAL_LOAD_FUNCTION_NAME(ReadArchive& ar, cereal::BinaryData<T>& t) {
  ar.Bytes(t.data, static_cast<std::size_t>(t.size));
}

}  // namespace manta::detail

#include <manta/detail/checked_load.hpp>

CEREAL_REGISTER_ARCHIVE(manta::detail::SizeArchive)
CEREAL_REGISTER_ARCHIVE(manta::detail::WriteArchive)
CEREAL_REGISTER_ARCHIVE(manta::detail::ReadArchive)
CEREAL_SETUP_ARCHIVE_TRAITS(manta::detail::ReadArchive, manta::detail::WriteArchive)
