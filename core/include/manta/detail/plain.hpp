#pragma once
// Which types are plain data: their bytes are their value, so that they may be copied to another process as they are.
//
// Trivially copyable is no test, since a pointer and a reference member are both. But std::bit_cast from bytes is a
// constant expression only for types without pointers, references and unions ([bit.cast]/3), at any depth: that is
// the test.

#include <array>
#include <bit>
#include <cstddef>
#include <type_traits>

namespace manta::detail {

template <std::size_t Size>
constexpr std::array<std::byte, Size> BytesOf(std::byte each) {
  std::array<std::byte, Size> bytes{};
  for (std::byte& byte : bytes) byte = each;
  return bytes;
}

template <class T, std::byte Each>
constexpr bool CastsFromBytes() {
  return (static_cast<void>(std::bit_cast<T>(BytesOf<sizeof(T)>(Each))), true);
}

template <class T, std::byte Each = std::byte{0}>
concept BitCastable = requires { typename std::bool_constant<CastsFromBytes<T, Each>()>; };

#if defined(__clang__)
template <class T>
inline constexpr bool kHidesPointers = false;
#else
// GCC 12's cast does not look into arrays of pointers inside of a class. What comes out for those is a pointer that points to
// no object, which may not be a template argument, while a null pointer and numbers of any value may. Classes with
// private members can't be asked this way.
template <auto>
struct TakesValue;
template <class T, std::byte Each>
concept TemplateArgument = requires { typename TakesValue<std::bit_cast<T>(BytesOf<sizeof(T)>(Each))>; };
template <class T>
inline constexpr bool kHidesPointers =
    BitCastable<T, std::byte{1}> && TemplateArgument<T, std::byte{0}> && !TemplateArgument<T, std::byte{1}>;
#endif

/// Beyond this size the compiler is not asked to evaluate the cast: it takes seconds.
inline constexpr std::size_t kLargestCheckedPlain = 4096;

template <class T>
constexpr bool IsPlainData() {
  if constexpr (!std::is_trivially_copyable_v<T> || std::is_pointer_v<T> || std::is_member_pointer_v<T> ||
                std::is_null_pointer_v<T> || std::is_array_v<T>) {
    return false;
  } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return true;
  } else if constexpr (sizeof(T) > kLargestCheckedPlain) {
    return true;
  } else if constexpr (BitCastable<T>) {
    return !kHidesPointers<T>;
  } else {
    return false;
  }
}

/// True where a T's bytes may cross processes: no pointers, references or views inside.
template <class T>
inline constexpr bool kPlainData = IsPlainData<T>();
template <class U, std::size_t N>
inline constexpr bool kPlainData<std::array<U, N>> = kPlainData<U>;

}  // namespace manta::detail
