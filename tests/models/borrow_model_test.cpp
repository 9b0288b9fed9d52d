// The protocol of references (core/runtime/object_borrowing.cpp), in every order of messages: an owner, two borrowers,
// a few refs sent between all of them, holds dropped at any time. Wrong is an object that is freed while a process holds
// it or a message carries it, and one that is never freed. Channels keep order between two processes only.
//
//   owner: sent[B]      how often it has counted B: once for each of its own refs to B, once for each BorrowVia of B
//   borrower: received  how often it was or will be counted; BorrowDrop takes exactly that off, when its last hold goes
//
// A borrower that got its first ref from another borrower says BorrowVia to the owner and is confirmed. Until then the
// sender keeps a hold for it: it lets go on TransitDone (a ref in a result) or TaskDone (a ref in an argument).

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

enum Process : std::uint8_t { kOwner, kA, kB, kProcesses };
const std::array<std::string, kProcesses> kNames{"owner", "A", "B"};

enum Kind : std::uint8_t { kRef, kRefInTask, kRefInResult, kVia, kConfirmed, kDrop, kTransitDone };
const std::array<std::string, 7> kKindNames{"Ref", "Ref in a task", "Ref in a result", "BorrowVia", "BorrowConfirmed",
                                            "BorrowDrop", "TransitDone"};

/// Ways to do it, and to get it wrong.
struct Variant {
  bool via_each_time = false;  // else once while the borrower is not confirmed: both are right
  bool sender_keeps_hold = true;
  bool answers_after_confirmation = true;
  bool drop_waits_for_confirmation = true;
  bool owners_ref_confirms_via = false;  // a ref from the owner ends the wait for BorrowConfirmed
  bool drop_subtracts = true;            // else the owner forgets the borrower
  bool drop_carries_count = true;        // else it takes one off
  bool batches = false;                  // BorrowVia and BorrowDrop leave some time later, with others: also right
};

struct Message {
  Kind kind;
  std::uint8_t count = 0;
  auto operator<=>(const Message&) const = default;
};

/// What a borrower knows. All but the last three is its record of the object, which it forgets with its last hold.
struct Borrower {
  std::uint8_t holds = 0;         // tasks and variables
  std::uint8_t kept = 0;          // holds for refs that are on their way to the other borrower
  std::uint8_t received = 0;
  std::uint8_t vias = 0;          // not yet confirmed
  bool confirmed = false;         // counted at least once
  std::uint8_t transits = 0;      // TransitDones to be sent on confirmation
  std::uint8_t task_answers = 0;  // TaskDones to be sent, at any time from then on
  std::uint8_t untold = 0;        // BorrowVias of a batch that has not left
  std::uint8_t dropped = 0;       // what a batch of BorrowDrops that has not left takes back
  auto operator<=>(const Borrower&) const = default;
};

struct State {
  bool freed = false;
  std::uint8_t owner_holds = 1;
  std::array<std::uint8_t, kProcesses> sent{};
  std::array<Borrower, kProcesses> borrowers;
  std::array<std::vector<Message>, kProcesses * kProcesses> channels;
  std::array<std::uint8_t, kProcesses> sends_left{};
  bool message_after_end = false;
  bool below_zero = false;
  auto operator<=>(const State&) const = default;

  std::vector<Message>& Channel(int from, int to) { return channels[from * kProcesses + to]; }
};

class Model {
 public:
  Model(Variant variant, std::array<std::uint8_t, kProcesses> sends) : variant_(variant), sends_(sends) {}

  Exploration Run() const {
    State initial;
    initial.sends_left = sends_;
    return Explore(initial, [this](const State& s) { return Moves(s); }, Fault);
  }

 private:
  static std::string Fault(const State& s, bool is_last) {
    if (s.message_after_end) return "a message came after the end";
    if (s.below_zero) return "the owner counts below zero";
    if (is_last && !s.freed) return "never freed";
    if (!s.freed) return "";
    bool used = s.owner_holds != 0;
    for (const Borrower& borrower : s.borrowers) used |= borrower.holds != 0 || borrower.kept != 0;
    for (const auto& channel : s.channels)
      for (const Message& message : channel) used |= message.kind <= kRefInResult;
    return used ? "freed while in use" : "";
  }

