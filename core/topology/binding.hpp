#pragma once
// Where this process may run, what its launcher was given on this node, and how threads are put on cores. Reads
// /proc, the environment and the scheduler; no hwloc, no MPI.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/topology/cpu_set.hpp"
#include "core/topology/topology.hpp"

namespace manta::topology {

/// CPUs that the calling thread may run on now: what the launcher bound the rank to, if read on the main thread before
/// anyone binds. All of `topology` when that is not this system, where real CPU numbers mean nothing.
CpuSet CurrentBinding(const Topology& topology);

/// CPUs that the calling thread may run on now, if the kernel says.
std::optional<CpuSet> CpusOfThisThread();

struct BindResult {
  bool ok = false;
  std::string reason;  // why not, for a warning
  explicit operator bool() const { return ok; }
};
/// Keeps the calling thread on these CPUs of this system. Never throws. A failure leaves the thread where it was or, if
/// its cgroup holds some of these CPUs, on those.
BindResult BindThisThread(const CpuSet& cpus);

enum class Launcher { kNone, kOpenMpi, kSlurm, kOther };

/// What the environment and the launcher's command line tell about this rank's binding.
struct LaunchFacts {
  Launcher launcher = Launcher::kNone;
  bool binding_asked = false;  // somebody chose how ranks are bound; false: the launcher's default
  int allocation_cpus = 0;     // what Slurm calls the job's CPUs on this node; 0: not known
};
/// Reads `launcher_command`, words separated by one blank, and variables through `variable` (null: not set).
LaunchFacts ReadLaunchFacts(const std::function<const char*(const char*)>& variable, std::string_view launcher_command);
/// The same from this process's environment and ancestors. Under Open MPI 5 only ranks on mpirun's own node can see
/// its command line: a job should take `binding_asked` as true if any rank found it so.
LaunchFacts ReadLaunchFacts();

/// The CPUs of this node that the job may use, though this rank be bound to fewer: those of the nearest ancestor that
/// is a launcher (mpirun, orted, prterun, slurmstepd ...), else of this process's cgroup; for a process that nobody
/// launched, its own binding. Within `topology.allowed`; the same for all ranks that one launcher started on a node.
CpuSet AllowedCpus(const Topology& topology, const LaunchFacts& facts, const CpuSet& current_binding);

/// Slurm's "4(x2),3" (SLURM_JOB_CPUS_PER_NODE): the count of node number `node`; 0 if the text has none for it.
int SlurmCpusOfNode(std::string_view text, int node);

}  // namespace manta::topology
