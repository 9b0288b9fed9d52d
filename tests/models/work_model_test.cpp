// How tasks find ranks that have nothing to do (docs/protocol.md, "Work between ranks"), in every order of steps:
// rank A owns tasks, B (and C) run them for it, a matchmaker introduces them. Some tasks are long: they end when all
// others have ended, so that a task which waits behind one while another executor has nothing to do waits for ever.
//
//   who has nothing to do       Hungry -> matchmaker, or WorkRequest -> who gave it tasks last; one question at a time
//   who has more than it runs   Backlog(1), taken back by Backlog(0)      matchmaker: WorkHint -> who is hungry
//   who is asked                TaskPush of its own tasks, HandBack of others' to their owner, else NoWork
//
// Wrong is a task that two ranks run, one that never ends, and messages that go around for ever while no task comes
// or ends. A rank may crash at any step; the others and the matchmaker hear of it at any time, and what it had sent
// may come later still. Its tasks are then their owner's again, and run once more if they had begun there.
//
// Each rank has threads that step by themselves: its executors, and its handler of messages; A also has the driver.

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
constexpr int kMatchmaker = kRanks;
constexpr int kProcesses = kRanks + 1;
constexpr int kMaxTasks = 4;
constexpr int kMaxExecutors = 2;
constexpr std::int8_t kNobody = -1;
constexpr std::size_t kWant = 2;
constexpr std::size_t kMostMessages = 6;  // under way between two
const std::array<std::string, kProcesses> kNames{"A", "B", "C", "the matchmaker"};

enum Kind : std::uint8_t {
  kTaskPush, kTaskDone, kHandBack, kWorkRequest, kNoWork, kHungry, kBacklog, kNoBacklog, kWorkHint
};
const std::array<std::string, 9> kKindNames{"TaskPush", "TaskDone", "HandBack",   "WorkRequest", "NoWork",
                                            "Hungry",   "Backlog",  "Backlog(0)", "WorkHint"};

/// Ways to get it wrong.
struct Variant {
  bool looks_after_ending_question = true;  // who ends its question looks then whether an executor is idle
  bool asks_for_other_executors = true;     // who takes the last task of the queue asks if another executor is idle
  bool wakes_with_slot_only = true;         // else an executor without a slot is taken for one that runs the task
  bool backlog_is_what_may_move = true;     // else pinned tasks count
  bool looks_after_taking_backlog_back = true;
  bool hungry_stay_listed = true;           // while there is no supplier
  bool owner_sends_on = true;               // else a runner hands others' tasks on itself
  bool takes_tasks_of_dead_back = true;
  bool questions_to_dead_end = true;
  bool late_messages_are_dropped = true;    // of the dead, and of older attempts
};

struct Job {
  std::vector<std::uint8_t> tasks;  // of A: flags
  std::array<std::uint8_t, kRanks> executors;
  // How it begins.
  bool a_is_busy = true;          // with its first task
  bool b_is_busy = false;         // with the next task, and one more waits there
  bool others_are_hungry = true;  // and sleep
  bool a_has_slots = true;
  std::int8_t crashes = kNobody;
  bool keeps_house = false;  // takes an empty queue's Backlog back at any time
};
enum TaskFlag : std::uint8_t { kShort = 0, kLong = 1, kPinned = 2, kPinnedToB = 6 };

struct Copy {
  std::uint8_t task, attempt;
  auto operator<=>(const Copy&) const = default;
};
struct Message {
  Kind kind;
  Copy copy{};
  std::int8_t rank = kNobody;  // a supplier, or whom a HandBack is for
  auto operator<=>(const Message&) const = default;
};

enum ExecutorStep : std::uint8_t { kLook, kLookAgain, kAsleep, kRuns };
struct Executor {
  ExecutorStep step = kLook;
  bool idle = false;  // what WakeOne takes back
  Copy copy{};
  auto operator<=>(const Executor&) const = default;
};
/// The second half of what is not one step, of a thread that brings tasks or handles messages.
enum Half : std::uint8_t { kNothing, kWakeOrTell, kEndQuestion, kLookAfterEnd, kTakeBacklogBack, kLookAtBacklog };

