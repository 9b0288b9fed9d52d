#pragma once
// What a session knows of the job before it begins: decided at launch, the same on all ranks but for `self` and what
// follows from it.

#include <manta/runtime.hpp>

#include <cstdint>
#include <vector>

#include "core/base/ids.hpp"
#include "core/node/segment_layout.hpp"
#include "core/ports/device_backend.hpp"
#include "core/ports/transport.hpp"
#include "core/runtime/bulk_moves.hpp"
#include "core/runtime/local_store.hpp"
#include "core/runtime/rma_reads.hpp"
#include "core/runtime/settings.hpp"
#include "core/scheduling/node_spec.hpp"
#include "core/topology/cpu_set.hpp"
#include "core/topology/rank_cores.hpp"

namespace manta::runtime {

struct JobInfo {
  Rank self;
  int ranks = 1;
  std::uint32_t session = 1;
  std::vector<NodeId> node_of;              // by rank
  std::vector<NodeInfo> nodes;              // as users see them
  std::vector<scheduling::NodeSpec> specs;  // as the ledger sees them
  std::vector<topology::NodeCores> cores;   // what their ranks work on
  Settings settings;

  // Of this rank.
  std::uint32_t my_index = 0;  // on its node
  int node_cores = 1;
  int executors = 1;
  std::vector<topology::CpuSet> executor_cpus;  // empty: not bound
  std::vector<topology::CpuSet> core_cpus;      // of this node's cores, by index; empty: nothing is bound
  topology::CpuSet node_cpus;                   // all that the node's ranks work on; empty likewise
};

/// What outlives sessions: made once a process.
struct ProcessParts {
  std::span<std::byte> segment;
  node::SegmentLayout layout;
  LocalStore* store = nullptr;
  node::SpillFiles* spill_files = nullptr;
  std::vector<Transport*> transports;  // ring, mpi
  BulkMoves* bulk = nullptr;           // null: there is one node
  RmaReads* rma = nullptr;             // null: not available
  DeviceBackend* devices = nullptr;
};

}  // namespace manta::runtime
