// Rows of waiting for one of many.

#include <manta/manta.hpp>

#include <cstdio>
#include <utility>
#include <vector>

#include "bench/micro/micro.hpp"
#include "bench/micro/ranks.hpp"

namespace micro {
namespace {

using Ref = manta::ObjectRef<int>;

int Same(int value) { return value; }

std::vector<Ref> Submit(std::size_t count) {
  const auto task = manta::Task(Same).SetRank(1);
  std::vector<Ref> refs;
  refs.reserve(count);
  for (std::size_t i = 0; i < count; ++i) refs.push_back(task.Remote(static_cast<int>(i)));
  return refs;
}

/// Seconds a ref that AsCompleted takes to give all of `refs`, each once.
double DrainSeconds(Micro& micro, std::vector<Ref> refs) {
  const std::size_t count = refs.size();
  std::size_t seen = 0, sum = 0;
  const double start = bench::Now();
  for (const auto& [index, ref] : manta::AsCompleted(std::move(refs))) {
    ++seen;
    sum += index;
  }
  const double spent = bench::Now() - start;
  micro.Check(seen == count && sum == count * (count - 1) / 2, "AsCompleted did not give each ref once");
  return spent / static_cast<double>(count);
}

/// Whether Wait can take over the list that it is given, so that no ref is copied.
template <class T>
concept WaitMoves = requires {
  static_cast<manta::WaitResult<T> (*)(std::vector<manta::ObjectRef<T>>&&, std::size_t)>(&manta::Wait<T>);
}
|| requires { static_cast<manta::WaitResult<T> (*)(std::vector<manta::ObjectRef<T>>, std::size_t)>(&manta::Wait<T>); };

constexpr std::size_t kWaited = 1000, kReady = 8;

/// 1,000 refs of which 8, here and there, are ready, and the gate that holds back the rest.
struct FewReady {
  Gate gate{AllRanks()};
  std::vector<Ref> refs = Submit(kWaited);
  FewReady() {
    for (std::size_t i = 0; i < kReady; ++i) refs[i * kWaited / kReady + 17] = manta::Put(static_cast<int>(i));
  }
};

}  // namespace

void WaitEachRows(Micro& micro) {
  const std::size_t count = micro.settings.waited;
  micro.report.Add("wait_each_ns",
                   bench::Repeat(micro.settings.repeats,
                                 [&] {
                                   auto refs = Submit(count);
                                   const auto values = manta::Get(refs);
                                   micro.Check(*values.back() == static_cast<int>(count - 1),
                                               "a task gave a wrong value");
                                   return 1e9 * DrainSeconds(micro, std::move(refs));
                                 }),
                   "ns");
  // Nothing is done when AsCompleted begins: the tasks, too, are timed, from the opening of the gate on.
  micro.report.Add("wait_each_running_ns",
                   bench::Repeat(micro.settings.repeats,
                                 [&] {
                                   Gate gate({1});
                                   auto refs = Submit(count);
                                   gate.Open();
                                   return 1e9 * DrainSeconds(micro, std::move(refs));
                                 }),
                   "ns");
}

/// 1,000 refs again and again: passed on and put together again from the result, or copied by the call.
template <class T>
void AddWaitCall(Micro& micro) {
  FewReady few;
  std::vector<double> copied, moved;
  const int calls = micro.settings.pairs * 20;
  bool good = true;
  const auto look = [&](const manta::WaitResult<T>& result) {
    good = good && result.ready.size() == 1 && result.unready.size() == kWaited - 1;
  };
  for (int i = 0; i < calls; ++i) {
    const double start = bench::Now();
    look(manta::Wait(few.refs, 1));
    copied.push_back(1e9 * (bench::Now() - start));
  }
  if constexpr (WaitMoves<T>) {
    for (int i = 0; i < calls; ++i) {
      const double start = bench::Now();
      auto result = manta::Wait(std::move(few.refs), 1);
      look(result);
      few.refs = std::move(result.unready);
      few.refs.push_back(std::move(result.ready.front()));
      moved.push_back(1e9 * (bench::Now() - start));
    }
  }
  for (int i = 0; i < static_cast<int>(kReady); ++i)
    good = good && *manta::Get(manta::Wait(few.refs, 1).ready.front()) >= 0;
  micro.Check(good, "Wait(refs, 1) did not give one ready ref and the rest");
  micro.report.Add("wait_call_copy_ns", copied, "ns");
  if (!WaitMoves<T>) std::printf("# wait_call_ns: Wait takes over no list here, so this is the form that copies\n");
  micro.report.Add("wait_call_ns", WaitMoves<T> ? moved : copied, "ns");
}

void WaitCallRows(Micro& micro) { AddWaitCall<int>(micro); }

}  // namespace micro
