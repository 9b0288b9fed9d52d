// Credits, in every order of steps: two ranks that send tasks to each other through rings of one or two records.
// Roots are submitted by plain threads; each task may submit one task back to the rank that it came from, and wait
// for it.
//
//   owner:  a task takes one of `credits` for its rank, or waits here until one is free      TaskPush
//   runner: a task that is about to wait gives its credit back; it takes none when it goes on  TaskStarted
//           a task's end gives back what it still holds; replies need no credit                TaskDone
//
// A handler never blocks: what finds the ring full waits in the outbox of its process, and leaves when there is room.
// Wrong is a state in which nothing can happen and a task has not ended, more of another rank's tasks that have not
// begun to wait than there are credits, an outbox that grows past what credits allow, and credits that are lost.
//
// Room (queue-bytes) is in the model as a number of tasks that may lie at their owner unsent: above it, plain threads
// and tasks wait before they submit more. To wait for room is to wait: the task gives its credit back.

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

enum Kind : std::uint8_t { kTaskPush, kTaskStarted, kTaskDone, kTaskDoneUncounted, kTaskCancel, kReplyCredit };
const std::array<std::string, 6> kKindNames{"TaskPush", "TaskStarted", "TaskDone", "TaskDone (started before)",
                                            "TaskCancel", "ReplyCredit"};

/// Ways to get it wrong.
struct Variant {
  bool waits_for_credit = true;
  bool waiting_task_returns_credit = true;
  bool wait_for_room_returns_credit = true;
  bool done_says_started_before = true;  // else each end gives one back
  bool reply_needs_credit = false;
  bool handler_blocks = false;           // on a full ring
  bool cancel_returns_credit = false;    // at the owner, when it sends TaskCancel
  bool cancelled_task_is_answered = true;
  bool only_unsent_take_room = true;     // else all that have not ended do
};

struct Job {
  std::array<std::uint8_t, 2> roots;  // submitted by a thread of each rank
  std::uint8_t depth = 0;             // tasks that a root's chain has beside it
  std::uint8_t credits = 1;
  std::uint8_t ring = 1;     // records
  std::uint8_t room = 0;     // 0: no bound
  std::uint8_t cancels = 0;  // tasks that may be cancelled, by their owner
};

/// A task: its root and how deep below it; a message or a record of it.
struct Record {
  Kind kind;
  std::uint8_t task;
  auto operator<=>(const Record&) const = default;
};
enum TaskState : std::uint8_t {
  kNone, kAtOwner, kSent, kQueued, kRunning, kWaitsForRoom, kWaiting, kReady, kEnded, kAnswered
};

constexpr int kDepths = 3;
constexpr int kMaxTasks = 4 * kDepths;

struct Rank {
  std::uint8_t roots_left = 0;
  std::uint8_t in_flight = 0;  // credits that are out
  std::vector<std::uint8_t> waiting;  // tasks without a credit, in order
  std::vector<Record> outbox;
  std::vector<Record> ring;     // to the other rank
  std::vector<Record> replies;  // only where replies need credits
  std::uint8_t replies_out = 0;
  bool handler_is_stuck = false;
  auto operator<=>(const Rank&) const = default;
};
struct State {
  std::array<Rank, 2> ranks;
  std::array<std::uint8_t, kMaxTasks> tasks{};
  std::uint16_t waited = 0;  // by task: it gave its credit back
  std::uint16_t cancelled = 0;
  std::uint8_t cancels_left = 0;
  std::string fault;
  auto operator<=>(const State&) const = default;
};

class Model {
 public:
  Model(Variant variant, Job job) : variant_(variant), job_(job) {}

  Exploration Run() const {
    State initial;
    for (int r = 0; r < 2; ++r) initial.ranks[r].roots_left = job_.roots[r];
    initial.cancels_left = job_.cancels;
    return Explore(
        initial, [this](const State& s) { return Moves(s); },
        [this](const State& s, bool is_last) { return Fault(s, is_last); });
  }

