#include "core/base/event_ring.hpp"

#include <algorithm>
#include <memory>
#include <mutex>

#include "core/base/clock.hpp"

namespace manta::base {
namespace {

// A record is a small seqlock. Its one writer is the ring's thread:
//   head = 0 (relaxed); time, a, b (release each); head = number and kind (release)
// The release stores of the fields keep `head = 0` before them, so a reader that took a field of a newer record
// (acquire) then finds head changed; and one that finds the head it began with has the fields of that record. Stores
// with release instead of a fence: they cost nothing on x86, and the thread sanitizer knows no fences.
struct alignas(32) Slot {
  std::atomic<std::uint64_t> head{0};  // number of the record plus one, 48 bits; its kind, 16 bits; 0: being written
  std::atomic<std::uint64_t> time{0};
  std::atomic<std::uint64_t> a{0};
  std::atomic<std::uint64_t> b{0};
};
static_assert(sizeof(Slot) == 32 && (kEventsKept & (kEventsKept - 1)) == 0);

struct Ring {
  explicit Ring(std::uint32_t number) : thread(number) {}
  const std::uint32_t thread;
  // Written by the ring's thread (release, after the record), read by readers (acquire): records below it are there.
  std::atomic<std::uint64_t> written{0};
  const std::unique_ptr<Slot[]> slots = std::make_unique<Slot[]>(kEventsKept);
  std::uint64_t last = CycleTicks();  // of the last record; the thread's own

  void Write(EventKind kind, std::uint64_t a, std::uint64_t b) {
    const std::uint64_t number = written.load(std::memory_order_relaxed);
    Slot& slot = slots[number & (kEventsKept - 1)];
    slot.head.store(0, std::memory_order_relaxed);
    slot.time.store(last, std::memory_order_release);
    slot.a.store(a, std::memory_order_release);
    slot.b.store(b, std::memory_order_release);
    slot.head.store((number + 1) << 16 | static_cast<std::uint64_t>(kind), std::memory_order_release);
    written.store(number + 1, std::memory_order_release);
  }
  /// The records that are still there; times are cycles.
  void Read(std::vector<Event>& to) const {
    const std::uint64_t end = written.load(std::memory_order_acquire);
    for (std::uint64_t number = end > kEventsKept ? end - kEventsKept : 0; number < end; ++number) {
      const Slot& slot = slots[number & (kEventsKept - 1)];
      const std::uint64_t head = slot.head.load(std::memory_order_acquire);
      if (head >> 16 != number + 1) continue;
      Event event;
      event.time_ns = static_cast<std::int64_t>(slot.time.load(std::memory_order_acquire));
      event.a = slot.a.load(std::memory_order_acquire);
      event.b = slot.b.load(std::memory_order_acquire);
      if (slot.head.load(std::memory_order_relaxed) != head) continue;
      event.kind = static_cast<EventKind>(head & 0xffff);
      event.thread = thread;
      to.push_back(event);
    }
  }
};

/// The cycle counter and the clock at one moment.
struct Moment {
  std::uint64_t cycles = 0;
  std::int64_t ns = 0;
};
Moment Now() {
  Moment best;
  std::uint64_t least = ~0ull;
  // The closest of a few: between two reads of the counter this thread may have lost its core.
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = CycleTicks();
    const std::int64_t ns = NowNanoseconds();
    const std::uint64_t took = CycleTicks() - before;
    if (took < least) {
      least = took;
      best = {before + took / 2, ns};
    }
  }
  return best;
}

/// All rings. The threads touch it at their first record and at their end only.
struct Registry {
  static constexpr std::size_t kEndedKept = 16;
  std::mutex mutex;                          // guards all below
  std::vector<std::unique_ptr<Ring>> live;   // of running threads
  std::vector<std::unique_ptr<Ring>> ended;  // the oldest first
  std::uint32_t threads = 0;
  Moment first;
};
Registry& Rings() {
  static auto* registry = new Registry();  // never freed: threads may end after main
  return *registry;
}

thread_local Ring* mine = nullptr;
thread_local bool over = false;  // the thread ends: what it still does is not recorded

/// Hands a thread's ring to the registry when the thread ends.
struct Retire {
  ~Retire() {
    over = true;
    Registry& rings = Rings();
    std::lock_guard lock(rings.mutex);
    const auto it =
        std::find_if(rings.live.begin(), rings.live.end(), [](const auto& ring) { return ring.get() == mine; });
    mine = nullptr;
    if (rings.ended.size() == Registry::kEndedKept) rings.ended.erase(rings.ended.begin());
    rings.ended.push_back(std::move(*it));
    rings.live.erase(it);
  }
};

__attribute__((noinline, cold)) void MakeRing() {
  Registry& rings = Rings();
  {
    std::lock_guard lock(rings.mutex);
    rings.live.push_back(std::make_unique<Ring>(rings.threads++));
    mine = rings.live.back().get();
  }
  thread_local Retire at_end;
  static_cast<void>(at_end);
}

}  // namespace

void detail::RecordNow(EventKind kind, std::uint64_t a, std::uint64_t b) {
  if (mine != nullptr) mine->last = CycleTicks();
  RecordThen(kind, a, b);
}

void detail::RecordThen(EventKind kind, std::uint64_t a, std::uint64_t b) {
  if (mine == nullptr) {
    if (over) return;
    MakeRing();
  }
  mine->Write(kind, a, b);
}

void RecordEvents(bool on) {
  if (on) {
    Registry& rings = Rings();
    std::lock_guard lock(rings.mutex);
    if (rings.first.ns == 0) rings.first = Now();
  }
  detail::events_on.store(on, std::memory_order_relaxed);
}

std::vector<Event> SnapshotEvents() {
  std::vector<Event> events;
  Registry& rings = Rings();
  std::lock_guard lock(rings.mutex);
  if (rings.first.ns == 0) return events;
  for (const auto& ring : rings.ended) ring->Read(events);
  for (const auto& ring : rings.live) ring->Read(events);
  Moment last = Now();
  while (last.ns - rings.first.ns < 1'000'000) last = Now();
  const double rate =
      static_cast<double>(last.ns - rings.first.ns) / static_cast<double>(last.cycles - rings.first.cycles);
  for (Event& event : events) {
    // Counted from the later moment, which is nearer to most.
    const auto cycles = static_cast<std::int64_t>(last.cycles - static_cast<std::uint64_t>(event.time_ns));
    event.time_ns = last.ns - static_cast<std::int64_t>(static_cast<double>(cycles) * rate);
  }
  // Stable: records of one thread with equal times keep their order.
  std::stable_sort(events.begin(), events.end(), [](const Event& x, const Event& y) { return x.time_ns < y.time_ns; });
  return events;
}

const char* NameOf(EventKind kind) {
  switch (kind) {
    case EventKind::kTaskSubmitted: return "task submitted";
    case EventKind::kTaskSent: return "task sent";
    case EventKind::kTaskReceived: return "task received";
    case EventKind::kTaskStarted: return "task started";
    case EventKind::kTaskEnded: return "task ended";
    case EventKind::kParked: return "parked";
    case EventKind::kResumed: return "resumed";
    case EventKind::kCallStarted: return "actor call started";
    case EventKind::kCallEnded: return "actor call ended";
    case EventKind::kPolled: return "polled";
    case EventKind::kSleep: return "sleep";
    case EventKind::kWake: return "wake";
  }
  return "?";
}

}  // namespace manta::base
