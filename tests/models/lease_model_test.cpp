// The lease protocol (core/scheduling/ledger.hpp), in every order of messages: rank 0's ledger, a rank that asks for
// leases and pushes tasks, and the rank that runs them, whose slot table all CPUs begin in. The executing rank has a
// one-CPU task of its own, and tasks under a lease may wait once. Messages between two ranks keep their order.
//
// Wrong is a CPU that is lost or counted twice, a lease that two tasks run under or one that is not out, and an end at
// which not all CPUs are back in the slot table. The requester may crash at any step; then the ledger and the executing
// rank hear of it at any time, and what the dead one sent may come even later.

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

constexpr int kTotal = 4;  // half CPUs, as all amounts here
constexpr int kOneCpu = 2;

enum Process : std::uint8_t { kLedger, kRequester, kExecutor, kProcesses };
enum Kind : std::uint8_t {
  kLeaseRequest, kLeaseGrant, kTaskPush, kTaskDone, kLeaseReturn, kLeaseSuspend, kLeaseResume, kCedeSlots, kSlotsCeded,
  kSlotsReturned
};
const std::array<std::string, 10> kKindNames{"LeaseRequest", "LeaseGrant",  "TaskPush",  "TaskDone",   "LeaseReturn",
                                             "LeaseSuspend", "LeaseResume", "CedeSlots", "SlotsCeded", "SlotsReturned"};

/// Ways to get it wrong.
struct Variant {
  bool ignores_unknown_resumes = true;
  bool ignores_unknown_returns = true;
  bool returns_of_waiting_give_no_cpus = true;
  bool counts_asks = true;
  bool gives_surplus_back = true;
  bool one_task_at_a_time = true;
  bool returns_after_task = true;
  bool takes_leases_of_dead = true;
  bool ignores_requests_of_dead = true;
};

/// What happens at most.
struct Job {
  std::vector<std::uint8_t> requests;  // amounts
  std::uint8_t tasks_per_lease = 1;
  std::uint8_t own_tasks = 1;
  std::uint8_t waits = 1;
  bool crashes = false;
};

struct Message {
  Kind kind;
  std::uint8_t value;  // a request, a lease, or an amount
  auto operator<=>(const Message&) const = default;
};
struct Lease {
  std::uint8_t id;
  bool suspended = false;
  auto operator<=>(const Lease&) const = default;
};
struct Holding {
  std::uint8_t lease;
  std::uint8_t tasks_left;
  std::uint8_t out = 0;  // tasks pushed and not done
  auto operator<=>(const Holding&) const = default;
};
struct Task {
  std::uint8_t lease;
  bool waits = false;
  auto operator<=>(const Task&) const = default;
};

struct State {
  // The ledger.
  std::int8_t pool = 0;
  std::int8_t asked = 0;
  std::int8_t in_slots = kTotal;
  std::vector<std::uint8_t> pending;
  std::vector<std::uint8_t> amount_of;  // by lease id, from 1
  std::vector<Lease> leases;
  bool ledger_heard = false;
  // The requester.
  std::uint8_t requests_sent = 0;
  std::vector<Holding> holdings;
  bool crashed = false;
  // The executing rank.
  std::int8_t slots = kTotal;
  std::int8_t owed = 0;
  std::uint8_t own_running = 0;
  std::uint8_t own_left = 0;
  std::vector<Task> tasks;
  std::uint8_t waits_left = 0;
  bool executor_heard = false;

  std::array<std::vector<Message>, kProcesses * kProcesses> channels;
  std::string fault;
  auto operator<=>(const State&) const = default;

  void Send(int from, int to, Kind kind, int value) {
    if (to == kRequester && crashed) return;
    channels[from * kProcesses + to].push_back({kind, static_cast<std::uint8_t>(value)});
  }
  int AmountOf(std::uint8_t lease) const { return amount_of[lease - 1]; }
  auto FindLease(std::uint8_t id) {
    return std::find_if(leases.begin(), leases.end(), [id](const Lease& lease) { return lease.id == id; });
  }
};

class Model {
 public:
  Model(Variant variant, Job job) : variant_(variant), job_(std::move(job)) {}

  Exploration Run() const {
    State initial;
    initial.own_left = job_.own_tasks;
    initial.waits_left = job_.waits;
    return Explore(
        initial, [this](const State& s) { return Moves(s); },
        [](const State& s, bool is_last) { return Fault(s, is_last); });
  }

