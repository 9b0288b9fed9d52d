#include "core/topology/binding.hpp"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

namespace manta::topology {
namespace {

using Variable = std::function<const char*(const char*)>;

// --- /proc -------------------------------------------------------------------------------------------------------

struct ProcessStatus {
  std::string name;
  int parent = 0;
  std::optional<CpuSet> allowed;
};

std::optional<ProcessStatus> ReadStatus(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  if (!file) return std::nullopt;
  ProcessStatus status;
  for (std::string line; std::getline(file, line);) {
    const std::size_t tab = line.find(":\t");
    if (tab == std::string::npos) continue;
    const std::string key = line.substr(0, tab), value = line.substr(tab + 2);
    if (key == "Name") status.name = value;
    if (key == "PPid") status.parent = std::atoi(value.c_str());
    if (key == "Cpus_allowed_list") status.allowed = CpuSet::FromString(value);
  }
  return status;
}

bool IsLauncherName(std::string_view name) {
  for (std::string_view known : {"mpirun", "mpiexec", "orterun", "orted", "prterun", "prted", "prte", "mpiexec.hydra",
                                 "hydra_pmi_proxy", "slurmstepd", "pbs_mom"})
    if (name == known) return true;
  return name.starts_with("slurmstepd");  // it renames itself "slurmstepd: [7.0]"
}

struct Ancestor {
  int pid = 0;
  ProcessStatus status;
};

/// The nearest one that is a launcher: there may be shells, `time` or a debugger between it and us.
std::optional<Ancestor> FindLauncher() {
  int pid = ::getppid();
  for (int steps = 0; pid > 0 && steps < 32; ++steps) {
    const auto status = ReadStatus(pid);
    if (!status) return std::nullopt;
    if (IsLauncherName(status->name)) return Ancestor{pid, *status};
    pid = status->parent;
  }
  return std::nullopt;
}

std::string CommandLineOf(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

// --- what was asked for ------------------------------------------------------------------------------------------

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

/// A mapping names a place to be bound to when it counts cores (PE=n) or names something inside a node; slot, node,
/// seq and ppr:n:node only say how ranks are dealt out.
bool MappingAsksForBinding(std::string_view mapping) {
  const std::string lower = Lower(mapping);
  for (std::string_view part : {"pe=", "core", "hwthread", "cache", "socket", "package", "numa", "board"})
    if (lower.find(part) != std::string::npos) return true;
  return false;
}

// What Open MPI shows its ranks, found by `mpirun -np 1 OPTION env` with 4.1.4 and 5.0:
//   option (4.1.4)                        variable in the rank                          bound to, of 2 cores
//   none, -np 1 or 2                      none                                          one core
//   none, -np 3 --oversubscribe           OMPI_MCA_rmaps_base_oversubscribe=1           nothing
//   --bind-to core, or by --mca or env    OMPI_MCA_hwloc_base_binding_policy=core       one core
//   --bind-to none                        OMPI_MCA_hwloc_base_binding_policy=none       nothing
//   --map-by slot:PE=1                    OMPI_MCA_rmaps_base_mapping_policy=slot:PE=1  one core
//   --map-by node                         OMPI_MCA_rmaps_base_mapping_policy=node       one core (by default)
//   --map-by numa                         OMPI_MCA_rmaps_base_mapping_policy=numa       the NUMA node
//   --cpus-per-proc 1                     OMPI_MCA_rmaps_base_cpus_per_rank=1           one core
//   --bycore                              OMPI_MCA_rmaps_base_bycore=1                  one core
//   --cpu-set 0                           OMPI_MCA_hwloc_base_cpu_set=0                 CPU 0
//   --cpu-list 1                          OMPI_MCA_hwloc_base_cpu_list=1                CPU 1
//   --use-hwthread-cpus                   OMPI_MCA_hwloc_base_use_hwthreads_as_cpus=1   one core (by default)
// mpirun itself (the parent) keeps all CPUs of the job in /proc/PID/status. Open MPI 5 (PRRTE) binds alike but exports
// no variable for any of these options: only the command line of prterun, the parent, has them.
bool OpenMpiVariablesAsk(const Variable& variable) {
  for (const char* name :
       {"OMPI_MCA_hwloc_base_binding_policy", "PRTE_MCA_hwloc_default_binding_policy",
        "OMPI_MCA_rmaps_base_cpus_per_rank", "OMPI_MCA_rmaps_base_cpus_per_proc", "OMPI_MCA_rmaps_base_bycore",
        "OMPI_MCA_rmaps_base_bysocket", "OMPI_MCA_hwloc_base_cpu_set", "OMPI_MCA_hwloc_base_cpu_list",
        "PRTE_MCA_hwloc_default_cpu_list", "OMPI_MCA_orte_rankfile", "OMPI_MCA_rmaps_rank_file_path"})
    if (variable(name) != nullptr) return true;
  for (const char* name : {"OMPI_MCA_rmaps_base_mapping_policy", "PRTE_MCA_rmaps_default_mapping_policy"})
    if (const char* mapping = variable(name); mapping != nullptr && MappingAsksForBinding(mapping)) return true;
  return false;
}

std::vector<std::string> WordsOf(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t blank = std::min(text.find(' '), text.size());
    if (blank > 0) words.emplace_back(text.substr(0, blank));
    text.remove_prefix(std::min(blank + 1, text.size()));
  }
  return words;
}

/// Looks at the launcher's own options and at the program's alike: a program with a --bind-to of its own is rare.
bool CommandLineAsks(std::string_view command) {
  const std::vector<std::string> words = WordsOf(command);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t dashes = words[i].find_first_not_of('-');
    if (dashes != 1 && dashes != 2) continue;
    const std::string option = words[i].substr(dashes);
    for (std::string_view binds : {"bind-to", "cpu-set", "cpu-list", "cpus-per-proc", "cpus-per-rank", "rankfile",
                                   "bind-to-core", "bind-to-socket"})
      if (option == binds || option.starts_with(std::string(binds) + "=")) return true;
    const bool maps = option == "map-by" && i + 1 < words.size();
    if (maps && MappingAsksForBinding(words[i + 1])) return true;
    if (option.starts_with("map-by=") && MappingAsksForBinding(option)) return true;
    const bool sets = (option == "mca" || option == "prtemca") && i + 2 < words.size();
    if (!sets) continue;
    if (words[i + 1].find("binding_policy") != std::string::npos) return true;
    if (words[i + 1].find("mapping_policy") != std::string::npos && MappingAsksForBinding(words[i + 2])) return true;
  }
  return false;
}

int ToInt(const char* text) { return text == nullptr ? 0 : std::max(0, std::atoi(text)); }

/// CPUS_ON_NODE is the step's: `srun` without -c gives it one CPU of a job that holds many. So the larger one counts.
int SlurmAllocation(const Variable& variable) {
  const char* per_node = variable("SLURM_JOB_CPUS_PER_NODE");
  const int of_job = per_node == nullptr ? 0 : SlurmCpusOfNode(per_node, ToInt(variable("SLURM_NODEID")));
  return std::max(of_job, ToInt(variable("SLURM_CPUS_ON_NODE")));
}

}  // namespace