 private:
  static int Depth(int task) { return task % kDepths; }
  int RootRank(int task) const { return task / kDepths < job_.roots[0] ? 0 : 1; }
  int Owner(int task) const { return (RootRank(task) + Depth(task)) % 2; }
  int Runner(int task) const { return 1 - Owner(task); }
  static std::uint16_t Bit(int task) { return static_cast<std::uint16_t>(1 << task); }
  static std::string Name(int task) {
    return "task " + std::to_string(task / kDepths) + std::string(static_cast<std::size_t>(Depth(task)), '\'');
  }

  std::string Fault(const State& s, bool is_last) const {
    if (!s.fault.empty()) return s.fault;
    for (int r = 0; r < 2; ++r) {
      int foreign = 0;
      for (int task = 0; task < kMaxTasks; ++task)
        if (Runner(task) == r && s.tasks[task] >= kQueued && s.tasks[task] <= kReady && (s.waited & Bit(task)) == 0)
          ++foreign;
      if (foreign > job_.credits) return "more foreign tasks than credits";
      // One push and one cancel for each credit of ours, one reply for each of theirs; what waited is the user's own.
      const auto pushes = std::count_if(s.ranks[r].outbox.begin(), s.ranks[r].outbox.end(),
                                        [](const Record& record) { return record.kind == kTaskPush; });
      if (pushes > job_.credits) return "the outbox grows past the credits";
    }
    if (!is_last) return "";
    for (const std::uint8_t task : s.tasks)
      if (task != kNone && task != kAnswered) return "nothing can happen, and a task has not ended";
    for (const Rank& rank : s.ranks) {
      if (rank.roots_left > 0) return "nothing can happen, and a thread waits for room";
      if (rank.in_flight != 0) return "a credit is lost";
    }
    return "";
  }

  std::vector<Move<State>> Moves(const State& s) const {
    std::vector<Move<State>> moves;
    const auto move = [&](const std::string& label, auto&& change) {
      State next = s;
      change(next);
      moves.push_back({label, std::move(next)});
    };
    for (int r = 0; r < 2; ++r) {
      const Rank& rank = s.ranks[r];
      const std::string who = "rank " + std::to_string(r) + ' ';
      if (rank.roots_left > 0 && HasRoom(s, r))
        move(who + "submits a root", [&](State& n) {
          const int index = (r == 0 ? 0 : job_.roots[0]) + job_.roots[r] - n.ranks[r].roots_left--;
          Submit(n, index * kDepths);
        });
      if (!rank.outbox.empty() && rank.ring.size() < job_.ring)
        move(who + "writes from its outbox", [&](State& n) {
          n.ranks[r].ring.push_back(n.ranks[r].outbox.front());
          n.ranks[r].outbox.erase(n.ranks[r].outbox.begin());
          if (n.ranks[r].outbox.empty()) n.ranks[r].handler_is_stuck = false;
        });
      if (!s.ranks[1 - r].ring.empty() && !rank.handler_is_stuck) {
        const Record record = s.ranks[1 - r].ring.front();
        move(who + "gets " + kKindNames[record.kind] + " of " + Name(record.task), [&](State& n) {
          n.ranks[1 - r].ring.erase(n.ranks[1 - r].ring.begin());
          Gets(n, r, record);
          n.ranks[r].handler_is_stuck = variant_.handler_blocks && !n.ranks[r].outbox.empty();
        });
      }
    }
    for (int task = 0; task < kMaxTasks; ++task) MoveTask(s, task, move);
    return moves;
  }

  template <class AddMove>
  void MoveTask(const State& s, int task, AddMove&& move) const {
    const int owner = Owner(task), runner = Runner(task);
    switch (s.tasks[task]) {
      case kQueued:
        move(Name(task) + " starts", [&](State& n) { n.tasks[task] = kRunning; });
        break;
      case kRunning:
        if (Depth(task) == job_.depth || s.tasks[task + 1] != kNone)
          move(Name(task) + " ends", [&](State& n) { End(n, task); });
        else if (HasRoom(s, runner))
          move(Name(task) + " submits a task and waits for it", [&](State& n) { SubmitAndWait(n, task); });
        else
          move(Name(task) + " waits for room", [&](State& n) {
            n.tasks[task] = kWaitsForRoom;
            if (variant_.wait_for_room_returns_credit) ReturnCredit(n, task);
          });
        break;
      case kWaitsForRoom:
        if (HasRoom(s, runner))
          move(Name(task) + " has room, submits a task and waits for it", [&](State& n) { SubmitAndWait(n, task); });
        break;
      case kReady:
        move(Name(task) + " goes on", [&](State& n) { n.tasks[task] = kRunning; });
        break;
      default: break;
    }
    if (s.cancels_left > 0 && (s.cancelled & Bit(task)) == 0 && s.tasks[task] >= kAtOwner && s.tasks[task] < kAnswered)
      move(Name(task) + " is cancelled", [&](State& n) {
        --n.cancels_left;
        n.cancelled |= Bit(task);
        if (n.tasks[task] == kAtOwner) {
          auto& waiting = n.ranks[owner].waiting;
          waiting.erase(std::find(waiting.begin(), waiting.end(), task));
          Answer(n, task);
          return;
        }
        Send(n, owner, {kTaskCancel, static_cast<std::uint8_t>(task)});
        if (variant_.cancel_returns_credit) GiveBack(n, owner);
      });
  }

