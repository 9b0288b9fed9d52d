#include "mpi/launch/info.hpp"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "core/topology/describe.hpp"

namespace manta::launch {
namespace {

std::string Gibibytes(std::uint64_t bytes) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / (1u << 30) << " GiB";
  return text.str();
}

std::string Count(double count, const std::string& what) {
  std::ostringstream text;
  text << count << ' ' << what << (count == 1 ? "" : "s");
  return text.str();
}

void AddMachine(std::size_t number, bool of_many, const topology::Topology& machine, const runtime::JobInfo& job,
                const std::vector<RankFacts>& facts, std::ostream& out) {
  out << "machine";
  if (of_many) {
    topology::CpuSet nodes;  // the same list format
    for (const RankFacts& one : facts)
      if (static_cast<std::size_t>(one.machine) == number) nodes.Add(one.node);
    out << " of " << (nodes.Count() == 1 ? "node " : "nodes ") << nodes.ToString();
  }
  out << ", with " << Count(static_cast<double>(machine.cores.size()), "core");
  if (job.settings.use_hyperthreads) out << " (each hardware thread counts as one)";
  out << '\n';
  for (const std::string& line : topology::Describe(machine)) out << "  " << line << '\n';
}

void AddRank(const topology::RankCores& rank, const scheduling::NodeSpec& spec, std::ostream& out) {
  const Amount cpus = spec.slots.at(Rank(rank.rank));
  out << "  rank " << rank.rank << ": " << Count(cpus.value(), "CPU") << " on " << topology::CoresText(rank.cores)
      << " (CPUs " << rank.cpus.ToString() << ")";
  const bool bound = std::any_of(spec.cores.begin(), spec.cores.end(),
                                 [&](const scheduling::CoreSpec& core) { return core.rank == Rank(rank.rank); });
  if (!bound)
    out << (rank.shared ? "; shares them, so that leases are not bound to them"
                        : "; has more CPUs than cores, so that leases are not bound to them");
  out << '\n';
}

void AddGpu(const GpuInfo& gpu, const scheduling::DeviceSpec& spec, std::ostream& out) {
  out << "  GPU " << gpu.index << ": " << gpu.name << ", " << gpu.uuid;
  if (!gpu.pci_bus_id.empty() && gpu.pci_bus_id != gpu.uuid) out << ", PCI " << gpu.pci_bus_id;
  if (gpu.memory_bytes != 0) out << ", " << Gibibytes(gpu.memory_bytes);
  out << ", home rank " << gpu.home_rank << ", near "
      << (spec.near.empty() ? "which cores is not known" : topology::CoresText(spec.near)) << '\n';
}

}  // namespace

std::string InfoText(const std::vector<RankFacts>& facts, const std::vector<topology::Topology>& machines,
                     const runtime::JobInfo& job) {
  std::ostringstream out;
  for (std::size_t i = 0; i < machines.size(); ++i)
    AddMachine(i, machines.size() > 1,
               job.settings.use_hyperthreads ? topology::ThreadsAsCores(machines[i]) : machines[i], job, facts, out);
  for (std::size_t i = 0; i < job.nodes.size(); ++i) {
    const NodeInfo& node = job.nodes[i];
    const RankFacts& first = facts[static_cast<std::size_t>(node.ranks.front())];
    out << "node " << node.id << " (" << node.host << "): " << Count(static_cast<double>(node.ranks.size()), "rank") << ", "
        << Count(node.resources.at("CPU"), "CPU") << ", " << Count(static_cast<double>(node.gpus.size()), "GPU");
    if (job.specs[i].memory_bytes != 0) out << ", memory " << Gibibytes(job.specs[i].memory_bytes);
    if (node.store_bytes != 0) out << ", store " << (node.store_bytes >> 20) << " MiB (" << first.segment_kind << ")";
    out << '\n';
    for (const topology::RankCores& rank : job.cores[i].ranks) AddRank(rank, job.specs[i], out);
    for (std::size_t gpu = 0; gpu < node.gpus.size(); ++gpu) AddGpu(node.gpus[gpu], job.specs[i].gpus[gpu], out);
    if (node.gpus.empty() && !first.device_status.empty()) out << "  no GPU: " << first.device_status << '\n';
  }
  return out.str();
}

std::string InfoOfMachine(const topology::Topology& machine, int ranks, const Settings& settings) {
  RankFacts facts;
  facts.host = "made up";
  facts.binding = machine.cpus.ToString();
  facts.allowed = machine.allowed.ToString();
  facts.memory_bytes = machine.memory_bytes;
  for (const topology::GpuNear& gpu : machine.gpus)
    facts.devices.push_back({gpu.pci_bus_id,  // nobody knows the UUID
                             gpu.name.empty() ? "unnamed" : gpu.name, gpu.pci_bus_id, 0});
  const std::vector<RankFacts> all(static_cast<std::size_t>(ranks), facts);
  runtime::JobInfo job;
  job.self = Rank(0);
  job.settings = settings;
  std::string text;
  const std::vector<std::string> warnings = DecideJob(all, {machine}, job);
  text = InfoText(all, {machine}, job);
  for (const std::string& warning : warnings) text += "warning: " + warning + '\n';
  return text;
}

}  // namespace manta::launch
