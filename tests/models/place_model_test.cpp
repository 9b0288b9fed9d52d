// Places under scheduler=central (docs/protocol.md, "Places"), in every order of steps: owners ask rank 0 for places by
// number, rank 0 places as many tasks at a rank as its window takes, and each rank says how many of those have ended.
// Some tasks are long: they end when all others have ended, so that a task which waits behind one while another rank
// has nothing to do waits for ever. Some wait for the task that comes next, and go on when no other runs at their rank.
//
// Wrong is a task that runs twice or never ends, a rank that is busier than rank 0 knows, and an end at which rank 0
// takes one for busier than it is. A rank may crash at any step; the others and rank 0's placer hear of it at
// any time, and what it had sent may come later still.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/models/explorer.hpp"

namespace manta::models {
namespace {

constexpr int kRanks = 3;
constexpr int kPlacer = kRanks;
constexpr int kProcesses = kRanks + 1;
constexpr int kMaxTasks = 3;
constexpr std::int8_t kNobody = -1;
constexpr std::size_t kMostMessages = 8;  // under way between two
const std::array<std::string, kProcesses> kNames{"A", "B", "C", "the placer"};

enum Kind : std::uint8_t { kTaskPush, kTaskDone, kHandBack, kPlaceRequest, kHeard, kPlaceGrant, kPlacesBack, kRecall };
const std::array<std::string, 8> kKindNames{"TaskPush", "TaskDone",   "HandBack",   "PlaceRequest",
                                            "Heard",    "PlaceGrant", "PlacesBack", "PlacesRecall"};

/// Ways to get it wrong.
struct Variant {
  bool returns_unused_places = true;  // of tasks that were cancelled since they asked
  bool tells_when_idle = true;        // else what has ended is told by the window's threshold only
  bool waiting_gives_place_back = true;
  bool takes_place_again = true;  // when it goes on
  bool ticks = true;              // tell of that, and of what lies behind a task that went on
  bool looks_at_slots_after_push = true;
  bool gives_back_without_slots = true;
  bool recalls = true;
  bool says_what_was_on_its_way = true;  // when it was asked
  bool request_answers_the_last = true;  // what asked since is said when the request before has been heard
  bool counts_by_owner = true;           // else what a dead owner's tasks leave is taken off another's
  bool forgets_tasks_of_dead = true;
  bool asks_again_for_dead_ranks = true;
};

enum TaskFlag : std::uint8_t { kShort = 0, kLong = 1, kWaitsForNext = 2, kOfB = 4 };
struct Job {
  std::vector<std::uint8_t> tasks;           // flags
  std::array<std::uint8_t, kRanks> windows;  // 0: runs nothing
  std::uint8_t tell_at = 1;
  std::uint8_t cancels = 0;
  std::int8_t loses_slot = kNobody;  // between two tasks, for good
  std::int8_t crashes = kNobody;
};

struct Copy {
  std::uint8_t task = 0, attempt = 0;
  auto operator<=>(const Copy&) const = default;
};
struct Message {
  Kind kind;
  Copy copy{};
  std::int8_t rank = kNobody;  // a place
  std::uint8_t count = 0;
  std::array<std::int8_t, kRanks> of{};
  std::int8_t window = -1;
  std::uint8_t answers = 0;
  auto operator<=>(const Message&) const = default;
};
enum Step : std::uint8_t { kLook, kIdle, kRuns };
struct Rank {
  bool alive = true;
  // As an owner.
  std::vector<std::uint8_t> placeless;
  std::uint8_t unsaid = 0;
  bool asked = false;
  // As a runner.
  Step step = kIdle;
  Copy running{};
  bool went_on = false;  // what runs has waited
  std::vector<Copy> queue, parked;
  std::array<std::int8_t, kRanks> ended{};  // less those that went on
  bool went_on_untold = false;
  bool has_slot = true;
  bool pushed = false;     // and has not looked what becomes of that
  bool says_next = false;  // it was asked when it had nothing to give
  std::uint8_t dead_heard = 0;
  auto operator<=>(const Rank&) const = default;
};
struct Owned {
  bool ended = false;
  std::uint8_t attempt = 0;
  std::int8_t out = kNobody, begun_at = kNobody;
  auto operator<=>(const Owned&) const = default;
};
struct State {
  std::array<Rank, kRanks> ranks;
  std::array<Owned, kMaxTasks> tasks;
  std::uint8_t submitted = 0, cancels_left = 0;
  // The placer.
  std::vector<std::int8_t> waiting;                            // owners
  std::array<std::array<std::uint8_t, kRanks>, kRanks> out{};  // at, of
  std::array<std::uint8_t, kRanks> window{};
  std::uint8_t recalled = 0, dry = 0, dead = 0;
  std::array<std::vector<Message>, kProcesses * kProcesses> channels;
  std::string fault;
  auto operator<=>(const State&) const = default;
};

class Model {
 public:
  Model(Variant variant, Job job) : variant_(variant), job_(std::move(job)) {}

