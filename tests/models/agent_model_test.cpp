// The protocol of an object's bytes between nodes (core/runtime/block_keeper.cpp), in every order of messages: a holder,
// which also owns the object, and agents of other nodes that are asked for it, drop their copy for room and are asked
// again. The owner may free the object at any step. Wrong is an asker that is not answered, or is told "gone" while the
// object is there; a pin, a copy or a receive that stays; a receive that is taken back though something is sent to it; and
// bytes that are sent from where they are not. Channels keep order between two processes only.
//
// An object is one piece here. Who sent it learns later than its receiver that it has arrived, as with MPI.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/models/explorer.hpp"

namespace manta::models {
namespace {

constexpr int kMost = 4;  // processes: the holder is 0, agents are from 1 on
constexpr std::uint8_t kNoTag = 0;

/// Ways to do it, and to get it wrong.
struct Variant {
  std::size_t fan_out = 1;
  bool reads = false;  // agents read from the holder by themselves
  bool follows_only_the_named_pull = true;
  bool asks_holder_in_the_end = true;  // when another agent has it no more
  bool keeps_what_it_sends = true;
  bool remembers_eviction = true;  // that comes while the bytes come
  bool tells_owner = true;
  bool takes_receive_back = true;
};

enum Kind : std::uint8_t { kPull, kElsewhere, kGone, kPinned, kDone, kNotice, kEvict };
const std::array<std::string, 7> kKindNames{"Pull", "elsewhere", "gone", "pinned", "PullDone", "CopyNotice", "Evict"};
struct Message {
  Kind kind;
  std::uint8_t tag = kNoTag;
  std::uint8_t next_tag = kNoTag;
  std::uint8_t rank = 0;
  bool may_redirect = true;
  auto operator<=>(const Message&) const = default;
};

struct Serve {
  std::uint8_t to, tag;
  bool reads = false;
  bool kept = false;       // the copy is pinned for it; else it is still coming
  bool delivered = false;  // and the sender has not seen it
  auto operator<=>(const Serve&) const = default;
};
enum CopyState : std::uint8_t { kNone, kComing, kHere };
struct Agent {
  std::uint8_t asks_left = 0;
  std::uint8_t drops_left = 1;
  std::uint8_t askers = 0;  // not answered
  CopyState copy = kNone;
  std::uint8_t source = 0, tag = kNoTag;
  bool reading = false;
  bool forgotten = false;
  std::vector<std::pair<std::uint8_t, std::uint8_t>> receives;  // posted: source, tag
  std::uint8_t last_tag = kNoTag;
  auto operator<=>(const Agent&) const = default;
};
struct State {
  bool freed = false;
  std::uint8_t noticed = 0;  // agents, as bits
  std::array<Agent, kMost> agents;
  std::array<std::vector<Serve>, kMost> serves;
  std::array<std::vector<Message>, kMost * kMost> channels;
  std::string fault;
  auto operator<=>(const State&) const = default;

  void Send(int from, int to, Message message) { channels[from * kMost + to].push_back(message); }
};

class Model {
 public:
  Model(Variant variant, std::vector<std::uint8_t> asks) : variant_(variant), asks_(std::move(asks)) {}

  Exploration Run() const {
    State initial;
    for (std::size_t i = 0; i < asks_.size(); ++i) initial.agents[i + 1].asks_left = asks_[i];
    return Explore(
        initial, [this](const State& s) { return Moves(s); },
        [](const State& s, bool is_last) -> std::string { return s.fault.empty() && is_last ? AtTheEnd(s) : s.fault; });
  }

 private:
  static std::string AtTheEnd(const State& s) {
    for (const Agent& agent : s.agents) {
      if (agent.askers != 0) return "never answered";
      if (!agent.receives.empty()) return "a receive stays";
      if (agent.copy != kNone && s.freed) return "a copy stays";
    }
    for (const auto& serves : s.serves)
      if (!serves.empty()) return "a pin stays";
    return "";
  }

  int processes() const { return static_cast<int>(asks_.size()) + 1; }

