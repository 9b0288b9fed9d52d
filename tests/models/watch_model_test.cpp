// Who looks for messages when all threads of a rank compute (core/worker/progress.hpp), step by step and in every
// interleaving: a thread that polls and then leaves to compute for ever, the service thread that watches, and a
// sender. A message is forgotten when it lies in the ring, and nobody will do anything any more.
//
//   the thread that leaves:  duty = kBusy; releases the token; fence; reads `watching`; wakes the service thread if false
//   the service thread:      watching = false; fence; reads duty; sleeps only if somebody polls
//                            where nobody polls it arms the bell itself (sleep_wake_model_test.cpp), off watch, and is
//                            woken by the bell and by who leaves
//
// Time-outs, which would hide that, are not in the model. Who leaves without having got the token ensures the watch
// too: so do lanes, which never poll.

#include <gtest/gtest.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/models/explorer.hpp"

namespace manta::models {
namespace {

enum Variable : std::uint8_t { kDuty, kWatching, kToken, kBell, kRing, kWord, kVariables };
enum DutyValue : std::uint8_t { kPolled, kBusy, kArmed };

/// Ways to get it wrong.
struct Variant {
  bool leaver_fences = true;
  bool leaver_ensures_watch = true;
  bool service_fences = true;
  bool service_looks_again = true;
  bool service_looks_at_its_word = true;  // after it armed
};

enum SenderStep : std::uint8_t { kWrite, kFence, kLoadDuty, kExchange, kRing2, kSent };
enum LeaverStep : std::uint8_t { kTake, kSayPolled, kPoll, kSayBusy, kRelease, kLeaveFence, kReadWatching, kWakeService,
                                 kComputes };
enum ServiceStep : std::uint8_t {
  kSeeWord, kReadDuty, kEndWatch, kEndFence, kReadAgain, kSleep, kAsleep, kWatchAgain,
  kServiceTake, kServicePoll, kGoOffWatch, kSeeBell, kArm, kArmFence, kLookAtRing, kServiceRelease, kSleepAtDoor,
  kAsleepAtDoor, kTakeAgain, kSayPolledAgain, kPollAgain, kSayBusyAgain, kReleaseAgain
};

struct State {
  std::array<std::uint8_t, kVariables> memory{kBusy, 1};  // the service thread is on watch
  std::uint8_t sender = kWrite, sent = 0;
  std::uint8_t leaver = kTake, turns = 0;
  std::uint8_t service = kSeeWord, seen_word = 0, seen_bell = 0;
  std::uint8_t consumed = 0;  // token's holder
  std::array<StoreBuffer, 3> buffers;
  auto operator<=>(const State&) const = default;
};

class Model {
 public:
  Model(Variant variant, std::uint8_t messages, std::uint8_t turns)
      : variant_(variant), messages_(messages), turns_(turns) {}

  Exploration Run() const {
    return Explore(
        State{}, [this](const State& s) { return Moves(s); },
        [](const State& s, bool is_last) {
          return is_last && s.consumed != s.sent ? std::string("a message is forgotten") : std::string();
        });
  }

 private:
  enum Who { kSender, kLeaver, kService };

  std::vector<Move<State>> Moves(const State& s) const {
    static const std::array<std::string, 3> names{"sender", "leaver", "service thread"};
    std::vector<Move<State>> moves;
    for (const Who who : {kSender, kLeaver, kService}) {
      if (!s.buffers[who].empty()) {
        moves.push_back({names[who] + " drains", s});
        moves.back().next.buffers[who].DrainOne(moves.back().next.memory);
      }
      State next = s;
      const char* what = who == kSender ? StepSender(next) : who == kLeaver ? StepLeaver(next) : StepService(next);
      if (what != nullptr) moves.push_back({names[who] + what, next});
    }
    return moves;
  }

