#pragma once
// The identities that the whole runtime speaks of, each a type of its own so that a rank is never taken for a node.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>

namespace manta {

/// A whole number that only equals others of its own kind. `Tag` is any type; it is never made.
template <class Tag>
struct StrongId {
  std::int32_t value = -1;

  constexpr StrongId() = default;
  constexpr explicit StrongId(std::int32_t number) : value(number) {}
  constexpr bool valid() const { return value >= 0; }
  constexpr auto operator<=>(const StrongId&) const = default;
  friend std::ostream& operator<<(std::ostream& out, StrongId id) { return out << id.value; }
};

/// An MPI process of the job, counted as in MPI_COMM_WORLD; never reused.
using Rank = StrongId<struct RankTag>;
/// The ranks that share memory, counted from 0 in order of their lowest rank; never reused.
using NodeId = StrongId<struct NodeTag>;

/// Names one object of the job: who owns it, its slot in the owner's table, and which use of that slot.
/// A slot is used again with a higher generation, so an id never names two objects.
struct ObjectId {
  Rank owner;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0: no object

  constexpr bool valid() const { return generation != 0; }
  constexpr auto operator<=>(const ObjectId&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const ObjectId& id) {
    return out << id.owner << ':' << id.slot << '.' << id.generation;
  }
};

/// An actor is named like an object: by the rank that made it.
struct ActorId {
  Rank creator;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  constexpr bool valid() const { return generation != 0; }
  constexpr auto operator<=>(const ActorId&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const ActorId& id) {
    return out << 'a' << id.creator << ':' << id.slot << '.' << id.generation;
  }
};

namespace base {
/// Mixes three words into one hash (the finalizer of splitmix64, Steele et al. 2014).
constexpr std::size_t MixHash(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  std::uint64_t x = a * 0x9e3779b97f4a7c15ull + b;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull + c;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return static_cast<std::size_t>(x ^ (x >> 31));
}
}  // namespace base
}  // namespace manta

template <class Tag>
struct std::hash<manta::StrongId<Tag>> {
  std::size_t operator()(manta::StrongId<Tag> id) const { return std::hash<std::int32_t>()(id.value); }
};
template <>
struct std::hash<manta::ObjectId> {
  std::size_t operator()(const manta::ObjectId& id) const {
    return manta::base::MixHash(static_cast<std::uint32_t>(id.owner.value), id.slot, id.generation);
  }
};
template <>
struct std::hash<manta::ActorId> {
  std::size_t operator()(const manta::ActorId& id) const {
    return manta::base::MixHash(static_cast<std::uint32_t>(id.creator.value), id.slot, id.generation);
  }
};
