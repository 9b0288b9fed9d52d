#pragma once
// Reading of standard containers and shared pointers for our ReadArchive, where Cereal believes what the bytes say: it
// takes memory for a length before the first element is read, and casts what a pointer's number stands for to the type
// that it reads. Bytes that lie must be an error here, without such an allocation, and never undefined behaviour. The
// format is Cereal's own. Included by archive.hpp.

#include <manta/detail/archive.hpp>

#include <cereal/types/memory.hpp>

#include <cstddef>
#include <deque>
#include <list>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <unordered_set>
#include <utility>
#include <vector>

namespace manta::detail {

/// Elements that were counted, checked as far as all types can be.
inline std::size_t ReadLength(ReadArchive& archive) {
  cereal::size_type count = 0;
  archive(cereal::make_size_tag(count));
  return static_cast<std::size_t>(count);
}

/// Where elements lie as they are: exactly so many bytes each.
template <class Container>
void LoadNumbers(ReadArchive& archive, Container& container) {
  using Item = typename Container::value_type;
  const std::size_t count = ReadLength(archive);
  if (count > archive.left() / sizeof(Item)) ThrowTruncated(count * sizeof(Item), archive.left());
  container.resize(count);
  archive(cereal::binary_data(container.data(), count * sizeof(Item)));
}

/// One element after the other, so that memory is taken for those that are there. For a vector, elements move on the
/// way.
template <class Container>
void LoadOneByOne(ReadArchive& archive, Container& container, std::size_t count) {
  container.clear();
  for (std::size_t i = 0; i < count; ++i) {
    container.emplace_back();
    archive(container.back());
  }
}

template <class T, class A>
requires(std::is_arithmetic_v<T> &&
         !std::is_same_v<T, bool>) void CEREAL_LOAD_FUNCTION_NAME(ReadArchive& archive, std::vector<T, A>& vector) {
  LoadNumbers(archive, vector);
}
template <class C, class Tr, class A>
void CEREAL_LOAD_FUNCTION_NAME(ReadArchive& archive, std::basic_string<C, Tr, A>& string) {
  LoadNumbers(archive, string);
}

template <class T, class A>
requires(!std::is_arithmetic_v<T>) void CEREAL_LOAD_FUNCTION_NAME(ReadArchive& archive, std::vector<T, A>& vector) {
  // At once where it takes little memory for the bytes that are left, which is how nearly all objects are: elements
  // then stay where they are made, as cereal::defer needs it. A small encoding of large elements may be right, too.
  constexpr std::size_t kBytesOfOne = 16;
  constexpr std::size_t kSmall = 4096;
  const std::size_t count = ReadLength(archive);
  if (count > (archive.left() * kBytesOfOne + kSmall) / sizeof(T)) return LoadOneByOne(archive, vector, count);
  vector.resize(count);
  for (T& element : vector) archive(element);
}
template <class T, class A>
void CEREAL_LOAD_FUNCTION_NAME(ReadArchive& archive, std::deque<T, A>& deque) {
  LoadOneByOne(archive, deque, ReadLength(archive));
}
template <class T, class A>
void CEREAL_LOAD_FUNCTION_NAME(ReadArchive& archive, std::list<T, A>& list) {
  LoadOneByOne(archive, list, ReadLength(archive));
}

template <class Set>
void LoadUnorderedSet(ReadArchive& archive, Set& set) {
  const std::size_t count = ReadLength(archive);
  set.clear();
  for (std::size_t i = 0; i < count; ++i) {
    typename Set::key_type key;
    archive(key);
    set.emplace(std::move(key));
  }
}
template <class K, class H, class E, class A>
void CEREAL_LOAD_FUNCTION_NAME(ReadArchive& archive, std::unordered_set<K, H, E, A>& set) {
  LoadUnorderedSet(archive, set);
}
template <class K, class H, class E, class A>
void CEREAL_LOAD_FUNCTION_NAME(ReadArchive& archive, std::unordered_multiset<K, H, E, A>& set) {
  LoadUnorderedSet(archive, set);
}

/// Cereal calls it before it reads a shared pointer's number: the type that is read there.
template <class T>
void prologue(ReadArchive& archive, const cereal::memory_detail::PtrWrapper<std::shared_ptr<T>&>&) {
  archive.ExpectPointerTo(typeid(T));
}

}  // namespace manta::detail
