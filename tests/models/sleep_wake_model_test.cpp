// The protocol of core/node/doorbell.hpp, step by step, in every interleaving: one rank that sleeps, one or two that
// send. A wake-up is lost when the sleeper sleeps, a message lies in its ring, and nobody will do anything any more.
// Time-outs and the service thread, which would hide that, are not in this model (watch_model_test.cpp has the
// service thread), but for what they are needed for: a sender may die at any step, also between its message and its
// ring, or after it has taken the ring from the others (kBusy) and before it woke anybody. Then the sleeper's limit
// ends the sleep. A rank may die asleep, too: senders then must not wait for it.

#include <gtest/gtest.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/models/explorer.hpp"

namespace manta::models {
namespace {

constexpr int kSenders = 2;
enum Variable : std::uint8_t { kDuty, kDoorbell, kRing0, kRing1, kVariables };
enum DutyValue : std::uint8_t { kPolled, kBusy, kArmed };

/// Ways to get it wrong.
struct Variant {
  bool sender_fences = true;
  bool sleeper_fences = true;
  bool sleeper_fences_for_all = false;  // the heavy fence: one after another, on the senders' cores too
  bool looks_again = true;
  bool sees_doorbell_before_arming = true;
  bool bumps_before_waking = true;
  bool marks_sleeper_busy = true;  // exchange to kBusy; else the duty stays armed
  bool sleeps_with_limit = true;   // which ends only where somebody died: else it would hide what is lost
  bool counts_messages_of_dead = true;
};

enum Crash : std::uint8_t { kNobodyDies, kSenderDies, kSleeperDies };

enum SenderStep : std::uint8_t { kWrite, kSenderFence, kLoadDuty, kExchange, kBump, kWake, kSent, kDead };
enum SleeperStep : std::uint8_t {
  kPoll0, kPoll1, kSeeBefore, kArm, kSleeperFence, kFenceSender0, kFenceSender1, kSeeAfter, kLook0, kLook1, kWait,
  kAsleep, kDisarm, kDone, kSleeperDead
};

struct State {
  std::array<std::uint8_t, kVariables> memory{};
  std::array<std::uint8_t, kSenders> sender_step{};
  std::array<std::uint8_t, kSenders> sent{};
  std::array<StoreBuffer, kSenders> sender_buffer;
  std::uint8_t sleeper_step = kPoll0;
  std::uint8_t seen = 0;
  std::array<std::uint8_t, kSenders> consumed{};
  StoreBuffer sleeper_buffer;
  auto operator<=>(const State&) const = default;
};

class Model {
 public:
  Model(Variant variant, std::array<std::uint8_t, kSenders> messages, Crash crash = kNobodyDies)
      : variant_(variant), messages_(messages), crash_(crash) {}

  Exploration Run() const {
    State initial;
    for (int i = 0; i < kSenders; ++i) initial.sender_step[i] = messages_[i] > 0 ? kWrite : kSent;
    return Explore(
        initial, [this](const State& s) { return Moves(s); },
        [this](const State& s, bool is_last) { return Fault(s, is_last); });
  }

 private:
  std::string Fault(const State& s, bool is_last) const {
    if (!is_last) return "";
    for (const std::uint8_t step : s.sender_step)
      if (step != kSent && step != kDead) return "a sender is stuck";
    if (s.sleeper_step == kDone || s.sleeper_step == kSleeperDead) return "";
    // Of a sender that died what it wrote counts.
    const bool dead_read = s.consumed[0] == s.sent[0] || !variant_.counts_messages_of_dead;
    return dead_read && s.consumed[1] == s.sent[1] ? "" : "lost wake-up";
  }

  std::vector<Move<State>> Moves(const State& s) const {
    std::vector<Move<State>> moves;
    for (int i = 0; i < kSenders; ++i) {
      const std::string who = "sender " + std::to_string(i);
      if (!s.sender_buffer[i].empty()) {
        moves.push_back({who + " drains", s});
        moves.back().next.sender_buffer[i].DrainOne(moves.back().next.memory);
      }
      State next = s;
      if (const char* what = StepSender(next, i)) moves.push_back({who + what, next});
    }
    if (!s.sleeper_buffer.empty()) {
      moves.push_back({"sleeper drains", s});
      moves.back().next.sleeper_buffer.DrainOne(moves.back().next.memory);
    }
    State next = s;
    if (const char* what = StepSleeper(next)) moves.push_back({std::string("sleeper") + what, next});
    AddCrashes(s, moves);
    return moves;
  }