  bool HasRoom(const State& s, int owner) const {
    if (job_.room == 0) return true;
    const int last = variant_.only_unsent_take_room ? kAtOwner : kEnded;
    int taken = 0;
    for (int task = 0; task < kMaxTasks; ++task)
      if (Owner(task) == owner && s.tasks[task] >= kAtOwner && s.tasks[task] <= last) ++taken;
    return taken < job_.room;
  }

  void SubmitAndWait(State& s, int task) const {
    Submit(s, task + 1);
    s.tasks[task] = kWaiting;
    if (variant_.waiting_task_returns_credit) ReturnCredit(s, task);
  }
  void ReturnCredit(State& s, int task) const {
    if ((s.waited & Bit(task)) != 0) return;
    s.waited |= Bit(task);
    Send(s, Runner(task), {kTaskStarted, static_cast<std::uint8_t>(task)});
  }

  void Submit(State& s, int task) const {
    Rank& rank = s.ranks[Owner(task)];
    s.tasks[task] = kAtOwner;
    rank.waiting.push_back(static_cast<std::uint8_t>(task));
    SendWaiting(s, Owner(task));
  }
  void SendWaiting(State& s, int r) const {
    Rank& rank = s.ranks[r];
    while (!rank.waiting.empty() && (rank.in_flight < job_.credits || !variant_.waits_for_credit)) {
      const std::uint8_t task = rank.waiting.front();
      rank.waiting.erase(rank.waiting.begin());
      ++rank.in_flight;
      s.tasks[task] = kSent;
      Send(s, r, {kTaskPush, task});
    }
  }
  void Send(State& s, int from, Record record) const {
    Rank& rank = s.ranks[from];
    if (rank.outbox.empty() && rank.ring.size() < job_.ring) rank.ring.push_back(record);
    else rank.outbox.push_back(record);
  }
  void GiveBack(State& s, int owner) const {
    if (s.ranks[owner].in_flight == 0) s.fault = "a credit is given back twice";
    else --s.ranks[owner].in_flight;
    SendWaiting(s, owner);
  }

  void End(State& s, int task) const {
    const bool uncounted = (s.waited & Bit(task)) != 0 && variant_.done_says_started_before;
    const Record done{uncounted ? kTaskDoneUncounted : kTaskDone, static_cast<std::uint8_t>(task)};
    s.tasks[task] = kEnded;
    if (!variant_.reply_needs_credit) {
      Send(s, Runner(task), done);
      return;
    }
    s.ranks[Runner(task)].replies.push_back(done);
    SendReplies(s, Runner(task));
  }
  /// A reply takes one of the sender's own credits, and comes back as a message.
  void SendReplies(State& s, int r) const {
    Rank& rank = s.ranks[r];
    while (!rank.replies.empty() && rank.in_flight < job_.credits) {
      ++rank.in_flight;
      Send(s, r, rank.replies.front());
      rank.replies.erase(rank.replies.begin());
    }
  }

  /// The task's end is known at its owner: who waits for it goes on.
  void Answer(State& s, int task) const {
    s.tasks[task] = kAnswered;
    if (Depth(task) > 0 && s.tasks[task - 1] == kWaiting) s.tasks[task - 1] = kReady;
  }

