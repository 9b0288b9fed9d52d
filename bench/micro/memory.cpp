// Rows of very many at once: queued tasks, what one costs as their number grows, actors; and the memory that they take.

#include <manta/manta.hpp>

#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bench/micro/calls.hpp"
#include "bench/micro/ranks.hpp"

namespace micro {
namespace {

void Nothing() {}

class Member {
 public:
  explicit Member(int value) : value_(value) {}
  int Add(int value) { return value_ += value; }

 private:
  int value_;
};

double AvailableBytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("MemAvailable:", 0) == 0) return 1024 * std::stod(line.substr(13));
  }
  return 0;
}

/// Opens a gate when its time is over, for the case that a submitter must wait until tasks in front of it have run.
class OpensLate {
 public:
  OpensLate(Gate& gate, double seconds)
      : thread_([this, &gate, seconds] {
          std::unique_lock lock(mutex_);
          late_ = !wake_.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return in_time_; });
          if (late_) gate.Open();
        }) {}
  /// Whether all was submitted before the gate had to open.
  bool InTime() {
    {
      const std::lock_guard lock(mutex_);
      in_time_ = true;
    }
    wake_.notify_one();
    thread_.join();
    return !late_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool in_time_ = false, late_ = false;  // guarded by mutex_; late_ is read after the join
  std::thread thread_;
};

struct Queued {
  double submit = 0, drain = 0, drop = 0;  // s
  double bytes = 0;                        // of all ranks together, before the gate opened, above memory_at_start
  bool held = true;                        // all were submitted while no executor was free
};

/// `count` empty tasks that may run anywhere, submitted while all executors are held.
Queued QueueAndDrain(Micro& micro, std::size_t count, Refs& refs, bool weigh) {
  Queued queued;
  Gate gate(AllRanks());
  OpensLate late(gate, 60);
  const Executed executed;
  const auto task = manta::Task(Nothing);
  refs.reserve(count);
  const double start = bench::Now();
  for (std::size_t i = 0; i < count; ++i) refs.push_back(task.Remote());
  queued.submit = bench::Now() - start;
  queued.held = late.InTime();
  std::uint64_t early = 0;
  for (std::uint64_t n : executed.ByRank(0)) early += n;
  if (queued.held) micro.Check(early == 0, std::to_string(early) + " tasks ran while all executors were held");
  if (weigh) {
    queued.bytes = Footprint() - micro.memory_at_start - static_cast<double>(refs.size() * sizeof(refs[0]));
  }

  const Executed after;
  gate.Open();
  manta::Get(refs);
  const double end = bench::Now();
  queued.drain = end - gate.FirstWake();
  // The tasks, those of the gate, and those that opened it.
  const std::uint64_t expected = count + gate.held() + static_cast<std::uint64_t>(manta::NumRanks());
  std::uint64_t ran = early;
  for (std::uint64_t n : after.ByRank(expected)) ran += n;
  if (queued.held)
    micro.Check(ran == expected, "queued: " + std::to_string(ran) + " tasks ran, not " + std::to_string(expected));
  const double before_drop = bench::Now();
  refs.clear();
  queued.drop = bench::Now() - before_drop;
  return queued;
}

using Actors = std::vector<manta::ActorHandle<Member>>;

manta::ActorHandle<Member> MakeActor(int number) { return manta::Actor<Member>().SetRank(number % 2).Remote(number); }

/// Bytes that an actor takes that was made and called, without its handle. In steps, so that what is needed while they
/// are made and called (records of a million tasks, say) does not count.
double WeighActors(int count) {
  constexpr int kStep = 1000;
  Actors actors;
  actors.reserve(static_cast<std::size_t>(count));
  const double before = Footprint();
  for (int first = 0; first < count; first += kStep) {
    std::vector<manta::ObjectRef<int>> sums;
    for (int i = first; i < std::min(first + kStep, count); ++i) {
      actors.push_back(MakeActor(i));
      sums.push_back(actors.back().Task(&Member::Add).Remote(1));
    }
    manta::Get(sums);
  }
  const double grown = Footprint() - before - static_cast<double>(actors.size() * sizeof(actors[0]));
  for (const auto& actor : actors) actor.Kill();
  return grown / count;
}