struct Rank {
  bool alive = true;
  std::vector<Copy> queue;
  std::array<Executor, kMaxExecutors> executors;
  bool asked = false;
  std::int8_t asked_whom = kNobody;
  bool said_backlog = false;
  std::int8_t supplier = kNobody;
  Half handler = kNothing;
  std::uint8_t dead_heard = 0;  // by rank
  auto operator<=>(const Rank&) const = default;
};
struct Owned {
  bool ended = false;
  std::uint8_t attempt = 0;
  std::int8_t out = kNobody;      // who has it
  std::int8_t begun_at = kNobody;
  auto operator<=>(const Owned&) const = default;
};
struct State {
  std::array<Rank, kRanks> ranks;
  std::array<Owned, kMaxTasks> tasks;
  Half driver = kNothing;
  std::uint8_t submitted = 0;
  std::vector<std::int8_t> hungry;
  std::uint8_t suppliers = 0;  // by rank
  std::uint8_t matchmaker_dead = 0;
  std::array<std::vector<Message>, kProcesses * kProcesses> channels;
  std::string fault;
  auto operator<=>(const State&) const = default;
};

class Model {
 public:
  Model(Variant variant, Job job) : variant_(variant), job_(std::move(job)) {}

  Exploration Run() const {
    const StateGraph<State> graph(Initial(), [this](const State& s) { return Moves(s); });
    Exploration result = graph.FindFault([](const State& s, bool) { return s.fault; });
    if (result.fault.empty()) result = graph.EveryStateComesToRest("messages go around for ever");
    if (result.fault.empty())
      result = graph.EveryStateReaches([this](const State& s) { return AllEnded(s); }, "a task never ends");
    return result;
  }

 private:
  /// All of these states can be reached from one in which nobody has done anything; beginning later saves states.
  State Initial() const {
    State s;
    if (job_.a_is_busy) {
      s.tasks[s.submitted].begun_at = 0;
      s.ranks[0].executors[0] = {kRuns, false, {s.submitted++, 0}};
    }
    if (job_.b_is_busy) {
      Rank& b = s.ranks[1];
      s.tasks[s.submitted] = {.out = 1, .begun_at = 1};
      b.executors[0] = {kRuns, false, {s.submitted++, 0}};
      s.tasks[s.submitted] = {.out = 1};
      b.queue = {{s.submitted++, 0}};
      b.handler = kWakeOrTell;
      b.supplier = 0;
    }
    for (std::int8_t r = 0; r < kRanks; ++r) {
      Rank& rank = s.ranks[r];
      if (!job_.others_are_hungry || job_.executors[r] == 0 || rank.executors[0].step == kRuns) continue;
      for (int e = 0; e < job_.executors[r]; ++e) rank.executors[e] = {kAsleep, true, {}};
      rank.asked = true;
      rank.asked_whom = kMatchmaker;
      s.hungry.push_back(r);
    }
    return s;
  }

  bool AllEnded(const State& s) const {
    for (std::size_t i = 0; i < job_.tasks.size(); ++i)
      if (!s.tasks[i].ended) return false;
    return true;
  }
  bool OnlyLongAreLeft(const State& s) const {
    for (std::size_t i = 0; i < job_.tasks.size(); ++i)
      if (!s.tasks[i].ended && (job_.tasks[i] & kLong) == 0) return false;
    return true;
  }
  bool IsPinned(Copy copy) const { return (job_.tasks[copy.task] & kPinned) != 0; }
  bool IsForB(int task) const { return (job_.tasks[task] & kPinnedToB) == kPinnedToB; }
  bool HasSlots(int r) const { return r != 0 || job_.a_has_slots; }

  // New tasks, ends of tasks and crashes do not count: without them the messages must come to rest.
  std::vector<Move<State>> Moves(const State& s) const {
    std::vector<Move<State>> moves;
    if (!s.fault.empty()) return moves;
    const auto add = [&](const std::string& label, bool counts, auto&& change) {
      State next = s;
      change(next);
      moves.push_back({label, std::move(next), counts});
    };
    MoveDriver(s, add);
    for (int r = 0; r < kRanks; ++r) {
      if (!s.ranks[r].alive) continue;
      for (int e = 0; e < job_.executors[r]; ++e) MoveExecutor(s, r, e, add);
      MoveHandler(s, r, add);
    }
    for (int from = 0; from < kProcesses; ++from) {
      const auto& channel = s.channels[from * kProcesses + kMatchmaker];
      if (channel.empty()) continue;
      add("the matchmaker gets " + kKindNames[channel.front().kind] + " from " + kNames[from], true, [&](State& n) {
        MatchmakerGets(n, from, Take(n, from, kMatchmaker));
      });
    }
    MoveCrash(s, add);
    return moves;
  }

