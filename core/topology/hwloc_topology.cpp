// DetectTopology: the only file that knows hwloc.
#include <hwloc.h>
#include <unistd.h>

#include <memory>
#include <type_traits>

#include "core/base/check.hpp"
#include "core/topology/topology.hpp"

namespace manta::topology {
namespace {

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using HwlocTopology = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, Destroy>;

/// Displays (VGA, 3D) and processing accelerators: PCI classes 03xx and 12xx (PCI Code and ID Assignment, section 1).
bool IsGpuClass(unsigned class_id) { return class_id >> 8 == 0x03 || class_id >> 8 == 0x12; }

CpuSet ToCpuSet(hwloc_const_bitmap_t bitmap) {
  CpuSet set;
  if (bitmap == nullptr) return set;
  for (int cpu = hwloc_bitmap_first(bitmap); cpu != -1; cpu = hwloc_bitmap_next(bitmap, cpu)) set.Add(cpu);
  return set;
}

/// Logical index of the one memory node in `nodeset`; -1 for none or several.
int OnlyNumaNode(hwloc_topology_t topology, hwloc_const_nodeset_t nodeset) {
  if (nodeset == nullptr || hwloc_bitmap_weight(nodeset) != 1) return -1;
  const hwloc_obj_t node =
      hwloc_get_numanode_obj_by_os_index(topology, static_cast<unsigned>(hwloc_bitmap_first(nodeset)));
  return node == nullptr ? -1 : static_cast<int>(node->logical_index);
}

int IndexOfAncestor(hwloc_topology_t topology, hwloc_obj_type_t type, hwloc_obj_t object) {
  const hwloc_obj_t ancestor = hwloc_get_ancestor_obj_by_type(topology, type, object);
  return ancestor == nullptr ? -1 : static_cast<int>(ancestor->logical_index);
}

HwlocTopology Load(const TopologySource& source) {
  hwloc_topology_t raw = nullptr;
  MANTA_EXPECT(hwloc_topology_init(&raw) == 0, "hwloc cannot make a topology: out of memory?");
  HwlocTopology topology(raw);
  if (!source.xml_file.empty()) {
    MANTA_EXPECT(hwloc_topology_set_xml(raw, source.xml_file.c_str()) == 0,
                 "hwloc cannot read the topology file '" << source.xml_file << "': is it there, and hwloc 2 XML?");
  } else if (!source.synthetic.empty()) {
    MANTA_EXPECT(hwloc_topology_set_synthetic(raw, source.synthetic.c_str()) == 0,
                 "hwloc does not understand the topology '" << source.synthetic
                                                            << "'; it should look like 'pack:2 [numa] core:4 pu:2'");
  }
  // Also what the cgroup keeps from us: how much of the machine the job holds is part of the start line.
  hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  hwloc_topology_set_io_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
  MANTA_EXPECT(hwloc_topology_load(raw) == 0,
               "hwloc cannot read the topology"
                   << (source.xml_file.empty() ? std::string(" of this machine; are HWLOC_XMLFILE and HWLOC_SYNTHETIC "
                                                             "right, if they are set?")
                                               : " file '" + source.xml_file + "'"));
  return topology;
}

std::vector<Core> ReadCores(hwloc_topology_t topology) {
  const hwloc_obj_type_t type = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
  std::vector<Core> cores;
  for (hwloc_obj_t object = nullptr; (object = hwloc_get_next_obj_by_type(topology, type, object)) != nullptr;) {
    Core core;
    core.index = static_cast<int>(object->logical_index);
    core.cpus = ToCpuSet(object->cpuset);
    core.numa = OnlyNumaNode(topology, object->nodeset);
    core.package = IndexOfAncestor(topology, HWLOC_OBJ_PACKAGE, object);
    core.l3 = IndexOfAncestor(topology, HWLOC_OBJ_L3CACHE, object);
    core.l2 = IndexOfAncestor(topology, HWLOC_OBJ_L2CACHE, object);
    core.physical = core.index;
    cores.push_back(std::move(core));
  }
  return cores;
}

std::vector<NumaNode> ReadNumaNodes(hwloc_topology_t topology) {
  std::vector<NumaNode> nodes;
  for (hwloc_obj_t object = nullptr;
       (object = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, object)) != nullptr;) {
    nodes.push_back({.index = static_cast<int>(object->logical_index),
                     .os_index = static_cast<int>(object->os_index),
                     .cpus = ToCpuSet(object->cpuset),
                     .memory_bytes = object->attr->numanode.local_memory});
  }
  return nodes;
}

/// The name a user knows the device by: the CUDA one if hwloc has it, else any.
std::string DeviceName(hwloc_obj_t pci_device) {
  std::string name;
  for (hwloc_obj_t child = pci_device->io_first_child; child != nullptr; child = child->next_sibling) {
    if (child->type != HWLOC_OBJ_OS_DEVICE || child->name == nullptr) continue;
    const bool is_cuda = child->subtype != nullptr && std::string_view(child->subtype) == "CUDA";
    if (name.empty() || is_cuda) name = child->name;
  }
  return name;
}

std::vector<GpuNear> ReadGpus(hwloc_topology_t topology) {
  std::vector<GpuNear> gpus;
  for (hwloc_obj_t object = nullptr; (object = hwloc_get_next_pcidev(topology, object)) != nullptr;) {
    const auto& pci = object->attr->pcidev;
    if (!IsGpuClass(pci.class_id)) continue;
    const hwloc_obj_t near = hwloc_get_non_io_ancestor_obj(topology, object);
    char bus_id[40];
    std::snprintf(bus_id, sizeof(bus_id), "%04x:%02x:%02x.%x", static_cast<unsigned>(pci.domain),
                  static_cast<unsigned>(pci.bus), static_cast<unsigned>(pci.dev), static_cast<unsigned>(pci.func));
    gpus.push_back({.pci_bus_id = bus_id,
                    .name = DeviceName(object),
                    .numa = OnlyNumaNode(topology, near->nodeset),
                    .cpus = ToCpuSet(near->cpuset)});
  }
  return gpus;
}

}  // namespace

Topology DetectTopology(const TopologySource& source) {
  const HwlocTopology loaded = Load(source);
  hwloc_topology_t raw = loaded.get();
  const hwloc_obj_t machine = hwloc_get_root_obj(raw);
  Topology topology;
  topology.cores = ReadCores(raw);
  topology.numa_nodes = ReadNumaNodes(raw);
  topology.gpus = ReadGpus(raw);
  topology.memory_bytes = machine->total_memory;
  topology.cpus = ToCpuSet(machine->cpuset);
  topology.allowed = ToCpuSet(hwloc_topology_get_allowed_cpuset(raw)) & topology.cpus;
  topology.this_system = hwloc_topology_is_thissystem(raw) != 0;
  if (topology.memory_bytes == 0 && topology.this_system) {  // some containers hide what hwloc reads
    const long pages = ::sysconf(_SC_PHYS_PAGES), page_bytes = ::sysconf(_SC_PAGESIZE);
    if (pages > 0 && page_bytes > 0)
      topology.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
  }
  return topology;
}

}  // namespace manta::topology
