#pragma once
// Walks through every state that a small model can reach, and says how it got to one that must not be.
//
//   auto result = Explore(initial, [](const S& s) { return successors; }, [](const S& s, bool last) { return fault; });
//   EXPECT_EQ(result.fault, "") << result.trace;
//
//   StateGraph<S> graph(initial, moves);    // also for what must be able to happen from every state
//   auto ends = graph.EveryStateReaches([](const S& s) { return done; }, "never done");
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
  bool counts = true;  // for StateGraph::EveryStateComesToRest
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

/// All states that can be reached and the steps between them, for questions about what can still happen.
template <class State>
class StateGraph {
 public:
  template <class Moves>
  StateGraph(const State& initial, Moves&& moves) {
    Reach(initial, 0, "");
    for (std::size_t i = 0; i < states_.size(); ++i)
      for (Move<State>& step : moves(*states_[i])) {
        const std::size_t to = Reach(std::move(step.next), i, step.label);
        places_[to].before.push_back({i, step.counts});
        places_[i].has_steps = true;
        places_[i].has_counting_steps |= step.counts;
      }
  }

  /// The first state for which `fault(state, is_last)` names what is wrong.
  template <class Fault>
  Exploration FindFault(Fault&& fault) const {
    for (std::size_t i = 0; i < states_.size(); ++i)
      if (std::string text = fault(*states_[i], !places_[i].has_steps); !text.empty()) return Found(std::move(text), i);
    return Found("", 0);
  }
  /// Whether from every state one can be reached for which `goal(state)` is true: then nothing goes around in circles
  /// for ever, unless a step is put off for ever. The fault is `name`.
  template <class Goal>
  Exploration EveryStateReaches(Goal&& goal, const std::string& name) const {
    return Reaches([&](std::size_t i) { return goal(*states_[i]); }, false, name);
  }
  /// The same, by steps that count, for a state that has no more of these.
  Exploration EveryStateComesToRest(const std::string& name) const {
    return Reaches([&](std::size_t i) { return !places_[i].has_counting_steps; }, true, name);
  }

 private:
  struct Step {
    std::size_t from;
    bool counts;
  };
  struct Place {
    std::size_t from = 0;  // the state that it was first reached from
    std::string label;
    std::vector<Step> before;
    bool has_steps = false;
    bool has_counting_steps = false;
  };

  std::size_t Reach(State state, std::size_t from, const std::string& label) {
    const auto [at, is_new] = index_.emplace(std::move(state), states_.size());
    if (is_new) {
      states_.push_back(&at->first);
      places_.push_back({from, label, {}});
    }
    return at->second;
  }
  template <class Good>
  Exploration Reaches(Good&& is_goal, bool by_counting_steps, const std::string& name) const {
    std::vector<std::size_t> next;
    std::vector<bool> good(states_.size());
    for (std::size_t i = 0; i < states_.size(); ++i)
      if ((good[i] = is_goal(i))) next.push_back(i);
    while (!next.empty()) {
      const std::size_t at = next.back();
      next.pop_back();
      for (const Step& step : places_[at].before) {
        if (good[step.from] || (by_counting_steps && !step.counts)) continue;
        good[step.from] = true;
        next.push_back(step.from);
      }
    }
    for (std::size_t i = 0; i < states_.size(); ++i)
      if (!good[i]) return Found(name, i);
    return Found("", 0);
  }
  Exploration Found(std::string fault, std::size_t at) const {
    std::string trace;
    for (; at != 0; at = places_[at].from) trace = "  " + places_[at].label + "\n" + trace;
    return {std::move(fault), std::move(trace), states_.size()};
  }

  std::map<State, std::size_t> index_;
  std::vector<const State*> states_;
  std::vector<Place> places_;
};

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
