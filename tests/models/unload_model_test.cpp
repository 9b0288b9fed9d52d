// The protocol of core/node/object_entry.hpp where bytes leave the segment and come back, step by step, in every
// interleaving: an owner that unloads an object which nobody reads (TryUnload), gives its bytes to others, brings them back
// to any place (Reload), retires it from either state, and uses the entry for a second object; two readers that pin, read
// where the bytes lie, read them and unpin, and may die at any step.
//
// Wrong is a reader that sees other bytes than its object's, bytes that are given back twice or never, and a pin of a reader
// that lives and has left.

#include <gtest/gtest.h>

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/models/explorer.hpp"

namespace manta::models {
namespace {

constexpr int kReaders = 2;
constexpr std::uint8_t kObjects = 2;  // that the entry holds, one after the other, numbered from 1
constexpr std::uint8_t kOthers = 9;   // bytes of somebody else, who writes at once what he was given
constexpr std::uint8_t kNoPlace = 2;
enum Variable : std::uint8_t { kState, kId, kOffset, kPlace0, kPlace1, kPins0, kPins1, kVariables };
enum StateValue : std::uint8_t { kFree, kSealed, kRetired, kUnloaded };

/// Ways to get it wrong.
struct Variant {
  bool unload_looks_at_pins = true;
  bool unloads_with_fence = true;   // else a plain store
  bool reload_seals_last = true;    // else before it says where the bytes are
  bool reads_offset_pinned = true;  // else before it pins
  bool refused_unpin = true;
  bool retire_knows_unloaded = true;  // else it gives back what was given back
  bool retires_unloaded_by_pins = true;
};

enum ReaderStep : std::uint8_t { kLookFirst, kPin, kLook, kCompare, kLocate, kReadOnce, kReadAgain, kUnpin, kGone, kDead };
enum OwnerStep : std::uint8_t {
  kOwns, kRetire, kUnload, kScan0, kScan1, kWaits, kRestore, kLeft, kAway, kReloadBytes, kReloadOffset, kReloadSeal, kReclaim,
  kWriteId, kWriteBytes, kSeal, kFinished
};

struct State {
  std::array<std::uint8_t, kVariables> memory{kSealed, 1, 0, 1, kOthers, 0, 0};
  std::array<std::uint8_t, kReaders> reader_step{};
  std::array<std::uint8_t, kReaders> place_read{kNoPlace, kNoPlace};
  StoreBuffer owner_buffer;
  std::uint8_t owner_step = kOwns;
  std::uint8_t object = 1;  // the one in the entry now
  std::uint8_t place = 0;   // of the owner's bytes; kNoPlace: none
  std::uint8_t unloads_left = 0;
  bool unloading = false;
  bool freed_twice = false;
  bool read_wrong_bytes = false;
  auto operator<=>(const State&) const = default;
};

class Model {
 public:
  /// `expected`: the object that each reader is after.
  Model(Variant variant, std::uint8_t unloads, std::array<std::uint8_t, kReaders> expected)
      : variant_(variant), unloads_(unloads), expected_(expected) {}

  Exploration Run() const {
    State initial;
    initial.unloads_left = unloads_;
    initial.reader_step.fill(variant_.reads_offset_pinned ? kPin : kLookFirst);
    return Explore(
        initial, [this](const State& s) { return Moves(s); },
        [](const State& s, bool is_last) -> std::string {
          if (s.read_wrong_bytes) return "wrong bytes";
          if (s.freed_twice) return "given back twice";
          for (int i = 0; i < kReaders; ++i)
            if (s.reader_step[i] == kGone && s.memory[kPins0 + i] != 0) return "left with a pin";
          if (!is_last) return "";
          return s.owner_step != kFinished || s.place != kNoPlace ? "never free" : "";
        });
  }

