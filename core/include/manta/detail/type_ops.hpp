#pragma once
// What the compiled runtime must know of a type: how large its bytes are, how to write and how to load them.
//
// An object's bytes have one of three formats. kPlain: the value itself. kArray: the elements of a vector or string of
// plain data, so that a span can read them in place. kArchive: what Cereal wrote; or a Tensor.

#include <manta/array.hpp>
#include <manta/detail/archive.hpp>
#include <manta/detail/element_bytes.hpp>
#include <manta/detail/plain.hpp>
#include <manta/tensor.hpp>

#include <cereal/types/memory.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace manta::detail {

enum class Format : std::uint8_t { kNone = 0, kPlain = 1, kArray = 2, kArchive = 3 };

struct TypeOps {
  std::uint64_t hash;        // of the mangled name of the type, or of that whose bytes are the same (Array: the vector's)
  const char* name;          // mangled
  Format format;
  std::uint32_t item_bytes;  // kPlain: of the value; kArray: of an element
  /// Bytes that Write will write. May run the type's serialize function; throws what that throws.
  std::size_t (*measure)(const void* object);
  /// Writes exactly `size` bytes (as measured) and appends the refs met. Throws what serialize throws.
  void (*write)(const void* object, std::byte* to, std::size_t size, std::vector<Handle>* refs);
  /// A new object from the bytes, which need not stay unless it keeps a copy of `kept`: what the bytes lie in, where they
  /// may be read in place; else empty. Throws UsageError on bad bytes. `in_place` gets how many bytes are read there.
  std::shared_ptr<const void> (*load_counted)(const std::byte* from, std::size_t size,
                                              const std::shared_ptr<const void>& kept, std::size_t* in_place);
  std::uint32_t alignment;  // of the type
  /// kArray: where the elements of an object lie. Null for others.
  const void* (*elements)(const void* object);

  std::shared_ptr<const void> load(const std::byte* from, std::size_t size, const std::shared_ptr<const void>& kept,
                                   std::size_t* in_place = nullptr) const {
    std::size_t nobody_asks = 0;
    return load_counted(from, size, kept, in_place == nullptr ? &nobody_asks : in_place);
  }
};

/// Whether they are of one type: modules may have an OpsOf each.
inline bool SameType(const TypeOps& a, const TypeOps& b) { return &a == &b || std::strcmp(a.name, b.name) == 0; }

/// FNV-1a (Fowler, Noll, Vo) over the mangled name: the same in all processes of one build.
constexpr std::uint64_t HashName(const char* name) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (; *name != '\0'; ++name) hash = (hash ^ static_cast<unsigned char>(*name)) * 0x100000001b3ull;
  return hash;
}

// ---- which types are arrays of plain data ----
template <class T>
struct ArrayElement { using type = void; };
template <class U, class A>
  requires(kPlainData<U> && !std::is_same_v<U, bool>)
struct ArrayElement<std::vector<U, A>> { using type = U; };
template <class C, class Tr, class A>
  requires kPlainData<C>
struct ArrayElement<std::basic_string<C, Tr, A>> { using type = C; };
template <class U>
struct ArrayElement<Array<U>> { using type = U; };
template <class T>
inline constexpr bool kIsArray = !std::is_void_v<typename ArrayElement<T>::type>;
template <class T>
inline constexpr bool kIsTensor = false;
template <class U>
inline constexpr bool kIsTensor<Tensor<U>> = true;

/// The type by whose name its bytes go.
template <class T>
struct SameBytesAs { using type = T; };
template <class U>
struct SameBytesAs<Array<U>> { using type = std::vector<U>; };
/// Whether a ref to a `From` may be read as a `To`.
template <class To, class From>
inline constexpr bool kReadsAs = std::is_same_v<typename SameBytesAs<To>::type, typename SameBytesAs<From>::type>;

// ---- which types can be serialized, asked of the elements too (Cereal's own traits do not look inside) ----
template <class T>
constexpr bool CerealTakes() {
  if constexpr (std::is_pointer_v<T> || std::is_reference_v<T> || std::is_array_v<T> || std::is_void_v<T> ||
                std::is_function_v<T>) {
    return false;
  } else {
    return cereal::traits::is_output_serializable<T, WriteArchive>::value &&
           (cereal::traits::is_input_serializable<T, ReadArchive>::value ||
            cereal::traits::has_load_and_construct<T, ReadArchive>::value);
  }
}
template <class T>
inline constexpr bool kIsSerializable = kPlainData<T> || CerealTakes<T>();
template <class... T>
inline constexpr bool kAllSerializable = (kIsSerializable<std::remove_cv_t<T>> && ...);
#define MANTA_DETAIL_ELEMENTWISE(Container)        \
  template <class... T>                            \
  inline constexpr bool kIsSerializable<Container<T...>> = kAllSerializable<T...>;
