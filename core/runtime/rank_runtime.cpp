#include "core/runtime/rank_runtime.hpp"

#include <algorithm>
#include <sstream>
#include <thread>

#include "core/base/event_ring.hpp"
#include "core/base/log.hpp"
#include "core/runtime/wait_note.hpp"

namespace manta::runtime {

object::ObjectPool& RankRuntime::Pool() {
  static auto* pool = new object::ObjectPool();  // records outlive sessions: users may keep refs
  return *pool;
}

void RankRuntime::ThrowNotRunning() {
  throw UsageError("Manta is not running: call manta::Init, or use manta::Run; it has been shut down if it ran before");
}

RankRuntime::RankRuntime(JobInfo info, ProcessParts parts, std::function<void(int, const std::string&)> on_abort)
    : info_(std::move(info)), parts_(parts), on_abort_(std::move(on_abort)) {
  base::RecordEvents(info_.settings.events);
  notes_are_made.store(info_.settings.hang_seconds > 0, std::memory_order_relaxed);
  const auto blocks = node::BlocksOf(parts_.segment, parts_.layout);
  node::RankBlock& mine = blocks[info_.my_index];
  self_transport_ = std::make_unique<SelfTransport>(info_.self, mine);
  std::vector<Transport*> transports{self_transport_.get()};
  transports.insert(transports.end(), parts_.transports.begin(), parts_.transports.end());
  router_ = std::make_unique<Router>(info_.ranks, transports, info_.session, mine);
  if (parts_.rma != nullptr) transports.push_back(parts_.rma);
  if (parts_.bulk != nullptr) transports.push_back(parts_.bulk);

  worker::Progress::Options options;
  options.blocks = blocks;
  options.my_index = info_.my_index;
  options.node_cores = info_.node_cores;
  options.housekeeping = [this] { Housekeeping(); };
  options.on_tick = [this] {
    const bool lanes = lanes_->Tick();
    const bool tasks = tasks_->Tick();
    return executors_->Tick() || lanes || tasks;
  };
  options.before_wait = [this] { lanes_->WakeForJobs(); };
  progress_ = std::make_unique<worker::Progress>(options, transports, *this);

  const scheduling::NodeSpec& spec =
      info_.specs[static_cast<std::size_t>(info_.node_of[static_cast<std::size_t>(info_.self.value)].value)];
  slots_ = std::make_unique<node::SlotTable>(blocks, info_.my_index);
  mine.free_slots.store(spec.slots.at(info_.self).units(), std::memory_order_relaxed);
  mine.running.store(0, std::memory_order_relaxed);
  mine.spinning.store(0, std::memory_order_relaxed);
  queue_ = std::make_unique<scheduling::ReadyQueue>(ExecutorPool::WithSpares(info_.executors));
  executors_ = std::make_unique<ExecutorPool>(
      ExecutorPool::Options{info_.executors, info_.my_index, info_.executor_cpus}, *progress_, *slots_, *queue_, *this);
  lanes_ = std::make_unique<LanePool>(*progress_, *executors_);
  LeasedPool::Options leased_options{info_.core_cpus, info_.node_cpus};
  leased_options.most_idle = std::max(leased_options.most_idle, info_.core_cpus.size());  // one for each core at least
  leased_ = std::make_unique<LeasedPool>(std::move(leased_options));

  Room::Options room_options;
  room_options.seal_live = [this](std::uint64_t size_bytes) {
    lanes_->Push([this, size_bytes] { objects_->SealLive(size_bytes); });
  };
  room_options.cpus = info_.node_cpus;
  room_options.wait_seconds = info_.settings.store_wait_seconds;
  for (int rank = 0; rank < info_.ranks; ++rank)
    if (Rank(rank) != info_.self && info_.node_of[static_cast<std::size_t>(rank)] ==
                                        info_.node_of[static_cast<std::size_t>(info_.self.value)])
      room_options.peers.push_back(Rank(rank));
  room_ = std::make_unique<Room>(std::move(room_options), *parts_.store, *parts_.spill_files, *router_, *progress_,
                                 counters_);
  keeper_ = std::make_unique<BlockKeeper>(BlockKeeper::Options{info_.self, info_.node_of}, *router_, *parts_.store,
                                          *room_, parts_.bulk, parts_.rma, counters_);
  mine.admitted_bytes.store(0, std::memory_order_relaxed);
  mine.admission_turn.store(0, std::memory_order_relaxed);
  admission_ = std::make_unique<ArgumentAdmission>(blocks, info_.my_index, parts_.store->total_bytes(), *progress_);
  ObjectPlane::Options object_options;
  object_options.self = info_.self;
  object_options.node_of = info_.node_of;
  object_options.inline_bytes = info_.settings.inline_bytes;
  object_options.check_serialize = info_.settings.check_serialize;
  objects_ = std::make_unique<ObjectPlane>(object_options, Pool(), *router_, *parts_.store, *room_, *keeper_,
                                           *admission_, *progress_, counters_, *this);
  TaskPlane::Options task_options;
  task_options.self = info_.self;
  task_options.ranks = info_.ranks;
  task_options.nodes = info_.specs;
  task_options.central = info_.settings.scheduler == SchedulerMode::kCentral;
  task_options.credits = static_cast<std::uint32_t>(info_.settings.credits);
  task_options.queue_bytes = info_.settings.queue_bytes;
  tasks_ = std::make_unique<TaskPlane>(task_options, TaskPlane::Parts{*objects_, *router_, *progress_, *executors_,
                                                                      *lanes_, *leased_, *queue_, *slots_, counters_});
  actors_ = std::make_unique<ActorPlane>(
      info_.self, info_.ranks,
      ActorPlane::Parts{*objects_, *tasks_, *router_, *progress_, *lanes_, *leased_, counters_});
  tasks_->SetActors(*actors_);
  tasks_->SetBeforeLeasedRun([this](const wire::Lease& lease) {
    for (const AssignedGpu& gpu : GpusOf(lease))
      if (gpu.ordinal >= 0) {
        parts_.devices->MakeCurrent(gpu.ordinal);
        break;
      }
  });
  if (info_.self == Rank(0)) ledger_ = std::make_unique<LedgerService>(info_.specs, *router_, counters_);
  if (info_.self == Rank(0) && info_.settings.hang_seconds > 0) MakeHangWatch();
  stats_queries_ = std::make_unique<Queries<std::vector<std::uint64_t>>>(*progress_);
  available_queries_ = std::make_unique<Queries<std::vector<std::pair<std::string, double>>>>(*progress_);
}

RankRuntime::~RankRuntime() {
  progress_->Stop();
  RankRuntime* mine = this;
  current_.compare_exchange_strong(mine, nullptr);
}

void RankRuntime::Start() {
  SetThreadSeed(base::MixHash(info_.settings.seed, 0x6d616e7461, 1));
  current_.store(this, std::memory_order_release);
  progress_->Start();
  executors_->Start();
  if (hang_watch_) hang_watch_->Start();
}

void RankRuntime::OnLastHold(ObjectState& object) {
  // A value that is only bytes has no destructor of the user's and may go under the token.
  std::unique_lock lock(object.Lock());
  const object::Cold* cold = object.cold();
  const bool live =
      object.in_use() && cold != nullptr && cold->live != nullptr && object.holds.load(std::memory_order_relaxed) == 0;
  if (live && progress_->HeldByThisThread()) {
    auto kept = std::make_shared<Handle>(object::Hold(object));
    lock.unlock();
    lanes_->Push([kept] {});
    return;
  }
  lock.unlock();
  if (live) executors_->ShareNext();
  objects_->OnLastHold(object);
}

// ---- messages ----
void RankRuntime::OnMessage(Rank source, std::span<const std::byte> bytes) {
  wire::Header header;
  wire::Reader reader(bytes);
  reader.Raw(&header, sizeof(header));
  if (header.session != info_.session) return GiveBackHanded(*parts_.store, bytes);  // of a session that is over
  // Nearly all are these two.
  if (header.kind == wire::Kind::kTaskPush)
    tasks_->OnTaskPush(source, bytes);
  else if (header.kind == wire::Kind::kTaskOk)
    tasks_->OnTaskOk(source, bytes);
  else
    OnOtherMessage(source, header, reader);
}

void RankRuntime::OnOtherMessage(Rank source, const wire::Header& header, wire::Reader& reader) {
  using wire::Kind;
#define MANTA_TO(room, Name) \
  case Kind::k##Name:        \
    return room->On(source, wire::Decode<wire::Name>(reader))
  switch (header.kind) {
    case Kind::kTaskPush:
    case Kind::kTaskOk:
      break;  // in OnMessage
    MANTA_TO(tasks_, TaskClassNotice);
    MANTA_TO(tasks_, TaskStarted);
    MANTA_TO(tasks_, TaskDone);
    MANTA_TO(tasks_, TaskCancel);
    MANTA_TO(tasks_, WorkRequest);
    MANTA_TO(tasks_, NoWork);
    MANTA_TO(tasks_, AnswerAskers);
    MANTA_TO(tasks_, HandBack);
    MANTA_TO(tasks_, WorkHint);
    MANTA_TO(tasks_, LeaseGrant);
    MANTA_TO(tasks_, CedeSlots);
    MANTA_TO(tasks_, SlotsReturned);
    MANTA_TO(tasks_, PlaceGrant);
    MANTA_TO(tasks_, PlacesRecall);
    MANTA_TO(ledger_, PlaceRequest);
    MANTA_TO(ledger_, PlacesBack);
    MANTA_TO(ledger_, Hungry);
    MANTA_TO(ledger_, Backlog);
    MANTA_TO(ledger_, LeaseRequest);
    MANTA_TO(ledger_, LeaseReturn);
    MANTA_TO(ledger_, LeaseSuspend);
    MANTA_TO(ledger_, LeaseResume);
    MANTA_TO(ledger_, SlotsCeded);
    MANTA_TO(objects_, ObjectQuery);
    MANTA_TO(objects_, ObjectReady);
    MANTA_TO(objects_, BorrowVia);
    MANTA_TO(objects_, BorrowConfirmed);
    MANTA_TO(objects_, BorrowDrop);
    MANTA_TO(objects_, TransitDone);
    MANTA_TO(objects_, CopyNotice);
    MANTA_TO(objects_, Evict);
    MANTA_TO(objects_, FreeBlock);
    MANTA_TO(objects_, BytesHere);
    MANTA_TO(keeper_, BytesAsk);
    MANTA_TO(keeper_, Pull);
    MANTA_TO(keeper_, PullAnswer);
    MANTA_TO(keeper_, PullDone);
    MANTA_TO(keeper_, KeeperStep);
    MANTA_TO(room_, RoomWanted);
    MANTA_TO(actors_, ActorEnd);
    MANTA_TO(actors_, ActorKill);
    MANTA_TO(actors_, ActorDied);
    MANTA_TO(actors_, NameRegister);
    MANTA_TO(actors_, NameLookup);
    MANTA_TO(actors_, NameGrant);
    MANTA_TO(actors_, NameReply);
    MANTA_TO(actors_, NameDrop);
    MANTA_TO(this, StatsQuery);
    MANTA_TO(this, AvailableQuery);
    MANTA_TO(this, Abort);
    MANTA_TO(this, SessionEnd);
    MANTA_TO(this, SessionEnded);
    MANTA_TO(this, HangQuery);
    MANTA_TO(hang_watch_, HangReply);
    case Kind::kStatsReply: {
      auto reply = wire::Decode<wire::StatsReply>(reader);
      return stats_queries_->Answered(reply.token, std::move(reply.values));
    }
    case Kind::kAvailableReply: {
      auto reply = wire::Decode<wire::AvailableReply>(reader);
      return available_queries_->Answered(reply.token, std::move(reply.amounts));
    }
  }
#undef MANTA_TO
  MANTA_LOG(kError, "runtime",
            "rank " << source << " sent a message of unknown kind " << static_cast<int>(header.kind));
}

void RankRuntime::Sweep() {
  if (parts_.bulk != nullptr) parts_.bulk->ForgetCallers();
  if (parts_.rma != nullptr) parts_.rma->ForgetCallers();
  objects_->Sweep();
  keeper_->Sweep();
}

void RankRuntime::OnPolled() { tasks_->Polled(); }

void RankRuntime::Housekeeping() {
  objects_->Housekeeping();
  room_->Housekeeping();
  tasks_->Housekeeping();
}

void RankRuntime::MakeHangWatch() {
  HangWatch::Options options;
  options.seconds = info_.settings.hang_seconds;
  options.add_resources = [this](HangFacts& facts) {
    facts.resources = ledger_->WhyWaiting();
    for (const wire::HangHolder& holder : facts.holders)
      if (const auto shape = ledger_->HeldBy(holder.lease))
        facts.resources.push_back(holder.name + " holds " + scheduling::Describe(*shape));
    std::ostringstream free;
    for (const auto& [name, amount] : ledger_->Available()) {
      free << (free.tellp() == 0 ? "free: " : ", ") << name << ' ';
      if (name == "memory")
        free << static_cast<std::int64_t>(amount / (1 << 20)) << " MiB";
      else
        free << amount;
    }
    facts.resources.push_back(free.str());
  };
  if (info_.settings.hang_abort)
    options.abort = [this](const std::string& reason) {
      BroadcastAbort(4, reason);  // "could not go on", see docs/lifecycle.md
      on_abort_(4, reason);
    };
  hang_watch_ = std::make_unique<HangWatch>(std::move(options), *router_);
}

std::vector<AssignedGpu> RankRuntime::GpusOf(const wire::Lease& lease) const {
  std::vector<AssignedGpu> gpus;
  const NodeInfo& node =
      info_.nodes[static_cast<std::size_t>(info_.node_of[static_cast<std::size_t>(info_.self.value)].value)];
  for (const wire::DeviceShare& share : lease.devices) {
    AssignedGpu gpu;
    gpu.index = share.device;
    gpu.amount = Amount::FromUnits(share.amount).value();
    if (static_cast<std::size_t>(share.device) < node.gpus.size())
      gpu.uuid = node.gpus[static_cast<std::size_t>(share.device)].uuid;
    for (const DeviceInfo& device : parts_.devices->devices())
      if (device.uuid == gpu.uuid) gpu.ordinal = device.ordinal;
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

// ---- the end ----
void RankRuntime::BroadcastAbort(int code, const std::string& reason) {
  router_->SendToAllOthers(info_.self, wire::Abort{code, reason});
  // The process ends right after: what MPI has not taken yet would be lost.
  for (int i = 0; i < 100; ++i) {
    progress_->TryPoll();
    if (std::all_of(parts_.transports.begin(), parts_.transports.end(),
                    [](const Transport* one) { return one->Flushed(); }))
      return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void RankRuntime::On(Rank, const wire::Abort& message) { on_abort_(message.code, message.reason); }

void RankRuntime::BeginEnd() {
  if (ending_.exchange(true)) return;
  const std::uint64_t dropped = tasks_->DropQueued();
  // What waits for a result of another rank must not wait for ever.
  objects_->FailAllPending("the session has ended: Shutdown was called");
  objects_->EndBringing();
  room_->Close();
  std::lock_guard lock(end_mutex_);
  dropped_ += dropped;
}

std::uint64_t RankRuntime::EndSession() {
  MANTA_EXPECT(RunContext::Current() == nullptr, "Shutdown was called from a task; call it from the driver");
  if (hang_watch_) hang_watch_->Stop();
  router_->SendToAllOthers(info_.self, wire::SessionEnd{});
  BeginEnd();
  // The others say how many they dropped; one that is stuck in a task answers all the same, by its main thread.
  std::unique_lock lock(end_mutex_);
  end_changed_.wait_for(lock, std::chrono::seconds(2), [this] { return ranks_ended_ == info_.ranks - 1; });
  return dropped_;
}

void RankRuntime::On(Rank, const wire::SessionEnd&) {
  std::lock_guard lock(end_mutex_);
  end_asked_ = true;
  end_changed_.notify_all();
}

void RankRuntime::WaitForEnd() {
  {
    std::unique_lock lock(end_mutex_);
    end_changed_.wait(lock, [this] { return end_asked_; });
  }
  BeginEnd();
  std::lock_guard lock(end_mutex_);
  router_->Send(Rank(0), wire::SessionEnded{dropped_});
}

void RankRuntime::On(Rank, const wire::SessionEnded& message) {
  std::lock_guard lock(end_mutex_);
  dropped_ += message.dropped_tasks;
  ++ranks_ended_;
  end_changed_.notify_all();
}

bool RankRuntime::JoinThreads(std::int64_t grace_ns) {
  // Tasks that run may take long, and joins have no time limit of their own: a thread of its own joins.
  if (joined_ == nullptr) {
    joined_ = std::make_shared<Joined>();
    std::thread([this, joined = joined_] {
      executors_->Stop();
      leased_->Stop();
      actors_->DestroyAll();
      room_->Stop();  // before the lanes, to which it gives work; nobody waits for room any more
      lanes_->Stop();
      std::lock_guard lock(joined->mutex);
      joined->done = true;
      joined->changed.notify_all();
    }).detach();
  }
  std::unique_lock lock(joined_->mutex);
  auto done = [this] { return joined_->done; };
  if (grace_ns >= 0) return joined_->changed.wait_for(lock, std::chrono::nanoseconds(grace_ns), done);
  joined_->changed.wait(lock, done);
  return true;
}

void RankRuntime::Flush() {
  for (;;) {
    progress_->TryPoll();
    bool flushed = true;
    for (const Transport* transport : parts_.transports) flushed = flushed && transport->Flushed();
    if (flushed && !self_transport_->MayHaveIncoming()) return;
    std::this_thread::yield();
  }
}

}  // namespace manta::runtime
