#pragma once
// Start and stop, what the job has, and what the running task knows of itself.
//
//   int Driver(int argc, char** argv) { ... return 0; }
//   int main(int argc, char** argv) { return manta::Run(argc, argv, Driver); }   // rank 0 drives, the others serve

#include <manta/config.hpp>
#include <manta/resources.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace manta {

/// Starts the job on all ranks and returns on rank 0 only: the others serve tasks, and their process ends here when the
/// driver's does. The first line of main: what stands before it runs on every rank. Removes Manta's flags from argc and
/// argv, up to
/// `--`. Settings that are wrong end all ranks with exit code 2. Throws UsageError when it is running already.
void Init(int& argc, char**& argv, const Config& config = {});
void Init(const Config& config = {});
bool IsInitialized();
/// Ends the session: what is queued is dropped, and said; refs and handles from before are of no use afterwards. Init
/// may follow. Waits for running tasks. Does nothing when not initialized.
void Shutdown();
/// Waits until every task that was submitted is done. May not be called from a task.
void Drain();

namespace detail {
int RunDriver(int& argc, char**& argv, const Config& config, const std::function<int(int, char**)>& driver);
}

/// Init, then `driver(argc, argv)` on rank 0, then Shutdown. Returns the driver's return (0 where it returns nothing);
/// 3 when an exception left it; 2 for wrong settings. On ranks above 0 it does not return.
template <class Driver>
int Run(int argc, char** argv, Driver&& driver, const Config& config = {}) {
  return detail::RunDriver(argc, argv, config, [&driver](int count, char** values) -> int {
    if constexpr (std::is_invocable_v<Driver&, int, char**>) {
      if constexpr (std::is_void_v<std::invoke_result_t<Driver&, int, char**>>) {
        driver(count, values);
        return 0;
      } else {
        return driver(count, values);
      }
    } else {
      if constexpr (std::is_void_v<std::invoke_result_t<Driver&>>) {
        driver();
        return 0;
      } else {
        return driver();
      }
    }
  });
}

struct GpuInfo {
  int index = -1;    // on its node
  std::string uuid;  // "GPU-...": the same for all processes
  std::string name;
  std::string pci_bus_id;
  std::uint64_t memory_bytes = 0;
  int home_rank = -1;  // the rank that runs its tasks
};

/// One node of the job: the ranks that share memory.
struct NodeInfo {
  int id = 0;
  std::string host;
  std::vector<int> ranks;
  ResourceMap resources;  // "CPU", "GPU", "memory" (bytes), custom ones
  std::vector<GpuInfo> gpus;
  std::uint64_t store_bytes = 0;
  bool alive = true;
};

/// All nodes, by id. Between Init and Shutdown, any thread.
std::vector<NodeInfo> Nodes();
/// The sum over the nodes, and what of it is free now (asks rank 0; may park).
ResourceMap ClusterResources();
ResourceMap AvailableResources();
int NumRanks();
int ThisRank();

/// Counts since Init, summed over all ranks (asks them; may park), or of one rank.
struct StatsSnapshot {
  std::uint64_t tasks_submitted = 0;
  std::uint64_t tasks_executed = 0;
  std::uint64_t tasks_failed = 0;
  std::uint64_t tasks_cancelled = 0;
  std::uint64_t tasks_retried = 0;
  std::uint64_t tasks_scheduled_by_rank0 = 0;  // tasks that rank 0's ledger decided on
  std::uint64_t actor_calls = 0;
  std::uint64_t actors_created = 0;
  std::uint64_t puts = 0;
  std::uint64_t bytes_copied_put = 0;        // by Put and by sealing results
  std::uint64_t bytes_copied_get = 0;        // by materializing and fetching
  std::uint64_t bytes_fetched_messages = 0;  // between nodes, through messages
  std::uint64_t bytes_fetched_rma = 0;       // between nodes, by MPI_Rget
  std::uint64_t objects_alive = 0;           // records of objects now
  std::uint64_t store_bytes_used = 0;        // now
  std::uint64_t messages_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t wakeups = 0;  // system calls that woke another rank or thread
  std::uint64_t fibers_parked = 0;
  std::uint64_t scheduler_messages = 0;  // that rank 0 received as the scheduler: leases, places, backlogs, ...
  std::uint64_t bytes_spilled = 0;       // written to disk for lack of room
  std::uint64_t bytes_restored = 0;      // read back from there
  std::uint64_t store_pins = 0;          // readers of the stores' bytes now: values in place, arguments of running tasks
  std::vector<std::uint64_t> tasks_executed_by_rank;
  // What of the three that are "now" is where.
  std::vector<std::uint64_t> objects_alive_by_rank;
  std::vector<std::uint64_t> store_bytes_used_by_rank;
  std::vector<std::uint64_t> store_pins_by_rank;
};
StatsSnapshot Stats();

/// The share of one device that a task holds.
struct AssignedGpu {
  int index = -1;    // on its node
  int ordinal = -1;  // for cudaSetDevice in this process
  std::string uuid;
  double amount = 0;
};

/// What the running task or actor call knows of itself. Outside of tasks (the driver) it describes that. Cheap; any
/// thread.
class TaskContext {
 public:
  /// Whether Cancel was called on this task or on one it descends from.
  bool IsCancelled() const;
  /// A number that depends on the job's seed and the task's place in the tree of submissions only: the same on any
  /// number of ranks and at every retry.
  std::uint64_t Seed() const;
  std::string TaskName() const;
  int Rank() const;
  int Node() const;
  /// 0 at the first try.
  int Attempt() const;
  /// CPUs held by this task (an actor call: by its actor).
  double Cpus() const;
  std::vector<AssignedGpu> AssignedGpus() const;
  /// Whether this runs in a task or actor call.
  bool InTask() const;
  /// Empty outside of actor calls.
  std::string ActorName() const;
};
TaskContext Context();

}  // namespace manta
