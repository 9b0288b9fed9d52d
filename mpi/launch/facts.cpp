#include "mpi/launch/facts.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <tuple>

#include "core/scheduling/node_cores.hpp"
#include "core/wire/codec.hpp"
#include "mpi/handles/error.hpp"

namespace manta::launch {

std::vector<std::string> CollectiveExchange(const mpi::Communicator& world, const std::string& mine) {
  const auto ranks = static_cast<std::size_t>(world.size());
  std::vector<int> sizes(ranks), at(ranks);
  int size = static_cast<int>(mine.size());
  MANTA_MPI_TRY(MPI_Allgather(&size, 1, MPI_INT, sizes.data(), 1, MPI_INT, world.get()));
  int total = 0;
  for (std::size_t i = 0; i < ranks; ++i) {
    at[i] = total;
    total += sizes[i];
  }
  std::string all(static_cast<std::size_t>(total), '\0');
  MANTA_MPI_TRY(
      MPI_Allgatherv(mine.data(), size, MPI_CHAR, all.data(), sizes.data(), at.data(), MPI_CHAR, world.get()));
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < ranks; ++i)
    texts.push_back(all.substr(static_cast<std::size_t>(at[i]), static_cast<std::size_t>(sizes[i])));
  return texts;
}

std::vector<RankFacts> CollectiveExchange(const mpi::Communicator& world, const RankFacts& mine) {
  std::vector<std::byte> bytes;
  wire::Writer writer(bytes);
  const_cast<RankFacts&>(mine).Fields(writer);
  std::vector<RankFacts> facts;
  for (const std::string& text :
       CollectiveExchange(world, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()))) {
    wire::Reader reader({reinterpret_cast<const std::byte*>(text.data()), text.size()});
    facts.emplace_back().Fields(reader);
  }
  return facts;
}

namespace {

template <class Fields>
std::string Pack(Fields& fields) {
  std::vector<std::byte> bytes;
  wire::Writer writer(bytes);
  fields.Fields(writer);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

topology::Topology Unpack(const std::string& text) {
  topology::Topology machine;
  wire::Reader reader({reinterpret_cast<const std::byte*>(text.data()), text.size()});
  machine.Fields(reader);
  return machine;
}

}  // namespace

topology::Topology CollectiveDetect(const mpi::Communicator& host) {
  std::string text;
  if (host.rank() == 0) {
    topology::Topology machine = topology::DetectTopology();
    text = Pack(machine);
  }
  return Unpack(CollectiveExchange(host, text).front());
}

std::vector<topology::Topology> CollectiveMachines(const mpi::Communicator& world, topology::Topology mine,
                                                   std::int32_t* index) {
  mine.memory_bytes = 0;
  for (topology::NumaNode& node : mine.numa_nodes) node.memory_bytes = 0;
  mine.allowed = topology::CpuSet();
  std::string text = Pack(mine);
  const std::string print = std::to_string(text.size()) + ' ' + std::to_string(std::hash<std::string>()(text));
  const std::vector<std::string> prints = CollectiveExchange(world, print);
  std::vector<std::string> known;
  std::vector<topology::Topology> machines;
  for (int rank = 0; rank < world.size(); ++rank) {
    const std::string& one = prints[static_cast<std::size_t>(rank)];
    if (std::find(known.begin(), known.end(), one) != known.end()) continue;
    if (one == print) *index = static_cast<std::int32_t>(known.size());
    known.push_back(one);
    std::string theirs = rank == world.rank() ? text : std::string(std::stoul(one), '\0');
    MANTA_MPI_TRY(MPI_Bcast(theirs.data(), static_cast<int>(theirs.size()), MPI_CHAR, rank, world.get()));
    machines.push_back(Unpack(theirs));
  }
  return machines;
}

namespace {

/// Ranks of a node, by their index on it.
std::map<int, std::vector<int>> RanksByNode(const std::vector<RankFacts>& facts) {
  std::map<int, std::vector<int>> nodes;
  for (std::size_t rank = 0; rank < facts.size(); ++rank) nodes[facts[rank].node].push_back(static_cast<int>(rank));
  return nodes;
}

/// The node's devices: those that any of its ranks sees, by UUID. Each has a home rank, of those that see it: ranks have
/// as many as any other, or one more, and as far as that goes those that are near their cores.
std::vector<GpuInfo> DevicesOf(const std::vector<int>& ranks, const std::vector<RankFacts>& facts,
                               const topology::Topology& machine, const topology::NodeCores& cores, int declared) {
  std::vector<GpuInfo> gpus;
  for (const int rank : ranks)
    for (const auto& device : facts[static_cast<std::size_t>(rank)].devices) {
      const bool known =
          std::any_of(gpus.begin(), gpus.end(), [&](const GpuInfo& gpu) { return gpu.uuid == device.uuid; });
      if (known) continue;
      GpuInfo gpu;
      gpu.index = static_cast<int>(gpus.size());
      gpu.uuid = device.uuid;
      gpu.name = device.name;
      gpu.pci_bus_id = device.pci_bus_id;
      gpu.memory_bytes = device.memory_bytes;
      gpus.push_back(std::move(gpu));
    }
  const std::size_t share = (gpus.size() + ranks.size() - 1) / ranks.size();
  std::vector<std::size_t> homes(ranks.size());  // devices at home on a rank
  for (GpuInfo& gpu : gpus) {
    const topology::GpuNear* const place = topology::FindGpu(machine, gpu.pci_bus_id);
    const auto cost = [&](std::size_t i) {
      const bool near = place == nullptr || place->cpus.Intersects(cores.ranks[i].cpus);
      return std::tuple(homes[i] >= share, !near, homes[i]);
    };
    std::optional<std::size_t> home;
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      const auto& seen = facts[static_cast<std::size_t>(ranks[i])].devices;
      if (std::none_of(seen.begin(), seen.end(), [&](const auto& other) { return other.uuid == gpu.uuid; })) continue;
      if (!home || cost(i) < cost(*home)) home = i;
    }
    gpu.home_rank = ranks[*home];
    ++homes[*home];
  }
  if (declared >= 0) {
    gpus.resize(std::min(gpus.size(), static_cast<std::size_t>(declared)));
    while (gpus.size() < static_cast<std::size_t>(declared)) {
      GpuInfo gpu;
      gpu.index = static_cast<int>(gpus.size());
      gpu.uuid = "declared-" + std::to_string(gpu.index);
      gpu.name = "declared";
      gpu.home_rank = ranks[gpus.size() % ranks.size()];
      gpus.push_back(std::move(gpu));
    }
  }
  return gpus;
}

}  // namespace

