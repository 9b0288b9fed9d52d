#pragma once
// The bytes of Arrays and Tensors, alone and inside of something that Cereal writes. Elements are read in place where the
// reader allows it (archive.hpp). `A` is an archive of Manta's, or a ByteCounter, ByteWriter or ByteReader.
//
// A Tensor: its rank and its shape as 64-bit numbers, zeros up to where elements may begin, the elements in row-major order.

#include <manta/array.hpp>
#include <manta/detail/archive.hpp>
#include <manta/tensor.hpp>

#include <cereal/types/vector.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace manta::detail {

template <class T>
Array<T> CopyOfElements(const std::byte* from, std::size_t count) {
  // One pass where the bytes are aligned for it; the store aligns to 64.
  const T* const elements = reinterpret_cast<const T*>(from);
  if (reinterpret_cast<std::uintptr_t>(from) % alignof(T) == 0) return Array<T>(elements, elements + count);
  std::vector<T> aligned(count);
  if (count != 0) std::memcpy(static_cast<void*>(aligned.data()), from, count * sizeof(T));
  return Array<T>(std::move(aligned));
}

/// Throws UsageError where the bytes hold fewer, before any memory is asked for.
template <class T, class A>
Array<T> ReadElements(A& archive, std::size_t count) {
  if (count > archive.left() / sizeof(T)) ThrowTruncated(count * sizeof(T), archive.left());
  const std::size_t size = count * sizeof(T);
  archive.Align(size);
  const std::byte* const from = archive.position();
  const auto* const kept = archive.LeaveInPlace(size, alignof(T));
  archive.Skip(size);
  if (kept == nullptr) return CopyOfElements<T>(from, count);
  return {std::shared_ptr<const T>(*kept, reinterpret_cast<const T*>(from)), count};
}

static_assert(sizeof(std::size_t) == sizeof(std::uint64_t), "manta: a Tensor's shape travels as 64-bit numbers");

/// What comes before `size` bytes of elements.
template <class A>
void WriteTensorHeader(A& archive, const Dims& shape, std::size_t size) {
  const std::uint64_t rank = shape.size();
  archive.Bytes(&rank, sizeof(rank));
  archive.Bytes(shape.data(), shape.size() * sizeof(std::uint64_t));
  archive.Align(size);
}

template <class A, class T>
void WriteTensor(A& archive, const Tensor<T>& tensor) {
  const std::size_t size = tensor.size() * sizeof(T);
  WriteTensorHeader(archive, tensor.shape(), size);
  if (std::byte* const to = archive.Reserve(size)) CopyRowMajor(tensor, to);
}

template <class T, class A>
Tensor<T> ReadTensor(A& archive) {
  std::uint64_t rank = 0;
  archive.Bytes(&rank, sizeof(rank));
  if (rank > Dims::kMaxRank)
    throw UsageError("bytes that are no Tensor: of " + std::to_string(rank) + " axes; at most " +
                     std::to_string(Dims::kMaxRank) + " are possible");
  std::size_t shape[Dims::kMaxRank];
  archive.Bytes(shape, static_cast<std::size_t>(rank) * sizeof(std::uint64_t));
  const Dims dims(std::span<const std::size_t>(shape, static_cast<std::size_t>(rank)));
  return Tensor<T>(ReadElements<T>(archive, CountElements(dims, sizeof(T))), dims);
}

}  // namespace manta::detail

namespace manta {

// For archives of others an Array is a std::vector of the same elements, and a Tensor its shape and one of its elements.
template <class A, class T>
void CEREAL_SAVE_FUNCTION_NAME(A& archive, const Array<T>& array) {
  if constexpr (detail::kIsMantaArchive<A>) {
    archive(cereal::make_size_tag(static_cast<cereal::size_type>(array.size())));
    archive.Align(array.size() * sizeof(T));
    archive.Bytes(array.data(), array.size() * sizeof(T));
  } else {
    archive(array.MutableCopy());
  }
}
template <class A, class T>
void CEREAL_LOAD_FUNCTION_NAME(A& archive, Array<T>& array) {
  if constexpr (detail::kIsMantaArchive<A>) {
    cereal::size_type count = 0;
    archive(cereal::make_size_tag(count));
    array = detail::ReadElements<T>(archive, static_cast<std::size_t>(count));
  } else {
    std::vector<T> elements;
    archive(elements);
    array = Array<T>(std::move(elements));
  }
}

template <class A, class T>
void CEREAL_SAVE_FUNCTION_NAME(A& archive, const Tensor<T>& tensor) {
  if constexpr (detail::kIsMantaArchive<A>) {
    detail::WriteTensor(archive, tensor);
  } else {
    archive(std::vector<std::size_t>(tensor.shape().begin(), tensor.shape().end()), tensor.MutableCopy());
  }
}
template <class A, class T>
void CEREAL_LOAD_FUNCTION_NAME(A& archive, Tensor<T>& tensor) {
  if constexpr (detail::kIsMantaArchive<A>) {
    tensor = detail::ReadTensor<T>(archive);
  } else {
    std::vector<std::size_t> shape;
    std::vector<T> elements;
    archive(shape, elements);
    tensor = Tensor<T>(std::move(elements), shape);
  }
}

}  // namespace manta