  void AddCrashes(const State& s, std::vector<Move<State>>& moves) const {
    if (crash_ == kSenderDies && s.sender_step[0] < kSent) {
      moves.push_back({"sender 0 dies", s});  // what is in its store buffer still becomes visible
      moves.back().next.sender_step[0] = kDead;
    }
    if (crash_ == kSenderDies && s.sender_step[0] == kDead && s.sleeper_step == kAsleep && variant_.sleeps_with_limit) {
      moves.push_back({"sleeper's time is up", s});
      moves.back().next.sleeper_step = kDisarm;
    }
    if (crash_ == kSleeperDies && s.sleeper_step < kDone) {
      moves.push_back({"sleeper dies", s});
      moves.back().next.sleeper_step = kSleeperDead;
    }
  }

  /// One step; null when there is none (done, or it waits for its buffer).
  const char* StepSender(State& s, int i) const {
    std::uint8_t& step = s.sender_step[i];
    StoreBuffer& buffer = s.sender_buffer[i];
    const auto next_message = [&] { step = s.sent[i] < messages_[i] ? kWrite : kSent; };
    switch (step) {
      case kWrite:
        buffer.Store(static_cast<std::uint8_t>(kRing0 + i), ++s.sent[i]);
        step = variant_.sender_fences ? kSenderFence : kLoadDuty;
        return " writes a message";
      case kSenderFence:
        if (!buffer.empty()) return nullptr;
        step = kLoadDuty;
        return " fences";
      case kLoadDuty:
        if (buffer.Load(s.memory, kDuty) == kArmed) step = kExchange; else next_message();
        return " loads duty";
      case kExchange: {
        if (!buffer.empty()) return nullptr;
        const std::uint8_t was = s.memory[kDuty];
        if (variant_.marks_sleeper_busy) s.memory[kDuty] = kBusy;
        if (was == kArmed) step = variant_.bumps_before_waking ? kBump : kWake; else next_message();
        return " exchanges duty";
      }
      case kBump:
        if (!buffer.empty()) return nullptr;
        ++s.memory[kDoorbell];
        if (variant_.bumps_before_waking) step = kWake; else next_message();
        return " bumps the doorbell";
      case kWake:
        if (!buffer.empty()) return nullptr;
        if (s.sleeper_step == kAsleep) s.sleeper_step = kDisarm;
        if (variant_.bumps_before_waking) next_message(); else step = kBump;
        return " wakes";
      default:
        return nullptr;
    }
  }

  std::uint8_t AfterFence() const {
    return !variant_.sees_doorbell_before_arming ? kSeeAfter : variant_.looks_again ? kLook0 : kWait;
  }

  const char* StepSleeper(State& s) const {
    std::uint8_t& step = s.sleeper_step;
    StoreBuffer& buffer = s.sleeper_buffer;
    const auto look = [&](int i) { return buffer.Load(s.memory, static_cast<std::uint8_t>(kRing0 + i)); };
    switch (step) {
      case kPoll0:
        s.consumed[0] = look(0);
        step = kPoll1;
        return " polls ring 0";
      case kPoll1:
        s.consumed[1] = look(1);
        if (s.consumed == messages_) step = kDone;
        else if (s.sender_step[0] == kDead && s.sender_buffer[0].empty() && s.consumed[0] == s.sent[0] &&
                 s.consumed[1] == messages_[1]) step = kDone;  // all that ever comes
        else step = variant_.sees_doorbell_before_arming ? kSeeBefore : kArm;
        return " polls ring 1";
      case kSeeBefore:
        s.seen = buffer.Load(s.memory, kDoorbell);
        step = kArm;
        return " sees the doorbell";
      case kArm:
        buffer.Store(kDuty, kArmed);
        step = kSleeperFence;
        return " arms";
      case kSleeperFence:
        if (variant_.sleeper_fences && !buffer.empty()) return nullptr;
        step = AfterFence();
        if (variant_.sleeper_fences_for_all) step = kFenceSender0;
        return " fences";
      case kFenceSender0:
        if (!s.sender_buffer[0].empty()) return nullptr;
        step = kFenceSender1;
        return " fences on the core of sender 0";
      case kFenceSender1:
        if (!s.sender_buffer[1].empty()) return nullptr;
        step = AfterFence();
        return " fences on the core of sender 1";
      case kSeeAfter:
        s.seen = buffer.Load(s.memory, kDoorbell);
        step = variant_.looks_again ? kLook0 : kWait;
        return " sees the doorbell";
      case kLook0:
        step = look(0) != s.consumed[0] ? kDisarm : kLook1;
        return " looks at ring 0";
      case kLook1:
        step = look(1) != s.consumed[1] ? kDisarm : kWait;
        return " looks at ring 1";
      case kWait:
        if (!buffer.empty()) return nullptr;  // the kernel's own lock
        step = s.memory[kDoorbell] == s.seen ? kAsleep : kDisarm;
        return " waits";
      case kDisarm:
        buffer.Store(kDuty, kPolled);
        step = kPoll0;
        return " disarms";
      default:
        return nullptr;
    }
  }