  Exploration Run() const {
    State initial;
    initial.cancels_left = job_.cancels;
    initial.window = job_.windows;
    const StateGraph<State> graph(initial, [this](const State& s) { return Moves(s); });
    Exploration result = graph.FindFault([this](const State& s, bool) { return Fault(s); });
    if (result.fault.empty()) result = graph.EveryStateComesToRest("messages go around for ever");
    if (result.fault.empty())
      result = graph.EveryStateReaches([this](const State& s) { return AllEnded(s); }, "a task never ends");
    if (result.fault.empty())
      result = graph.FindFault([](const State& s, bool is_last) { return is_last ? LeftOver(s) : ""; });
    return result;
  }

 private:
  int OwnerOf(int task) const { return (job_.tasks[task] & kOfB) != 0 ? 1 : 0; }
  bool IsOver(const State& s, int task) const { return s.tasks[task].ended || !s.ranks[OwnerOf(task)].alive; }
  bool AllEnded(const State& s) const {
    for (int task = 0; task < static_cast<int>(job_.tasks.size()); ++task)
      if (!IsOver(s, task)) return false;
    return true;
  }
  bool OnlyLongAreLeft(const State& s) const {
    for (int task = 0; task < static_cast<int>(job_.tasks.size()); ++task)
      if (!IsOver(s, task) && (job_.tasks[task] & kLong) == 0) return false;
    return true;
  }
  static int OutAt(const State& s, int r) {
    int sum = 0;
    for (const std::uint8_t count : s.out[r]) sum += count;
    return sum;
  }
  int PlacesTaken(const Rank& rank, int owner) const {
    const auto is_of = [&](Copy copy) { return OwnerOf(copy.task) == owner; };
    return static_cast<int>(std::count_if(rank.queue.begin(), rank.queue.end(), is_of)) +
           (rank.step == kRuns && !rank.went_on && is_of(rank.running) ? 1 : 0);
  }
  std::string Fault(const State& s) const {
    if (!s.fault.empty()) return s.fault;
    for (int r = 0; r < kRanks; ++r)
      for (int owner = 0; owner < kRanks; ++owner)
        if (s.ranks[r].alive && s.ranks[owner].alive && PlacesTaken(s.ranks[r], owner) > s.out[r][owner])
          return "a place is given twice";
    return "";
  }
  static std::string LeftOver(const State& s) {
    for (int r = 0; r < kRanks; ++r)
      if (s.ranks[r].alive && OutAt(s, r) != 0) return "places are lost";
    return s.waiting.empty() ? "" : "a request is left over";
  }