 private:
  std::vector<Move<State>> Moves(const State& s) const {
    std::vector<Move<State>> moves;
    for (int i = 0; i < kReaders; ++i) {
      const std::string who = "reader " + std::to_string(i);
      State next = s;
      if (const char* what = StepReader(next, i)) {
        moves.push_back({who + what, next});
        moves.push_back({who + " dies", s});
        moves.back().next.reader_step[i] = kDead;
      }
    }
    if (!s.owner_buffer.empty()) {
      moves.push_back({"owner drains", s});
      moves.back().next.owner_buffer.DrainOne(moves.back().next.memory);
    }
    const auto goes = [&](OwnerStep step, const char* what) {
      moves.push_back({what, s});
      moves.back().next.owner_step = step;
    };
    if (s.owner_step == kOwns || s.owner_step == kAway) goes(kRetire, "owner is to retire");
    if (s.owner_step == kOwns && s.unloads_left > 0) {
      goes(kUnload, "owner is to unload");
      --moves.back().next.unloads_left;
      moves.back().next.unloading = true;
    }
    if (s.owner_step == kAway)
      for (const std::uint8_t place : {0, 1}) {
        goes(kReloadBytes, "owner is to reload");
        moves.back().next.place = place;
      }
    State next = s;
    if (const char* what = StepOwner(next)) moves.push_back({std::string("owner") + what, next});
    return moves;
  }

  /// One step; null when there is none.
  const char* StepReader(State& s, int i) const {
    std::uint8_t& step = s.reader_step[i];
    const std::uint8_t pins = static_cast<std::uint8_t>(kPins0 + i);
    switch (step) {
      case kLookFirst:  // the wrong order
        s.place_read[i] = s.memory[kOffset];
        step = kPin;
        return " reads where the bytes are";
      case kPin:
        ++s.memory[pins];
        step = kLook;
        return " pins";
      case kLook:
        step = s.memory[kState] == kSealed ? kCompare : variant_.refused_unpin ? kUnpin : kGone;
        return " looks at the state";
      case kCompare:
        step = s.memory[kId] == expected_[i] ? kLocate : kUnpin;
        return " compares the id";
      case kLocate:
        if (variant_.reads_offset_pinned) s.place_read[i] = s.memory[kOffset];
        step = kReadOnce;
        return " reads where the bytes are";
      case kReadOnce:
      case kReadAgain:
        s.read_wrong_bytes |= s.memory[kPlace0 + s.place_read[i]] != expected_[i];
        ++step;
        return " reads bytes";
      case kUnpin:
        --s.memory[pins];
        s.place_read[i] = kNoPlace;
        step = kGone;
        return " unpins";
      default:
        return nullptr;
    }
  }

  /// The bytes are others' from now on.
  static void GiveBack(State& s) {
    s.freed_twice |= s.place == kNoPlace;
    if (s.place != kNoPlace) s.memory[kPlace0 + s.place] = kOthers;
    s.place = kNoPlace;
  }

