#include "mpi/launch/process.hpp"

#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <thread>

#include "core/base/log.hpp"
#include "core/node/ring_transport.hpp"
#include "core/runtime/block_keeper.hpp"
#include "core/task/code_address.hpp"
#include "core/topology/binding.hpp"
#include "gpu/make_backend.hpp"
#include "mpi/handles/error.hpp"
#include "mpi/launch/node_store.hpp"

namespace manta::launch {
namespace {

constexpr int kUsageExit = 2;

/// Leftovers of a session: every message in them is for objects that no longer exist.
class Discard final : public MessageHandler {
 public:
  explicit Discard(runtime::LocalStore& store) : store_(store) {}
  void OnMessage(Rank, std::span<const std::byte> message) override { runtime::GiveBackHanded(store_, message); }

 private:
  runtime::LocalStore& store_;
};

/// How many tasks Slurm's launcher started, of which this process is one; 1 where none did. A program that a batch
/// script runs by itself has Slurm's variables too, but is not the process that they were set for, and has no step.
int TasksOfLauncher() {
  const char* count = std::getenv("SLURM_STEP_NUM_TASKS");
  const char* step = std::getenv("SLURM_STEP_ID");
  if (count == nullptr) count = std::getenv("SLURM_NTASKS");
  if (count == nullptr || std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr) return 1;
  const char* pid = std::getenv("SLURM_TASK_PID");
  if (step == nullptr && pid != nullptr && std::atol(pid) != ::getpid()) return 1;
  return std::max(1, std::atoi(count));
}

/// srun without --mpi=pmix starts N programs that each believe to be alone.
[[noreturn]] void RefuseSingleton(int tasks) {
  base::SayLine("Slurm started " + std::to_string(tasks) +
                " tasks that do not know each other: the launcher and MPI do not speak the same PMI; use srun "
                "--mpi=pmix, or mpirun");
  throw LaunchRefused{kUsageExit};
}

bool AnyIsSet(std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [](const char* name) { return std::getenv(name) != nullptr; });
}

std::unique_ptr<node::SpillFiles> MakeSpillFiles(const Settings& settings, int rank) {
  node::SpillFiles::Options options;
  options.rank = rank;
  options.compress = settings.spill_compression == SpillCompression::kZstd;
  if (options.compress && !node::SpillFiles::CanCompress() && rank == 0)
    base::SayLine("warning: this build of Manta has no zstd: spill-compression is none");
  if (settings.spill_dir == "auto") {
    const char* const given = std::getenv("TMPDIR");
    options.parent = given != nullptr && given[0] == '/' ? given : "/tmp";
  } else if (settings.spill_dir != "off") {
    options.parent = settings.spill_dir;
  }
  return std::make_unique<node::SpillFiles>(std::move(options));
}

}  // namespace

Process::Process(int& argc, char**& argv) {
  int running = 0;
  MPI_Initialized(&running);
  const int tasks = TasksOfLauncher();
  if (running == 0) {
    // Open MPI 4.1 ends such a rank inside MPI_Init, with a text and a code of its own.
    const bool no_pmi = std::getenv("SLURM_STEP_ID") != nullptr && !AnyIsSet({"PMIX_RANK", "PMI_RANK", "PMI_FD"});
    if (tasks > 1 && no_pmi) RefuseSingleton(tasks);
    int provided = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    owns_mpi_ = true;
    if (provided < MPI_THREAD_SERIALIZED) {
      base::SayLine("this MPI gives a program no threads (MPI_THREAD_SERIALIZED is the least that Manta needs)");
      throw LaunchRefused{kUsageExit};
    }
  } else {
    int level = 0;
    MPI_Query_thread(&level);
    if (level < MPI_THREAD_SERIALIZED) {
      base::SayLine(
          "MPI was initialized without threads: call MPI_Init_thread with MPI_THREAD_MULTIPLE before manta::Init, or "
          "leave it to Init");
      throw LaunchRefused{kUsageExit};
    }
  }
  world_ = mpi::Communicator::CollectiveDup(MPI_COMM_WORLD);
  base::SetLogRank(world_.rank());
  if (world_.size() == 1 && tasks > 1) RefuseSingleton(tasks);
  task::ScanModules();
  CheckSameProgram();
}

