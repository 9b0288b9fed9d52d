// The words of core/runtime/argument_admission.hpp, step by step, in every interleaving: ranks that each raise their own
// word, look at the others' and lower it again where that is too much; who has waited takes the turn, and goes in whatever
// is there once it has had that for long.
//
// Wrong are two that went in without that patience and are more than the limit together, somebody who passes a turn more
// than once (he may have looked just before it was taken), and ranks that can't all come to their end any more.

#include <gtest/gtest.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/models/explorer.hpp"

namespace manta::models {
namespace {

constexpr int kRanks = 3;
constexpr std::uint8_t kLimit = 8;
// So that what is wrong comes to an end too.
constexpr std::uint8_t kMost = 40;
constexpr std::size_t kMostStores = 3;
enum Variable : std::uint8_t { kWord0, kWord1, kWord2, kTurn, kVariables };

/// Ways to get it wrong.
struct Variant {
  bool raises_before_looking = true;
  bool raise_is_locked = true;  // else a plain load and store
  bool lowers = true;
  bool looks_at_turn = true;
  bool ends_turn = true;
  bool has_patience = true;
  bool lets_one_alone_in = true;
};

/// What the ranks want in. Rank 1 may be the child that rank 0's task waits for while it is in.
struct Job {
  std::array<std::uint8_t, kRanks> bytes{};  // 0: no such rank
  std::array<std::uint8_t, kRanks> rounds{1, 1, 1};
  bool has_child = false;
  bool child_is_nested = false;
};

enum Step : std::uint8_t { kTry, kRaise, kLook, kDecide, kLower, kWait, kBrings, kEndsTurn, kRuns, kLeaves, kDone };

struct RankState {
  std::uint8_t step = kTry;
  std::uint8_t next_look = 0;
  std::uint8_t before = 0;
  std::uint8_t rounds_left = 0;
  std::uint8_t passed = 0;  // times it went in past the turn that is out now
  bool has_turn = false;
  bool even_if_full = false;
  auto operator<=>(const RankState&) const = default;
};
struct State {
  std::array<std::uint8_t, kVariables> memory{};
  std::array<RankState, kRanks> ranks;
  std::array<StoreBuffer, kRanks> buffers;
  auto operator<=>(const State&) const = default;
};

class Model {
 public:
  Model(Variant variant, Job job) : variant_(variant), job_(job) {}

  Exploration Run() const {
    State initial;
    for (int i = 0; i < kRanks; ++i) {
      initial.ranks[i].rounds_left = job_.rounds[i];
      initial.ranks[i].step = job_.bytes[i] == 0 ? kDone : kTry;
    }
    const StateGraph<State> graph(initial, [this](const State& s) { return Moves(s); });
    if (auto result = graph.FindFault([this](const State& s, bool) { return FaultOf(s); }); !result.fault.empty()) return result;
    return graph.EveryStateReaches([](const State& s) { return IsAtItsEnd(s); }, "stuck");
  }

 private:
  static bool IsIn(const RankState& rank) { return rank.step >= kBrings && rank.step <= kLeaves; }
  static bool IsAtItsEnd(const State& s) {
    for (const RankState& rank : s.ranks)
      if (rank.step != kDone) return false;
    return true;
  }
  std::string FaultOf(const State& s) const {
    int bytes = 0, count = 0;
    for (int i = 0; i < kRanks; ++i) {
      if (s.ranks[i].passed > 1) return "passed a turn twice";
      if (!IsIn(s.ranks[i]) || s.ranks[i].even_if_full) continue;
      bytes += job_.bytes[i];
      ++count;
    }
    if (count > 1 && bytes > kLimit) return "beyond the limit";
    if (IsAtItsEnd(s) && s.buffers == decltype(s.buffers){} && s.memory != decltype(s.memory){}) return "something is left";
    return "";
  }

  std::vector<Move<State>> Moves(const State& s) const {
    std::vector<Move<State>> moves;
    for (int i = 0; i < kRanks; ++i) {
      const std::string who = "rank " + std::to_string(i);
      if (!s.buffers[i].empty()) {
        moves.push_back({who + " drains", s});
        moves.back().next.buffers[i].DrainOne(moves.back().next.memory);
      }
      if (s.ranks[i].step == kWait) {
        AddWaits(moves, s, i);
        continue;
      }
      State next = s;
      if (const char* what = Take(next, i)) moves.push_back({who + what, next});
    }
    return moves;
  }

  /// What can end a wait: it looks again, takes the turn, or has had it for long.
  void AddWaits(std::vector<Move<State>>& moves, const State& s, int i) const {
    const std::string who = "rank " + std::to_string(i);
    State again = s;
    again.ranks[i].step = s.ranks[i].has_turn ? kRaise : kTry;
    moves.push_back({who + " looks again", again});
    if (s.ranks[i].has_turn && variant_.has_patience) {
      again.ranks[i].even_if_full = true;
      moves.push_back({who + " has waited for a second", again});
    }
    if (!s.ranks[i].has_turn && s.memory[kTurn] == 0 && s.buffers[i].empty()) {
      State turn = s;
      turn.memory[kTurn] = static_cast<std::uint8_t>(i + 1);
      turn.ranks[i].has_turn = true;
      for (RankState& rank : turn.ranks) rank.passed = 0;
      moves.push_back({who + " takes the turn", turn});
    }
  }

  bool Add(State& s, int i, int bytes) const {
    const std::uint8_t mine = static_cast<std::uint8_t>(kWord0 + i);
    const auto sum = static_cast<std::uint8_t>(s.buffers[i].Load(s.memory, mine) + bytes);
    if (sum > kMost) return false;
    if (!variant_.raise_is_locked) {
      if (s.buffers[i].stores.size() >= kMostStores) return false;
      s.buffers[i].Store(mine, sum);
      return true;
    }
    if (!s.buffers[i].empty()) return false;
    s.memory[mine] = sum;
    return true;
  }

