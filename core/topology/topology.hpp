#pragma once
// What one machine has: cores, memory nodes, caches that cores share, GPUs and what they are near. hwloc is read once
// into plain data; nothing here changes the machine or the process.
//
//   const Topology machine = DetectTopology();
//   const std::vector<CpuSet> parts = DivideCores(machine, machine.allowed, 4);

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/topology/cpu_set.hpp"

namespace manta::topology {

/// A core, with all its hardware threads. Where hwloc knows no cores, each CPU is one.
struct Core {
  int index = -1;  // hwloc's logical index: neighbours share caches. Stays when a topology is restricted
  CpuSet cpus;     // its hardware threads
  int numa = -1;   // index of a NumaNode; -1: unknown, or several
  int package = -1;
  int l3 = -1;        // cores with the same number share a last-level cache; -1: none is known
  int l2 = -1;        // the same for the cache before it
  int physical = -1;  // hwloc's index of the core that this is a thread of; that of the core itself but for ThreadsAsCores

  template <class V>
  void Fields(V& v) { v(index); v(cpus); v(numa); v(package); v(l3); v(l2); v(physical); }
};

struct NumaNode {
  int index = -1;     // logical
  int os_index = -1;  // as in /sys and numactl
  CpuSet cpus;        // empty for a node of memory alone
  std::uint64_t memory_bytes = 0;

  template <class V>
  void Fields(V& v) { v(index); v(os_index); v(cpus); v(memory_bytes); }
};

/// A display, 3D or accelerator device on the PCI bus, and the cores near it.
struct GpuNear {
  std::string pci_bus_id;  // "0000:01:00.0", as NormalPciBusId writes it
  std::string name;        // hwloc's, such as "cuda0" or "card0"; may be empty
  int numa = -1;           // index of the NumaNode it hangs on; -1: none in particular
  CpuSet cpus;             // CPUs near it

  template <class V>
  void Fields(V& v) { v(pci_bus_id); v(name); v(numa); v(cpus); }
};

/// Plain data, all lists in rising order of index. Copy it freely.
struct Topology {
  std::vector<Core> cores;
  std::vector<NumaNode> numa_nodes;
  std::vector<GpuNear> gpus;
  std::uint64_t memory_bytes = 0;  // of the machine; 0: unknown (a made-up topology)
  CpuSet cpus;                     // all CPUs in it
  CpuSet allowed;                  // those this process's cgroup lets it use
  bool this_system = true;         // false: read from a file or text, so bind nothing to it

  template <class V>
  void Fields(V& v) {
    v(cores);
    v(numa_nodes);
    v(gpus);
    v(memory_bytes);
    v(cpus);
    v(allowed);
    v(this_system);
  }
};

/// What to read instead of this machine. At most one is set.
struct TopologySource {
  std::string xml_file = {};   // a file of `lstopo --of xml`
  std::string synthetic = {};  // hwloc's short form: "pack:2 [numa] core:4 pu:2"
};

/// Reads the whole machine (HWLOC_XMLFILE, HWLOC_SYNTHETIC and HWLOC_THISSYSTEM are honoured), or `source`.
/// Blocks for some milliseconds to half a second: once a process, or once a node and sent to the rest.
/// Throws UsageError when the source cannot be read.
Topology DetectTopology(const TopologySource& source = {});

/// The part that `keep` covers: cores with a CPU in it (and only those CPUs), memory nodes with such cores, all GPUs.
Topology Restrict(const Topology& topology, const CpuSet& keep);

/// The same machine where each hardware thread counts as a core: numbered anew, threads of one core next to each other.
/// A core of one thread stays one. `topology` is whole.
Topology ThreadsAsCores(const Topology& topology);

/// Index of each core that has at least one CPU in `set`, in rising order.
std::vector<int> CoresWithin(const Topology& topology, const CpuSet& set);
/// All CPUs of these cores.
CpuSet CpusOf(const Topology& topology, const std::vector<int>& core_indexes);

/// Cuts the cores of `allowed` into `parts` runs of neighbours, whose sizes differ by one at most, the larger first.
/// Neighbours in hwloc's order share caches and memory. With more parts than cores, parts share: part i gets core
/// i * cores / parts. Every part is empty when `allowed` has no core. `parts` is at least 1.
std::vector<CpuSet> DivideCores(const Topology& topology, const CpuSet& allowed, int parts);

/// The GPU of that PCI bus id in any of the usual spellings ("0000:01:00.0", "00000000:01:00.0", "01:00.0"), or null.
const GpuNear* FindGpu(const Topology& topology, std::string_view pci_bus_id);
/// Cores of `topology` near that GPU; all of its cores if the GPU or its place is not known.
std::vector<int> CoresNear(const Topology& topology, std::string_view pci_bus_id);
/// The source that `text` names: a file if there is one of that name or it looks like a path, else hwloc's short form.
TopologySource SourceOf(const std::string& text);

/// "0000:01:00.0": domain of four digits (more if it needs them), lower case. Empty when `text` is no PCI bus id.
std::string NormalPciBusId(std::string_view text);

}  // namespace manta::topology