  std::vector<Move<State>> Moves(const State& s) const {
    std::vector<Move<State>> moves;
    if (!s.fault.empty()) return moves;
    const auto add = [&](const std::string& label, bool counts, auto&& change) {
      State next = s;
      change(next);
      moves.push_back({label, std::move(next), counts});
    };
    MoveOwners(s, add);
    for (int r = 0; r < kRanks; ++r) {
      if (!s.ranks[r].alive) continue;
      if (job_.windows[r] != 0) MoveExecutor(s, r, add);
      if (s.ranks[r].pushed) {
        add(kNames[r] + " looks what becomes of the task", true, [&](State& n) {
          Rank& me = n.ranks[r];
          me.pushed = false;
          if (!me.has_slot) {
            if (variant_.looks_at_slots_after_push) GiveBackAll(n, r);
          } else if (me.says_next && !(me.step == kIdle && me.queue.size() == 1) && !me.queue.empty()) {
            me.says_next = false;
            Tell(n, r, 2);
          }
        });
        continue;  // its handler does nothing else meanwhile
      }
      for (int from = 0; from < kProcesses; ++from) {
        if (s.channels[from * kProcesses + r].empty()) continue;
        add(kNames[r] + " gets " + kKindNames[s.channels[from * kProcesses + r].front().kind] + " from " + kNames[from],
            true, [&](State& n) { Gets(n, r, from, Take(n, from, r)); });
      }
    }
    for (int from = 0; from < kRanks; ++from) {
      if (s.channels[from * kProcesses + kPlacer].empty()) continue;
      const Message& first = s.channels[from * kProcesses + kPlacer].front();
      add("the placer gets " + kKindNames[first.kind] + " from " + kNames[from], true,
          [&](State& n) { PlacerGets(n, from, Take(n, from, kPlacer)); });
    }
    MoveCrash(s, add);
    return moves;
  }

  // ---- owners ----
  template <class Add>
  void MoveOwners(const State& s, Add&& add) const {
    if (s.submitted < job_.tasks.size())
      add("task " + std::to_string(s.submitted) + " is submitted", false, [&](State& n) {
        const std::uint8_t task = n.submitted++;
        if (n.ranks[OwnerOf(task)].alive) Ask(n, OwnerOf(task), task);
      });
    for (int r = 0; r < kRanks; ++r)
      for (const std::uint8_t task : s.ranks[r].placeless)
        if (s.cancels_left > 0 && !s.tasks[task].ended)
          add("task " + std::to_string(task) + " is cancelled", false, [&](State& n) {
            --n.cancels_left;
            n.tasks[task].ended = true;
          });
  }
  void Ask(State& s, int owner, std::uint8_t task) const {
    Rank& rank = s.ranks[owner];
    s.tasks[task].out = kNobody;
    rank.placeless.push_back(task);
    ++rank.unsaid;
    if (!rank.asked) SayUnsaid(s, owner);
  }
  void SayUnsaid(State& s, int owner) const {
    Rank& rank = s.ranks[owner];
    rank.asked = rank.unsaid != 0;
    if (rank.asked) Send(s, owner, kPlacer, {.kind = kPlaceRequest, .count = std::exchange(rank.unsaid, 0)});
  }

