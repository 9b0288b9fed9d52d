#include "tests/support/nothing_left.hpp"

#include <manta/manta.hpp>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace test_support {
namespace {

using namespace std::chrono_literals;

/// Drops are messages: the last of a test take a moment, more on a machine that is busy with other tests.
constexpr std::chrono::seconds kPatience{5};

struct Left {
  std::vector<std::uint64_t> objects, bytes, pins;  // by rank

  static Left Now() {
    const manta::StatsSnapshot stats = manta::Stats();
    return {stats.objects_alive_by_rank, stats.store_bytes_used_by_rank, stats.store_pins_by_rank};
  }
  bool MoreThan(const Left& other) const {
    return More(objects, other.objects) || More(bytes, other.bytes) || More(pins, other.pins);
  }

 private:
  static bool More(const std::vector<std::uint64_t>& mine, const std::vector<std::uint64_t>& others) {
    for (std::size_t i = 0; i < mine.size(); ++i)
      if (mine[i] > (i < others.size() ? others[i] : 0)) return true;
    return false;
  }
};

std::string Listed(const std::vector<std::uint64_t>& by_rank) {
  std::string text;
  for (const std::uint64_t count : by_rank) text += ' ' + std::to_string(count);
  return text;
}

const char* may_leave = nullptr;

class Listener final : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { may_leave = nullptr; }
  void OnTestEnd(const testing::TestInfo& test) override {
    if (!manta::IsInitialized() || test.result()->Skipped()) return;
    manta::Drain();
    if (may_leave != nullptr) {
      before_ = Left::Now();
      return;
    }
    const auto end = std::chrono::steady_clock::now() + kPatience;
    Left now = Left::Now();
    while (now.MoreThan(before_) && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(200us);
      now = Left::Now();
    }
    if (now.MoreThan(before_))
      ADD_FAILURE() << "left behind, by rank: objects" << Listed(now.objects) << ", bytes in the stores"
                    << Listed(now.bytes) << ", pins" << Listed(now.pins);
    before_ = now;  // what an earlier test left is not this one's
  }

  Left before_;
};

}  // namespace

void ExpectNothingIsLeft() {
  // The last to be added is told first of a test's end: the printer then knows of the failure.
  testing::UnitTest::GetInstance()->listeners().Append(new Listener());
}

void MayLeave(const char* why) {
  std::cout << "leaves something until the end of the session: " << why << '\n';
  may_leave = why;
}

}  // namespace test_support