void Process::CheckSameProgram() {
  const std::string mine = task::ModuleFingerprint();
  const std::vector<std::string> all = CollectiveExchange(world_, mine);
  const std::vector<std::string> names = CollectiveExchange(world_, task::ProgramName());
  for (int rank = 0; rank < world_.size(); ++rank) {
    const std::string& other = all[static_cast<std::size_t>(rank)];
    if (other == mine) continue;
    // Each rank names its own program and the first that differs from it; the first line of difference is shown for
    // libraries.
    std::size_t line = 0;
    while (line < std::min(mine.size(), other.size()) && mine[line] == other[line]) ++line;
    auto at = [&](const std::string& text) {
      const std::size_t begin = line == 0 || line > text.size() ? 0 : text.rfind('\n', line - 1) + 1;
      return text.substr(begin, text.find('\n', begin) - begin);
    };
    base::SayLine("ranks run different binaries: rank " + std::to_string(world_.rank()) + " runs " +
                  names[static_cast<std::size_t>(world_.rank())] + ", rank " + std::to_string(rank) + " runs " +
                  names[static_cast<std::size_t>(rank)] + "; they differ in '" + at(mine) + "' and '" + at(other) +
                  "'; start the same program on all ranks");
    throw LaunchRefused{kUsageExit};
  }
}