  std::vector<Move<State>> Moves(const State& s) const {
    std::vector<Move<State>> moves;
    const auto add = [&](std::string label, State next) { moves.push_back({std::move(label), std::move(next)}); };
    if (!s.fault.empty()) return moves;
    if (!s.freed) {
      State next = s;
      next.freed = true;
      for (int i = 1; i < processes(); ++i)
        if ((s.noticed >> i & 1) != 0) next.Send(0, i, {kEvict});
      add("the owner frees it", next);
    }
    for (int i = 1; i < processes(); ++i) {
      const std::string who = "agent " + std::to_string(i);
      const Agent& agent = s.agents[i];
      if (agent.asks_left > 0) {
        State next = s;
        --next.agents[i].asks_left;
        Ask(next, i);
        add(who + " is asked", next);
      }
      const bool keeps = variant_.keeps_what_it_sends &&
                         std::ranges::any_of(s.serves[i], [](const Serve& one) { return one.kept; });
      if (agent.copy == kHere && !keeps && agent.drops_left > 0) {
        State next = s;
        next.agents[i].copy = kNone;
        --next.agents[i].drops_left;
        add(who + " drops its copy", next);
      }
      if (agent.reading) {
        State next = s;
        next.Send(i, 0, {kDone, agent.tag});
        Finish(next, i);
        add(who + " has read it", next);
      }
    }
    for (int from = 0; from < processes(); ++from) {
      AddTransfers(s, from, moves);
      for (int to = 0; to < processes(); ++to) {
        if (s.channels[from * kMost + to].empty()) continue;
        const Message message = s.channels[from * kMost + to].front();
        // Whom a pull is sent on to is left open.
        const std::size_t choices = message.kind == kPull ? std::max<std::size_t>(1, s.serves[to].size()) : 1;
        for (std::size_t choice = 0; choice < choices; ++choice) {
          State next = s;
          auto& channel = next.channels[from * kMost + to];
          channel.erase(channel.begin());
          Receive(next, from, to, message, choice);
          add(kKindNames[message.kind] + " from " + std::to_string(from) + " to " + std::to_string(to), next);
        }
      }
    }
    return moves;
  }

  void AddTransfers(const State& s, int from, std::vector<Move<State>>& moves) const {
    for (std::size_t i = 0; i < s.serves[from].size(); ++i) {
      const Serve& serve = s.serves[from][i];
      const std::string way = " from " + std::to_string(from) + " to " + std::to_string(serve.to);
      if (serve.delivered) {
        State next = s;
        next.serves[from].erase(next.serves[from].begin() + static_cast<std::ptrdiff_t>(i));
        moves.push_back({"the sender sees what went" + way, next});
        continue;
      }
      const std::pair<std::uint8_t, std::uint8_t> receive(from, serve.tag);
      const Agent& agent = s.agents[serve.to];
      if (serve.reads || !serve.kept || std::ranges::count(agent.receives, receive) == 0) continue;
      State next = s;
      next.serves[from][i].delivered = true;
      if (from != 0 && !variant_.keeps_what_it_sends && s.agents[from].copy != kHere)
        next.fault = "sent what was dropped";
      std::erase(next.agents[serve.to].receives, receive);
      if (agent.copy != kComing || agent.tag != serve.tag)
        next.fault = "bytes came that nobody waits for";
      else
        Finish(next, serve.to);
      moves.push_back({"the bytes go" + way, next});
    }
  }

  void Ask(State& s, int i) const {
    Agent& agent = s.agents[i];
    if (agent.copy == kHere) return;  // answered at once, and read at once
    ++agent.askers;
    if (agent.copy == kComing) return;
    agent.copy = kComing;
    agent.forgotten = false;
    if (variant_.tells_owner) s.Send(i, 0, {kNotice});
    BeginPull(s, i, 0, true, kNoTag);
  }
  void BeginPull(State& s, int i, int source, bool may_redirect, std::uint8_t next_tag) const {
    Agent& agent = s.agents[i];
    agent.source = static_cast<std::uint8_t>(source);
    agent.tag = ++agent.last_tag;
    if (source != 0 || !variant_.reads) agent.receives.push_back({agent.source, agent.tag});
    if (agent.receives.size() > 1 && variant_.takes_receive_back) s.fault = "two transfers at a time";
    s.Send(i, source, {kPull, agent.tag, next_tag, 0, may_redirect});
  }
  void EndReceive(State& s, int i) const {
    Agent& agent = s.agents[i];
    for (const Serve& serve : s.serves[agent.source])
      if (serve.to == i && serve.tag == agent.tag) s.fault = "a receive was taken back though something is sent to it";
    if (variant_.takes_receive_back) agent.receives.clear();
  }
  void Finish(State& s, int i) const {
    Agent& agent = s.agents[i];
    agent.copy = agent.forgotten && variant_.remembers_eviction ? kNone : kHere;
    agent.askers = 0;
    agent.reading = false;
    for (Serve& serve : s.serves[i]) serve.kept = true;
  }
  void Fail(State& s, int i) const {
    Agent& agent = s.agents[i];
    if (agent.askers != 0 && !s.freed) s.fault = "told gone while it is there";
    agent.askers = 0;
    agent.copy = kNone;
    // A pull that was named to others is served already, and can't fail.
    if (std::ranges::any_of(s.serves[i], [](const Serve& serve) { return !serve.kept; }))
      s.fault = "failed while serving";
  }