std::optional<CpuSet> CpusOfThisThread() {
  // The kernel refuses a mask shorter than its own; how long that is can only be tried.
  for (int max_cpus = 1024; max_cpus <= 1 << 20; max_cpus *= 2) {
    std::vector<unsigned long> mask(static_cast<std::size_t>(max_cpus) / (8 * sizeof(unsigned long)));
    auto* kernel_mask = reinterpret_cast<cpu_set_t*>(mask.data());
    const std::size_t bytes = mask.size() * sizeof(unsigned long);
    if (::sched_getaffinity(0, bytes, kernel_mask) != 0) continue;
    CpuSet set;
    for (int cpu = 0; cpu < max_cpus; ++cpu)
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, kernel_mask)) set.Add(cpu);
    return set;
  }
  return std::nullopt;
}

CpuSet CurrentBinding(const Topology& topology) {
  if (!topology.this_system) return topology.cpus;
  return CpusOfThisThread().value_or(topology.allowed);
}

BindResult BindThisThread(const CpuSet& cpus) {
  const std::vector<int> list = cpus.Cpus();
  if (list.empty()) return {false, "no CPU to bind a thread to"};
  std::vector<unsigned long> mask(static_cast<std::size_t>(list.back()) / (8 * sizeof(unsigned long)) + 1);
  auto* kernel_mask = reinterpret_cast<cpu_set_t*>(mask.data());
  const std::size_t bytes = mask.size() * sizeof(unsigned long);
  for (int cpu : list) CPU_SET_S(static_cast<std::size_t>(cpu), bytes, kernel_mask);
  const int error = ::pthread_setaffinity_np(::pthread_self(), bytes, kernel_mask);
  if (error == 0) {
    // The kernel leaves out what the cgroup does not hold, without a word.
    const std::optional<CpuSet> now = CpusOfThisThread();
    if (!now || *now == cpus) return {true, {}};
    return {false, "a thread that was bound to CPUs " + cpus.ToString() + " may use only " + now->ToString() +
                       " of them (are all in this job's cgroup?)"};
  }
  return {false, "cannot bind a thread to CPUs " + cpus.ToString() + ": " + std::strerror(error) +
                     " (is one of them in this job's cgroup?)"};
}