  /// Exchanges, fences and system calls wait for the buffer.
  static bool Drained(const State& s, Who who) { return s.buffers[who].empty(); }
  static std::uint8_t Load(const State& s, Who who, Variable variable) {
    return s.buffers[who].Load(s.memory, variable);
  }
  static void Store(State& s, Who who, Variable variable, std::uint8_t value) { s.buffers[who].Store(variable, value); }
  static std::uint8_t Exchange(State& s, Variable variable, std::uint8_t value) {
    return std::exchange(s.memory[variable], value);
  }
  static void WakeServiceThread(State& s) {
    if (s.service == kAsleep) s.service = kWatchAgain;
    if (s.service == kAsleepAtDoor) s.service = kTakeAgain;
  }

  const char* StepSender(State& s) const {
    switch (s.sender) {
      case kWrite:
        Store(s, kSender, kRing, ++s.sent);
        s.sender = kFence;
        return " writes a message";
      case kFence:
        if (!Drained(s, kSender)) return nullptr;
        s.sender = kLoadDuty;
        return " fences";
      case kLoadDuty:
        s.sender = Load(s, kSender, kDuty) == kArmed ? kExchange : s.sent < messages_ ? kWrite : kSent;
        return " reads duty";
      case kExchange:
        s.sender = Exchange(s, kDuty, kBusy) == kArmed ? kRing2 : s.sent < messages_ ? kWrite : kSent;
        return " exchanges duty";
      case kRing2:
        ++s.memory[kBell];
        if (s.service == kAsleepAtDoor) s.service = kTakeAgain;
        s.sender = s.sent < messages_ ? kWrite : kSent;
        return " rings";
      default: return nullptr;
    }
  }

  const char* StepLeaver(State& s) const {
    switch (s.leaver) {
      case kTake:
        if (!Drained(s, kLeaver)) return nullptr;
        ++s.turns;
        s.leaver = Exchange(s, kToken, 1) == 0 ? kSayPolled : kReadWatching;
        return " tries to take the token";
      case kSayPolled:
        Store(s, kLeaver, kDuty, kPolled);
        s.leaver = kPoll;
        return " says kPolled";
      case kPoll:
        s.consumed = Load(s, kLeaver, kRing);
        s.leaver = kSayBusy;
        return " polls";
      case kSayBusy:
        Store(s, kLeaver, kDuty, kBusy);
        s.leaver = kRelease;
        return " says kBusy";
      case kRelease:
        Store(s, kLeaver, kToken, 0);
        s.leaver = kLeaveFence;
        return " releases the token";
      case kLeaveFence:
        if (variant_.leaver_fences && !Drained(s, kLeaver)) return nullptr;
        s.leaver = variant_.leaver_ensures_watch ? kReadWatching : kComputes;
        return " fences";
      case kReadWatching:
        s.leaver = Load(s, kLeaver, kWatching) != 0 ? kComputes : kWakeService;
        return " reads watching";
      case kWakeService:
        if (!Drained(s, kLeaver)) return nullptr;
        if (Exchange(s, kWatching, 1) == 0) {
          ++s.memory[kWord];
          WakeServiceThread(s);
        }
        s.leaver = kComputes;
        return " wakes the service thread";
      case kComputes:
        if (s.turns == turns_) return nullptr;
        s.leaver = kTake;
        return " has computed";
      default: return nullptr;
    }
  }