  void Receive(State& s, int from, int to, const Message& message, std::size_t choice) const {
    Agent& agent = s.agents[to];
    const bool awaited = agent.copy == kComing && agent.tag == message.tag;
    switch (message.kind) {
      case kNotice:
        if (s.freed)
          s.Send(0, from, {kEvict});
        else
          s.noticed |= static_cast<std::uint8_t>(1 << from);
        return;
      case kEvict:
        if (agent.copy == kHere) agent.copy = kNone;  // readers and those that are served keep the bytes
        if (agent.copy == kComing) agent.forgotten = true;
        return;
      case kDone:
        std::erase_if(s.serves[to], [&](const Serve& one) { return one.to == from && one.tag == message.tag; });
        return;
      case kPinned:
        if (awaited) agent.reading = true;
        return;
      case kElsewhere:
        if (!awaited) return;
        EndReceive(s, to);
        BeginPull(s, to, message.rank, true, message.next_tag);
        return;
      case kGone:
        if (!awaited) return;
        EndReceive(s, to);
        if (from == 0 || !variant_.asks_holder_in_the_end)
          Fail(s, to);
        else
          BeginPull(s, to, 0, false, kNoTag);
        return;
      case kPull:
        return Serve_(s, from, to, message, choice);
    }
  }
  void Serve_(State& s, int from, int self, const Message& message, std::size_t choice) const {
    std::vector<Serve>& serves = s.serves[self];
    const Agent& agent = s.agents[self];
    // Another pull than the named one may lead back to the asker; it is fine once its bytes are here.
    const bool is_named = self == 0 || !variant_.follows_only_the_named_pull || agent.tag == message.next_tag;
    if (self != 0 && (agent.copy == kNone || (agent.copy == kComing && !is_named))) {
      s.Send(self, from, {kGone, message.tag});
      return;
    }
    if (message.may_redirect && is_named && serves.size() >= variant_.fan_out) {
      const Serve& next = serves[choice];
      s.Send(self, from, {kElsewhere, message.tag, next.tag, next.to});
      return;
    }
    Serve serve{static_cast<std::uint8_t>(from), message.tag};
    serve.kept = self == 0 ? !s.freed : agent.copy == kHere;
    serve.reads = self == 0 && variant_.reads;
    if (self == 0 && s.freed) {
      s.Send(self, from, {kGone, message.tag});
      return;
    }
    serves.push_back(serve);
    if (serve.reads) s.Send(self, from, {kPinned, message.tag});
  }

  const Variant variant_;
  const std::vector<std::uint8_t> asks_;
};

TEST(AgentModel, AnswersEveryAskerOfTwoAgents) {
  for (const bool reads : {false, true})
    for (const std::size_t fan_out : {1, 2}) {
      const Exploration result = Model({.fan_out = fan_out, .reads = reads}, {2, 2}).Run();
      EXPECT_EQ(result.fault, "") << result.trace;
      EXPECT_GT(result.states, 1000u);
    }
}

TEST(AgentModel, AnswersEveryAskerOfThreeAgents) {
  for (const bool reads : {false, true}) {
    const Exploration result = Model({.fan_out = 1, .reads = reads}, {1, 1, 1}).Run();
    EXPECT_EQ(result.fault, "") << result.trace;
    EXPECT_GT(result.states, 10'000u);
  }
}

std::string FaultOf(Variant variant, std::vector<std::uint8_t> asks = {2, 2}) {
  return Model(variant, std::move(asks)).Run().fault;
}

TEST(AgentModel, FindsAgentsThatWaitForEachOther) {
  EXPECT_EQ(FaultOf({.fan_out = 2, .follows_only_the_named_pull = false}), "never answered");
}

TEST(AgentModel, FindsTheLieWhenADroppedCopyIsTakenForTheObject) {
  EXPECT_EQ(FaultOf({.asks_holder_in_the_end = false}), "told gone while it is there");
}

TEST(AgentModel, FindsTheCopyThatComesAfterTheEviction) {
  EXPECT_EQ(FaultOf({.remembers_eviction = false}), "a copy stays");
}

TEST(AgentModel, FindsTheCopyThatTheOwnerDoesNotKnowOf) { EXPECT_EQ(FaultOf({.tells_owner = false}), "a copy stays"); }

TEST(AgentModel, FindsTheCopyThatIsDroppedWhileItIsSent) {
  EXPECT_EQ(FaultOf({.keeps_what_it_sends = false}), "sent what was dropped");
}

TEST(AgentModel, FindsTheReceiveThatIsLeft) { EXPECT_EQ(FaultOf({.takes_receive_back = false}), "a receive stays"); }

}  // namespace
}  // namespace manta::models
