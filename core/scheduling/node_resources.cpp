#include "core/scheduling/node_resources.hpp"

#include <algorithm>

#include "core/base/check.hpp"

namespace manta::scheduling {
namespace {

constexpr std::int64_t kOne = Amount::kUnitsPerOne;

bool MayTake(const NodeResources::Device& device, Rank home) { return !home.valid() || device.home == home; }

}  // namespace

NodeResources::NodeResources(const NodeSpec& spec, ResourceNames& names)
    : memory_bytes_(static_cast<std::int64_t>(spec.memory_bytes)) {
  for (const DeviceSpec& device : spec.gpus) devices_.push_back({device.index, device.home, kOne});
  std::sort(devices_.begin(), devices_.end(), [](const Device& a, const Device& b) { return a.index < b.index; });
  for (const auto& [name, amount] : spec.custom) {
    const auto number = static_cast<std::size_t>(names.NumberOf(name));
    if (custom_.size() <= number) custom_.resize(number + 1);
    custom_[number] = amount.units();
  }
}

NodeResources::NodeResources(const Demand& demand, const std::vector<wire::DeviceShare>& devices,
                             const NodeResources& node)
    : memory_bytes_(demand.memory_bytes) {
  for (const wire::DeviceShare& share : devices)
    devices_.push_back({share.device, node.At(share.device).home, share.amount});
  std::sort(devices_.begin(), devices_.end(), [](const Device& a, const Device& b) { return a.index < b.index; });
  for (const auto& [number, units] : demand.custom) {
    if (custom_.size() <= static_cast<std::size_t>(number)) custom_.resize(static_cast<std::size_t>(number) + 1);
    custom_[static_cast<std::size_t>(number)] = units;
  }
}

const NodeResources::Device& NodeResources::At(std::int32_t index) const {
  const auto found = std::lower_bound(devices_.begin(), devices_.end(), index,
                                      [](const Device& device, std::int32_t at) { return device.index < at; });
  MANTA_ASSERT(found != devices_.end() && found->index == index);
  return *found;
}

bool NodeResources::FitsOthers(const Demand& demand) const {
  if (demand.memory_bytes != 0 && memory_bytes_ < demand.memory_bytes) return false;
  return std::all_of(demand.custom.begin(), demand.custom.end(),
                     [this](const auto& one) { return FreeCustom(one.first) >= one.second; });
}

bool NodeResources::Fits(const Demand& demand, Rank home) const {
  if (!FitsOthers(demand)) return false;
  if (demand.gpus == 0) return true;
  if (demand.IsShare())
    return std::any_of(devices_.begin(), devices_.end(), [&](const Device& device) {
      return device.free >= demand.gpus && MayTake(device, home);
    });
  return std::count_if(devices_.begin(), devices_.end(), [&](const Device& device) {
           return device.free == kOne && MayTake(device, home);
         }) >= demand.WholeDevices();
}

std::optional<Fit> NodeResources::Find(const Demand& demand, Rank home) const {
  if (!FitsOthers(demand)) return std::nullopt;
  Fit fit;
  if (demand.gpus == 0) return fit;
  const bool found =
      demand.IsShare() ? FindShare(demand.gpus, home, fit) : FindWhole(demand.WholeDevices(), home, fit);
  if (!found) return std::nullopt;
  return fit;
}

bool NodeResources::FindShare(std::int64_t units, Rank home, Fit& fit) const {
  const Device* best = nullptr;
  for (const Device& device : devices_) {
    if (device.free == kOne) ++fit.whole_devices;
    if (device.free < units || !MayTake(device, home)) continue;
    if (best == nullptr || device.free < best->free) best = &device;
  }
  if (best == nullptr) return false;
  fit.devices = {{best->index, units}};
  fit.home = best->home;
  fit.left = best->free - units;
  return true;
}

bool NodeResources::FindWhole(int count, Rank home, Fit& fit) const {
  const auto is_free = [&](const Device& device) { return device.free == kOne && MayTake(device, home); };
  int total = 0;
  Rank one_home;  // that has enough of them, and fewest, the lowest of equals
  int fewest = 0;
  for (const Device& device : devices_) {
    if (device.free == kOne) ++fit.whole_devices;
    if (!is_free(device)) continue;
    ++total;
    const auto at_home = static_cast<int>(std::count_if(devices_.begin(), devices_.end(), [&](const Device& other) {
      return other.home == device.home && is_free(other);
    }));
    if (at_home < count) continue;
    if (one_home.valid() && (at_home > fewest || (at_home == fewest && one_home <= device.home))) continue;
    one_home = device.home;
    fewest = at_home;
  }
  if (total < count) return false;
  fit.many_homes = !one_home.valid();
  for (const Device& device : devices_) {
    if (static_cast<int>(fit.devices.size()) == count) break;
    if (!is_free(device) || (one_home.valid() && device.home != one_home)) continue;
    if (fit.devices.empty()) fit.home = device.home;
    fit.devices.push_back({device.index, kOne});
  }
  return true;
}

void NodeResources::Add(const Demand& demand, const std::vector<wire::DeviceShare>& devices, int sign) {
  memory_bytes_ += sign * demand.memory_bytes;
  for (const auto& [number, units] : demand.custom) {
    MANTA_ASSERT(static_cast<std::size_t>(number) < custom_.size());
    custom_[static_cast<std::size_t>(number)] += sign * units;
  }
  for (const wire::DeviceShare& share : devices) const_cast<Device&>(At(share.device)).free += sign * share.amount;
}

bool NodeResources::InHand(const Demand& demand, const std::vector<wire::DeviceShare>& devices) const {
  if (demand.memory_bytes != 0 && memory_bytes_ < 0) return false;
  for (const auto& [number, units] : demand.custom)
    if (FreeCustom(number) < 0) return false;
  return std::all_of(devices.begin(), devices.end(),
                     [this](const wire::DeviceShare& share) { return At(share.device).free >= 0; });
}

std::int64_t NodeResources::FreeGpus() const {
  std::int64_t sum = 0;
  for (const Device& device : devices_) sum += std::max<std::int64_t>(0, device.free);
  return sum;
}

int NodeResources::WholeDevices() const {
  return static_cast<int>(
      std::count_if(devices_.begin(), devices_.end(), [](const Device& device) { return device.free == kOne; }));
}

std::int64_t NodeResources::LargestShare() const {
  std::int64_t most = 0;
  for (const Device& device : devices_) most = std::max(most, device.free);
  return most;
}

}  // namespace manta::scheduling