  // ---- runners ----
  template <class Add>
  void MoveExecutor(const State& s, int r, Add&& add) const {
    const Rank& rank = s.ranks[r];
    const bool may_take = !rank.queue.empty() && rank.has_slot;
    if (rank.step != kRuns && may_take)
      add(kNames[r] + " begins task " + std::to_string(rank.queue.front().task), true, [&](State& n) {
        Rank& me = n.ranks[r];
        me.step = kRuns;
        me.went_on = false;
        me.running = me.queue.front();
        me.queue.erase(me.queue.begin());
        Owned& owned = n.tasks[me.running.task];
        if (owned.begun_at != kNobody && owned.attempt == me.running.attempt) n.fault = "a task runs twice";
        if (owned.attempt == me.running.attempt) owned.begun_at = static_cast<std::int8_t>(r);
      });
    if (rank.step == kLook && !may_take)
      add(kNames[r] + " says idle", true, [&](State& n) {
        n.ranks[r].step = kIdle;
        if (n.ranks[r].ended != std::array<std::int8_t, kRanks>{} && variant_.tells_when_idle) Tell(n, r, 0);
      });
    const auto waits_for = [&](Copy copy) {
      return (job_.tasks[copy.task] & kWaitsForNext) != 0 && !IsOver(s, copy.task + 1);
    };
    if (rank.step == kRuns && waits_for(rank.running)) {
      add("task " + std::to_string(rank.running.task) + " waits", true, [&](State& n) {
        n.ranks[r].step = kLook;
        n.ranks[r].parked.push_back(n.ranks[r].running);
        if (!variant_.waiting_gives_place_back) return;
        ++n.ranks[r].ended[OwnerOf(rank.running.task)];
        Tell(n, r, 0);
      });
    } else if (rank.step == kRuns && ((job_.tasks[rank.running.task] & kLong) == 0 || OnlyLongAreLeft(s))) {
      add("task " + std::to_string(rank.running.task) + " ends", false, [&](State& n) {
        n.ranks[r].step = kLook;
        const bool has_place = !rank.went_on || !variant_.waiting_gives_place_back || variant_.takes_place_again;
        End(n, r, rank.running, has_place);
      });
    }
    for (std::size_t i = 0; i < rank.parked.size(); ++i)
      if (rank.step != kRuns && !waits_for(rank.parked[i]))
        add("task " + std::to_string(rank.parked[i].task) + " goes on", true, [&](State& n) {
          Rank& me = n.ranks[r];
          me.parked.erase(me.parked.begin() + static_cast<std::ptrdiff_t>(i));
          me.step = kRuns;
          me.running = rank.parked[i];
          me.went_on = true;
          if (!variant_.waiting_gives_place_back || !variant_.takes_place_again) return;
          --me.ended[OwnerOf(me.running.task)];
          me.went_on_untold = true;
        });
    const bool behind = rank.says_next && !rank.queue.empty() && rank.step == kRuns;
    if (variant_.ticks && (rank.went_on_untold || behind))
      add(kNames[r] + " ticks", true, [&](State& n) {
        if (behind) n.ranks[r].says_next = false;
        Tell(n, r, behind ? 2 : 0);
      });
    if (job_.loses_slot == r && rank.has_slot && rank.step != kRuns)
      add(kNames[r] + " loses its slot", false, [&](State& n) {
        n.ranks[r].has_slot = false;
        GiveBackAll(n, r);
      });
  }
  void End(State& s, int r, Copy copy, bool has_place) const {
    Rank& me = s.ranks[r];
    if (has_place) ++me.ended[OwnerOf(copy.task)];
    if (has_place && SumOf(me.ended) >= job_.tell_at) Tell(s, r, 0);
    if (OwnerOf(copy.task) == r)
      Done(s, copy);
    else
      Send(s, r, OwnerOf(copy.task), {.kind = kTaskDone, .copy = copy});
  }
  static void Done(State& s, Copy copy) {
    if (s.tasks[copy.task].attempt == copy.attempt) s.tasks[copy.task].ended = true;
  }
  static int SumOf(const std::array<std::int8_t, kRanks>& counts) { return counts[0] + counts[1] + counts[2]; }
  void Tell(State& s, int r, int answers) const {
    Rank& me = s.ranks[r];
    me.went_on_untold = false;
    Send(s, r, kPlacer,
         {.kind = kPlacesBack,
          .rank = static_cast<std::int8_t>(r),
          .of = std::exchange(me.ended, {}),
          .window = static_cast<std::int8_t>(me.has_slot ? job_.windows[r] : 0),
          .answers = static_cast<std::uint8_t>(answers)});
  }
  void GiveBack(State& s, int r, std::size_t count) const {
    Rank& me = s.ranks[r];
    for (; count > 0 && !me.queue.empty(); --count) {
      const Copy copy = me.queue.front();
      me.queue.erase(me.queue.begin());
      ++me.ended[OwnerOf(copy.task)];
      if (OwnerOf(copy.task) == r)
        Ask(s, r, copy.task);
      else
        Send(s, r, OwnerOf(copy.task), {.kind = kHandBack, .copy = copy});
    }
  }
  void GiveBackAll(State& s, int r) const {
    if (variant_.gives_back_without_slots) GiveBack(s, r, kMaxTasks);
    Tell(s, r, 0);
  }