 private:
  static std::string Fault(const State& s, bool is_last) {
    if (!s.fault.empty()) return s.fault;
    int sum = s.slots + kOneCpu * s.own_running + s.pool;
    for (const Lease& lease : s.leases)
      if (!lease.suspended) sum += s.AmountOf(lease.id);
    for (const auto& channel : s.channels)
      for (const Message& message : channel)
        if (message.kind == kSlotsCeded || message.kind == kSlotsReturned) sum += message.value;
    if (sum != kTotal) return "CPUs are lost or counted twice";
    if (s.asked > s.in_slots) return "a CPU is asked for twice";
    // After a crash, tasks of the dead run on until their rank has heard of it.
    if (!s.ledger_heard)
      for (const Task& task : s.tasks)
        if (std::none_of(s.leases.begin(), s.leases.end(), [&](const Lease& lease) { return lease.id == task.lease; }))
          return "a task runs under a lease that is not out";
    if (!is_last) return "";
    const bool idle = s.pending.empty() && s.leases.empty() && s.holdings.empty() && s.tasks.empty() && s.asked == 0;
    return s.slots == kTotal && idle ? "" : "CPUs do not come back";
  }

  std::vector<Move<State>> Moves(const State& s) const {
    std::vector<Move<State>> moves;
    const auto move = [&](const std::string& label, auto&& change) {
      State next = s;
      change(next);
      moves.push_back({label, std::move(next)});
    };
    MoveRequester(s, move);
    MoveExecutor(s, move);
    for (int from = 0; from < kProcesses; ++from)
      for (int to = 0; to < kProcesses; ++to) {
        const int at = from * kProcesses + to;
        if (s.channels[at].empty()) continue;
        const Message message = s.channels[at].front();
        move(kKindNames[message.kind] + " " + std::to_string(message.value) + " arrives", [&](State& n) {
          n.channels[at].erase(n.channels[at].begin());
          if (to == kLedger) LedgerGets(n, from, message);
          else if (to == kRequester) RequesterGets(n, message);
          else ExecutorGets(n, message);
        });
      }
    if (s.crashed && !s.ledger_heard)
      move("the ledger hears of the crash", [&](State& n) {
        n.ledger_heard = true;
        if (!variant_.takes_leases_of_dead) return;
        n.pending.clear();
        while (!n.leases.empty()) TakeBack(n, n.leases.front().id);
        Decide(n);
      });
    if (s.crashed && !s.executor_heard)
      move("the executing rank hears of the crash", [](State& n) {
        n.executor_heard = true;
        n.tasks.clear();
      });
    return moves;
  }

  // The requester: all leases are for the executing rank; it returns one when its tasks are done.
  template <class AddMove>
  void MoveRequester(const State& s, AddMove&& move) const {
    if (s.crashed) return;
    if (s.requests_sent < job_.requests.size())
      move("the requester asks", [](State& n) { n.Send(kRequester, kLedger, kLeaseRequest, n.requests_sent++); });
    for (std::size_t i = 0; i < s.holdings.size(); ++i) {
      const Holding& holding = s.holdings[i];
      const std::string lease = std::to_string(holding.lease);
      if (holding.tasks_left > 0 && (holding.out == 0 || !variant_.one_task_at_a_time))
        move("the requester pushes a task under lease " + lease, [&](State& n) {
          --n.holdings[i].tasks_left;
          ++n.holdings[i].out;
          n.Send(kRequester, kExecutor, kTaskPush, holding.lease);
        });
      if (holding.tasks_left == 0 && (holding.out == 0 || !variant_.returns_after_task))
        move("the requester returns lease " + lease, [&](State& n) {
          n.Send(kRequester, kLedger, kLeaseReturn, holding.lease);
          n.holdings.erase(n.holdings.begin() + static_cast<std::ptrdiff_t>(i));
        });
    }
    if (job_.crashes)
      move("the requester crashes", [](State& n) {
        n.crashed = true;
        n.holdings.clear();
        n.channels[kLedger * kProcesses + kRequester].clear();
        n.channels[kExecutor * kProcesses + kRequester].clear();
      });
  }

  void RequesterGets(State& s, Message message) const {
    if (message.kind == kLeaseGrant) {
      s.holdings.push_back({message.value, job_.tasks_per_lease});
      return;
    }
    for (Holding& holding : s.holdings)
      if (holding.lease == message.value) --holding.out;
  }