/// Seconds of the life of `count` actors of two ranks: made, called once each, got, killed.
double ActorSeconds(Micro& micro, int count) {
  Actors actors;
  std::vector<manta::ObjectRef<int>> sums;
  actors.reserve(static_cast<std::size_t>(count));
  sums.reserve(static_cast<std::size_t>(count));
  const double start = bench::Now();
  for (int i = 0; i < count; ++i) actors.push_back(MakeActor(i));
  const double made = bench::Now();
  for (const auto& actor : actors) sums.push_back(actor.Task(&Member::Add).Remote(1));
  const auto values = manta::Get(sums);
  const double called = bench::Now();
  for (const auto& actor : actors) actor.Kill();
  // A rank that answers has taken in the kills that were sent before.
  manta::Get(manta::Task(Nothing).SetRank(1).Remote());
  const double killed = bench::Now();
  std::printf("# actors_100k_s: %d made in %.3f s, called and got in %.3f s, killed in %.3f s\n", count, made - start,
              called - made, killed - called);
  int wrong = 0;
  for (int i = 0; i < count; ++i) wrong += *values[static_cast<std::size_t>(i)] != i + 1 ? 1 : 0;
  micro.Check(wrong == 0, "actors gave wrong values: " + std::to_string(wrong));
  return killed - start;
}

}  // namespace

void QueuedRows(Micro& micro) {
  std::size_t count = micro.settings.queued;
  std::string unmet;
  {
    // A look ahead, so that a machine with too little memory gets a smaller run and not the end of one.
    const std::size_t few = std::min<std::size_t>(count, 200'000);
    Refs refs;
    const double each = std::max(0.0, QueueAndDrain(micro, few, refs, true).bytes / static_cast<double>(few));
    const double room = 0.7 * AvailableBytes();
    if (static_cast<double>(count) * (each + sizeof(refs[0])) > room)
      count = static_cast<std::size_t>(room / (each + sizeof(refs[0])));
  }
  if (count != 10'000'000) unmet = "of " + std::to_string(count) + " tasks, not 10 M";
  Refs refs;
  const Queued queued = QueueAndDrain(micro, count, refs, true);
  if (!queued.held) unmet = "the submitter had to wait for tasks that the gate held back";
  std::printf(
      "# queued_10M_s: submitted in %.3f s, drained and got in %.3f s from the gate on, refs given up in %.3f s (not "
      "counted); bytes are the growth since the program began\n",
      queued.submit, queued.drain, queued.drop);
  micro.report.Add("queued_10M_s", queued.submit + queued.drain, "s", unmet);
  micro.report.Add("queued_bytes_per_task", queued.bytes / static_cast<double>(count), "B", unmet);
}

void PendingRows(Micro& micro) {
  Refs refs;
  std::vector<std::pair<std::size_t, double>> costs;
  for (std::size_t pending = 1000, power = 3; pending <= micro.settings.most_pending; pending *= 10, ++power) {
    const int repeats = static_cast<int>(std::clamp<std::size_t>(1'000'000 / pending, 1, 15));
    const auto ns = bench::Repeat(repeats, [&] {
      const Queued queued = QueueAndDrain(micro, pending, refs, false);
      return 1e9 * (queued.submit + queued.drain + queued.drop) / static_cast<double>(pending);
    });
    micro.report.Add("pending_cost_ns_1e" + std::to_string(power), ns, "ns");
    costs.emplace_back(pending, bench::Median(ns));
  }
  const double first = costs.front().second, last = costs.back().second;
  std::printf(
      "# a task among %zu pending costs %.2f times one among %zu, %+.0f ns (asked: at most 2 times and 200 ns): %s\n",
      costs.back().first, last / first, costs.front().first, last - first,
      last <= 2 * first && last <= first + 200 ? "met" : "MISSED");
}

void ManyActorRows(Micro& micro) {
  const int count = static_cast<int>(micro.settings.actors);
  const std::string unmet = count == 100'000 ? "" : "of " + std::to_string(count) + " actors, not 100,000";
  const double bytes = WeighActors(count);
  std::vector<double> seconds;
  for (int round = 0; round < 3; ++round) seconds.push_back(ActorSeconds(micro, count));
  micro.report.Add("actors_100k_s", seconds, "s", unmet);
  micro.report.Add("actor_bytes", bytes, "B", unmet);
}

}  // namespace micro
