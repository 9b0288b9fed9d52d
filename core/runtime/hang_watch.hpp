#pragma once
// Rank 0's watch over hangs: asks all ranks every quarter of hang-seconds what goes on, and when nothing does, who waits
// for whom (hang_report.hpp decides and words it). A thread of its own, so that it may wait for answers.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/runtime/hang_report.hpp"
#include "core/runtime/router.hpp"

namespace manta::runtime {

class HangWatch {
 public:
  struct Options {
    double seconds = 0;
    std::function<void(HangFacts&)> add_resources;         // what rank 0 knows of requests and of what is free
    std::function<void(const std::string& reason)> abort;  // empty: it is only said
  };
  HangWatch(Options options, Router& router) : options_(std::move(options)), router_(router) {}
  ~HangWatch() { Stop(); }
  void Start() {
    thread_ = std::thread([this] { Watch(); });
  }
  /// Waits for the thread; it may be in the middle of a question. May be called again.
  void Stop();
  /// Under the token.
  void On(Rank from, wire::HangReply&& reply);

 private:
  void Watch();
  /// All ranks' answers by rank; nothing when one has not come in time, or at the end.
  std::optional<std::vector<wire::HangReply>> Ask(bool waits, std::vector<ObjectId> objects);
  std::optional<HangFacts> Gather();

  const Options options_;
  Router& router_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;                          // guarded by mutex_
  std::uint64_t round_ = 0;                    // guarded by mutex_
  std::vector<wire::HangReply> replies_;       // of the round, by rank; guarded by mutex_
  int missing_ = 0;                            // guarded by mutex_
  std::thread thread_;
};

}  // namespace manta::runtime