  template <class AddMove>
  void MoveExecutor(const State& s, AddMove&& move) const {
    if (s.own_left > 0 && s.slots >= kOneCpu)
      move("a task of the rank itself starts", [](State& n) {
        --n.own_left;
        ++n.own_running;
        n.slots -= kOneCpu;
      });
    if (s.own_running > 0)
      move("a task of the rank itself ends", [](State& n) {
        --n.own_running;
        n.slots += kOneCpu;
        CedeWhatIsOwed(n);
      });
    for (std::size_t i = 0; i < s.tasks.size(); ++i) {
      const std::uint8_t lease = s.tasks[i].lease;
      const std::string task = "the task under lease " + std::to_string(lease);
      if (s.tasks[i].waits) {
        move(task + " goes on", [&](State& n) {
          n.tasks[i].waits = false;
          n.Send(kExecutor, kLedger, kLeaseResume, lease);
        });
        continue;
      }
      move(task + " ends", [&](State& n) {
        n.tasks.erase(n.tasks.begin() + static_cast<std::ptrdiff_t>(i));
        n.Send(kExecutor, kRequester, kTaskDone, lease);
      });
      if (s.waits_left > 0)
        move(task + " waits", [&](State& n) {
          --n.waits_left;
          n.tasks[i].waits = true;
          n.Send(kExecutor, kLedger, kLeaseSuspend, lease);
        });
    }
  }

  static void ExecutorGets(State& s, Message message) {
    switch (message.kind) {
      case kTaskPush:
        if (s.executor_heard) return;
        for (const Task& task : s.tasks)
          if (task.lease == message.value) s.fault = "two tasks run under one lease";
        s.tasks.push_back({message.value});
        break;
      case kCedeSlots:
        s.owed = static_cast<std::int8_t>(s.owed + message.value);
        CedeWhatIsOwed(s);
        break;
      default:
        s.slots = static_cast<std::int8_t>(s.slots + message.value);
        CedeWhatIsOwed(s);
    }
  }

  static void CedeWhatIsOwed(State& s) {
    const int cpus = std::min<int>(s.owed, s.slots / kOneCpu * kOneCpu);
    if (cpus <= 0) return;
    s.owed = static_cast<std::int8_t>(s.owed - cpus);
    s.slots = static_cast<std::int8_t>(s.slots - cpus);
    s.Send(kExecutor, kLedger, kSlotsCeded, cpus);
  }

  void LedgerGets(State& s, int from, Message message) const {
    const auto add = [&s](int cpus) { s.pool = static_cast<std::int8_t>(s.pool + cpus); };
    switch (message.kind) {
      case kLeaseRequest:
        if (s.ledger_heard && from == kRequester && variant_.ignores_requests_of_dead) return;
        s.pending.push_back(message.value);
        break;
      case kLeaseReturn:
        TakeBack(s, message.value);
        break;
      case kLeaseSuspend:
      case kLeaseResume: {
        const auto lease = s.FindLease(message.value);
        const bool suspends = message.kind == kLeaseSuspend;
        if (lease == s.leases.end() ? variant_.ignores_unknown_resumes : lease->suspended == suspends) return;
        if (lease != s.leases.end()) lease->suspended = suspends;
        add(suspends ? s.AmountOf(message.value) : -s.AmountOf(message.value));
        break;
      }
      default:  // SlotsCeded
        if (message.value > s.asked) s.fault = "more is ceded than was asked for";
        s.asked = static_cast<std::int8_t>(s.asked - message.value);
        s.in_slots = static_cast<std::int8_t>(s.in_slots - message.value);
        add(message.value);
    }
    Decide(s);
  }

  void TakeBack(State& s, std::uint8_t id) const {
    const auto lease = s.FindLease(id);
    if (lease == s.leases.end() && variant_.ignores_unknown_returns) return;
    const bool suspended = lease != s.leases.end() && lease->suspended && variant_.returns_of_waiting_give_no_cpus;
    if (!suspended) s.pool = static_cast<std::int8_t>(s.pool + s.AmountOf(id));
    if (lease != s.leases.end()) s.leases.erase(lease);
  }