  // ---- the driver: tasks come into A's queue ----
  template <class Add>
  void MoveDriver(const State& s, Add&& add) const {
    if (s.driver == kWakeOrTell) {
      add("the driver wakes or tells", true, [&](State& n) {
        n.driver = kNothing;
        WakeOrTell(n, 0);
      });
    } else if (s.submitted < job_.tasks.size()) {
      add("the driver submits task " + std::to_string(s.submitted), false, [&](State& n) {
        const Copy copy{n.submitted++, 0};
        if (IsForB(copy.task)) {
          Push(n, 0, copy, 1);
          return;
        }
        n.ranks[0].queue.push_back(copy);
        n.driver = kWakeOrTell;
      });
    }
  }

  bool IsIdle(const Rank& rank) const {
    return std::any_of(rank.executors.begin(), rank.executors.end(), [](const Executor& e) { return e.idle; });
  }
  bool HasBacklog(const Rank& rank) const {
    return std::any_of(rank.queue.begin(), rank.queue.end(),
                       [&](Copy copy) { return !variant_.backlog_is_what_may_move || !IsPinned(copy); });
  }
  /// After a push: wakes one that is idle, or tells the matchmaker.
  void WakeOrTell(State& s, int r) const {
    Rank& rank = s.ranks[r];
    if (HasSlots(r) || !variant_.wakes_with_slot_only)
      for (Executor& executor : rank.executors)
        if (executor.idle) {
          executor.idle = false;
          if (executor.step == kAsleep) executor.step = kLook;
          return;
        }
    // What was pushed may have been taken since: then it is told in vain.
    if (rank.said_backlog || (variant_.backlog_is_what_may_move && !HasBacklog(rank))) return;
    rank.said_backlog = true;
    Send(s, r, kMatchmaker, {kBacklog});
  }

  // ---- executors ----
  template <class Add>
  void MoveExecutor(const State& s, int r, int e, Add&& add) const {
    const Rank& rank = s.ranks[r];
    const Executor& executor = rank.executors[e];
    const std::string who = "executor " + kNames[r] + std::to_string(e);
    const bool may_take = !rank.queue.empty() && HasSlots(r);
    switch (executor.step) {
      case kLook:
        if (may_take)
          add(who + " takes and begins task " + std::to_string(rank.queue.front().task), true, [&](State& n) {
            Executor& me = n.ranks[r].executors[e];
            me = {kRuns, false, n.ranks[r].queue.front()};
            n.ranks[r].queue.erase(n.ranks[r].queue.begin());
            Owned& owned = n.tasks[me.copy.task];
            if (owned.begun_at != kNobody) n.fault = "a task runs twice";
            owned.begun_at = static_cast<std::int8_t>(r);
            if (variant_.asks_for_other_executors && n.ranks[r].queue.empty() && IsIdle(n.ranks[r])) AskForWork(n, r);
          });
        else
          add(who + " says idle", true, [&](State& n) {
            n.ranks[r].executors[e].idle = true;
            n.ranks[r].executors[e].step = kLookAgain;
          });
        break;
      case kLookAgain:
        add(who + " looks again", true, [&](State& n) {
          Executor& me = n.ranks[r].executors[e];
          if (n.ranks[r].queue.empty()) AskForWork(n, r);
          me.step = may_take || !me.idle ? kLook : kAsleep;
          me.idle = me.step == kAsleep;
        });
        break;
      case kAsleep: break;  // WakeOrTell wakes it
      case kRuns:
        if ((job_.tasks[executor.copy.task] & kLong) != 0 && !OnlyLongAreLeft(s)) break;
        add(who + " ends task " + std::to_string(executor.copy.task), false, [&](State& n) {
          Rank& mine = n.ranks[r];
          const Copy copy = mine.executors[e].copy;
          mine.executors[e] = {};
          if (r == 0) n.tasks[copy.task].ended = true;
          else Send(n, r, 0, {kTaskDone, copy});
          if (mine.supplier != kNobody && mine.queue.size() < kWant / 2) AskForWork(n, r);
        });
        break;
    }
  }

