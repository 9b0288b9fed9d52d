// The calls of one thread to one actor run in the order in which it made them, whatever their arguments are (small,
// large, not ready yet, failed) and while others call the same actor.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/mpi/control/support.hpp"

namespace call_order_test {

using control_test::Random;
using namespace std::chrono_literals;

constexpr int kThreads = 2;        // of the driver
constexpr int kTasksPerRank = 1;   // that call too
constexpr int kCalls = 100'000;
constexpr auto kLimit = 50s;
constexpr std::size_t kLargeBytes = 5000;  // more than travels inside a message

struct Listener {
  std::map<int, std::pair<int, int>> heard;  // by caller: the last number, and how many
  std::string fault;

  int Hear(int caller, int number) {
    auto& [last, count] = heard.try_emplace(caller, -1, 0).first->second;
    if (number <= last && fault.empty())
      fault = "caller " + std::to_string(caller) + ": " + std::to_string(number) + " after " + std::to_string(last);
    last = number;
    ++count;
    return number;
  }
  int HearText(int caller, int number, const std::string& text) {
    if (text.size() != kLargeBytes && fault.empty()) fault = "a text of " + std::to_string(text.size()) + " bytes";
    return Hear(caller, number);
  }
  int HearValue(int caller, int number, int) { return Hear(caller, number); }
  int Count(int caller) { return heard[caller].second; }
  std::string Fault() { return fault; }
};

int Slow(int microseconds) {
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  return microseconds;
}
int Fails() { throw std::runtime_error("on purpose"); }

/// Calls `calls` times; returns how many calls must have been heard, or -1 after printing what went wrong.
int Call(const manta::ActorHandle<Listener>& listener, int caller, int calls) {
  Random random(static_cast<std::uint64_t>(caller) + 7);
  const std::string large(kLargeBytes, 'x');
  const auto large_ref = manta::Put(large);
  std::vector<manta::ObjectRef<int>> answers;
  std::vector<bool> must_fail;
  for (int number = 0; number < calls; ++number) {
    const int dice = random.Below(1000);
    must_fail.push_back(false);
    if (dice < 3) {
      const auto late = manta::Task(Slow).SetRank(random.Below(manta::NumRanks())).Remote(random.Below(500));
      answers.push_back(listener.Task(&Listener::HearValue).Remote(caller, number, late));
    } else if (dice < 5) {
      must_fail.back() = true;
      const auto bad = manta::Task(Fails).SetRank(random.Below(manta::NumRanks())).Remote();
      answers.push_back(listener.Task(&Listener::HearValue).Remote(caller, number, bad));
    } else if (dice < 15) {
      answers.push_back(listener.Task(&Listener::HearText).Remote(caller, number, large));
    } else if (dice < 40) {
      answers.push_back(listener.Task(&Listener::HearText).Remote(caller, number, large_ref));
    } else {
      answers.push_back(listener.Task(&Listener::Hear).Remote(caller, number));
    }
  }
  int heard = 0;
  for (int number = 0; number < calls; ++number) {
    const auto at = static_cast<std::size_t>(number);
    try {
      if (*manta::Get(answers[at], kLimit) != number || must_fail[at]) {
        std::cerr << "caller " << caller << ": a wrong answer to call " << number << std::endl;
        return -1;
      }
      ++heard;
    } catch (const manta::TaskError&) {
      if (must_fail[at]) continue;
      std::cerr << "caller " << caller << ": call " << number << " failed" << std::endl;
      return -1;
    }
  }
  return heard;
}

namespace {

TEST(CallsToAnActor, OfOneThreadKeepTheirOrderAmongThoseOfOthers) {
  const int ranks = manta::NumRanks();
  const int callers = kThreads + ranks * kTasksPerRank;
  const int calls = kCalls / callers;
  const auto listener = manta::Actor<Listener>().SetRank(ranks - 1).Remote();

  std::vector<manta::ObjectRef<int>> counts;
  for (int caller = kThreads; caller < callers; ++caller)
    counts.push_back(manta::Task(Call).SetCpus(0).SetRank(caller % ranks).Remote(listener, caller, calls));
  std::vector<int> expected(static_cast<std::size_t>(callers));
  std::vector<std::thread> threads;
  for (int caller = 0; caller < kThreads; ++caller)
    threads.emplace_back([&, caller] { expected[static_cast<std::size_t>(caller)] = Call(listener, caller, calls); });
  for (auto& thread : threads) thread.join();
  std::size_t caller_of_task = kThreads;
  for (const auto& count : counts) expected[caller_of_task++] = *manta::Get(count, kLimit);

  EXPECT_EQ(*manta::Get(listener.Task(&Listener::Fault).Remote(), kLimit), "");
  for (int caller = 0; caller < callers; ++caller) {
    EXPECT_GT(expected[static_cast<std::size_t>(caller)], calls / 2) << "caller " << caller;
    EXPECT_EQ(*manta::Get(listener.Task(&Listener::Count).Remote(caller), kLimit),
              expected[static_cast<std::size_t>(caller)])
        << "caller " << caller;
  }
}

}  // namespace
}  // namespace call_order_test