LaunchFacts ReadLaunchFacts(const Variable& variable, std::string_view launcher_command) {
  LaunchFacts facts;
  facts.allocation_cpus = SlurmAllocation(variable);
  if (variable("OMPI_COMM_WORLD_SIZE") != nullptr) {  // set by mpirun, in all versions; not by srun
    facts.launcher = Launcher::kOpenMpi;
    facts.binding_asked = OpenMpiVariablesAsk(variable) || CommandLineAsks(launcher_command);
  } else if (variable("SLURM_PROCID") != nullptr && variable("SLURM_STEP_ID") != nullptr) {
    // srun sets SLURM_CPU_BIND both for its own choice and for the user's, so that the two look alike; either way it
    // follows from -c, which is asking. Only "none" binds nothing.
    facts.launcher = Launcher::kSlurm;
    const char* bind = variable("SLURM_CPU_BIND");
    facts.binding_asked = bind != nullptr && std::strstr(bind, "none") == nullptr;
  } else if (variable("PMIX_RANK") != nullptr || variable("PMI_RANK") != nullptr || variable("PMI_FD") != nullptr) {
    // MPICH's hydra and others bind only when told to.
    facts.launcher = Launcher::kOther;
    facts.binding_asked = true;
  }
  return facts;
}

LaunchFacts ReadLaunchFacts() {
  const auto launcher = FindLauncher();
  return ReadLaunchFacts([](const char* name) { return static_cast<const char*>(std::getenv(name)); },
                         launcher ? CommandLineOf(launcher->pid) : std::string());
}

CpuSet AllowedCpus(const Topology& topology, const LaunchFacts& facts, const CpuSet& current_binding) {
  if (!topology.this_system) return topology.allowed;
  CpuSet allowed = topology.allowed;
  const auto launcher = FindLauncher();
  if (facts.launcher == Launcher::kNone) {
    allowed &= current_binding;
  } else if (launcher && launcher->status.allowed) {
    allowed &= *launcher->status.allowed;
  }
  // A rank may be bound outside of what its launcher itself may use (srun --overlap): that is its own all the same.
  return allowed.empty() ? current_binding : allowed;
}

int SlurmCpusOfNode(std::string_view text, int node) {
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    int cpus = 0, repeat = 1;
    const char* end = item.data() + item.size();
    const auto [rest, error] = std::from_chars(item.data(), end, cpus);
    if (error != std::errc() || cpus < 0) return 0;
    if (rest != end && (!std::string_view(rest, static_cast<std::size_t>(end - rest)).starts_with("(x") ||
                        std::from_chars(rest + 2, end, repeat).ec != std::errc())) {
      return 0;
    }
    if (node < repeat) return cpus;
    node -= repeat;
    text.remove_prefix(std::min(item.size() + 1, text.size()));
  }
  return 0;
}

}  // namespace manta::topology