  void AskForWork(State& s, int r) const {
    Rank& rank = s.ranks[r];
    if (rank.asked) return;
    rank.asked = true;
    rank.asked_whom = rank.supplier != kNobody ? rank.supplier : kMatchmaker;
    Send(s, r, rank.asked_whom, {rank.supplier != kNobody ? kWorkRequest : kHungry});
  }
  void EndQuestion(Rank& rank) const {
    rank.asked = false;
    rank.asked_whom = kNobody;
  }

  // ---- messages ----
  template <class Add>
  void MoveHandler(const State& s, int r, Add&& add) const {
    const Rank& rank = s.ranks[r];
    const std::string who = "the handler of " + kNames[r];
    switch (rank.handler) {
      case kWakeOrTell:
        add(who + " wakes or tells", true, [&](State& n) {
          n.ranks[r].handler = kNothing;
          WakeOrTell(n, r);
        });
        return;
      case kEndQuestion:
        add(who + " ends its question", true, [&](State& n) {
          EndQuestion(n.ranks[r]);
          n.ranks[r].handler = variant_.looks_after_ending_question ? kLookAfterEnd : kNothing;
        });
        return;
      case kLookAfterEnd:
        add(who + " looks for idle executors", true, [&](State& n) {
          n.ranks[r].handler = kNothing;
          if (IsIdle(n.ranks[r]) && n.ranks[r].queue.empty()) AskForWork(n, r);
        });
        return;
      case kTakeBacklogBack:
        add(who + " takes its backlog back", true, [&](State& n) {
          Rank& mine = n.ranks[r];
          mine.handler = kNothing;
          if (!mine.said_backlog) return;
          mine.said_backlog = false;
          Send(n, r, kMatchmaker, {kNoBacklog});
          if (variant_.looks_after_taking_backlog_back) mine.handler = kLookAtBacklog;
        });
        return;
      case kLookAtBacklog:
        add(who + " looks at its backlog again", true, [&](State& n) {
          n.ranks[r].handler = kNothing;
          if (!HasBacklog(n.ranks[r]) || n.ranks[r].said_backlog) return;
          n.ranks[r].said_backlog = true;
          Send(n, r, kMatchmaker, {kBacklog});
        });
        return;
      case kNothing: break;
    }
    if (job_.keeps_house && rank.said_backlog && rank.queue.empty())
      add(who + " keeps house", true, [&](State& n) { n.ranks[r].handler = kTakeBacklogBack; });
    for (int from = 0; from < kProcesses; ++from) {
      const auto& channel = s.channels[from * kProcesses + r];
      if (channel.empty()) continue;
      add(who + " gets " + kKindNames[channel.front().kind] + " from " + kNames[from], true,
          [&](State& n) { Gets(n, r, from, Take(n, from, r)); });
    }
  }

  static bool Heard(const Rank& rank, int dead) { return (rank.dead_heard >> dead & 1) != 0; }

