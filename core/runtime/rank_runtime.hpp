#pragma once
// One session on one rank: joins the rooms, hands messages to them, and ends in order (docs/lifecycle.md).

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/runtime/actor_plane.hpp"
#include "core/runtime/hang_watch.hpp"
#include "core/runtime/job_info.hpp"
#include "core/runtime/ledger_service.hpp"
#include "core/runtime/object_plane.hpp"
#include "core/runtime/self_transport.hpp"
#include "core/runtime/task_plane.hpp"
#include "core/runtime/executor_pool.hpp"
#include "core/wire/hang_messages.hpp"

namespace manta::runtime {

class RankRuntime final : public MessageHandler, public ObjectEvents, public ThreadWork {
 public:
  /// `on_abort(code, reason)` is called once, by the service thread or a poller, when another rank ended the job.
  RankRuntime(JobInfo info, ProcessParts parts, std::function<void(int, const std::string&)> on_abort);
  ~RankRuntime();

  /// The session of this process; null between sessions.
  static RankRuntime* Current() { return current_.load(std::memory_order_acquire); }
  /// The same, or UsageError that says what to do.
  static RankRuntime& Require() {
    RankRuntime* const runtime = Current();
    if (runtime == nullptr) [[unlikely]] ThrowNotRunning();
    return *runtime;
  }

  void Start();

  // ---- the end ----
  /// Rank 0: tells all ranks, drops what is queued, waits until all have ended theirs. Returns the tasks dropped.
  std::uint64_t EndSession();
  /// Other ranks: blocks until rank 0 ends the session.
  void WaitForEnd();
  /// Waits for running tasks and ends the threads. False when that took longer than `grace_ns` (negative: no limit);
  /// then nothing may be destroyed, but it may be tried again.
  bool JoinThreads(std::int64_t grace_ns);
  /// Nobody polls from now on.
  void StopPolling() {
    progress_->Stop();
    progress_->Close();
  }
  /// Polls until all that was sent has left.
  void Flush();
  /// Tells the other ranks that the job ends now. Any thread, also a signal's helper.
  void BroadcastAbort(int code, const std::string& reason);

  // ---- for the API ----
  void Drain();
  StatsSnapshot Stats();
  ResourceMap AvailableResources();
  std::vector<AssignedGpu> GpusOf(const wire::Lease& lease) const;
  const JobInfo& info() const { return info_; }
  /// The session is over on all ranks: lets go of every value and of all that is kept for the node. User code.
  void Sweep();
  ObjectPlane& objects() { return *objects_; }
  TaskPlane& tasks() { return *tasks_; }
  ActorPlane& actors() { return *actors_; }
  worker::Progress& progress() { return *progress_; }
  LanePool& lanes() { return *lanes_; }
  std::uint32_t session() const { return info_.session; }
  void OnLastHold(ObjectState& object);

 private:
  // MessageHandler
  void OnMessage(Rank source, std::span<const std::byte> message) override;
  void OnOtherMessage(Rank source, const wire::Header& header, wire::Reader& reader);
  void OnPolled() override;
  // ObjectEvents
  void ActorUnreferenced(const ObjectId& actor) override { actors_->ActorUnreferenced(actor); }
  void BorrowWasConfirmed() override { tasks_->BorrowWasConfirmed(); }
  void RunInLane(std::function<void()> job) override { lanes_->Push(std::move(job)); }
  // ThreadWork
  void RunOnExecutor(const task::TaskPtr& task, int executor) override { tasks_->RunOnExecutor(task, executor); }
  void ExecutorIsIdle() override { tasks_->ExecutorIsIdle(); }
  void SlotWasReturned() override { tasks_->SlotWasReturned(); }
  void RunningTaskWaits() override { tasks_->RunningTaskWaits(); }
  void RunningTaskGoesOn() override { tasks_->RunningTaskGoesOn(); }
  bool SlotsAreOwed() const override { return tasks_->SlotsAreOwed(); }

  void On(Rank from, const wire::StatsQuery& message);
  void On(Rank from, const wire::AvailableQuery& message);
  void On(Rank from, const wire::Abort& message);
  void On(Rank from, const wire::SessionEnd& message);
  void On(Rank from, const wire::SessionEnded& message);
  void On(Rank from, const wire::HangQuery& query);
  void Housekeeping();
  std::uint64_t ProgressSoFar() const;
  void MakeHangWatch();
  std::vector<std::uint64_t> StatsOf() const;
  std::vector<std::vector<std::uint64_t>> StatsOfAll();
  void BeginEnd();
  static object::ObjectPool& Pool();
  [[noreturn]] static void ThrowNotRunning();

  // The one pointer by which the API's free functions find the session. Written at Init and Shutdown (release), read by
  // any call.
  static inline constinit std::atomic<RankRuntime*> current_{nullptr};

  JobInfo info_;
  ProcessParts parts_;
  std::function<void(int, const std::string&)> on_abort_;
  Counters counters_;
  std::unique_ptr<SelfTransport> self_transport_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<worker::Progress> progress_;
  std::unique_ptr<node::SlotTable> slots_;
  std::unique_ptr<scheduling::ReadyQueue> queue_;
  std::unique_ptr<ExecutorPool> executors_;
  std::unique_ptr<LanePool> lanes_;
  std::unique_ptr<LeasedPool> leased_;
  std::unique_ptr<Room> room_;
  std::unique_ptr<BlockKeeper> keeper_;
  std::unique_ptr<ArgumentAdmission> admission_;
  std::unique_ptr<ObjectPlane> objects_;
  std::unique_ptr<TaskPlane> tasks_;
  std::unique_ptr<ActorPlane> actors_;
  std::unique_ptr<LedgerService> ledger_;  // rank 0
  std::unique_ptr<HangWatch> hang_watch_;  // rank 0, with hang-seconds

  std::unique_ptr<Queries<std::vector<std::uint64_t>>> stats_queries_;
  std::unique_ptr<Queries<std::vector<std::pair<std::string, double>>>> available_queries_;

  struct Joined {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;  // guarded by mutex
  };
  std::shared_ptr<Joined> joined_;  // set by the first JoinThreads; the thread that joins has it too
  std::mutex end_mutex_;
  std::condition_variable end_changed_;
  bool end_asked_ = false;     // guarded by end_mutex_
  int ranks_ended_ = 0;        // rank 0; guarded by end_mutex_
  std::uint64_t dropped_ = 0;  // guarded by end_mutex_
  std::atomic<bool> ending_{false};
};

}  // namespace manta::runtime