void Process::CollectiveSetUp(const Settings& settings) {
  if (is_set_up_) return;
  is_set_up_ = true;
  launch_ = topology::ReadLaunchFacts();
  mpi::Communicator host = world_.CollectiveSplitShared();
  machine_ = CollectiveDetect(host);
  binding_ = topology::CurrentBinding(machine_);
  int nodes_on_host = 1;
  if (settings.fake_nodes > 1) {
    nodes_on_host = std::min(settings.fake_nodes, host.size());
    node_ = host.CollectiveSplit(host.rank() * nodes_on_host / host.size());
  } else {
    node_ = std::move(host);
  }

  RankFacts mine;
  char name[256] = "";
  ::gethostname(name, sizeof(name) - 1);
  mine.host = name;
  // Nodes are counted in order of their lowest ranks.
  const std::uint64_t lowest = node_.CollectiveMin(static_cast<std::uint64_t>(world_.rank()));
  std::vector<std::string> lowest_of;
  for (const std::string& text : CollectiveExchange(world_, std::to_string(lowest))) lowest_of.push_back(text);
  std::vector<std::uint64_t> sorted;
  for (const std::string& text : lowest_of) sorted.push_back(std::stoull(text));
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  mine.node = static_cast<std::int32_t>(std::lower_bound(sorted.begin(), sorted.end(), lowest) - sorted.begin());

  mine.binding = binding_.ToString();
  mine.allowed = topology::AllowedCpus(machine_, launch_, binding_).ToString();
  mine.binding_asked = launch_.binding_asked;
  mine.allocation_cpus = launch_.allocation_cpus;
  mine.launcher = static_cast<std::uint8_t>(launch_.launcher);
  mine.memory_bytes = machine_.memory_bytes;
  machines_ = CollectiveMachines(world_, machine_, &mine.machine);

  gpu::DeviceBackendOptions device_options;
  device_options.rank = world_.rank();
  switch (settings.device) {
    case DeviceMode::kAuto:
      device_options.kind = gpu::DeviceBackendKind::kAuto;
      break;
    case DeviceMode::kCuda:
      device_options.kind = gpu::DeviceBackendKind::kCuda;
      break;
    case DeviceMode::kFake:
      device_options.kind = gpu::DeviceBackendKind::kFake;
      break;
    case DeviceMode::kNone:
      device_options.kind = gpu::DeviceBackendKind::kNone;
      break;
  }
  if (settings.gpus > 0) device_options.fake_devices = settings.gpus;
  devices_ = gpu::MakeDeviceBackend(device_options);
  for (const DeviceInfo& device : devices_->devices())
    mine.devices.push_back({device.uuid, device.name, device.pci_bus_id, device.memory_bytes});
  mine.device_status = devices_->status();

  NodeStore made = CollectiveMakeNodeStore(node_, settings, {machine_.memory_bytes, nodes_on_host, mine.node});
  segment_ = std::move(made.segment);
  shared_segment_ = made.window;
  layout_ = made.layout;
  const auto my_index = static_cast<std::uint32_t>(node_.rank());
  spill_files_ = MakeSpillFiles(settings, world_.rank());
  if (my_index == 0 && spill_files_->enabled()) node::SpillFiles::RemoveStale(spill_files_->parent());
  store_ = std::make_unique<runtime::LocalStore>(segment_->bytes(), layout_, my_index, *spill_files_);
  mine.store_bytes = layout_.heap_bytes;
  mine.segment_kind = segment_->kind();

  facts_ = CollectiveExchange(world_, mine);
  std::vector<Rank> node_ranks;
  for (int rank = 0; rank < world_.size(); ++rank)
    if (facts_[static_cast<std::size_t>(rank)].node == mine.node) node_ranks.push_back(Rank(rank));
  const bool rings = node_.size() > 1 && settings.transport != NodeTransport::kMpi;
  if (rings) ring_ = std::make_unique<node::RingTransport>(segment_->bytes(), layout_, my_index, node_ranks);
  mpi_ = MpiTransport::CollectiveCreate(world_, [&](Rank other) {
    return other != Rank(world_.rank()) && !(rings && facts_[static_cast<std::size_t>(other.value)].node == mine.node);
  });
  std::vector<NodeId> node_of;
  for (const RankFacts& one : facts_) node_of.push_back(NodeId(one.node));
  const bool one_node = std::all_of(node_of.begin(), node_of.end(), [&](NodeId one) { return one == node_of.front(); });
  if (!one_node) {
    mpi_bulk_ = MpiBulk::CollectiveCreate(world_);
    bulk_ = std::make_unique<runtime::BulkMoves>(*mpi_bulk_);
  }
  window_ = WorldWindow::CollectiveCreate(world_, *segment_, node_of, settings.rma);
  if (window_->available()) rma_ = std::make_unique<runtime::RmaReads>(*window_);
  world_.CollectiveBarrier();
}

runtime::JobInfo Process::MakeJob(const Settings& settings, std::uint32_t session,
                                  std::vector<std::string>* warnings) const {
  runtime::JobInfo info;
  info.self = Rank(world_.rank());
  info.session = session;
  info.settings = settings;
  *warnings = DecideJob(facts_, machines_, info);
  return info;
}

runtime::ProcessParts Process::parts() {
  runtime::ProcessParts parts;
  parts.segment = segment_->bytes();
  parts.layout = layout_;
  parts.store = store_.get();
  parts.spill_files = spill_files_.get();
  if (ring_) parts.transports.push_back(ring_.get());
  parts.transports.push_back(mpi_.get());
  parts.bulk = bulk_.get();
  parts.rma = rma_.get();
  parts.devices = devices_.get();
  return parts;
}

std::string Process::StartLine(const runtime::JobInfo& info) const {
  std::string transports = ring_ ? "rings" : "";
  const bool remote =
      std::any_of(facts_.begin(), facts_.end(), [&](const RankFacts& one) { return one.node != facts_.front().node; });
  if (remote || (!ring_ && world_.size() > 1)) transports += transports.empty() ? "mpi" : " and mpi";
  if (transports.empty()) transports = "one process";
  return launch::StartLine(facts_, info, transports, window_->reason());
}

