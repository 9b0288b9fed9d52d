// The protocol of core/node/object_entry.hpp, step by step, in every interleaving: an owner that retires an object, uses
// its entry for a second one and retires that; two readers that pin one of the objects, read its bytes and unpin, and may
// die at any step. Wrong is a reader that sees other bytes than its object's, and an entry that never becomes free.
//
// The owner may also retire what nobody reads, and leave what somebody does as it was (TryRetire). A pin may be handed:
// the keeper raises the reader's own word, in which that reader has pins too, and then tells it (PinFor). The two run on
// two threads of a rank, under one lock, so that the keeper is never refused what stays.

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

constexpr int kReaders = 2;
constexpr std::uint8_t kObjects = 2;  // that the entry holds, one after the other, numbered from 1
enum Variable : std::uint8_t { kState, kId, kBytes, kPins0, kPins1, kLock, kVariables };
enum StateValue : std::uint8_t { kFree, kSealed, kRetired };

/// Ways to get it wrong.
struct Variant {
  bool pins_before_looking = true;
  bool pin_is_locked = true;      // else a plain load and store
  bool retires_with_fence = true; // else a plain store
  bool looks_at_pins = true;
  bool compares_id = true;
  bool drops_only_pins_of_dead = true;
  bool drops_pins = true;
  bool tries_look_at_pins = true;
  std::uint8_t tries = 0;  // the owner's TryRetires
  bool handed = false;     // the second pin is handed to the first reader by the keeper
  bool drops_while_handing = false;
  bool locks_store = true;  // who hands pins, and who tries
};

enum ReaderStep : std::uint8_t { kLookFirst, kPin, kLook, kCompare, kReadOnce, kReadAgain, kUnpin, kGone, kDead };
enum OwnerStep : std::uint8_t { kRetire, kScan0, kScan1, kReclaim, kWriteId, kWriteBytes, kSeal, kWaits, kRestore, kFinished };

struct State {
  std::array<std::uint8_t, kVariables> memory{kSealed, 1, 1, 0, 0, 0};
  std::array<std::uint8_t, kReaders> reader_step{};
  std::array<StoreBuffer, kReaders> reader_buffer;
  std::uint8_t owner_step = kRetire;
  std::uint8_t object = 1;  // the one in the entry now
  std::uint8_t tries_left = 0;
  bool trying = false;
  bool below_zero = false;
  bool keeper_has_lock = false;
  bool refused_while_trying = false;  // the keeper was
  bool refused_what_stays = false;
  StoreBuffer owner_buffer;
  bool read_wrong_bytes = false;
  auto operator<=>(const State&) const = default;
};

class Model {
 public:
  /// `expected`: the object that each reader is after.
  Model(Variant variant, std::array<std::uint8_t, kReaders> expected) : variant_(variant), expected_(expected) {}

  Exploration Run() const {
    State initial;
    initial.tries_left = variant_.tries;
    initial.reader_step.fill(variant_.pins_before_looking ? kPin : kLookFirst);
    return Explore(
        initial, [this](const State& s) { return Moves(s); },
        [](const State& s, bool is_last) -> std::string {
          if (s.read_wrong_bytes) return "wrong bytes";
          if (s.below_zero) return "pins below zero";
          if (s.refused_what_stays) return "refused what stays";
          return is_last && s.owner_step != kFinished ? "never free" : "";
        });
  }

 private:
  std::vector<Move<State>> Moves(const State& s) const {
    std::vector<Move<State>> moves;
    for (int i = 0; i < kReaders; ++i) {
      const std::string who = "reader " + std::to_string(i);
      if (!s.reader_buffer[i].empty()) {
        moves.push_back({who + " drains", s});
        moves.back().next.reader_buffer[i].DrainOne(moves.back().next.memory);
      }
      State next = s;
      if (const char* what = StepReader(next, i)) {
        moves.push_back({who + what, next});
        if (!variant_.handed) {
          moves.push_back({who + " dies", s});
          moves.back().next.reader_step[i] = kDead;
        } else if (i == 0) {
          // With it goes what it was handed; the keeper goes on with what it is about to hand.
          moves.push_back({who + " dies", s});
          moves.back().next.reader_step[0] = kDead;
          if (s.reader_step[1] >= kReadOnce) moves.back().next.reader_step[1] = kDead;
        }
      }
    }
    if (!s.owner_buffer.empty()) {
      moves.push_back({"owner drains", s});
      moves.back().next.owner_buffer.DrainOne(moves.back().next.memory);
    }
    if (s.owner_step == kRetire && s.tries_left > 0) {
      State tries = s;
      --tries.tries_left;
      tries.trying = true;
      if (StepOwner(tries) != nullptr) moves.push_back({"owner tries to retire", tries});
    }
    State next = s;
    if (const char* what = StepOwner(next)) moves.push_back({std::string("owner") + what, next});
    return moves;
  }

