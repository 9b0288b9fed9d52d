#include "core/topology/rank_cores.hpp"

#include <algorithm>
#include <sstream>

#include "core/base/check.hpp"

namespace manta::topology {
namespace {

int CountCores(const Topology& topology, const CpuSet& set) {
  return static_cast<int>(CoresWithin(topology, set).size());
}

int ThreadsPerCore(const Topology& topology) {
  int threads = 1;
  for (const Core& core : topology.cores) threads = std::max(threads, core.cpus.Count());
  return threads;
}

/// What Slurm granted, as cores of this machine. Slurm counts hardware threads unless its administrator set it to count
/// cores, which cannot be seen from here; this reading never makes more cores of it than there are.
int AllocatedCores(const Topology& topology, int allocation_cpus) {
  const int threads = ThreadsPerCore(topology);
  return std::min((allocation_cpus + threads - 1) / threads, static_cast<int>(topology.cores.size()));
}

/// Keeps as many cores of `allowed` as Slurm granted, those that ranks are bound to first: where it does not confine
/// its jobs, the rest of the machine is somebody else's.
CpuSet WithinAllocation(const Topology& topology, const NodeLaunch& launch, const CpuSet& allowed) {
  const int granted_cpus = launch.facts.allocation_cpus;
  // As many CPUs as the machine has cores is a whole machine whose cores were counted.
  if (granted_cpus == 0 || granted_cpus == static_cast<int>(topology.cores.size())) return allowed;
  const int limit = AllocatedCores(topology, granted_cpus);
  if (CountCores(topology, allowed) <= limit) return allowed;

  CpuSet bound;
  for (const RankBinding& rank : launch.ranks)
    if (!allowed.IsSubsetOf(rank.cpus)) bound |= rank.cpus;
  CpuSet granted;
  int cores = 0;
  for (const bool take_bound : {true, false}) {
    for (const Core& core : topology.cores) {
      if (cores == limit) return granted;
      if (!core.cpus.Intersects(allowed) || core.cpus.Intersects(bound) != take_bound) continue;
      granted |= core.cpus & allowed;
      ++cores;
    }
  }
  return granted;
}

/// Ranks that may use the same CPUs, by their place in NodeLaunch::ranks.
struct Group {
  CpuSet cpus;
  std::vector<std::size_t> members;
};

std::vector<Group> GroupByCpus(const Topology& topology, const NodeLaunch& launch, const CpuSet& allowed,
                               const CpuSet& granted) {
  const bool takes_all = launch.ranks.size() == 1 && !launch.facts.binding_asked;
  std::vector<Group> groups;
  for (std::size_t i = 0; i < launch.ranks.size(); ++i) {
    const CpuSet binding = launch.ranks[i].cpus & topology.cpus;
    const bool unbound = binding.empty() || allowed.IsSubsetOf(binding);
    const CpuSet& cpus = takes_all || unbound ? granted : binding;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.cpus == cpus; });
    if (group == groups.end()) group = groups.insert(groups.end(), Group{cpus, {}});
    group->members.push_back(i);
  }
  // Stable: of equal sizes, that of the lowest rank first.
  std::stable_sort(groups.begin(), groups.end(), [&](const Group& a, const Group& b) {
    return CountCores(topology, a.cpus) < CountCores(topology, b.cpus);
  });
  return groups;
}

void Divide(const Topology& topology, const Group& group, CpuSet& taken, std::vector<RankCores>& ranks) {
  CpuSet free;
  for (const Core& core : topology.cores)
    if (!core.cpus.Intersects(taken)) free |= core.cpus & group.cpus;
  const int members = static_cast<int>(group.members.size());
  if (CountCores(topology, free) >= members) {
    const std::vector<CpuSet> parts = DivideCores(topology, free, members);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      RankCores& rank = ranks[group.members[i]];
      rank.cpus = parts[i];
      rank.num_cpus = CountCores(topology, parts[i]);
    }
  } else {
    // Not one core each: the kernel evens out three ranks on two cores better than any fixed choice.
    for (std::size_t member : group.members) ranks[member].cpus = free.empty() ? group.cpus : free;
  }
  for (std::size_t member : group.members) taken |= ranks[member].cpus;
}