std::string Process::TransportsText(const Settings& settings) const {
  const bool many_nodes =
      std::any_of(facts_.begin(), facts_.end(), [&](const RankFacts& one) { return one.node != facts_.front().node; });
  std::string within = "none: rank 0 is alone on its node";
  if (ring_) within = "rings in shared memory" + std::string(settings.transport == NodeTransport::kRing ? ", as asked" : "");
  else if (node_.size() > 1) within = "messages by MPI: --manta-transport mpi asks for that";
  return "ranks of a node: " + within + "\nranks of different nodes: " + (many_nodes ? "messages by MPI" : "there is one node") +
         "\none-sided reads between nodes: " + window_->reason() + '\n';
}

void Process::Yielding(MPI_Request* request) const {
  // Polls ever more seldom: between sessions the driver may compute for hours.
  auto pause = std::chrono::microseconds(20);
  for (;;) {
    int done = 0;
    MANTA_MPI_TRY(MPI_Test(request, &done, MPI_STATUS_IGNORE));
    if (done != 0) return;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::microseconds(5000));
  }
}

Process::Command Process::CollectiveCommand(Command mine, std::string* settings_text, int* code) {
  int words[3] = {static_cast<int>(mine), static_cast<int>(settings_text->size()), *code};
  MPI_Request request = MPI_REQUEST_NULL;
  MANTA_MPI_TRY(MPI_Ibcast(words, 3, MPI_INT, 0, world_.get(), &request));
  Yielding(&request);
  settings_text->resize(static_cast<std::size_t>(words[1]));
  *code = words[2];
  if (words[1] > 0) {
    MANTA_MPI_TRY(MPI_Ibcast(settings_text->data(), words[1], MPI_CHAR, 0, world_.get(), &request));
    Yielding(&request);
  }
  return static_cast<Command>(words[0]);
}

void Process::DrainLeftovers() {
  Discard discard(*store_);
  while (mpi_->Poll(discard, 256) != 0 || (ring_ && (ring_->Poll(discard, 256) != 0 || ring_->MayHaveIncoming()))) {
  }
}

void Process::CollectiveQuiesce(bool stuck) {
  // All have stopped sending; what was sent on this node lies in the rings. (Messages by MPI that come later still
  // carry their session's number and are dropped by it.)
  Discard discard(*store_);
  while (rma_ && rma_->MayHaveIncoming()) rma_->Poll(discard, 1);
  for (; bulk_ && !bulk_->Flushed(); DrainLeftovers()) bulk_->PollMoves();  // who is stuck has not flushed
  MPI_Request request = MPI_REQUEST_NULL;
  MANTA_MPI_TRY(MPI_Ibarrier(world_.get(), &request));
  for (int done = 0; done == 0;) {
    DrainLeftovers();
    if (bulk_) bulk_->PollMoves();  // others come here when what they send has been received
    MANTA_MPI_TRY(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (done == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  DrainLeftovers();
  if (bulk_) bulk_->CancelReceives();
  if (!stuck) EmptyStore();
  world_.CollectiveBarrier();
}

void Process::CollectiveClose(bool stuck) {
  if (!is_set_up_ || world_.CollectiveMax(stuck ? 1 : 0) != 0) {
    FinalizeOnly();
    return;
  }
  Discard discard(*store_);
  mpi_->CollectiveClose(discard);
  if (mpi_bulk_) mpi_bulk_->CollectiveClose();
  window_->CollectiveClose();
  rma_.reset();
  ring_.reset();
  store_.reset();
  spill_files_.reset();
  if (shared_segment_ != nullptr) shared_segment_->CollectiveClose();
  devices_.reset();
  node_.Close();
  world_.Close();
  FinalizeOnly();
}

void Process::FinalizeOnly() {
  int ended = 0;
  MPI_Finalized(&ended);
  if (owns_mpi_ && ended == 0) MPI_Finalize();
}

}  // namespace manta::launch
