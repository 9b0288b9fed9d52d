#pragma once
// What is free of one node's GPUs, memory and custom resources. (Its CPUs are in cpu_pool.hpp.)
//
//   if (auto fit = node.Find(shape, std::nullopt)) node.Take(shape, fit->devices);
//   ...
//   node.PutBack(shape, devices);
//
// GPUs are a vector per device, never a sum: 0.8 fits on [0.5, 0.9] and not on [0.5, 0.5]. A share goes to the device
// with the least free that still fits, so that whole devices stay whole; an amount of 1 or more takes devices of which
// nothing is in use.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/amount.hpp"
#include "core/scheduling/node_spec.hpp"
#include "core/wire/messages.hpp"

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
  explicit NodeResources(const NodeSpec& spec);

  /// Where `shape` fits now, its CPUs aside. `home`: only devices at home on that rank.
  std::optional<Fit> Find(const wire::Shape& shape, std::optional<Rank> home) const;
  void Take(const wire::Shape& shape, const std::vector<wire::DeviceShare>& devices) { Add(shape, devices, -1); }
  void PutBack(const wire::Shape& shape, const std::vector<wire::DeviceShare>& devices) { Add(shape, devices, 1); }

  bool HasDevices() const { return !devices_.empty(); }
  Amount FreeGpus() const;
  std::int64_t free_memory_bytes() const { return memory_bytes_; }
  const std::map<std::string, Amount>& free_custom() const { return custom_; }

 private:
  struct Device {
    int index;
    Rank home;
    Amount free;
  };
  bool FindShare(Amount amount, std::optional<Rank> home, Fit& fit) const;
  bool FindWhole(int count, std::optional<Rank> home, Fit& fit) const;
  void Add(const wire::Shape& shape, const std::vector<wire::DeviceShare>& devices, int sign);

  std::vector<Device> devices_;
  std::int64_t memory_bytes_;
  std::map<std::string, Amount> custom_;
};

}  // namespace manta::scheduling