  static bool Heard(const Rank& rank, int dead) { return dead >= 0 && (rank.dead_heard >> dead & 1) != 0; }
  void Gets(State& s, int r, int from, Message message) const {
    Rank& me = s.ranks[r];
    const bool late = from < kRanks && Heard(me, from);
    switch (message.kind) {
      case kTaskPush:
        if (!late) Push(s, r, message.copy);
        break;
      case kTaskDone:
        Done(s, message.copy);
        break;
      case kHandBack:
        if (!late && s.tasks[message.copy.task].attempt == message.copy.attempt) Ask(s, r, message.copy.task);
        break;
      case kHeard:
        SayUnsaid(s, r);
        break;
      case kRecall: {
        const bool gives = !me.queue.empty();
        me.says_next = !gives && variant_.says_what_was_on_its_way;
        GiveBack(s, r, (me.queue.size() + 1) / 2);
        Tell(s, r, gives ? 2 : 1);
        break;
      }
      default:
        Granted(s, r, message.rank);
    }
  }
  void Granted(State& s, int r, std::int8_t to) const {
    Rank& me = s.ranks[r];
    while (!me.placeless.empty()) {
      const std::uint8_t task = me.placeless.front();
      me.placeless.erase(me.placeless.begin());
      if (s.tasks[task].ended) continue;
      if (Heard(me, to)) {
        if (variant_.asks_again_for_dead_ranks) Ask(s, r, task);
        return;
      }
      s.tasks[task].out = to;
      const Copy copy{task, s.tasks[task].attempt};
      if (to == r)
        Push(s, r, copy);
      else
        Send(s, r, to, {.kind = kTaskPush, .copy = copy});
      return;
    }
    if (!variant_.returns_unused_places) return;
    Message back{.kind = kPlacesBack, .rank = to};
    back.of[r] = 1;
    Send(s, r, kPlacer, back);
  }
  void Push(State& s, int r, Copy copy) const {
    s.ranks[r].queue.push_back(copy);
    s.ranks[r].pushed = true;
  }

  // ---- the placer ----
  void PlacerGets(State& s, int from, Message message) const {
    const auto is_dead = [&](int rank) { return (s.dead >> rank & 1) != 0; };
    if (message.kind == kPlaceRequest) {
      if (is_dead(from)) return;
      s.waiting.insert(s.waiting.end(), message.count, static_cast<std::int8_t>(from));
      if (variant_.request_answers_the_last) Send(s, kPlacer, from, {.kind = kHeard});
    } else if (!is_dead(message.rank)) {
      for (int owner = 0; owner < kRanks; ++owner) {
        const int of = variant_.counts_by_owner || !is_dead(owner) ? owner : 1 - owner;
        if (message.of[owner] < 0 && is_dead(owner)) continue;
        const int count = std::min<int>(message.of[owner], s.out[message.rank][of]);
        s.out[message.rank][of] = static_cast<std::uint8_t>(s.out[message.rank][of] - count);
      }
      if (message.window >= 0) s.window[message.rank] = static_cast<std::uint8_t>(message.window);
      const auto bit = static_cast<std::uint8_t>(1 << message.rank);
      if (message.answers != 0) s.recalled &= static_cast<std::uint8_t>(~bit);
      if (message.answers == 1) s.dry |= bit;
      if (message.answers == 2) s.dry &= static_cast<std::uint8_t>(~bit);
    }
    Decide(s);
  }
  void Decide(State& s) const {
    while (!s.waiting.empty()) {
      int best = kNobody;
      for (int r = 0; r < kRanks; ++r)
        if (OutAt(s, r) < s.window[r] && (best == kNobody || OutAt(s, r) < OutAt(s, best))) best = r;
      if (best == kNobody) return;
      const std::int8_t owner = s.waiting.front();
      s.waiting.erase(s.waiting.begin());
      ++s.out[best][owner];
      s.dry &= static_cast<std::uint8_t>(~(1 << best));
      Send(s, kPlacer, owner, {.kind = kPlaceGrant, .rank = static_cast<std::int8_t>(best)});
    }
    if (!variant_.recalls) return;
    int idle = 0;
    for (int r = 0; r < kRanks; ++r) {
      idle += s.window[r] != 0 && OutAt(s, r) == 0;
      idle -= s.recalled >> r & 1;
    }
    for (int r = 0; r < kRanks && idle > 0; ++r) {
      if (OutAt(s, r) <= 1 || ((s.recalled | s.dry) >> r & 1) != 0) continue;
      s.recalled |= static_cast<std::uint8_t>(1 << r);
      --idle;
      Send(s, kPlacer, r, {.kind = kRecall});
    }
  }

