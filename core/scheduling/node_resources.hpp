#pragma once
// What is free of one node's GPUs, memory and custom resources, or of one bundle's. (A node's CPUs are in cpu_pool.hpp.)
//
//   if (auto fit = node.Find(demand, Rank())) node.Take(demand, fit->devices);
//   ...
//   node.PutBack(demand, devices);
//
// GPUs are a vector per device, never a sum: 0.8 fits on [0.5, 0.9] and not on [0.5, 0.5]. A share goes to the device
// with the least free that still fits, so that whole devices stay whole; an amount of 1 or more takes devices of which
// nothing is in use. Amounts go below zero where somebody waits for what others still hold (node_state.hpp).

#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/ids.hpp"
#include "core/scheduling/demand.hpp"
#include "core/scheduling/node_spec.hpp"

namespace manta::scheduling {

/// Which devices a request would get here, and what that would cost: less is better, in this order.
struct Fit {
  std::vector<wire::DeviceShare> devices;
  Rank home;                // of the first device; invalid without devices
  bool many_homes = false;  // whole devices that are not all at home on one rank
  std::int64_t left = 0;    // free on the device after a share is taken, in 1/10,000
  int whole_devices = 0;    // free as a whole before, for a request that takes devices
};

class NodeResources {
 public:
  struct Device {
    std::int32_t index;  // on the node
    Rank home;
    std::int64_t free;  // in 1/10,000
  };

  NodeResources() = default;
  NodeResources(const NodeSpec& spec, ResourceNames& names);
  /// What a bundle holds: `demand` with these devices of `node`.
  NodeResources(const Demand& demand, const std::vector<wire::DeviceShare>& devices, const NodeResources& node);

  /// Whether `demand` fits now, its CPUs aside. `home`: where valid, only devices at home on that rank.
  bool Fits(const Demand& demand, Rank home) const;
  /// The same, and with which devices.
  std::optional<Fit> Find(const Demand& demand, Rank home) const;
  void Take(const Demand& demand, const std::vector<wire::DeviceShare>& devices) { Add(demand, devices, -1); }
  void PutBack(const Demand& demand, const std::vector<wire::DeviceShare>& devices) { Add(demand, devices, 1); }
  /// Whether nothing that `demand` and `devices` name is below zero.
  bool InHand(const Demand& demand, const std::vector<wire::DeviceShare>& devices) const;

  const std::vector<Device>& devices() const { return devices_; }
  /// Of all devices; what is below zero counts as nothing.
  std::int64_t FreeGpus() const;
  int WholeDevices() const;
  /// The most that is free on one device.
  std::int64_t LargestShare() const;
  std::int64_t free_memory_bytes() const { return memory_bytes_; }
  std::int64_t FreeCustom(int number) const {
    return static_cast<std::size_t>(number) < custom_.size() ? custom_[static_cast<std::size_t>(number)] : 0;
  }

 private:
  bool FitsOthers(const Demand& demand) const;
  bool FindShare(std::int64_t units, Rank home, Fit& fit) const;
  bool FindWhole(int count, Rank home, Fit& fit) const;
  void Add(const Demand& demand, const std::vector<wire::DeviceShare>& devices, int sign);
  const Device& At(std::int32_t index) const;

  std::vector<Device> devices_;  // in rising order of index
  std::int64_t memory_bytes_ = 0;
  std::vector<std::int64_t> custom_;  // by number; those beyond the end: none
};

}  // namespace manta::scheduling
