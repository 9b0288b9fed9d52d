#pragma once
// Where one-CPU tasks run under scheduler=central: owners ask rank 0 for places, and who runs the tasks gives them back
// (docs/protocol.md, "Places").

#include <cstdint>
#include <utility>
#include <vector>

#include "core/wire/messages.hpp"

namespace manta::wire {

/// Tasks that ask one after another.
struct PlaceRun {
  Rank bound;  // to this rank; not valid: any
  std::uint32_t count = 0;
  template <class V>
  void Fields(V& v) { v(bound); v(count); }
};
struct PlaceRequest {
  static constexpr Kind kKind = Kind::kPlaceRequest;
  std::vector<PlaceRun> runs;
  std::uint32_t again = 0;  // how many of them had a place before
  template <class V>
  void Fields(V& v) { v(runs); v(again); }
};
/// The next `count` of the tasks that asked for `bound` go to `to`.
struct PlacedRun {
  Rank bound, to;
  std::uint32_t count = 0;
  template <class V>
  void Fields(V& v) { v(bound); v(to); v(count); }
};
struct PlaceGrant {
  static constexpr Kind kKind = Kind::kPlaceGrant;
  std::uint8_t heard = 0;  // answers a PlaceRequest: the next may come
  std::vector<PlacedRun> runs;
  template <class V>
  void Fields(V& v) { v(heard); v(runs); }
};
struct PlacesBack {
  static constexpr Kind kKind = Kind::kPlacesBack;
  Rank at;                                          // where the tasks had been placed
  std::vector<std::pair<Rank, std::int32_t>> of;    // how many of which owner; negative: taken again after a wait
  // From `at` itself:
  std::uint8_t offers = 0;         // the next two are set
  std::uint32_t cpus = 0, window = 0;
  std::uint8_t answers = 0;        // a PlacesRecall: 1 if there is nothing, 2 if something was given back or could be now
  template <class V>
  void Fields(V& v) { v(at); v(of); v(offers); v(cpus); v(window); v(answers); }
};
struct PlacesRecall {
  static constexpr Kind kKind = Kind::kPlacesRecall;
  template <class V>
  void Fields(V&) {}
};

}  // namespace manta::wire