  /// The pin word of a reader. What is handed to the first is in the first's.
  std::uint8_t PinsOf(int reader) const { return static_cast<std::uint8_t>(kPins0 + (variant_.handed ? 0 : reader)); }

  /// The lock of the store, of those who take it. False: the other has it, or it waits for its buffer.
  bool TakeLock(State& s, const StoreBuffer& buffer) const {
    if (!variant_.handed || !variant_.locks_store) return true;
    if (!buffer.empty() || s.memory[kLock] != 0) return false;
    s.memory[kLock] = 1;
    return true;
  }
  void DropLock(StoreBuffer& buffer) const {
    if (variant_.handed && variant_.locks_store) buffer.Store(kLock, 0);
  }
  void KeeperDropsLock(State& s, int i) const {
    if (i == 1 && std::exchange(s.keeper_has_lock, false)) DropLock(s.reader_buffer[1]);
  }

  /// One step; null when there is none (gone, or it waits for its buffer or the lock).
  const char* StepReader(State& s, int i) const {
    std::uint8_t& step = s.reader_step[i];
    StoreBuffer& buffer = s.reader_buffer[i];
    switch (step) {
      case kLookFirst:  // the wrong order
        step = buffer.Load(s.memory, kState) == kSealed ? kPin : kGone;
        return " looks at the state";
      case kPin:
        if (i == 1 && variant_.handed) {
          if (!TakeLock(s, buffer)) return nullptr;
          s.keeper_has_lock = true;
        }
        if (variant_.pin_is_locked) {
          if (!buffer.empty()) return nullptr;
          ++s.memory[PinsOf(i)];
        } else {
          buffer.Store(PinsOf(i), buffer.Load(s.memory, PinsOf(i)) + 1);
        }
        step = variant_.pins_before_looking ? kLook : kCompare;
        return " pins";
      case kLook:
        step = buffer.Load(s.memory, kState) == kSealed ? kCompare : kUnpin;
        if (variant_.handed && i == 1 && step == kUnpin && s.trying) s.refused_while_trying = true;
        return " looks at the state";
      case kCompare:
        step = !variant_.compares_id || buffer.Load(s.memory, kId) == expected_[i] ? kReadOnce : kUnpin;
        if (step == kReadOnce) KeeperDropsLock(s, i);
        return " compares the id";
      case kReadOnce:
      case kReadAgain:
        if (variant_.handed && i == 1 && s.reader_step[0] == kDead) {
          step = kDead;
          return " is told of its pin, but is dead";
        }
        s.read_wrong_bytes |= buffer.Load(s.memory, kBytes) != expected_[i];
        ++step;
        return " reads bytes";
      case kUnpin:
        if (variant_.pin_is_locked) {
          if (!buffer.empty()) return nullptr;
          s.below_zero |= variant_.handed && s.memory[PinsOf(i)] == 0;
          --s.memory[PinsOf(i)];
        } else {
          buffer.Store(PinsOf(i), buffer.Load(s.memory, PinsOf(i)) - 1);
        }
        KeeperDropsLock(s, i);
        step = kGone;
        return " unpins";
      default:
        return nullptr;
    }
  }

