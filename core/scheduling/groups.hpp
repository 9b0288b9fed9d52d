#pragma once
// Placement groups: bundles of resources that are held together, and tasks that run within them.
//
//   kPending --all bundles found nodes--> kGathering --all in hand--> kReady --Remove--> gone
//
// A bundle is a claim on its node until its resources are in hand, then it holds them as a lease does. Requests that
// name the group take from the bundle, never from the node.

#include <cstdint>
#include <list>
#include <string>
#include <vector>

#include "core/base/ids.hpp"
#include "core/scheduling/node_state.hpp"
#include "core/scheduling/request_class.hpp"
#include "core/wire/request_messages.hpp"

namespace manta::scheduling {

struct Bundle {
  Demand demand;
  wire::Shape shape;
  int node = -1;  // position; -1: not placed
  bool in_hand = false;
  std::list<Claim>::iterator claim;  // while placed and not in hand
  std::vector<wire::DeviceShare> devices;
  // While in hand: what no task within has.
  NodeResources left;
  std::int64_t left_cpus = 0;

  bool Fits(const Demand& other, Rank home) const {
    return in_hand && left_cpus >= other.cpus && left.Fits(other, home);
  }
};

class Group {
 public:
  std::uint64_t id = 0;
  Rank creator;
  std::string name;
  wire::GroupStrategy strategy = wire::GroupStrategy::kPack;
  std::vector<Bundle> bundles;
  std::int64_t since_ns = 0;
  bool placed = false;     // all bundles have nodes
  int missing = 0;         // bundles not in hand
  bool told = false;       // its creator knows that it is ready
  std::vector<struct Line*> lines;  // of the requests within

  bool ready() const { return placed && missing == 0; }
};

}  // namespace manta::scheduling
