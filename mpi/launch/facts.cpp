#include "mpi/launch/facts.hpp"

#include <algorithm>
#include <map>
#include <sstream>

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

/// Ranks of a node, by their index on it.
std::map<int, std::vector<int>> RanksByNode(const std::vector<RankFacts>& facts) {
  std::map<int, std::vector<int>> nodes;
  for (std::size_t rank = 0; rank < facts.size(); ++rank) nodes[facts[rank].node].push_back(static_cast<int>(rank));
  return nodes;
}

/// The node's devices: those that any of its ranks sees, by UUID. Each has a home rank: ranks that see it take turns.
std::vector<GpuInfo> DevicesOf(const std::vector<int>& ranks, const std::vector<RankFacts>& facts, int declared) {
  std::vector<GpuInfo> gpus;
  std::map<int, int> homes;  // devices at home on a rank
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
      for (const int candidate : ranks) {
        const auto& seen = facts[static_cast<std::size_t>(candidate)].devices;
        if (std::none_of(seen.begin(), seen.end(), [&](const auto& other) { return other.uuid == device.uuid; }))
          continue;
        if (gpu.home_rank < 0 || homes[candidate] < homes[gpu.home_rank]) gpu.home_rank = candidate;
      }
      ++homes[gpu.home_rank];
      gpus.push_back(std::move(gpu));
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

std::vector<std::string> DecideJob(const std::vector<RankFacts>& facts, const topology::Topology& machine,
                                   runtime::JobInfo& info) {
  std::vector<std::string> warnings;
  info.ranks = static_cast<int>(facts.size());
  info.node_of.resize(facts.size());
  const auto nodes = RanksByNode(facts);
  std::map<std::string, int> nodes_on_host;
  for (const auto& [node, ranks] : nodes) ++nodes_on_host[facts[static_cast<std::size_t>(ranks.front())].host];
  std::map<std::string, int> part_of_host;
  for (const auto& [node, ranks] : nodes) {
    const RankFacts& first = facts[static_cast<std::size_t>(ranks.front())];
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
      if (bind) info.executor_cpus.assign(static_cast<std::size_t>(info.executors), mine.cpus);
    }
    user.gpus = DevicesOf(ranks, facts, info.settings.gpus);
    for (const GpuInfo& gpu : user.gpus) spec.gpus.push_back({gpu.index, Rank(gpu.home_rank)});
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
