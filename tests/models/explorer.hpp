#pragma once
// Walks through every state that a small model can reach, and says how it got to one that must not be.
//
//   auto result = Explore(initial, [](const S& s) { return successors; }, [](const S& s, bool last) { return fault; });
//   EXPECT_EQ(result.fault, "") << result.trace;
//
// Models of shared memory use StoreBuffer for x86's order: a thread's plain stores wait in its buffer, in order, and any
// later load may come first; fences, locked instructions and system calls wait until the buffer is empty. (Weaker
// machines reorder more; there the C++ orders stand for themselves. What a fence is for shows on x86 already.)

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace manta::models {

template <class State>
struct Move {
  std::string label;
  State next;
};

struct Exploration {
  std::string fault;  // empty: every reachable state is as it should be
  std::string trace;  // the shortest way to the fault, a step a line
  std::size_t states = 0;
};

/// Breadth first. `moves(state)` gives all that can happen next; `fault(state, is_last)` names what is wrong, or "".
template <class State, class Moves, class Fault>
Exploration Explore(const State& initial, Moves&& moves, Fault&& fault) {
  using Reached = std::map<State, std::pair<const State*, std::string>>;
  Reached reached;
  std::deque<const State*> next;
  next.push_back(&reached.emplace(initial, std::pair<const State*, std::string>{nullptr, ""}).first->first);
  while (!next.empty()) {
    const State& state = *next.front();
    next.pop_front();
    const std::vector<Move<State>> steps = moves(state);
    if (const std::string text = fault(state, steps.empty()); !text.empty()) {
      std::string trace;
      for (const State* at = &state; at != nullptr; at = reached.at(*at).first)
        trace = "  " + reached.at(*at).second + "\n" + trace;
      return {text, trace, reached.size()};
    }
    for (const Move<State>& step : steps) {
      const auto [place, is_new] = reached.emplace(step.next, std::pair{&state, step.label});
      if (is_new) next.push_back(&place->first);
    }
  }
  return {"", "", reached.size()};
}

/// The plain stores of one thread that others do not see yet: {variable, value}, oldest first.
struct StoreBuffer {
  std::vector<std::pair<std::uint8_t, std::uint8_t>> stores;

  bool empty() const { return stores.empty(); }
  void Store(std::uint8_t variable, std::uint8_t value) { stores.emplace_back(variable, value); }
  /// What the thread itself reads: its own last store, else memory.
  template <std::size_t N>
  std::uint8_t Load(const std::array<std::uint8_t, N>& memory, std::uint8_t variable) const {
    for (auto store = stores.rbegin(); store != stores.rend(); ++store)
      if (store->first == variable) return store->second;
    return memory[variable];
  }
  /// Makes the oldest store visible.
  template <std::size_t N>
  void DrainOne(std::array<std::uint8_t, N>& memory) {
    memory[stores.front().first] = stores.front().second;
    stores.erase(stores.begin());
  }
  auto operator<=>(const StoreBuffer&) const = default;
};

}  // namespace manta::models