  const Variant variant_;
  const std::array<std::uint8_t, kSenders> messages_;
  const Crash crash_;
};

std::string FaultOf(Variant variant) {
  for (const std::array<std::uint8_t, kSenders> messages : {std::array<std::uint8_t, kSenders>{1, 0}, {3, 0}, {2, 1}})
    if (const Exploration result = Model(variant, messages).Run(); !result.fault.empty()) return result.fault;
  return "";
}

TEST(SleepWakeModel, LosesNoWakeUpOfOneSender) {
  const Exploration result = Model({}, {4, 0}).Run();

  EXPECT_EQ(result.fault, "") << result.trace;
  EXPECT_GT(result.states, 500u);
}

TEST(SleepWakeModel, LosesNoWakeUpOfTwoSenders) {
  const Exploration result = Model({}, {2, 2}).Run();

  EXPECT_EQ(result.fault, "") << result.trace;
  EXPECT_GT(result.states, 5000u);
}

TEST(SleepWakeModel, LosesNoWakeUpOfSendersWithoutFencesWhereTheSleeperFencesForAll) {
  const Variant heavy{.sender_fences = false, .sleeper_fences_for_all = true};
  for (const std::array<std::uint8_t, kSenders> messages : {std::array<std::uint8_t, kSenders>{4, 0}, {2, 2}}) {
    const Exploration result = Model(heavy, messages).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
    EXPECT_GT(result.states, 500u);
  }
  EXPECT_EQ(Model(heavy, {2, 1}, kSenderDies).Run().fault, "");
}

TEST(SleepWakeModel, FindsTheLossWhenTheHeavyFenceComesBeforeArming) {
  // Its own store must be out first, then the others' are brought out.
  EXPECT_EQ(FaultOf({.sender_fences = false, .sleeper_fences = false, .sleeper_fences_for_all = true}), "lost wake-up");
}

TEST(SleepWakeModel, FindsTheLossWhenTheSenderDoesNotFence) {
  EXPECT_EQ(FaultOf({.sender_fences = false}), "lost wake-up");
}

TEST(SleepWakeModel, FindsTheLossWhenTheSleeperDoesNotFence) {
  EXPECT_EQ(FaultOf({.sleeper_fences = false}), "lost wake-up");
}

TEST(SleepWakeModel, FindsTheLossWhenTheSleeperDoesNotLookAgain) {
  EXPECT_EQ(FaultOf({.looks_again = false}), "lost wake-up");
}

TEST(SleepWakeModel, FindsTheLossWhenTheDoorbellIsSeenAfterArming) {
  EXPECT_EQ(FaultOf({.sees_doorbell_before_arming = false}), "lost wake-up");
}

TEST(SleepWakeModel, FindsTheLossWhenTheWakeComesBeforeTheBump) {
  EXPECT_EQ(FaultOf({.bumps_before_waking = false}), "lost wake-up");
}

TEST(SleepWakeModel, LosesNoMessageOfASenderThatDies) {
  for (const std::array<std::uint8_t, kSenders> messages : {std::array<std::uint8_t, kSenders>{2, 0}, {2, 1}, {1, 2}}) {
    const Exploration result = Model({}, messages, kSenderDies).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
    EXPECT_GT(result.states, 200u);
  }
}

TEST(SleepWakeModel, NeedsALimitOfTheSleepWhereASenderMayDie) {
  EXPECT_EQ(Model({.sleeps_with_limit = false}, {1, 0}, kSenderDies).Run().fault, "lost wake-up");
}

TEST(SleepWakeModel, NeedsTheLimitForOthersMessagesToo) {
  // The dead sender had said kBusy, so the other one does not ring.
  const Variant variant{.sleeps_with_limit = false, .counts_messages_of_dead = false};

  EXPECT_EQ(Model(variant, {1, 1}, kSenderDies).Run().fault, "lost wake-up");
}

TEST(SleepWakeModel, KeepsNoSenderWaitingForARankThatDiedAsleep) {
  const Exploration result = Model({}, {2, 2}, kSleeperDies).Run();

  EXPECT_EQ(result.fault, "") << result.trace;
  EXPECT_GT(result.states, 5000u);
}

TEST(SleepWakeModel, NeedsNoExchangeForSafety) {
  // kBusy only spares the other senders a system call.
  EXPECT_EQ(FaultOf({.marks_sleeper_busy = false}), "");
}

}  // namespace
}  // namespace manta::models
