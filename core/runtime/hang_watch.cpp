#include "core/runtime/hang_watch.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/base/clock.hpp"
#include "core/base/log.hpp"

namespace manta::runtime {
namespace {

// How far the questions go: through so many tasks that wait for each other, and to so many of them in all.
constexpr int kMaxRounds = 16;
constexpr std::size_t kMaxTasks = 512;

}  // namespace

void HangWatch::Stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void HangWatch::On(Rank from, wire::HangReply&& reply) {
  std::lock_guard lock(mutex_);
  if (reply.round != round_ || missing_ == 0) return;  // a late one
  replies_[static_cast<std::size_t>(from.value)] = std::move(reply);
  if (--missing_ == 0) changed_.notify_all();
}

std::optional<std::vector<wire::HangReply>> HangWatch::Ask(bool waits, std::vector<ObjectId> objects) {
  wire::HangQuery query;
  query.waits = waits;
  query.objects = std::move(objects);
  {
    std::lock_guard lock(mutex_);
    query.round = ++round_;
    missing_ = router_.ranks();
    replies_.assign(static_cast<std::size_t>(missing_), {});
  }
  for (int rank = 0; rank < router_.ranks(); ++rank) router_.Send(Rank(rank), query);
  std::unique_lock lock(mutex_);
  // A rank that computes answers within a tick of its service thread; who takes longer is no reason to speak of a hang.
  changed_.wait_for(lock, std::chrono::seconds(2), [this] { return stop_ || missing_ == 0; });
  if (stop_ || missing_ != 0) {
    missing_ = 0;
    return std::nullopt;
  }
  return std::move(replies_);
}

std::optional<HangFacts> HangWatch::Gather() {
  HangFacts facts;
  auto replies = Ask(true, {});
  for (int round = 0; replies && round < kMaxRounds; ++round) {
    for (std::size_t i = 0; i < replies->size(); ++i) {
      const Rank rank(static_cast<std::int32_t>(i));
      wire::HangReply& reply = (*replies)[i];
      for (wire::HangWait& wait : reply.waits) facts.waits.emplace_back(rank, std::move(wait));
      for (wire::HangTask& task : reply.tasks) facts.tasks.emplace_back(rank, std::move(task));
      facts.holders.insert(facts.holders.end(), reply.holders.begin(), reply.holders.end());
      facts.more_waits += reply.more_waits;
    }
    std::vector<ObjectId> next = NotYetTold(facts);
    if (next.empty() || facts.tasks.size() >= kMaxTasks) break;
    next.resize(std::min(next.size(), kMaxTasks));
    replies = Ask(false, std::move(next));
  }
  if (!replies) return std::nullopt;
  if (options_.add_resources) options_.add_resources(facts);
  facts.seconds = options_.seconds;
  return facts;
}

void HangWatch::Watch() {
  pthread_setname_np(pthread_self(), "manta-hang");
  const auto interval = std::chrono::duration<double>(std::max(0.1, options_.seconds / 4));
  HangClock clock(options_.seconds);
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, interval, [this] { return stop_; })) return;
    }
    const auto before = Ask(false, {});
    if (!before || !clock.Observe(base::NowNanoseconds(), SumOf(*before))) continue;
    const auto facts = Gather();
    const auto after = facts ? Ask(false, {}) : std::nullopt;
    // What moved while we asked makes what was said of it untrue.
    if (!after || !clock.Observe(base::NowNanoseconds(), SumOf(*after))) continue;
    const HangText text = DescribeHang(*facts);
    if (SumOf(*after).SomebodyMayAct() && !text.circle) {
      clock.Restart(base::NowNanoseconds());
      continue;
    }
    clock.Said();
    for (const std::string& line : text.lines) base::SayLine(line);
    if (options_.abort) {
      char reason[64];
      std::snprintf(reason, sizeof(reason), "no progress for %.1f s", options_.seconds);
      options_.abort(reason);
    }
  }
}

}  // namespace manta::runtime
