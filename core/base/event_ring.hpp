#pragma once
// What each thread did and when, for a timeline: a ring of 32-byte records a thread, the oldest overwritten.
//
//   base::Record(base::EventKind::kTaskStarted, task_id);       // anywhere; one predicted branch while off
//   for (const base::Event& event : base::SnapshotEvents()) ... // all threads' records, also of ended ones, by time
//
// Writing never waits and calls nothing of the system, but for a thread's first record, which makes its ring. Times are
// the processor's cycle counter, turned into CLOCK_MONOTONIC when they are read.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/ids.hpp"

namespace manta::base {

enum class EventKind : std::uint16_t {
  kTaskSubmitted = 1,
  kTaskSent,
  kTaskReceived,
  kTaskStarted,
  kTaskEnded,
  kParked,
  kResumed,
  kCallStarted,
  kCallEnded,
  kPolled,  // a: messages; polls that find none are not recorded
  kSleep,
  kWake,
};
/// "task submitted" and so on.
const char* NameOf(EventKind kind);

struct Event {
  std::int64_t time_ns = 0;  // CLOCK_MONOTONIC
  EventKind kind{};
  std::uint32_t thread = 0;  // in the order of their first records
  std::uint64_t a = 0, b = 0;
  bool operator==(const Event&) const = default;
};

/// Records of a thread; the last so many are kept.
inline constexpr std::size_t kEventsKept = 1u << 14;

/// Switches recording. Any thread; what others do meanwhile may be recorded or not.
void RecordEvents(bool on);
/// A copy of what the rings hold, ordered by time. Any thread; writers go on, and what they overwrite meanwhile is left
/// out. Takes a millisecond if recording began less than that ago: the counter's rate is measured.
std::vector<Event> SnapshotEvents();

namespace detail {
// Written by RecordEvents, read by every Record. Relaxed: nothing but recording hangs on it.
inline std::atomic<bool> events_on{false};
void RecordNow(EventKind kind, std::uint64_t a, std::uint64_t b);
void RecordThen(EventKind kind, std::uint64_t a, std::uint64_t b);
inline std::uint64_t FirstWord(const ObjectId& id) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(id.owner.value)) << 32 | id.slot;
}
}  // namespace detail

inline void Record(EventKind kind, std::uint64_t a = 0, std::uint64_t b = 0) {
  if (detail::events_on.load(std::memory_order_relaxed)) [[unlikely]]
    detail::RecordNow(kind, a, b);
}
/// `a` is owner and slot, `b` the generation: see EventObject.
inline void Record(EventKind kind, const ObjectId& id) { Record(kind, detail::FirstWord(id), id.generation); }
/// With the time of this thread's last record: for what happens right after that, or at once with it. Reading the counter
/// is half of a record's price.
inline void RecordWithLast(EventKind kind, const ObjectId& id) {
  if (detail::events_on.load(std::memory_order_relaxed)) [[unlikely]]
    detail::RecordThen(kind, detail::FirstWord(id), id.generation);
}
inline ObjectId EventObject(const Event& event) {
  return {Rank(static_cast<std::int32_t>(event.a >> 32)), static_cast<std::uint32_t>(event.a),
          static_cast<std::uint32_t>(event.b)};
}

}  // namespace manta::base