/// "rank 3", "ranks 0-2,5".
std::string RanksText(const std::vector<int>& ranks) {
  CpuSet list;  // the same list format
  for (int rank : ranks) list.Add(rank);
  return (ranks.size() == 1 ? "rank " : "ranks ") + list.ToString();
}

void SayShared(const Topology& topology, NodeCores& node) {
  std::vector<int> ranks;
  CpuSet cpus;
  int num_cpus = 0;
  for (const RankCores& rank : node.ranks) {
    if (!rank.shared) continue;
    ranks.push_back(rank.rank);
    cpus |= rank.cpus;
    num_cpus += rank.num_cpus;
  }
  if (ranks.empty()) return;
  const int cores = CountCores(topology, cpus);
  std::ostringstream line;
  line << RanksText(ranks) << " share " << cores << (cores == 1 ? " core" : " cores") << " (CPUs " << cpus.ToString()
       << ") and count as " << num_cpus << " CPUs: their tasks take turns";
  node.warnings.push_back(line.str());
}

void SayUnused(const Topology& topology, const NodeLaunch& launch, const CpuSet& granted, NodeCores& node) {
  const int offered = std::max(CountCores(topology, granted), AllocatedCores(topology, launch.facts.allocation_cpus));
  if (node.cores_used >= offered) return;
  const int ranks = static_cast<int>(node.ranks.size());
  const int cores_each = std::max(1, offered / ranks);
  std::ostringstream line;
  line << "uses " << node.cores_used << " of the " << offered << " cores that the job holds here; to use "
       << (offered % ranks == 0 || ranks > offered ? "all" : "more") << ", start with ";
  switch (launch.facts.launcher) {
    case Launcher::kOpenMpi:
      line << "`mpirun --bind-to none` or `mpirun --map-by slot:PE=" << cores_each << "`";
      break;
    case Launcher::kSlurm:
      line << "`srun -c " << cores_each * ThreadsPerCore(topology) << "`";
      break;
    case Launcher::kOther:
    case Launcher::kNone:
      line << "an option of your launcher that gives each rank " << cores_each << " cores, or none that binds";
      break;
  }
  node.warnings.push_back(line.str());
}

}  // namespace

NodeCores DecideRankCores(const Topology& topology, const NodeLaunch& launch) {
  MANTA_ASSERT(!launch.ranks.empty());
  const CpuSet present = launch.allowed & topology.cpus;
  const CpuSet allowed = present.empty() ? topology.cpus : present;
  const CpuSet granted = WithinAllocation(topology, launch, allowed);

  NodeCores node;
  node.ranks.resize(launch.ranks.size());
  CpuSet taken;
  for (const Group& group : GroupByCpus(topology, launch, allowed, granted)) Divide(topology, group, taken, node.ranks);

  for (std::size_t i = 0; i < node.ranks.size(); ++i) {
    RankCores& rank = node.ranks[i];
    rank.rank = launch.ranks[i].rank;
    rank.cores = CoresWithin(topology, rank.cpus);
    rank.executors = launch.executors > 0 ? launch.executors : rank.num_cpus;
    node.num_cpus += rank.num_cpus;
    for (std::size_t j = 0; j < node.ranks.size(); ++j)
      if (j != i && CpusOf(topology, rank.cores).Intersects(node.ranks[j].cpus)) rank.shared = true;
  }
  node.cores_used = CountCores(topology, taken);
  node.cores_present = static_cast<int>(topology.cores.size());
  SayShared(topology, node);
  SayUnused(topology, launch, granted, node);
  return node;
}

}  // namespace manta::topology
