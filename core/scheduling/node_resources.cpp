#include "core/scheduling/node_resources.hpp"

#include <algorithm>

#include "core/base/check.hpp"

namespace manta::scheduling {

NodeResources::NodeResources(const NodeSpec& spec)
    : memory_bytes_(static_cast<std::int64_t>(spec.memory_bytes)), custom_(spec.custom) {
  for (const DeviceSpec& device : spec.gpus) devices_.push_back({device.index, device.home, Amount::Whole(1)});
}

std::optional<Fit> NodeResources::Find(const wire::Shape& shape, std::optional<Rank> home) const {
  if (shape.memory_bytes != 0 && memory_bytes_ < static_cast<std::int64_t>(shape.memory_bytes)) return std::nullopt;
  for (const auto& [name, units] : shape.custom) {
    const auto found = custom_.find(name);
    if (units != 0 && (found == custom_.end() || found->second.units() < units)) return std::nullopt;
  }
  Fit fit;
  if (shape.gpus == 0) return fit;
  const Amount gpus = Amount::FromUnits(shape.gpus);
  const bool found =
      gpus < Amount::Whole(1) ? FindShare(gpus, home, fit) : FindWhole(WholeDevices(gpus), home, fit);
  if (!found) return std::nullopt;
  return fit;
}

bool NodeResources::FindShare(Amount amount, std::optional<Rank> home, Fit& fit) const {
  const Device* best = nullptr;
  for (const Device& device : devices_) {
    if (device.free == Amount::Whole(1)) ++fit.whole_devices;
    if (device.free < amount || (home && device.home != *home)) continue;
    if (best == nullptr || device.free < best->free) best = &device;
  }
  if (best == nullptr) return false;
  fit.devices = {{best->index, amount.units()}};
  fit.home = best->home;
  fit.left = (best->free - amount).units();
  return true;
}

bool NodeResources::FindWhole(int count, std::optional<Rank> home, Fit& fit) const {
  std::map<Rank, int> whole;  // by home
  for (const Device& device : devices_) {
    if (device.free != Amount::Whole(1)) continue;
    ++fit.whole_devices;
    if (!home || device.home == *home) ++whole[device.home];
  }
  int total = 0;
  std::optional<Rank> one_home;  // that has enough of them, and fewest
  for (const auto& [rank, devices] : whole) {
    total += devices;
    if (devices >= count && (!one_home || devices < whole[*one_home])) one_home = rank;
  }
  if (total < count) return false;
  fit.many_homes = !one_home;
  for (const Device& device : devices_) {
    if (static_cast<int>(fit.devices.size()) == count) break;
    if (device.free != Amount::Whole(1) || (home && device.home != *home)) continue;
    if (one_home && device.home != *one_home) continue;
    if (fit.devices.empty()) fit.home = device.home;
    fit.devices.push_back({device.index, Amount::kUnitsPerOne});
  }
  return true;
}

void NodeResources::Add(const wire::Shape& shape, const std::vector<wire::DeviceShare>& devices, int sign) {
  memory_bytes_ += sign * static_cast<std::int64_t>(shape.memory_bytes);
  for (const auto& [name, units] : shape.custom)
    if (units != 0) custom_[name] += Amount::FromUnits(sign * units);
  for (const wire::DeviceShare& share : devices) {
    const auto device = std::find_if(devices_.begin(), devices_.end(),
                                     [&](const Device& one) { return one.index == share.device; });
    MANTA_ASSERT(device != devices_.end());
    device->free += Amount::FromUnits(sign * share.amount);
  }
}

Amount NodeResources::FreeGpus() const {
  Amount sum;
  for (const Device& device : devices_) sum += device.free;
  return sum;
}

}  // namespace manta::scheduling