MANTA_DETAIL_ELEMENTWISE(std::tuple)
MANTA_DETAIL_ELEMENTWISE(std::pair)
MANTA_DETAIL_ELEMENTWISE(std::variant)
MANTA_DETAIL_ELEMENTWISE(std::optional)
#undef MANTA_DETAIL_ELEMENTWISE
template <class T, class A>
inline constexpr bool kIsSerializable<std::vector<T, A>> = kIsSerializable<T>;
template <class T>
inline constexpr bool kIsSerializable<Array<T>> = true;
template <class T>
inline constexpr bool kIsSerializable<Tensor<T>> = true;
template <class T, class A>
inline constexpr bool kIsSerializable<std::deque<T, A>> = kIsSerializable<T>;
template <class T, class A>
inline constexpr bool kIsSerializable<std::list<T, A>> = kIsSerializable<T>;
template <class T, std::size_t N>
inline constexpr bool kIsSerializable<std::array<T, N>> = kIsSerializable<T>;
template <class K, class C, class A>
inline constexpr bool kIsSerializable<std::set<K, C, A>> = kIsSerializable<K>;
template <class K, class H, class E, class A>
inline constexpr bool kIsSerializable<std::unordered_set<K, H, E, A>> = kIsSerializable<K>;
template <class K, class V, class C, class A>
inline constexpr bool kIsSerializable<std::map<K, V, C, A>> = kAllSerializable<K, V>;
template <class K, class V, class H, class E, class A>
inline constexpr bool kIsSerializable<std::unordered_map<K, V, H, E, A>> = kAllSerializable<K, V>;
template <class T, class D>
inline constexpr bool kIsSerializable<std::unique_ptr<T, D>> =
    kIsSerializable<std::remove_cv_t<T>> || std::is_polymorphic_v<T>;
template <class T>
inline constexpr bool kIsSerializable<std::shared_ptr<T>> =
    kIsSerializable<std::remove_cv_t<T>> || std::is_polymorphic_v<T>;

/// A type that has no default constructor is read through Cereal's load_and_construct. (Cereal's own trait for the
/// constructor is true for every type; a private default constructor counts as none here, unless there is no other way.)
template <class T>
inline constexpr bool kLoadsAndConstructs =
    !std::is_default_constructible_v<T> && cereal::traits::has_load_and_construct<T, ReadArchive>::value;

// ---- values inside a longer stream of bytes (arguments) ----
template <class A, class T>
void WriteItem(A& archive, const T& value) {
  if constexpr (kPlainData<T>) {
    archive.Bytes(&value, sizeof(T));
  } else if constexpr (kIsArray<T>) {
    const std::uint64_t count = value.size();
    archive.Bytes(&count, sizeof(count));
    archive.Bytes(value.data(), value.size() * sizeof(*value.data()));
  } else if constexpr (kIsTensor<T>) {
    WriteTensor(archive, value);
  } else if constexpr (kLoadsAndConstructs<T>) {
    archive(std::uint8_t{1}, value);  // as Cereal writes a unique_ptr that is not null
  } else {
    archive(value);
  }
}

/// The number of elements of type Item that follow.
template <class Item>
std::size_t ReadCount(ByteReader& archive) {
  std::uint64_t count = 0;
  archive.Bytes(&count, sizeof(count));
  if (count > archive.left() / sizeof(Item)) ThrowTruncated(count * sizeof(Item), archive.left());
  return count;
}

/// A vector, string or Array of `count` elements of plain data.
template <class T>
T ArrayFrom(const std::byte* from, std::size_t count) {
  using Item = typename ArrayElement<T>::type;
  if constexpr (std::is_same_v<T, Array<Item>>) {
    return CopyOfElements<Item>(from, count);
  } else {
    if constexpr (std::is_constructible_v<T, const Item*, const Item*>) {
      // One pass where the bytes are aligned for it; the store aligns to 64.
      if (reinterpret_cast<std::uintptr_t>(from) % alignof(Item) == 0) {
        const Item* items = reinterpret_cast<const Item*>(from);
        return T(items, items + count);
      }
    }
    T value;
    value.resize(count);
    if (count != 0) std::memcpy(value.data(), from, count * sizeof(Item));
    return value;
  }
}

template <class T, class A>
std::unique_ptr<T> ReadItem(A& archive) {
  if constexpr (kPlainData<T>) {
    struct Raw { alignas(T) std::byte bytes[sizeof(T)]; };
    Raw raw;
    archive.Bytes(raw.bytes, sizeof(T));
    return std::make_unique<T>(*std::launder(reinterpret_cast<const T*>(raw.bytes)));
  } else if constexpr (kIsArray<T>) {
    using Item = typename ArrayElement<T>::type;
    const std::size_t count = ReadCount<Item>(archive);
    const std::byte* const from = archive.position();
    archive.Skip(count * sizeof(Item));
    return std::make_unique<T>(ArrayFrom<T>(from, count));
  } else if constexpr (kIsTensor<T>) {
    return std::make_unique<T>(ReadTensor<typename T::value_type>(archive));
  } else if constexpr (kLoadsAndConstructs<T>) {
    std::unique_ptr<T> value;
    archive(value);
    if (value == nullptr) throw UsageError("serialized bytes have no value where one was to be");
    return value;
  } else {
    std::unique_ptr<T> value(cereal::access::construct<T>());
    archive(*value);
    return value;
  }
}

