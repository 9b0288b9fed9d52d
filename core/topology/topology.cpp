#include "core/topology/topology.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/base/check.hpp"

namespace manta::topology {

Topology Restrict(const Topology& topology, const CpuSet& keep) {
  Topology part = topology;
  part.cpus &= keep;
  part.allowed &= keep;
  for (Core& core : part.cores) core.cpus &= keep;
  for (NumaNode& node : part.numa_nodes) node.cpus &= keep;
  for (GpuNear& gpu : part.gpus) gpu.cpus &= keep;
  std::erase_if(part.cores, [](const Core& core) { return core.cpus.empty(); });
  std::erase_if(part.numa_nodes, [](const NumaNode& node) { return node.cpus.empty(); });
  return part;
}

Topology ThreadsAsCores(const Topology& topology) {
  Topology threads = topology;
  threads.cores.clear();
  for (const Core& core : topology.cores) {
    for (const int cpu : core.cpus.Cpus()) {
      Core thread = core;
      thread.index = static_cast<int>(threads.cores.size());
      thread.cpus = CpuSet::Range(cpu, cpu);
      threads.cores.push_back(std::move(thread));
    }
  }
  return threads;
}

std::vector<int> CoresWithin(const Topology& topology, const CpuSet& set) {
  std::vector<int> indexes;
  for (const Core& core : topology.cores)
    if (core.cpus.Intersects(set)) indexes.push_back(core.index);
  return indexes;
}

CpuSet CpusOf(const Topology& topology, const std::vector<int>& core_indexes) {
  CpuSet set;
  for (const Core& core : topology.cores)
    if (std::find(core_indexes.begin(), core_indexes.end(), core.index) != core_indexes.end()) set |= core.cpus;
  return set;
}

std::vector<CpuSet> DivideCores(const Topology& topology, const CpuSet& allowed, int parts) {
  MANTA_ASSERT(parts >= 1);
  std::vector<CpuSet> cores;
  for (const Core& core : topology.cores)
    if (core.cpus.Intersects(allowed)) cores.push_back(core.cpus & allowed);

  std::vector<CpuSet> division(static_cast<std::size_t>(parts));
  const std::size_t count = cores.size(), size = division.size();
  if (count == 0) return division;
  if (size > count) {
    for (std::size_t i = 0; i < size; ++i) division[i] = cores[i * count / size];
    return division;
  }
  std::size_t next = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t end = next + count / size + (i < count % size ? 1 : 0);
    for (; next < end; ++next) division[i] |= cores[next];
  }
  return division;
}

const GpuNear* FindGpu(const Topology& topology, std::string_view pci_bus_id) {
  const std::string normal = NormalPciBusId(pci_bus_id);
  for (const GpuNear& gpu : topology.gpus)
    if (!normal.empty() && gpu.pci_bus_id == normal) return &gpu;
  return nullptr;
}

std::vector<int> CoresNear(const Topology& topology, std::string_view pci_bus_id) {
  if (const GpuNear* gpu = FindGpu(topology, pci_bus_id)) {
    std::vector<int> near = CoresWithin(topology, gpu->cpus);
    if (!near.empty()) return near;
  }
  return CoresWithin(topology, topology.cpus);
}

TopologySource SourceOf(const std::string& text) {
  std::error_code none;
  const bool is_file = text.find('/') != std::string::npos || text.ends_with(".xml") || std::filesystem::exists(text, none);
  return is_file ? TopologySource{.xml_file = text} : TopologySource{.synthetic = text};
}

std::string NormalPciBusId(std::string_view text) {
  const std::string copy(text);
  unsigned domain = 0, bus = 0, device = 0, function = 0;
  int used = 0;
  const auto complete = [&] { return used > 0 && static_cast<std::size_t>(used) == copy.size(); };
  std::sscanf(copy.c_str(), "%8x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &used);
  if (!complete()) {
    domain = 0;
    used = 0;
    std::sscanf(copy.c_str(), "%2x:%2x.%1x%n", &bus, &device, &function, &used);
  }
  if (!complete()) return {};
  char normal[40];
  std::snprintf(normal, sizeof(normal), "%04x:%02x:%02x.%x", domain, bus, device, function);
  return normal;
}

}  // namespace manta::topology