  // ---- crashes ----
  template <class Add>
  void MoveCrash(const State& s, Add&& add) const {
    if (job_.crashes == kNobody) return;
    const int dead = job_.crashes;
    const auto bit = static_cast<std::uint8_t>(1 << dead);
    if (s.ranks[dead].alive) {
      add(kNames[dead] + " crashes", false, [&](State& n) {
        n.ranks[dead] = Rank{};
        n.ranks[dead].alive = false;
        for (int from = 0; from < kProcesses; ++from) n.channels[from * kProcesses + dead].clear();
      });
      return;
    }
    if ((s.dead & bit) == 0)
      add("the placer hears of the crash", true, [&](State& n) {
        n.dead |= bit;
        n.window[dead] = 0;
        n.out[dead] = {};
        n.recalled &= static_cast<std::uint8_t>(~bit);
        std::erase(n.waiting, static_cast<std::int8_t>(dead));
        if (variant_.forgets_tasks_of_dead)
          for (auto& at : n.out) at[dead] = 0;
        Decide(n);
      });
    for (int r = 0; r < kRanks; ++r) {
      if (!s.ranks[r].alive || Heard(s.ranks[r], dead) || s.ranks[r].pushed) continue;
      add(kNames[r] + " hears of the crash", true, [&](State& n) {
        Rank& me = n.ranks[r];
        me.dead_heard |= bit;
        const auto dropped = std::erase_if(me.queue, [&](Copy copy) { return OwnerOf(copy.task) == dead; });
        me.ended[dead] = static_cast<std::int8_t>(me.ended[dead] + dropped);
        if (!variant_.asks_again_for_dead_ranks) return;
        for (std::uint8_t task = 0; task < job_.tasks.size(); ++task) {
          Owned& owned = n.tasks[task];
          if (OwnerOf(task) != r || owned.out != dead || owned.ended) continue;
          ++owned.attempt;
          owned.begun_at = kNobody;
          Ask(n, r, task);
        }
      });
    }
  }

  static void Send(State& s, int from, int to, Message message) {
    if (to < kRanks && !s.ranks[to].alive) return;
    auto& channel = s.channels[from * kProcesses + to];
    channel.push_back(message);
    if (channel.size() > kMostMessages) s.fault = "messages pile up";
  }
  static Message Take(State& s, int from, int to) {
    auto& channel = s.channels[from * kProcesses + to];
    const Message message = channel.front();
    channel.erase(channel.begin());
    return message;
  }