  /// Grants in order, asks for what the first that waits and the pool miss, or gives back what is over.
  void Decide(State& s) const {
    while (!s.pending.empty() && s.pool >= job_.requests[s.pending.front()]) {
      const std::uint8_t amount = job_.requests[s.pending.front()];
      s.pending.erase(s.pending.begin());
      s.pool = static_cast<std::int8_t>(s.pool - amount);
      s.amount_of.push_back(amount);
      const auto id = static_cast<std::uint8_t>(s.amount_of.size());
      s.leases.push_back({id});
      s.Send(kLedger, kRequester, kLeaseGrant, id);
    }
    const int missing = (s.pending.empty() ? 0 : job_.requests[s.pending.front()]) - s.pool;
    if (missing > 0) {
      const int coming = variant_.counts_asks ? s.asked : 0;
      const int ask = std::min<int>((missing + kOneCpu - 1) / kOneCpu * kOneCpu, s.in_slots) - coming;
      if (ask <= 0) return;
      s.asked = static_cast<std::int8_t>(s.asked + ask);
      s.Send(kLedger, kExecutor, kCedeSlots, ask);
    } else if (s.pool >= kOneCpu && variant_.gives_surplus_back) {
      const int give = s.pool / kOneCpu * kOneCpu;
      s.pool = static_cast<std::int8_t>(s.pool - give);
      s.in_slots = static_cast<std::int8_t>(s.in_slots + give);
      s.Send(kLedger, kExecutor, kSlotsReturned, give);
    }
  }

  const Variant variant_;
  const Job job_;
};

const std::vector<Job>& Jobs() {
  static const std::vector<Job> jobs{
      {.requests = {1, 4, 1}, .tasks_per_lease = 1, .own_tasks = 1, .waits = 1},
      {.requests = {1, 1}, .tasks_per_lease = 2, .own_tasks = 2, .waits = 2},
      {.requests = {1, 3}, .tasks_per_lease = 2, .own_tasks = 1, .waits = 1, .crashes = true},
  };
  return jobs;
}

std::string FaultOf(Variant variant) {
  for (const Job& job : Jobs())
    if (const Exploration result = Model(variant, job).Run(); !result.fault.empty()) return result.fault;
  return "";
}

TEST(LeaseModel, LosesNoCpuAndSharesNoLease) {
  for (const Job& job : Jobs()) {
    const Exploration result = Model({}, job).Run();

    EXPECT_EQ(result.fault, "") << result.trace;
    EXPECT_GT(result.states, 1000u);
  }
}

TEST(LeaseModel, FindsTheFaultWhenAResumeThatComesAfterTheReturnCounts) {
  EXPECT_EQ(FaultOf({.ignores_unknown_resumes = false}), "CPUs are lost or counted twice");
}

TEST(LeaseModel, FindsTheFaultWhenAReturnOfTheDeadCountsAfterItsLeasesWereTakenBack) {
  EXPECT_EQ(FaultOf({.ignores_unknown_returns = false}), "CPUs are lost or counted twice");
}

TEST(LeaseModel, FindsTheFaultWhenALeaseWhoseTaskWaitsReturnsItsCpusAgain) {
  EXPECT_EQ(FaultOf({.returns_of_waiting_give_no_cpus = false}), "CPUs are lost or counted twice");
}

TEST(LeaseModel, FindsTheFaultWhenAsksAreNotCounted) {
  EXPECT_EQ(FaultOf({.counts_asks = false}), "a CPU is asked for twice");
}

TEST(LeaseModel, FindsTheLossWhenWhatIsOverIsKept) {
  EXPECT_EQ(FaultOf({.gives_surplus_back = false}), "CPUs do not come back");
}

TEST(LeaseModel, FindsTheFaultWhenATaskIsPushedBeforeTheLastIsDone) {
  EXPECT_EQ(FaultOf({.one_task_at_a_time = false}), "two tasks run under one lease");
}

TEST(LeaseModel, FindsTheFaultWhenALeaseIsReturnedBeforeItsTaskIsDone) {
  EXPECT_EQ(FaultOf({.returns_after_task = false}), "a task runs under a lease that is not out");
}

TEST(LeaseModel, FindsTheLossWhenLeasesOfTheDeadAreKept) {
  EXPECT_EQ(FaultOf({.takes_leases_of_dead = false}), "CPUs do not come back");
}

TEST(LeaseModel, FindsTheLossWhenALateRequestOfTheDeadIsGranted) {
  EXPECT_EQ(FaultOf({.ignores_requests_of_dead = false}), "CPUs do not come back");
}

}  // namespace
}  // namespace manta::models
