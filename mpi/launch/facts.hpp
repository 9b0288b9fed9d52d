#pragma once
// What each rank tells all others before the job begins, and what all ranks conclude from it.

#include <cstdint>
#include <string>
#include <vector>

#include "core/ports/device_backend.hpp"
#include "core/runtime/job_info.hpp"
#include "core/topology/rank_cores.hpp"
#include "core/topology/topology.hpp"
#include "mpi/handles/communicator.hpp"

namespace manta::launch {

/// One rank's facts.
struct RankFacts {
  std::string host;
  std::int32_t node = 0;         // by the lowest rank of those that share memory (or of a fake node)
  std::string binding, allowed;  // CpuSet texts
  std::uint8_t binding_asked = 0;
  std::int32_t allocation_cpus = 0;
  std::uint8_t launcher = 0;
  std::int32_t machine = 0;  // which of the job's machines its host is; CollectiveMachines
  std::uint64_t memory_bytes = 0;
  std::uint64_t store_bytes = 0;
  std::string segment_kind;
  struct Device {
    std::string uuid, name, pci_bus_id;
    std::uint64_t memory_bytes = 0;
    template <class V>
    void Fields(V& v) {
      v(uuid);
      v(name);
      v(pci_bus_id);
      v(memory_bytes);
    }
  };
  std::vector<Device> devices;
  std::string device_status;
  template <class V>
  void Fields(V& v) {
    v(host);
    v(node);
    v(binding);
    v(allowed);
    v(binding_asked);
    v(allocation_cpus);
    v(launcher);
    v(machine);
    v(memory_bytes);
    v(store_bytes);
    v(segment_kind);
    v(devices);
    v(device_status);
  }
};

/// Every rank's text, by rank. Collective over `world`. Throws MpiError.
std::vector<std::string> CollectiveExchange(const mpi::Communicator& world, const std::string& mine);
std::vector<RankFacts> CollectiveExchange(const mpi::Communicator& world, const RankFacts& mine);

/// Reads this host's topology on the first of its ranks. Collective over `host`.
topology::Topology CollectiveDetect(const mpi::Communicator& host);
/// The topologies of the job, each once: hosts that are built alike have the same. `index`: which is this rank's.
/// Without what may differ between such hosts: amounts of memory, and what the job may use. Collective over `world`.
std::vector<topology::Topology> CollectiveMachines(const mpi::Communicator& world, topology::Topology mine,
                                                   std::int32_t* index);

/// Fills the job's nodes, specs and this rank's executors from everybody's facts: a pure decision, the same on all
/// ranks but for what says "of this rank". Returns warnings, for rank 0 to print.
std::vector<std::string> DecideJob(const std::vector<RankFacts>& facts,
                                   std::vector<topology::Topology> machines, runtime::JobInfo& info);

/// "2 ranks on 1 node, 2 of 2 cores, ..." for stderr at start.
std::string StartLine(const std::vector<RankFacts>& facts, const runtime::JobInfo& info, const std::string& transports,
                      const std::string& rma);

}  // namespace manta::launch