/// Bytes that WriteItem writes into a call.
template <class T>
std::size_t MeasureItem(const T& value) {
  if constexpr (kPlainData<T>) {
    return sizeof(T);
  } else if constexpr (kIsArray<T> || kIsTensor<T>) {
    ByteCounter counter;
    WriteItem(counter, value);
    return counter.size();
  } else {
    SizeArchive archive;
    WriteItem(archive, value);
    return archive.size();
  }
}

// ---- whole objects ----
template <class T>
std::size_t MeasureObject(const void* object) {
  const T& value = *static_cast<const T*>(object);
  if constexpr (kPlainData<T>) {
    return sizeof(T);
  } else if constexpr (kIsArray<T>) {
    return value.size() * sizeof(typename ArrayElement<T>::type);
  } else if constexpr (kIsTensor<T>) {
    ByteCounter counter(kAlwaysInPlace);
    WriteTensor(counter, value);
    return counter.size();
  } else {
    SizeArchive archive(kInPlaceBytes);
    WriteItem(archive, value);
    return archive.size();
  }
}

template <class T>
void WriteObject(const void* object, std::byte* to, std::size_t size, std::vector<Handle>* refs) {
  const T& value = *static_cast<const T*>(object);
  if constexpr (kPlainData<T>) {
    std::memcpy(to, &value, sizeof(T));
  } else if constexpr (kIsArray<T>) {
    if (size != 0) std::memcpy(to, value.data(), size);
  } else if constexpr (kIsTensor<T>) {
    ByteWriter writer(to, size, kAlwaysInPlace);
    WriteTensor(writer, value);
  } else {
    WriteArchive archive(to, size, refs, kInPlaceBytes);
    WriteItem(archive, value);
  }
}

template <class T>
std::shared_ptr<const void> LoadObject(const std::byte* from, std::size_t size,
                                       [[maybe_unused]] const std::shared_ptr<const void>& kept, std::size_t* in_place) {
  if constexpr (kIsArray<T>) {
    using Item = typename ArrayElement<T>::type;
    if constexpr (std::is_same_v<T, Array<Item>>) {
      ByteReader reader(from, size, kAlwaysInPlace, &kept);
      auto array = std::make_shared<T>(ReadElements<Item>(reader, size / sizeof(Item)));
      *in_place = reader.in_place();
      return array;
    } else {
      return std::make_shared<T>(ArrayFrom<T>(from, size / sizeof(Item)));
    }
  } else if constexpr (kIsTensor<T>) {
    ByteReader reader(from, size, kAlwaysInPlace, &kept);
    auto tensor = std::make_shared<T>(ReadTensor<typename T::value_type>(reader));
    *in_place = reader.in_place() == 0 ? 0 : size;  // the header is no value
    return tensor;
  } else {
    ReadArchive archive(from, size, kInPlaceBytes, &kept);
    std::shared_ptr<const T> value(ReadItem<T>(archive));
    *in_place = archive.in_place();
    return value;
  }
}

template <class T>
constexpr Format FormatOf() {
  return kPlainData<T> ? Format::kPlain : kIsArray<T> ? Format::kArray : Format::kArchive;
}
template <class T>
constexpr std::uint32_t ItemBytesOf() {
  if constexpr (kPlainData<T>) return sizeof(T);
  else if constexpr (kIsArray<T>) return sizeof(typename ArrayElement<T>::type);
  else return 0;
}

template <class T>
const void* ElementsOf(const void* object) {
  return static_cast<const T*>(object)->data();
}
template <class T>
constexpr auto ElementsFunction() -> const void* (*)(const void*) {
  if constexpr (kIsArray<T>) return &ElementsOf<T>;
  else return nullptr;
}

template <class T>
const TypeOps& OpsOf() {
  static_assert(kIsSerializable<T>,
                "manta: this type can't be sent: give it a Cereal serialize function (for all its members too)");
  static const TypeOps ops{HashName(typeid(typename SameBytesAs<T>::type).name()),
                           typeid(T).name(),
                           FormatOf<T>(),
                           ItemBytesOf<T>(),
                           &MeasureObject<T>,
                           &WriteObject<T>,
                           &LoadObject<T>,
                           alignof(T),
                           ElementsFunction<T>()};
  return ops;
}

}  // namespace manta::detail