  std::vector<Move<State>> Moves(const State& s) const {
    std::vector<Move<State>> moves;
    const auto move = [&](const std::string& label, auto&& change) {
      State next = s;
      change(next);
      moves.push_back({label, std::move(next)});
    };
    if (s.owner_holds > 0) {
      move("owner drops a hold", [&](State& n) { --n.owner_holds; TryFree(n); });
      for (const int to : {kA, kB})
        if (s.sends_left[kOwner] > 0)
          move("owner sends a ref to " + kNames[to], [&](State& n) {
            --n.sends_left[kOwner];
            ++n.sent[to];
            n.Channel(kOwner, to).push_back({kRef});
          });
    }
    for (const int p : {kA, kB}) {
      const Borrower& me = s.borrowers[p];
      const int other = p == kA ? kB : kA;
      if (me.holds > 0) {
        move(kNames[p] + " drops a hold", [&](State& n) { --n.borrowers[p].holds; TryForget(n, p); });
        if (s.sends_left[p] > 0) {
          move(kNames[p] + " sends the ref to the owner", [&](State& n) {
            --n.sends_left[p];
            n.Channel(p, kOwner).push_back({kRef});  // its BorrowDrop can only come later
          });
          for (const Kind kind : {kRefInTask, kRefInResult})
            move(kNames[p] + " sends a " + kKindNames[kind], [&](State& n) {
              --n.sends_left[p];
              if (variant_.sender_keeps_hold) ++n.borrowers[p].kept;
              n.Channel(p, other).push_back({kind});
            });
        }
      }
      if (me.untold > 0)
        move(kNames[p] + " sends its BorrowVias", [&](State& n) {
          for (; n.borrowers[p].untold > 0; --n.borrowers[p].untold) n.Channel(p, kOwner).push_back({kVia});
        });
      if (me.dropped > 0)
        move(kNames[p] + " sends its BorrowDrops", [&](State& n) {
          n.Channel(p, kOwner).push_back({kDrop, std::exchange(n.borrowers[p].dropped, std::uint8_t{0})});
        });
      // A forgotten record was confirmed.
      if (me.task_answers > 0 && (me.received == 0 || IsConfirmed(me)))
        move(kNames[p] + " sends TaskDone", [&](State& n) {
          --n.borrowers[p].task_answers;
          n.Channel(p, other).push_back({kTransitDone});
        });
    }
    for (int from = 0; from < kProcesses; ++from)
      for (int to = 0; to < kProcesses; ++to) {
        const auto& channel = s.channels[from * kProcesses + to];
        if (channel.empty()) continue;
        move(kNames[to] + " gets " + kKindNames[channel.front().kind] + " from " + kNames[from], [&](State& n) {
          const Message message = channel.front();
          n.Channel(from, to).erase(n.Channel(from, to).begin());
          if (to == kOwner) OwnerGets(n, from, message);
          else BorrowerGets(n, to, from, message);
        });
      }
    return moves;
  }

  bool IsConfirmed(const Borrower& borrower) const {
    if (!variant_.answers_after_confirmation) return true;
    return variant_.via_each_time ? borrower.vias == 0 : borrower.confirmed;
  }

  void OwnerGets(State& s, int from, Message message) const {
    if (s.freed) s.message_after_end = true;
    switch (message.kind) {
      case kRef:
        ++s.owner_holds;
        break;
      case kVia:
        ++s.sent[from];
        s.Channel(kOwner, from).push_back({kConfirmed});
        break;
      default: {
        const int count = !variant_.drop_subtracts ? s.sent[from] : variant_.drop_carries_count ? message.count : 1;
        s.below_zero |= s.sent[from] < count;
        s.sent[from] = static_cast<std::uint8_t>(s.sent[from] - count);
        TryFree(s);
      }
    }
  }