  /// One step; null when there is none.
  const char* Take(State& s, int i) const {
    RankState& rank = s.ranks[i];
    const bool is_nested = i == 1 && job_.has_child && job_.child_is_nested;
    switch (rank.step) {
      case kTry:
        if (is_nested) {  // begins when its parent waits for it
          if (s.ranks[0].step != kRuns) return nullptr;
          rank.even_if_full = true;
        } else if (variant_.looks_at_turn && s.buffers[i].Load(s.memory, kTurn) != 0) {
          rank.step = kWait;
          return " sees that somebody has the turn";
        }
        rank.step = variant_.raises_before_looking ? kRaise : kLook;
        return " sees no turn";
      case kRaise:
        rank.before = variant_.raises_before_looking ? s.buffers[i].Load(s.memory, static_cast<std::uint8_t>(kWord0 + i)) : 0;
        if (!Add(s, i, job_.bytes[i])) return nullptr;
        rank.step = variant_.raises_before_looking ? kLook : kBrings;
        return " raises its word";
      case kLook:
        if (rank.next_look != i) rank.before += s.buffers[i].Load(s.memory, static_cast<std::uint8_t>(kWord0 + rank.next_look));
        if (++rank.next_look == kRanks) rank.step = kDecide;
        return " looks at a word";
      case kDecide: {
        rank.next_look = 0;
        const bool fits = rank.before + job_.bytes[i] <= kLimit || (variant_.lets_one_alone_in && rank.before == 0);
        rank.before = 0;
        if (fits || rank.even_if_full) {
          rank.step = variant_.raises_before_looking ? kBrings : kRaise;
          if (s.memory[kTurn] != 0 && !rank.has_turn && !rank.even_if_full && rank.passed < 2) ++rank.passed;
          return " goes in";
        }
        rank.step = variant_.raises_before_looking ? kLower : kWait;
        return " does not go in";
      }
      case kLower:
        if (variant_.lowers && !Add(s, i, -job_.bytes[i])) return nullptr;
        rank.step = kWait;
        return " lowers its word";
      case kBrings:
        rank.step = rank.has_turn ? kEndsTurn : kRuns;
        return " has all";
      case kEndsTurn:
        if (variant_.ends_turn) s.buffers[i].Store(kTurn, 0);
        rank.has_turn = false;
        rank.step = kRuns;
        return " ends its turn";
      case kRuns:
        if (i == 0 && job_.has_child && s.ranks[1].step != kDone) return nullptr;
        rank.step = kLeaves;
        return " has run";
      case kLeaves:
        if (!Add(s, i, -job_.bytes[i])) return nullptr;
        rank.even_if_full = false;
        rank.step = --rank.rounds_left == 0 ? kDone : kTry;
        return " leaves";
      default:
        return nullptr;
    }
  }

  const Variant variant_;
  const Job job_;
};

const std::vector<Job> kJobs{
    {.bytes = {5, 5, 0}, .rounds = {2, 2, 0}},
    {.bytes = {5, 4, 3}},
    {.bytes = {8, 1, 1}},
    {.bytes = {4, 4, 4}},
    {.bytes = {12, 2, 0}, .rounds = {2, 2, 0}},
    {.bytes = {12, 12, 12}},
    {.bytes = {5, 5, 0}, .rounds = {1, 1, 0}, .has_child = true},
    {.bytes = {5, 5, 5}, .has_child = true},
    {.bytes = {5, 5, 5}, .has_child = true, .child_is_nested = true},
};

std::string FirstFault(Variant variant) {
  for (const Job& job : kJobs)
    if (const Exploration result = Model(variant, job).Run(); !result.fault.empty()) return result.fault;
  return "";
}

TEST(AdmissionModel, KeepsTheLimitAndLetsAllComeToTheirEnd) {
  std::size_t states = 0;
  for (const Job& job : kJobs) {
    const Exploration result = Model({}, job).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
    states += result.states;
  }
  EXPECT_GT(states, 1000u);
}

TEST(AdmissionModel, FindsTheFaultWhenItLooksBeforeItRaises) {
  EXPECT_EQ(FirstFault({.raises_before_looking = false}), "beyond the limit");
}
TEST(AdmissionModel, FindsTheFaultWhenTheRaiseIsAPlainStore) {
  EXPECT_EQ(FirstFault({.raise_is_locked = false}), "beyond the limit");
}
TEST(AdmissionModel, FindsTheFaultWhenWhoIsRefusedStaysRaised) {
  EXPECT_NE(FirstFault({.lowers = false}), "");
}
TEST(AdmissionModel, FindsTheFaultWhenTheTurnIsNotLookedAt) {
  const Job job{.bytes = {8, 2, 0}, .rounds = {1, 3, 0}};
  EXPECT_EQ(Model({}, job).Run().fault, "");
  EXPECT_EQ(Model({.looks_at_turn = false}, job).Run().fault, "passed a turn twice");
}
TEST(AdmissionModel, FindsTheFaultWhenTheTurnIsKept) { EXPECT_NE(FirstFault({.ends_turn = false}), ""); }

TEST(AdmissionModel, NeedsPatienceForParents) {
  for (const Job& job : kJobs)
    EXPECT_EQ(Model({.has_patience = false}, job).Run().fault, job.has_child && !job.child_is_nested ? "stuck" : "");
}
TEST(AdmissionModel, NeedsTheRuleForOneAlone) {
  EXPECT_EQ(Model({.has_patience = false, .lets_one_alone_in = false}, {.bytes = {12, 0, 0}}).Run().fault, "stuck");
}

}  // namespace
}  // namespace manta::models