  const char* StepService(State& s) const {
    std::uint8_t& step = s.service;
    const auto load = [&](Variable variable) { return Load(s, kService, variable); };
    const auto store = [&](Variable variable, std::uint8_t value, ServiceStep next) {
      Store(s, kService, variable, value);
      step = next;
    };
    switch (step) {
      case kSeeWord:
        s.seen_word = load(kWord);
        step = kReadDuty;
        return " sees its word";
      case kReadDuty:
        step = load(kDuty) == kPolled ? kEndWatch : kServiceTake;
        return " reads duty";
      case kEndWatch:
        store(kWatching, 0, kEndFence);
        return " ends its watch";
      case kEndFence:
        if (variant_.service_fences && !Drained(s, kService)) return nullptr;
        step = variant_.service_looks_again ? kReadAgain : kSleep;
        return " fences";
      case kReadAgain:
        step = load(kDuty) == kPolled ? kSleep : kWatchAgain;
        return " reads duty again";
      case kSleep:
        if (!Drained(s, kService)) return nullptr;
        step = s.memory[kWord] == s.seen_word ? kAsleep : kWatchAgain;
        return " goes to sleep";
      case kWatchAgain:
        store(kWatching, 1, kSeeWord);
        return " is on watch";
      case kServiceTake:
        if (!Drained(s, kService)) return nullptr;
        step = Exchange(s, kToken, 1) == 0 ? kServicePoll : kSeeWord;
        return " tries to take the token";
      case kServicePoll:
        s.consumed = load(kRing);
        step = kGoOffWatch;
        return " polls";
      case kGoOffWatch:
        store(kWatching, 0, kSeeBell);
        return " goes off watch";
      case kSeeBell:
        s.seen_bell = load(kBell);
        step = kArm;
        return " sees the bell";
      case kArm:
        store(kDuty, kArmed, kArmFence);
        return " arms";
      case kArmFence:
        if (!Drained(s, kService)) return nullptr;
        step = kLookAtRing;
        return " fences";
      case kLookAtRing: {
        const bool woken = variant_.service_looks_at_its_word && load(kWord) != s.seen_word;
        if (load(kRing) != s.consumed || woken) store(kDuty, kPolled, kPollAgain);
        else step = kServiceRelease;
        return " looks at the ring";
      }
      case kServiceRelease:
        store(kToken, 0, kSleepAtDoor);
        return " releases the token";
      case kSleepAtDoor:
        if (!Drained(s, kService)) return nullptr;
        step = s.memory[kBell] == s.seen_bell && (s.memory[kWord] == s.seen_word || !variant_.service_looks_at_its_word)
                   ? kAsleepAtDoor : kTakeAgain;
        return " goes to sleep at the door";
      case kTakeAgain:
        if (!Drained(s, kService)) return nullptr;
        step = Exchange(s, kToken, 1) == 0 ? kSayPolledAgain : kWatchAgain;
        return " tries to take the token again";
      case kSayPolledAgain:
        store(kDuty, kPolled, kPollAgain);
        return " says kPolled";
      case kPollAgain:
        s.consumed = load(kRing);
        Store(s, kService, kWatching, 1);
        step = kSayBusyAgain;
        return " is on watch and polls";
      case kSayBusyAgain:
        store(kDuty, kBusy, kReleaseAgain);
        return " says kBusy";
      case kReleaseAgain:
        store(kToken, 0, kSeeWord);
        return " releases the token";
      default: return nullptr;
    }
  }

  const Variant variant_;
  const std::uint8_t messages_;
  const std::uint8_t turns_;
};

std::string FaultOf(Variant variant) {
  for (const std::uint8_t turns : {1, 2})
    if (const Exploration result = Model(variant, 2, turns).Run(); !result.fault.empty()) return result.fault;
  return "";
}

TEST(WatchModel, ForgetsNoMessage) {
  for (const std::uint8_t turns : {1, 2}) {
    const Exploration result = Model({}, 2, turns).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
    EXPECT_GT(result.states, 100u);
  }
}

TEST(WatchModel, FindsTheLossWhenWhoLeavesDoesNotFence) {
  EXPECT_EQ(FaultOf({.leaver_fences = false}), "a message is forgotten");
}

TEST(WatchModel, FindsTheLossWhenWhoLeavesDoesNotEnsureTheWatch) {
  EXPECT_EQ(FaultOf({.leaver_ensures_watch = false}), "a message is forgotten");
}

TEST(WatchModel, FindsTheLossWhenTheServiceThreadDoesNotFence) {
  EXPECT_EQ(FaultOf({.service_fences = false}), "a message is forgotten");
}

TEST(WatchModel, FindsTheLossWhenTheServiceThreadDoesNotLookAgain) {
  EXPECT_EQ(FaultOf({.service_looks_again = false}), "a message is forgotten");
}

TEST(WatchModel, FindsTheLossWhenTheServiceThreadSleepsAtTheDoorAfterItWasCalled) {
  EXPECT_EQ(FaultOf({.service_looks_at_its_word = false}), "a message is forgotten");
}

}  // namespace
}  // namespace manta::models
