#pragma once
// How values become bytes. Plain data (numbers, structs of numbers) needs nothing. Vectors, arrays and strings of
// plain data travel as their raw bytes. Everything else uses Cereal, as its documentation shows:
//
//   struct Model { std::map<std::string, double> weights; template <class A> void serialize(A& a) { a(weights); } };
//
// The standard library's containers, smart pointers, optional, variant, pair and tuple need no further include.
// Polymorphic pointers: CEREAL_REGISTER_TYPE(Derived) after including this header.

#include <cereal/cereal.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/chrono.hpp>
#include <cereal/types/complex.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/polymorphic.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/unordered_set.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>

#include <manta/detail/archive.hpp>
#include <manta/detail/plain.hpp>
#include <manta/detail/type_ops.hpp>

namespace manta {

/// Whether a T can be an argument, a result or an object: plain data, or what Cereal can write and read.
template <class T>
inline constexpr bool kSerializable = detail::kIsSerializable<T>;

}  // namespace manta