  const Variant variant_;
  const Job job_;
};

const std::vector<Job>& Jobs() {
  static const std::vector<Job> jobs{
      {.tasks = {kShort, kShort, kShort}, .windows = {0, 2, 1}, .tell_at = 2},
      {.tasks = {kLong, kShort, kShort}, .windows = {0, 3, 2}},
      {.tasks = {kShort, kShort, kShort}, .windows = {0, 2, 0}, .tell_at = 2, .cancels = 2},
      {.tasks = {kWaitsForNext, kShort}, .windows = {1, 0, 0}},
      {.tasks = {kWaitsForNext | kLong, kShort, kShort}, .windows = {0, 2, 1}},
      {.tasks = {kShort, kShort}, .windows = {0, 2, 1}, .loses_slot = 1},
      {.tasks = {kShort | kOfB, kShort}, .windows = {0, 2, 1}, .loses_slot = 1},
      {.tasks = {kShort, kShort}, .windows = {0, 1, 1}, .crashes = 1},
      {.tasks = {kShort | kOfB, kShort, kShort}, .windows = {0, 0, 1}, .crashes = 1},
      {.tasks = {kShort | kOfB, kShort}, .windows = {0, 1, 2}, .tell_at = 2, .crashes = 1},
  };
  return jobs;
}

std::string FaultOf(Variant variant) {
  for (const Job& job : Jobs())
    if (const Exploration result = Model(variant, job).Run(); !result.fault.empty()) return result.fault;
  return "";
}

TEST(PlaceModel, RunsEachTaskOnceAndLosesNoPlace) {
  for (const Job& job : Jobs()) {
    const Exploration result = Model({}, job).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
    EXPECT_GT(result.states, 50u);
  }
}

TEST(PlaceModel, FindsTheLossWhenThePlacesOfCancelledTasksAreKept) {
  EXPECT_EQ(FaultOf({.returns_unused_places = false}), "a task never ends");
}

TEST(PlaceModel, FindsTheLossWhenAnIdleRankDoesNotTell) {
  EXPECT_EQ(FaultOf({.tells_when_idle = false}), "places are lost");
}

TEST(PlaceModel, FindsTheDeadlockWhenATaskThatWaitsKeepsItsPlace) {
  EXPECT_EQ(FaultOf({.waiting_gives_place_back = false}), "a task never ends");
}

TEST(PlaceModel, FindsTheTaskBehindALongOneThatWentOnUnseen) {
  EXPECT_EQ(FaultOf({.takes_place_again = false}), "a task never ends");
}

TEST(PlaceModel, FindsTheTaskBehindALongOneThatWentOnUntold) {
  EXPECT_EQ(FaultOf({.ticks = false}), "a task never ends");
}

TEST(PlaceModel, FindsTheTaskThatCameAfterTheSlotsHadGone) {
  EXPECT_EQ(FaultOf({.looks_at_slots_after_push = false}), "a task never ends");
}

TEST(PlaceModel, FindsTheTaskThatStaysWhereTheSlotsHaveGone) {
  EXPECT_EQ(FaultOf({.gives_back_without_slots = false}), "a task never ends");
}

TEST(PlaceModel, FindsTheTaskBehindALongOneWhenNoneAreRecalled) {
  EXPECT_EQ(FaultOf({.recalls = false}), "a task never ends");
}

TEST(PlaceModel, FindsTheTaskThatWasOnItsWayWhenItWasRecalled) {
  EXPECT_EQ(FaultOf({.says_what_was_on_its_way = false}), "a task never ends");
}

TEST(PlaceModel, FindsTheTaskThatNeverAsksWhenRequestsAreNotAnswered) {
  EXPECT_EQ(FaultOf({.request_answers_the_last = false}), "a task never ends");
}

TEST(PlaceModel, FindsTheCrowdWhenTasksOfTheDeadCountForOthers) {
  EXPECT_EQ(FaultOf({.counts_by_owner = false}), "a place is given twice");
}

TEST(PlaceModel, FindsTheLossWhenTasksOfTheDeadAreNotForgotten) {
  EXPECT_NE(FaultOf({.forgets_tasks_of_dead = false}), "");
}

TEST(PlaceModel, FindsTheLossWhenPlacesOfTheDeadAreNotAskedForAgain) {
  EXPECT_EQ(FaultOf({.asks_again_for_dead_ranks = false}), "a task never ends");
}

}  // namespace
}  // namespace manta::models