  void BorrowerGets(State& s, int p, int from, Message message) const {
    Borrower& me = s.borrowers[p];
    switch (message.kind) {
      case kRef:
        ++me.holds;
        ++me.received;
        me.confirmed = true;
        break;
      case kRefInTask:
      case kRefInResult: {
        ++me.holds;
        const bool counted_already = !variant_.via_each_time && me.confirmed;
        if (variant_.via_each_time || me.received == 0) {
          ++me.received;
          ++me.vias;
          if (variant_.batches) ++me.untold;
          else s.Channel(p, kOwner).push_back({kVia});
        }
        if (message.kind == kRefInTask) ++me.task_answers;
        else if (counted_already || !variant_.answers_after_confirmation) s.Channel(p, from).push_back({kTransitDone});
        else ++me.transits;
        break;
      }
      case kConfirmed:
        if (me.received == 0) break;  // forgotten meanwhile
        if (me.vias > 0) --me.vias;
        me.confirmed = true;
        if (!IsConfirmed(me)) break;
        for (; me.transits > 0; --me.transits) s.Channel(p, p == kA ? kB : kA).push_back({kTransitDone});
        break;
      default:
        if (me.kept > 0) --me.kept;
    }
    TryForget(s, p);
  }

  void TryFree(State& s) const {
    if (s.owner_holds == 0 && s.sent[kA] == 0 && s.sent[kB] == 0) s.freed = true;
  }

  void TryForget(State& s, int p) const {
    Borrower& me = s.borrowers[p];
    if (me.holds != 0 || me.kept != 0 || me.received == 0) return;
    const bool waits = variant_.owners_ref_confirms_via ? !me.confirmed : me.vias != 0;
    if (variant_.drop_waits_for_confirmation && waits) return;
    if (variant_.batches) me.dropped = static_cast<std::uint8_t>(me.dropped + me.received);
    else s.Channel(p, kOwner).push_back({kDrop, me.received});
    me = Borrower{.task_answers = me.task_answers, .untold = me.untold, .dropped = me.dropped};
  }

  const Variant variant_;
  const std::array<std::uint8_t, kProcesses> sends_;
};

/// How many refs the owner, A and B may send.
constexpr std::array<std::array<std::uint8_t, kProcesses>, 3> kSends{{{1, 1, 1}, {2, 1, 1}, {2, 2, 1}}};

std::string FaultOf(Variant variant) {
  for (const auto& sends : kSends)
    if (const Exploration result = Model(variant, sends).Run(); !result.fault.empty()) return result.fault;
  return "";
}

TEST(BorrowModel, NeverFreesWhatIsHeldAndAlwaysFreesWhatIsNot) {
  for (const auto& sends : kSends) {
    const Exploration result = Model({}, sends).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
    EXPECT_GT(result.states, 1000u);
  }
}

TEST(BorrowModel, HoldsAsWellWhenEveryRefOfABorrowerIsConfirmed) {
  for (const auto& sends : kSends) {
    const Exploration result = Model({.via_each_time = true}, sends).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
  }
}

TEST(BorrowModel, HoldsAsWellWhenOwnersAreToldInBatches) {
  for (const auto& sends : kSends) {
    const Exploration result = Model({.batches = true}, sends).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
  }
}

TEST(BorrowModel, FindsTheFaultWhenADropOvertakesABatch) {
  EXPECT_NE(FaultOf({.drop_waits_for_confirmation = false, .batches = true}), "");
}

TEST(BorrowModel, FindsTheFaultWhenTheSenderKeepsNoHold) {
  EXPECT_EQ(FaultOf({.sender_keeps_hold = false}), "freed while in use");
}

TEST(BorrowModel, FindsTheFaultWhenTheReceiverAnswersBeforeItIsConfirmed) {
  EXPECT_EQ(FaultOf({.answers_after_confirmation = false}), "freed while in use");
}

TEST(BorrowModel, FindsTheFaultWhenADropDoesNotWaitForTheConfirmation) {
  // The record goes, and with it the TransitDone that the sender waits for.
  EXPECT_EQ(FaultOf({.drop_waits_for_confirmation = false}), "never freed");
}

TEST(BorrowModel, FindsTheFaultWhenARefOfTheOwnerStandsForTheConfirmation) {
  EXPECT_EQ(FaultOf({.owners_ref_confirms_via = true}), "never freed");
}

TEST(BorrowModel, FindsTheFaultWhenADropForgetsTheBorrower) {
  EXPECT_EQ(FaultOf({.drop_subtracts = false}), "freed while in use");
}

TEST(BorrowModel, FindsTheLeakWhenADropTakesOneOff) {
  EXPECT_EQ(FaultOf({.drop_carries_count = false}), "never freed");
}

}  // namespace
}  // namespace manta::models
