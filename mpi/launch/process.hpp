#pragma once
// What this process keeps from the first Init to its end: MPI, the node segment, the transports, the devices.

#include <memory>
#include <string>
#include <vector>

#include "core/ports/device_backend.hpp"
#include "core/ports/segment.hpp"
#include "core/runtime/job_info.hpp"
#include "core/runtime/local_store.hpp"
#include "core/runtime/rma_reads.hpp"
#include "core/topology/topology.hpp"
#include "mpi/handles/communicator.hpp"
#include "mpi/launch/facts.hpp"
#include "mpi/message/mpi_bulk.hpp"
#include "mpi/message/mpi_transport.hpp"
#include "mpi/rma/shared_segment.hpp"
#include "mpi/rma/world_window.hpp"

namespace manta::launch {

/// A job that can't begin: rank 0 (or every rank, where they differ) has said why; all end with this code.
struct LaunchRefused {
  int code;
};

class Process {
 public:
  /// Starts MPI (unless the user has), and makes sure that all ranks run the same program. Throws LaunchRefused.
  Process(int& argc, char**& argv);

  int rank() const { return world_.rank(); }
  int size() const { return world_.size(); }
  const mpi::Communicator& world() const { return world_; }

  /// Builds segment and transports by the first session's settings; later sessions keep them. Collective.
  void CollectiveSetUp(const Settings& settings);
  /// What a session needs; the nodes' resources follow this session's settings.
  runtime::JobInfo MakeJob(const Settings& settings, std::uint32_t session, std::vector<std::string>* warnings) const;
  runtime::ProcessParts parts();
  std::string StartLine(const runtime::JobInfo& info) const;
  /// How ranks reach each other, and why so: a line each for ranks of a node, of different ones, and one-sided reads.
  std::string TransportsText(const Settings& settings) const;
  /// Of all ranks, and the machines that they name. After CollectiveSetUp.
  const std::vector<RankFacts>& facts() const { return facts_; }
  const std::vector<topology::Topology>& machines() const { return machines_; }

  /// Rank 0 tells the others what comes next, or they wait for it (without burning a core). Collective.
  enum class Command : int { kSession = 1, kExit = 2 };
  Command CollectiveCommand(Command mine, std::string* settings_text, int* code);

  /// Between sessions: nothing is under way any more, leftovers are dropped. `stuck`: a task of this rank still runs
  /// and may read the store. Collective.
  void CollectiveQuiesce(bool stuck);
  /// Of this rank: what its session has left in the store goes once nobody reads it. After that session; CollectiveQuiesce
  /// does it where it is not stuck.
  void EmptyStore() { store_->FreeAll(); }
  /// Ends everything in order and finalizes MPI, unless it is the user's. If any rank is `stuck`, nothing is freed.
  /// Collective.
  void CollectiveClose(bool stuck);
  void FinalizeOnly();

 private:
  void CheckSameProgram();
  void Yielding(MPI_Request* request) const;
  void DrainLeftovers();

  bool owns_mpi_ = false;
  mpi::Communicator world_;
  mpi::Communicator node_;
  topology::Topology machine_;                // this host's
  std::vector<topology::Topology> machines_;  // the job's
  topology::LaunchFacts launch_;
  topology::CpuSet binding_;
  std::unique_ptr<DeviceBackend> devices_;
  std::unique_ptr<Segment> segment_;
  MpiSharedSegment* shared_segment_ = nullptr;  // segment_, where it is one
  node::SegmentLayout layout_;
  std::unique_ptr<node::SpillFiles> spill_files_;
  std::unique_ptr<runtime::LocalStore> store_;
  std::unique_ptr<Transport> ring_;
  std::unique_ptr<MpiTransport> mpi_;
  std::unique_ptr<MpiBulk> mpi_bulk_;
  std::unique_ptr<runtime::BulkMoves> bulk_;  // null: there is one node
  std::unique_ptr<WorldWindow> window_;
  std::unique_ptr<runtime::RmaReads> rma_;
  std::vector<RankFacts> facts_;
  bool is_set_up_ = false;
};

}  // namespace manta::launch