  void Gets(State& s, int r, int from, Message message) const {
    Rank& rank = s.ranks[r];
    const bool late = from < kRanks && Heard(rank, from) && variant_.late_messages_are_dropped;
    switch (message.kind) {
      case kTaskPush:
        if (!IsPinned(message.copy)) {
          rank.supplier = static_cast<std::int8_t>(from);
          EndQuestion(rank);
        }
        rank.queue.push_back(message.copy);
        rank.handler = kWakeOrTell;
        break;
      case kTaskDone: {
        Owned& owned = s.tasks[message.copy.task];
        if (owned.attempt != message.copy.attempt && variant_.late_messages_are_dropped) break;
        owned.ended = true;
        break;
      }
      case kHandBack: {
        Owned& owned = s.tasks[message.copy.task];
        if (late || (owned.attempt != message.copy.attempt && variant_.late_messages_are_dropped)) break;
        if (message.rank == r || Heard(rank, message.rank)) {
          if (message.rank == r) {
            rank.supplier = static_cast<std::int8_t>(from);
            EndQuestion(rank);
          }
          owned.out = kNobody;
          rank.queue.push_back(message.copy);
          rank.handler = kWakeOrTell;
        } else {
          Push(s, r, message.copy, message.rank);
        }
        break;
      }
      case kWorkRequest: {
        if (late) break;
        const std::size_t most = std::min(kWant, (rank.queue.size() + 1) / 2);
        std::size_t given = 0;
        for (auto it = rank.queue.begin(); it != rank.queue.end() && given < most;) {
          if (IsPinned(*it)) {
            ++it;
            continue;
          }
          const Copy copy = *it;
          it = rank.queue.erase(it);
          ++given;
          if (r == 0 || !variant_.owner_sends_on) Push(s, r, copy, from);
          else Send(s, r, 0, {kHandBack, copy, static_cast<std::int8_t>(from)});
        }
        if (given > 0) break;
        rank.handler = kTakeBacklogBack;
        Send(s, r, from, {kNoWork});
        break;
      }
      case kNoWork:
        if (late) break;
        if (rank.supplier == from) rank.supplier = kNobody;
        EndQuestion(rank);
        rank.handler = kLookAfterEnd;
        break;
      default:  // WorkHint
        if (!IsIdle(rank) || !rank.queue.empty() || Heard(rank, message.rank)) {
          rank.handler = kEndQuestion;
        } else {
          rank.asked_whom = message.rank;
          Send(s, r, message.rank, {kWorkRequest});
        }
    }
  }

  void Push(State& s, int from, Copy copy, int to) const {
    if (from == 0 && s.tasks[copy.task].attempt == copy.attempt) s.tasks[copy.task].out = static_cast<std::int8_t>(to);
    Send(s, from, to, {kTaskPush, copy});
  }

