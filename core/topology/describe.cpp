#include "core/topology/describe.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace manta::topology {
namespace {

struct Level {
  const char* name;
  int Core::*number;
  bool is_cache;
  bool is_inner;  // of no interest where it is all of the group around it
};
constexpr std::array<Level, 5> kLevels{
    Level{"package", &Core::package, false, false}, Level{"NUMA node", &Core::numa, false, false},
    Level{"L3", &Core::l3, true, false}, Level{"L2", &Core::l2, true, true}, Level{"core", &Core::physical, true, true}};

using Cores = std::vector<const Core*>;

void AddLine(const std::string& what, const Cores& cores, std::size_t indent, std::vector<std::string>& lines) {
  std::vector<int> indexes;
  CpuSet cpus;
  for (const Core* core : cores) {
    indexes.push_back(core->index);
    cpus |= core->cpus;
  }
  lines.push_back(std::string(indent, ' ') + what + ": " + CoresText(indexes) + " (CPUs " + cpus.ToString() + ")");
}

/// The groups of `cores` at `level`, each with the groups in it.
void AddGroups(const Cores& cores, std::size_t level, std::size_t indent, std::vector<std::string>& lines) {
  if (level == kLevels.size()) return;
  const Level& here = kLevels[level];
  std::map<int, Cores> groups;
  for (const Core* core : cores) groups[core->*here.number].push_back(core);
  const bool each_alone =
      std::all_of(groups.begin(), groups.end(), [](const auto& group) { return group.second.size() == 1; });
  for (const auto& [number, members] : groups) {
    const bool is_the_same = here.is_inner && members.size() == cores.size();
    const bool told = number >= 0 && !(here.is_cache && each_alone) && !is_the_same;
    if (told) AddLine(here.name + (" " + std::to_string(number)), members, indent, lines);
    AddGroups(members, level + 1, told ? indent + 2 : indent, lines);
  }
}

}  // namespace

std::string CoresText(const std::vector<int>& core_indexes) {
  CpuSet list;  // the same list format
  for (const int core : core_indexes) list.Add(core);
  return (core_indexes.size() == 1 ? "core " : "cores ") + list.ToString();
}

std::vector<std::string> Describe(const Topology& topology) {
  Cores cores;
  for (const Core& core : topology.cores) cores.push_back(&core);
  std::vector<std::string> lines;
  AddGroups(cores, 0, 0, lines);
  if (lines.empty() && !cores.empty()) AddLine("machine", cores, 0, lines);
  for (const GpuNear& gpu : topology.gpus) {
    const std::vector<int> near = CoresWithin(topology, gpu.cpus);
    lines.push_back("PCI " + gpu.pci_bus_id + (gpu.name.empty() ? "" : " (" + gpu.name + ")") + ": " +
                    (near.empty() ? "near no core of the machine" : "near " + CoresText(near)));
  }
  return lines;
}

}  // namespace manta::topology