  void Gets(State& s, int r, Record record) const {
    switch (record.kind) {
      case kTaskPush:
        s.tasks[record.task] = kQueued;
        break;
      case kTaskStarted:
        GiveBack(s, r);
        break;
      case kTaskCancel:  // only what has not begun hears of it
        if (s.tasks[record.task] != kQueued) break;
        if (variant_.cancelled_task_is_answered) End(s, record.task);
        else s.tasks[record.task] = kAnswered;
        break;
      case kReplyCredit:
        GiveBack(s, r);
        SendReplies(s, r);
        break;
      default:
        Answer(s, record.task);
        if (variant_.reply_needs_credit) Send(s, r, {kReplyCredit, record.task});
        if (record.kind == kTaskDone) GiveBack(s, r);
        if (variant_.reply_needs_credit) SendReplies(s, r);
    }
  }

  const Variant variant_;
  const Job job_;
};

const std::vector<Job>& Jobs() {
  static const std::vector<Job> jobs{
      {.roots = {2, 2}, .depth = 0, .credits = 1, .ring = 1, .cancels = 1},
      {.roots = {2, 1}, .depth = 0, .credits = 2, .ring = 1, .cancels = 1},
      {.roots = {2, 2}, .depth = 0, .credits = 2, .ring = 1},
      {.roots = {2, 2}, .depth = 0, .credits = 2, .ring = 2},
      {.roots = {1, 1}, .depth = 2, .credits = 1, .ring = 1},
      {.roots = {1, 1}, .depth = 1, .credits = 1, .ring = 2, .cancels = 1},
      {.roots = {2, 1}, .depth = 1, .credits = 1, .ring = 1},
      {.roots = {2, 2}, .depth = 1, .credits = 1, .ring = 1, .room = 1},
      {.roots = {2, 1}, .depth = 2, .credits = 1, .ring = 1, .room = 1},
  };
  return jobs;
}

std::string FaultOf(Variant variant) {
  for (const Job& job : Jobs())
    if (const Exploration result = Model(variant, job).Run(); !result.fault.empty()) return result.fault;
  return "";
}

constexpr const char* kDeadlock = "nothing can happen, and a task has not ended";

TEST(CreditModel, AnswersEveryRequestWithinTheCredits) {
  for (const Job& job : Jobs()) {
    const Exploration result = Model({}, job).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
    EXPECT_GT(result.states, 500u);
  }
}

TEST(CreditModel, FindsTheDeadlockWhenRepliesNeedCredits) {
  EXPECT_EQ(FaultOf({.reply_needs_credit = true}), kDeadlock);
}

TEST(CreditModel, FindsTheDeadlockWhenAHandlerBlocksOnAFullRing) {
  EXPECT_EQ(FaultOf({.handler_blocks = true}), kDeadlock);
}

TEST(CreditModel, FindsTheDeadlockWhenATaskThatWaitsKeepsItsCredit) {
  EXPECT_EQ(FaultOf({.waiting_task_returns_credit = false}), kDeadlock);
}

TEST(CreditModel, FindsTheDeadlockWhenATaskThatWaitsForRoomKeepsItsCredit) {
  EXPECT_EQ(FaultOf({.wait_for_room_returns_credit = false}), kDeadlock);
}

TEST(CreditModel, FindsTheFaultWhenTheEndOfATaskThatHasWaitedGivesItsCreditAgain) {
  EXPECT_EQ(FaultOf({.done_says_started_before = false}), "a credit is given back twice");
}

TEST(CreditModel, FindsTheFloodWhenNobodyWaitsForCredits) {
  EXPECT_NE(FaultOf({.waits_for_credit = false}), "");
}

TEST(CreditModel, FindsTheFaultWhenACancelGivesTheCreditBackBeforeTheEnd) {
  EXPECT_NE(FaultOf({.cancel_returns_credit = true}), "");
}

TEST(CreditModel, FindsTheDeadlockWhenACancelledTaskIsNotAnswered) {
  EXPECT_EQ(FaultOf({.cancelled_task_is_answered = false}), kDeadlock);
}

TEST(CreditModel, FindsTheDeadlockWhenWhatWasSentTakesRoom) {
  EXPECT_EQ(FaultOf({.only_unsent_take_room = false}), kDeadlock);
}

}  // namespace
}  // namespace manta::models