  void MatchmakerGets(State& s, int from, Message message) const {
    if ((s.matchmaker_dead >> from & 1) != 0 && variant_.late_messages_are_dropped) return;
    const auto bit = static_cast<std::uint8_t>(1 << from);
    switch (message.kind) {
      case kHungry:
        if (std::find(s.hungry.begin(), s.hungry.end(), from) == s.hungry.end())
          s.hungry.push_back(static_cast<std::int8_t>(from));
        break;
      case kBacklog: s.suppliers |= bit; break;
      default: s.suppliers &= static_cast<std::uint8_t>(~bit);
    }
    std::vector<std::int8_t> still_hungry;
    for (const std::int8_t hungry : s.hungry) {
      std::int8_t supplier = kNobody;
      for (std::int8_t r = 0; r < kRanks; ++r)
        if (r != hungry && (s.suppliers >> r & 1) != 0) supplier = r;
      if (supplier != kNobody) Send(s, kMatchmaker, hungry, {kWorkHint, {}, supplier});
      else if (variant_.hungry_stay_listed) still_hungry.push_back(hungry);
    }
    s.hungry = still_hungry;
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
    if ((s.matchmaker_dead & bit) == 0)
      add("the matchmaker hears of the crash", true, [&](State& n) {
        n.matchmaker_dead |= bit;
        n.suppliers &= static_cast<std::uint8_t>(~bit);
        std::erase(n.hungry, static_cast<std::int8_t>(dead));
      });
    for (int r = 0; r < kRanks; ++r) {
      if (!s.ranks[r].alive || Heard(s.ranks[r], dead) || s.ranks[r].handler != kNothing) continue;
      add(kNames[r] + " hears of the crash", true, [&](State& n) {
        Rank& rank = n.ranks[r];
        rank.dead_heard |= bit;
        if (rank.supplier == dead) rank.supplier = kNobody;
        if (r == 0 && variant_.takes_tasks_of_dead_back)
          for (std::uint8_t task = 0; task < kMaxTasks; ++task) {
            Owned& owned = n.tasks[task];
            if (owned.out != dead || owned.ended) continue;
            owned.out = kNobody;
            if (owned.begun_at == dead) owned.begun_at = kNobody;
            rank.queue.push_back({task, ++owned.attempt});
            rank.handler = kWakeOrTell;
          }
        if (!rank.asked || rank.asked_whom != dead || !variant_.questions_to_dead_end) return;
        EndQuestion(rank);
        // What follows a push looks for idle executors too.
        if (rank.handler == kNothing) rank.handler = kLookAfterEnd;
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
      {.tasks = {kLong, kPinned | kLong, kShort}, .executors = {1, 1, 0}},
      {.tasks = {kLong, kPinnedToB, kShort}, .executors = {1, 1, 0}},
      {.tasks = {kLong, kShort}, .executors = {1, 1, 0}, .a_is_busy = false, .others_are_hungry = false,
       .keeps_house = true},
      {.tasks = {kShort, kShort}, .executors = {1, 1, 0}, .a_is_busy = false, .a_has_slots = false},
      {.tasks = {kLong, kShort, kShort}, .executors = {1, 1, 0}},
      {.tasks = {kLong, kLong, kShort}, .executors = {1, 2, 0}},
      {.tasks = {kLong, kLong, kShort}, .executors = {1, 1, 1}, .b_is_busy = true},
      {.tasks = {kShort, kShort}, .executors = {1, 1, 0}, .crashes = 1},
      {.tasks = {kShort, kShort}, .executors = {0, 1, 1}, .a_is_busy = false, .b_is_busy = true, .crashes = 2},
      {.tasks = {kShort, kShort}, .executors = {0, 1, 1}, .a_is_busy = false, .b_is_busy = true, .crashes = 1},
  };
  return jobs;
}

/// Of a rule about crashes only in the jobs that have one.
enum Which { kAllJobs, kJobsWithCrash };
std::string FaultOf(Variant variant, Which which = kAllJobs) {
  for (const Job& job : Jobs()) {
    if (which == kJobsWithCrash && job.crashes == kNobody) continue;
    if (const Exploration result = Model(variant, job).Run(); !result.fault.empty()) return result.fault;
  }
  return "";
}

TEST(WorkModel, RunsEachTaskOnceAndLeavesNobodyIdle) {
  for (const Job& job : Jobs()) {
    const Exploration result = Model({}, job).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
    EXPECT_GT(result.states, 200u);
  }
}

TEST(WorkModel, FindsTheIdleRankWhenAQuestionIsEndedWithoutALook) {
  EXPECT_EQ(FaultOf({.looks_after_ending_question = false}), "a task never ends");
}

TEST(WorkModel, FindsTheIdleExecutorWhenTheFirstTaskEndsTheQuestionForAll) {
  EXPECT_EQ(FaultOf({.asks_for_other_executors = false}), "a task never ends");
}

TEST(WorkModel, FindsTheIdleRankWhenAnExecutorWithoutASlotIsWoken) {
  EXPECT_EQ(FaultOf({.wakes_with_slot_only = false}), "a task never ends");
}

TEST(WorkModel, FindsTheStormWhenPinnedTasksAreABacklog) {
  EXPECT_EQ(FaultOf({.backlog_is_what_may_move = false}), "messages pile up");
}

TEST(WorkModel, FindsTheIdleRankWhenABacklogIsTakenBackWithoutALook) {
  EXPECT_EQ(FaultOf({.looks_after_taking_backlog_back = false}), "a task never ends");
}

TEST(WorkModel, FindsTheIdleRankWhenTheHungryAreForgotten) {
  EXPECT_EQ(FaultOf({.hungry_stay_listed = false}), "a task never ends");
}

TEST(WorkModel, FindsTheFaultWhenRunnersHandTasksOnThemselves) {
  EXPECT_NE(FaultOf({.owner_sends_on = false}, kJobsWithCrash), "");
}

TEST(WorkModel, FindsTheLossWhenTasksOfTheDeadAreNotTakenBack) {
  EXPECT_EQ(FaultOf({.takes_tasks_of_dead_back = false}, kJobsWithCrash), "a task never ends");
}

TEST(WorkModel, FindsTheIdleRankWhenAQuestionToTheDeadStaysOpen) {
  EXPECT_EQ(FaultOf({.questions_to_dead_end = false}, kJobsWithCrash), "a task never ends");
}

TEST(WorkModel, FindsTheFaultWhenLateMessagesOfTheDeadCount) {
  EXPECT_NE(FaultOf({.late_messages_are_dropped = false}, kJobsWithCrash), "");
}

}  // namespace
}  // namespace manta::models