  const char* StepOwner(State& s) const {
    std::uint8_t& step = s.owner_step;
    StoreBuffer& buffer = s.owner_buffer;
    switch (step) {
      case kRetire:
        if (s.trying && !TakeLock(s, buffer)) return nullptr;
        if (variant_.retires_with_fence) {
          if (!buffer.empty()) return nullptr;
          s.memory[kState] = kRetired;
        } else {
          buffer.Store(kState, kRetired);
        }
        step = variant_.looks_at_pins && (!s.trying || variant_.tries_look_at_pins) ? kScan0 : kReclaim;
        return " retires";
      case kScan0:
        step = buffer.Load(s.memory, kPins0) == 0 ? kScan1 : s.trying ? kRestore : kWaits;
        return " looks at pins 0";
      case kScan1:
        step = buffer.Load(s.memory, kPins1) == 0 ? kReclaim : s.trying ? kRestore : kWaits;
        return " looks at pins 1";
      case kWaits: {
        // Drops what dead readers left, if any; else tries again, once that can make a difference.
        bool may_change = s.memory[kPins0] == 0 && s.memory[kPins1] == 0;
        for (int i = 0; i < kReaders; ++i) {
          if (variant_.handed && i == 1) continue;  // the same word
          const bool handing = variant_.handed && (s.reader_step[1] == kLook || s.reader_step[1] == kCompare ||
                                                   s.reader_step[1] == kUnpin);
          const bool dead = s.reader_step[i] == kDead && s.reader_buffer[i].empty() &&
                            (!handing || variant_.drops_while_handing);
          if (!variant_.drops_pins || s.memory[PinsOf(i)] == 0 || (variant_.drops_only_pins_of_dead && !dead)) continue;
          s.memory[PinsOf(i)] = 0;
          may_change = true;
        }
        if (!may_change) return nullptr;
        step = kScan0;
        return " drops pins of the dead and tries again";
      }
      case kRestore:
        buffer.Store(kState, kSealed);  // release: stores drain in order
        DropLock(buffer);
        s.trying = false;
        s.refused_what_stays = std::exchange(s.refused_while_trying, false);
        step = kRetire;
        return " leaves it as it was";
      case kReclaim:
        buffer.Store(kState, kFree);
        if (s.trying) DropLock(buffer);
        s.trying = s.refused_while_trying = false;
        ++s.object;
        step = s.object > kObjects ? kFinished : kWriteId;
        return " reclaims";
      case kWriteId:
        buffer.Store(kId, s.object);
        step = kWriteBytes;
        return " writes an id";
      case kWriteBytes:
        buffer.Store(kBytes, s.object);
        step = kSeal;
        return " writes bytes";
      case kSeal:
        buffer.Store(kState, kSealed);  // release: stores drain in order
        step = kRetire;
        return " seals";
      default:
        return nullptr;
    }
  }

  const Variant variant_;
  const std::array<std::uint8_t, kReaders> expected_;
};

constexpr std::array<std::array<std::uint8_t, kReaders>, 3> kExpectations{{{1, 1}, {1, 2}, {2, 2}}};

std::string FaultOf(Variant variant) {
  for (const auto& expected : kExpectations)
    if (const Exploration result = Model(variant, expected).Run(); !result.fault.empty()) return result.fault;
  return "";
}

TEST(PinModel, NeverReusesWhatIsReadAndAlwaysFreesWhatIsNot) {
  for (const auto& expected : kExpectations) {
    const Exploration result = Model({}, expected).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
    EXPECT_GT(result.states, 1000u);
  }
}

TEST(PinModel, HoldsWhenTheOwnerOnlyTries) {
  for (const auto& expected : kExpectations) {
    const Exploration result = Model({.tries = 2}, expected).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
  }
  EXPECT_EQ(FaultOf({.tries_look_at_pins = false, .tries = 1}), "wrong bytes");
}

TEST(PinModel, HoldsWhenPinsAreHanded) {
  for (const std::uint8_t tries : {0, 1})
    for (const auto& expected : kExpectations) {
      const Exploration result = Model({.tries = tries, .handed = true}, expected).Run();

      EXPECT_EQ(result.fault, "") << result.trace;
    }
  EXPECT_EQ(FaultOf({.tries = 1, .handed = true, .locks_store = false}), "refused what stays");
  EXPECT_EQ(FaultOf({.pin_is_locked = false, .handed = true}), "never free") << "a raise was lost";
  EXPECT_EQ(FaultOf({.handed = true, .drops_while_handing = true}), "pins below zero");
}

TEST(PinModel, FindsTheFaultWhenTheReaderLooksBeforeItPins) {
  EXPECT_EQ(FaultOf({.pins_before_looking = false}), "wrong bytes");
}

TEST(PinModel, FindsTheFaultWhenThePinIsAPlainStore) {
  EXPECT_EQ(FaultOf({.pin_is_locked = false}), "wrong bytes");
}

TEST(PinModel, FindsTheFaultWhenRetiringIsAPlainStore) {
  EXPECT_EQ(FaultOf({.retires_with_fence = false}), "wrong bytes");
}

TEST(PinModel, FindsTheFaultWhenTheOwnerDoesNotLookAtPins) {
  EXPECT_EQ(FaultOf({.looks_at_pins = false}), "wrong bytes");
}

TEST(PinModel, FindsTheFaultWhenTheReaderDoesNotCompareIds) {
  EXPECT_EQ(FaultOf({.compares_id = false}), "wrong bytes");
}

TEST(PinModel, FindsTheFaultWhenPinsOfTheLivingAreDropped) {
  EXPECT_EQ(FaultOf({.drops_only_pins_of_dead = false}), "wrong bytes");
}

TEST(PinModel, FindsTheLeakWhenPinsOfTheDeadAreKept) { EXPECT_EQ(FaultOf({.drops_pins = false}), "never free"); }

}  // namespace
}  // namespace manta::models
