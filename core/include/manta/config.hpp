#pragma once
// Every setting of a job, for programs that would rather say it in code than on the command line:
//
//   manta::Init(argc, argv, {.gpus = 4, .log_level = "info"});   // as --manta-gpus 4 or MANTA_GPUS=4
//
// A flag rules over the variable, the variable over Config, Config over the default. What rank 0 says holds for all
// ranks. A bad value is a UsageError at Init that names the setting, its source and what is allowed.
// Fields that are not set leave the choice to the next source; docs/configuration.md has the same list as a table.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace manta {

/// Plain data: copy it, keep it, hand it to Init. Sizes are in bytes, times in seconds.
struct Config {
  // Resources of each node.

  /// CPUs of each node. Default 0: its cores, or one a rank where there are more ranks than cores. A larger number
  /// declares CPUs that no core stands behind; tasks on those are not bound.
  std::optional<double> cpus = {};
  /// GPUs of each node. Default -1: those found. A larger number declares GPUs, so that GPU scheduling can be tried
  /// without one.
  std::optional<int> gpus = {};
  /// Custom resources of each node by name, e.g. {{"license", 2}}. Default: none. The names CPU, GPU and memory
  /// are taken.
  std::optional<std::map<std::string, double>> resources = {};
  /// Memory of each node that tasks may ask for. Default 0: what the machine has.
  std::optional<std::uint64_t> memory = {};

  // Ranks and cores.

  /// Executor threads of each rank. Default 0: one for each core of the rank, at least one. With 1, tasks of a rank
  /// run one after another, for libraries that cannot bear threads.
  std::optional<int> executors = {};
  /// Whether executors, and the threads of tasks that were granted other amounts than one CPU, are bound to cores.
  /// Default true.
  std::optional<bool> binding = {};
  /// Whether each hardware thread of a core counts as a CPU. Default false: a core is one CPU.
  std::optional<bool> use_hyperthreads = {};
  /// Ranks of a node that may use one GPU, and so hold a CUDA context on it. Default 1.
  std::optional<int> gpu_home_ranks = {};
  /// Where GPUs come from: "auto" (CUDA if there is a device; the default), "cuda" (an error without one), "fake"
  /// (the test backend, in host memory) or "none".
  std::optional<std::string> device = {};
  /// How a task is kept to its share of a GPU: "logical" (it is trusted; the default) or "quota" (its allocations
  /// are counted and refused above its share).
  std::optional<std::string> isolation = {};

  // Objects and messages.

  /// Room for objects on each node. Default 0: 30 % of the node's memory.
  std::optional<std::uint64_t> object_store_bytes = {};
  /// What ranks of a node share their objects in: "auto" (the MPI window, or memfd where /dev/shm is too small for the
  /// store; the default), "mpi" (an MPI shared window, in /dev/shm) or "memfd" (memory of the job).
  std::optional<std::string> segment = {};
  /// A directory of each node where objects go for which the store has no room; "off": they wait for room, and fail. An
  /// absolute path. Default "auto": TMPDIR, or /tmp. What is written there goes with the job, however that ends.
  std::optional<std::string> spill_dir = {};
  /// What is done to objects that go there: "none" (the default) or "zstd" (where Manta was built with it).
  std::optional<std::string> spill_compression = {};
  /// How long Put, a result or Get waits for room in a full store while none is made, before OutOfMemoryError. Default 10.
  std::optional<double> store_wait_seconds = {};
  /// The largest value that travels and stays inside a message instead of the store. Default 2048.
  std::optional<std::uint64_t> inline_bytes = {};
  /// How ranks of one node talk: "auto" (the default, now ring), "ring" (shared memory) or "mpi".
  std::optional<std::string> transport = {};
  /// Whether objects move between nodes by MPI one-sided calls: "auto" (if a probe at start shows that they progress
  /// on their own; the default), "on" or "off".
  std::optional<std::string> rma = {};
  /// Passes every object through its serializer, even where it could be shared, so that a forgotten field shows on
  /// one rank. Default false; debug builds always do it.
  std::optional<bool> check_serialize = {};

  // Scheduling and the end of things.

  /// "auto" (ranks place small tasks themselves; the default) or "central" (rank 0 places every task, in the order in
  /// which they come: slower; tasks that come one by one are placed the same each time).
  std::optional<std::string> scheduler = {};
  /// How many unstarted one-CPU tasks a rank may have at another rank that they are bound to (SetRank); the rest wait
  /// at home. Default 4096.
  std::optional<int> credits = {};
  /// A bound on the memory of tasks that a rank has submitted and that have not begun: above it Remote waits. Default
  /// 0: none.
  std::optional<std::uint64_t> queue_bytes = {};
  /// The job's seed: Context().Seed() of each task follows from it and from the task's place. Default 0.
  std::optional<std::uint64_t> seed = {};
  /// After so long without progress, who waits for what is printed. Default 0: never.
  std::optional<double> hang_seconds = {};
  /// Whether the job then ends, with code 4. Default false.
  std::optional<bool> hang_abort = {};
  /// Whether each thread keeps a record of its last events (tasks, calls, sleeps), for a timeline. Default false.
  std::optional<bool> events = {};
  /// How long running tasks have to notice a cancel or an end of the job before they are left behind. Default 2.
  std::optional<double> cancel_grace_seconds = {};
  /// Splits each machine's ranks into this many nodes, to try a multi-node job on one. Default 0: real nodes.
  std::optional<int> fake_nodes = {};

  // What is printed.

  /// Lines on stderr: "error", "warning" (the default), "info" or "debug", each with all before it.
  std::optional<std::string> log_level = {};
  /// Puts rank and task before each line of stdout, as in `[r3 Score]`. Default false.
  std::optional<bool> tag_output = {};
  /// Leaves out the line at start. Default false.
  std::optional<bool> quiet = {};

  /// Called once on every rank inside Init, before any task runs there; what it throws ends the job.
  /// No flag or variable stands for it, and each rank calls its own.
  std::function<void()> on_start = {};
};

}  // namespace manta