  const char* StepOwner(State& s) const {
    std::uint8_t& step = s.owner_step;
    StoreBuffer& buffer = s.owner_buffer;
    switch (step) {
      case kRetire: {
        if (!buffer.empty()) return nullptr;
        const bool skips = !variant_.retires_unloaded_by_pins && s.place == kNoPlace;
        s.memory[kState] = kRetired;
        step = skips ? kReclaim : kScan0;
        return " retires";
      }
      case kUnload:
        if (variant_.unloads_with_fence) {
          if (!buffer.empty()) return nullptr;
          s.memory[kState] = kUnloaded;
        } else {
          buffer.Store(kState, kUnloaded);
        }
        step = variant_.unload_looks_at_pins ? kScan0 : kLeft;
        return " unloads";
      case kScan0:
        step = buffer.Load(s.memory, kPins0) == 0 ? kScan1 : s.unloading ? kRestore : kWaits;
        return " looks at pins 0";
      case kScan1:
        step = buffer.Load(s.memory, kPins1) != 0 ? (s.unloading ? kRestore : kWaits) : s.unloading ? kLeft : kReclaim;
        return " looks at pins 1";
      case kWaits: {
        // Drops what dead readers left, if any; else tries again, once that can make a difference.
        bool may_change = s.memory[kPins0] == 0 && s.memory[kPins1] == 0;
        for (int i = 0; i < kReaders; ++i) {
          if (s.reader_step[i] != kDead || s.memory[kPins0 + i] == 0) continue;
          s.memory[kPins0 + i] = 0;
          may_change = true;
        }
        if (!may_change) return nullptr;
        step = kScan0;
        return " drops pins of the dead and tries again";
      }
      case kRestore:
        buffer.Store(kState, kSealed);  // release: stores drain in order
        s.unloading = false;
        step = kOwns;
        return " leaves it as it was";
      case kLeft:
        GiveBack(s);
        s.unloading = false;
        step = kAway;
        return " gives the bytes back";
      case kReloadBytes:
        buffer.Store(static_cast<std::uint8_t>(kPlace0 + s.place), s.object);
        if (!variant_.reload_seals_last) buffer.Store(kState, kSealed);
        step = kReloadOffset;
        return " reads the bytes from disk";
      case kReloadOffset:
        buffer.Store(kOffset, s.place);
        step = kReloadSeal;
        return " says where the bytes are";
      case kReloadSeal:
        if (variant_.reload_seals_last) buffer.Store(kState, kSealed);  // release
        step = kOwns;
        return " has reloaded";
      case kReclaim:
        if (!buffer.empty()) return nullptr;  // the heap's words hand the bytes over after all that was stored
        buffer.Store(kState, kFree);
        if (s.place != kNoPlace || !variant_.retire_knows_unloaded) GiveBack(s);
        ++s.object;
        step = s.object > kObjects ? kFinished : kWriteId;
        return " reclaims";
      case kWriteId:
        buffer.Store(kId, s.object);
        step = kWriteBytes;
        return " writes an id";
      case kWriteBytes:
        s.place = 1;
        buffer.Store(kPlace1, s.object);
        buffer.Store(kOffset, 1);
        step = kSeal;
        return " writes bytes";
      case kSeal:
        buffer.Store(kState, kSealed);  // release
        s.unloads_left = unloads_;
        step = kOwns;
        return " seals";
      default:
        return nullptr;
    }
  }

  const Variant variant_;
  const std::uint8_t unloads_;
  const std::array<std::uint8_t, kReaders> expected_;
};

constexpr std::array<std::array<std::uint8_t, kReaders>, 3> kExpectations{{{1, 1}, {1, 2}, {2, 2}}};

std::string FaultOf(Variant variant) {
  for (const auto& expected : kExpectations)
    if (const Exploration result = Model(variant, 1, expected).Run(); !result.fault.empty()) return result.fault;
  return "";
}

TEST(UnloadModel, NeverGivesBackWhatIsReadAndAlwaysWhatIsNot) {
  for (const std::uint8_t unloads : {1, 2})
    for (const auto& expected : kExpectations) {
      const Exploration result = Model({}, unloads, expected).Run();

      EXPECT_EQ(result.fault, "") << result.trace;
      EXPECT_GT(result.states, 1000u);
    }
}

TEST(UnloadModel, FindsTheFaultWhenUnloadingDoesNotLookAtPins) {
  EXPECT_EQ(FaultOf({.unload_looks_at_pins = false}), "wrong bytes");
}
TEST(UnloadModel, FindsTheFaultWhenUnloadingIsAPlainStore) {
  EXPECT_EQ(FaultOf({.unloads_with_fence = false}), "wrong bytes");
}
TEST(UnloadModel, FindsTheFaultWhenTheReloadedIsSealedTooEarly) {
  EXPECT_EQ(FaultOf({.reload_seals_last = false}), "wrong bytes");
}
TEST(UnloadModel, FindsTheFaultWhenTheReaderLocatesBytesBeforeItPins) {
  EXPECT_EQ(FaultOf({.reads_offset_pinned = false}), "wrong bytes");
}
TEST(UnloadModel, FindsThePinThatARefusedReaderKeeps) {
  EXPECT_EQ(FaultOf({.refused_unpin = false}), "left with a pin");
}
TEST(UnloadModel, FindsTheFaultWhenRetiringForgetsThatItWasUnloaded) {
  EXPECT_EQ(FaultOf({.retire_knows_unloaded = false}), "given back twice");
}
/// Whoever has a pin then was refused and reads nothing: the owner waits for it all the same, which is not needed.
TEST(UnloadModel, HoldsWhenPinsOfTheRefusedAreNotWaitedFor) {
  EXPECT_EQ(FaultOf({.retires_unloaded_by_pins = false}), "");
}

}  // namespace
}  // namespace manta::models