std::vector<std::string> DecideJob(const std::vector<RankFacts>& facts,
                                   std::vector<topology::Topology> machines, runtime::JobInfo& info) {
  std::vector<std::string> warnings;
  if (info.settings.use_hyperthreads)
    for (topology::Topology& machine : machines) machine = topology::ThreadsAsCores(machine);
  info.ranks = static_cast<int>(facts.size());
  info.node_of.resize(facts.size());
  const auto nodes = RanksByNode(facts);
  std::map<std::string, int> nodes_on_host;
  for (const auto& [node, ranks] : nodes) ++nodes_on_host[facts[static_cast<std::size_t>(ranks.front())].host];
  std::map<std::string, int> part_of_host;
  for (const auto& [node, ranks] : nodes) {
    const RankFacts& first = facts[static_cast<std::size_t>(ranks.front())];
    const topology::Topology& machine = machines[static_cast<std::size_t>(first.machine)];
    topology::NodeLaunch launch;
    launch.allowed = topology::CpuSet::FromString(first.allowed).value_or(topology::CpuSet());
    launch.facts.launcher = static_cast<topology::Launcher>(first.launcher);
    launch.facts.allocation_cpus = first.allocation_cpus;
    launch.executors = info.settings.executors;
    const int parts = nodes_on_host[first.host];
    if (parts > 1) {  // fake nodes share the machine out among them
      launch.allowed =
          topology::DivideCores(machine, launch.allowed, parts)[static_cast<std::size_t>(part_of_host[first.host]++)];
      launch.facts.allocation_cpus = 0;
    }
    for (const int rank : ranks) {
      const RankFacts& one = facts[static_cast<std::size_t>(rank)];
      launch.facts.binding_asked = launch.facts.binding_asked || one.binding_asked != 0;
      launch.ranks.push_back(
          {rank, parts > 1 ? launch.allowed : topology::CpuSet::FromString(one.binding).value_or(topology::CpuSet())});
    }
    const topology::NodeCores cores = topology::DecideRankCores(machine, launch);
    for (const std::string& warning : cores.warnings)
      warnings.push_back(nodes.size() > 1 ? "node " + std::to_string(node) + " (" + first.host + "): " + warning
                                          : warning);

    scheduling::NodeSpec spec;
    spec.id = NodeId(node);
    NodeInfo user;
    user.id = node;
    user.host = first.host;
    user.ranks = ranks;
    user.store_bytes = first.store_bytes;
    Amount cpus;
    // Declared CPUs are shared out evenly, the first ranks taking what is left over.
    const Amount declared = Amount::FromDouble(info.settings.cpus);
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      const topology::RankCores& mine = cores.ranks[i];
      Amount slots = Amount::Whole(mine.num_cpus);
      if (!declared.IsZero()) {
        const auto count = static_cast<std::int64_t>(ranks.size());
        const std::int64_t whole = declared.units() / Amount::kUnitsPerOne;
        slots = Amount::Whole(whole / count + (static_cast<std::int64_t>(i) < whole % count ? 1 : 0));
        if (i == 0) slots += Amount::FromUnits(declared.units() % Amount::kUnitsPerOne);
      }
      spec.ranks.push_back(Rank(ranks[i]));
      spec.slots[Rank(ranks[i])] = slots;
      cpus += slots;
      info.node_of[static_cast<std::size_t>(ranks[i])] = NodeId(node);
      if (Rank(ranks[i]) != info.self) continue;
      info.my_index = static_cast<std::uint32_t>(i);
      info.node_cores = std::max(1, cores.cores_used);
      info.executors = info.settings.executors > 0 ? info.settings.executors
                                                   : static_cast<int>(std::max<std::int64_t>(1, slots.RoundedUp()));
      // More executors than cores are not bound one each; they share the rank's cores.
      const bool bind = info.settings.binding && machine.this_system && !mine.cpus.empty();
      if (bind) {
        info.executor_cpus.assign(static_cast<std::size_t>(info.executors), mine.cpus);
        for (const topology::RankCores& rank : cores.ranks) info.node_cpus |= rank.cpus;
        for (const topology::Core& core : machine.cores) {
          info.core_cpus.resize(static_cast<std::size_t>(core.index) + 1);
          info.core_cpus.back() = core.cpus & info.node_cpus;
        }
      }
    }
    spec.cores = scheduling::LeasableCores(machine, cores, spec.slots);
    user.gpus = DevicesOf(ranks, facts, machine, cores, info.settings.gpus);
    for (const GpuInfo& gpu : user.gpus) spec.gpus.push_back({gpu.index, Rank(gpu.home_rank),
                                                              scheduling::NearCores(machine, spec.cores, gpu.pci_bus_id)});
    spec.memory_bytes =
        info.settings.memory != 0 ? info.settings.memory : first.memory_bytes / static_cast<std::uint64_t>(parts);
    user.resources["CPU"] = cpus.value();
    if (!user.gpus.empty()) user.resources["GPU"] = static_cast<double>(user.gpus.size());
    user.resources["memory"] = static_cast<double>(spec.memory_bytes);
    for (const auto& [name, amount] : info.settings.resources) {
      spec.custom[name] = Amount::FromDouble(amount);
      user.resources[name] = amount;
    }
    info.specs.push_back(std::move(spec));
    info.nodes.push_back(std::move(user));
    info.cores.push_back(cores);
  }
  return warnings;
}

std::string StartLine(const std::vector<RankFacts>& facts, const runtime::JobInfo& info, const std::string& transports,
                      const std::string& rma) {
  double cpus = 0;
  std::size_t gpus = 0;
  std::uint64_t store = 0;
  for (const NodeInfo& node : info.nodes) {
    cpus += node.resources.at("CPU");
    gpus += node.gpus.size();
    store += node.store_bytes;
  }
  auto plural = [](std::size_t count, const std::string& what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
  };
  std::ostringstream line;
  line << plural(facts.size(), "rank") << " on " << plural(info.nodes.size(), "node") << ", " << cpus << " CPUs ("
       << info.node_cores << (info.node_cores == 1 ? " core" : " cores") << " of the first node), gpus: " << gpus
       << " (" << facts.front().device_status << "), " << info.executors
       << (info.executors == 1 ? " executor" : " executors") << " a rank, store " << (store >> 20) << " MiB ("
       << facts.front().segment_kind << "), " << transports << ", rma " << rma;
  return line.str();
}

}  // namespace manta::launch
