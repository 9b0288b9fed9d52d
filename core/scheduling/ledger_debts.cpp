// Requests that were passed over: bound to the node where they have to wait for least, so that nothing smaller gets in
// before them.
#include <algorithm>
#include <limits>
#include <tuple>

#include "core/scheduling/ledger.hpp"

namespace manta::scheduling {
namespace {

constexpr int kDebtNodes = 8;         // looked at closely for one request
constexpr int kDebtTries = 64;        // looked at at all
constexpr std::uint32_t kPatience = 64;
constexpr double kUnknownEnd = 1e15;  // ns; after all ends that are expected

}  // namespace

/// Whether the first of a line has been passed over for long enough. What has been free since before it came is for
/// anybody; but when leases have ended, and it was not enough for it, others would take that from it time and again. A
/// request for one device or a share of one is patient: sooner or later a device is free, and meanwhile a reservation
/// would leave parts of it idle.
bool Ledger::IsPassedOver(PendingRequest& request) const {
  ++request.passed;
  if (leases_ended_ == request.ended_before) return false;
  const Demand& demand = request.line->of->choices[0].demand;
  return demand.gpus == 0 || demand.WholeDevices() > 1 || request.passed > kPatience;
}

/// Before something behind them is granted. Whether that changed what is left anywhere.
bool Ledger::BindEarlier(const Line& line) {
  const auto& order = waiting_.order();
  bool bound = false;
  for (auto next = order.begin(); next != order.end() && next->first < line.key;) {
    Line& earlier = *next->second;
    const TurnKey key = next->first;
    ++next;
    if (!earlier.blocked || earlier.never || earlier.by_choice || earlier.of->InGroup()) continue;
    if (!IsPassedOver(*waiting_.First(earlier))) continue;
    if (static_cast<int>(debts_.size()) >= max_debts_ && !UnbindBelow(earlier.of->priority, true)) break;
    if (BindInDebt(earlier)) bound = true;
    else earlier.never = true;
    next = order.upper_bound(key);
  }
  return bound;
}

/// Ends claims in debt of a lower priority, or only the last such. Whether there was any.
bool Ledger::UnbindBelow(int priority, bool one) {
  bool any = false;
  for (std::size_t i = debts_.size(); i-- > 0 && !(any && one);) {
    PendingRequest& request = *debts_[i];
    if (request.line->of->priority >= priority) continue;
    DropClaim(request);
    Freed(request.node);
    waiting_.PutBack(request);
    request.line->blocked = true;
    any = true;
  }
  if (!any) return false;
  std::sort(freed_.begin(), freed_.end());
  FreshenIndex();
  return true;
}

template <class Visit>
void Ledger::VisitForDebt(const ClassChoice& choice, Visit visit) {
  int tries = kDebtTries;
  if (choice.restricted) {
    for (const int node : choice.candidates)
      if (tries-- == 0 || !visit(node)) return;
  } else if (choice.demand.gpus != 0) {
    index_->VisitByWhole([&](int node) { return tries-- > 0 && visit(node); });
  } else {
    for (std::size_t i = 0; i < nodes_.size() && tries-- > 0; ++i)
      if (!visit(static_cast<int>(next_for_debt_++ % nodes_.size()))) return;
  }
}

/// Where the first of a line has to wait for least. False: nowhere could anything that ends make room.
bool Ledger::BindInDebt(Line& line) {
  FreshenIndex();
  double least = std::numeric_limits<double>::max();
  std::optional<Spot> best;
  for (std::size_t i = 0; i < line.of->choices.size(); ++i) {
    const ClassChoice& choice = line.of->choices[i];
    int looked_at = 0;
    VisitForDebt(choice, [&](int node) {
      const NodeState& state = nodes_[static_cast<std::size_t>(node)];
      if (state.total_cpus() < choice.demand.cpus || !state.total().Fits(choice.demand, choice.home())) return true;
      Fit fit;
      const double wait = WaitOn(node, choice, fit);
      if (wait >= 0 && wait < least) {
        least = wait;
        best = Spot{static_cast<int>(i), node, -1, std::move(fit)};
      }
      return ++looked_at < kDebtNodes;
    });
  }
  if (!best) return false;
  Bind(*waiting_.TakeFirst(line), std::move(*best), true);
  return true;
}

/// How long until enough leases of a node are expected to have ended, in ns, and which devices it would get; below 0 if
/// that would not be enough.
double Ledger::WaitOn(int node, const ClassChoice& choice, Fit& fit) const {
  const NodeState& state = nodes_[static_cast<std::size_t>(node)];
  const Demand& demand = choice.demand;
  std::vector<std::pair<double, const Held*>> ends;
  for (const std::uint32_t place : leases_at_[static_cast<std::size_t>(node)]) {
    const Held& held = held_[place];
    if (held.group != 0) continue;  // that is the bundle's
    const Duration& duration = durations_.Of(held.choice_of().duration);
    const double age = static_cast<double>(now_ns_ - held.since_ns);
    ends.emplace_back(duration.runs != 0 ? std::max(0.0, duration.mean_ns - age) : kUnknownEnd - age, &held);
  }
  std::sort(ends.begin(), ends.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  double wait = 0;
  const auto wait_for = [&](std::int64_t left, std::int64_t needed, auto&& part) {
    if (needed == 0) return true;
    for (auto next = ends.begin(); left < needed; ++next) {
      if (next == ends.end()) return false;
      left += part(*next->second);
      wait = std::max(wait, next->first);
    }
    return true;
  };
  if (!wait_for(state.LeftCpus(Reach::kLater), demand.cpus,
                [](const Held& held) { return held.suspended ? 0 : held.choice_of().demand.cpus; }))
    return -1;
  if (!wait_for(state.left().free_memory_bytes(), demand.memory_bytes,
                [](const Held& held) { return held.choice_of().demand.memory_bytes; }))
    return -1;
  for (const auto& [number, units] : demand.custom)
    if (!wait_for(state.left().FreeCustom(number), units, [number = number](const Held& held) {
          for (const auto& one : held.choice_of().demand.custom)
            if (one.first == number) return one.second;
          return std::int64_t{0};
        }))
      return -1;
  if (demand.gpus == 0) return wait;

  const std::int64_t needed = demand.IsShare() ? demand.gpus : Amount::kUnitsPerOne;
  const auto count = static_cast<std::size_t>(std::max(1, demand.WholeDevices()));
  std::vector<std::tuple<double, std::int32_t, Rank>> devices;
  for (const NodeResources::Device& device : state.left().devices()) {
    if (device.free < 0 || (choice.home().valid() && device.home != choice.home())) continue;
    std::int64_t free = device.free;
    double until = 0;
    for (const auto& [end, held] : ends) {
      if (free >= needed) break;
      for (const wire::DeviceShare& share : held->devices)
        if (share.device == device.index) {
          free += share.amount;
          until = end;
        }
    }
    if (free >= needed) devices.emplace_back(until, device.index, device.home);
  }
  if (devices.size() < count) return -1;
  std::sort(devices.begin(), devices.end());
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [until, index, home] = devices[i];
    wait = std::max(wait, until);
    fit.devices.push_back({index, needed});
    if (i == 0) fit.home = home;
  }
  return wait;
}

/// Requests bound in debt go where something was freed that is enough for them.
void Ledger::MoveDebts() {
  if (freed_.size() > kFewFreed) return;  // they are served where they are, too
  std::sort(freed_.begin(), freed_.end());
  FreshenIndex();
  const auto may_fit = [this](const PendingRequest* request) { return MayFitFreed(*request->line); };
  if (std::none_of(debts_.begin(), debts_.end(), may_fit)) return;
  const std::vector<PendingRequest*> debts = debts_;
  for (PendingRequest* const request : debts) {
    if (!may_fit(request)) continue;
    const RequestClass& of = *request->line->of;
    for (int choice = 0; choice < static_cast<int>(of.choices.size()); ++choice) {
      const auto spot = FindSpotOf(of, choice, *request, Reach::kSoon, true);
      if (!spot || spot->node == request->node) continue;
      MoveTo(*request, *spot);
      std::sort(freed_.begin(), freed_.end());
      FreshenIndex();
      break;
    }
    if (freed_.size() > kFewFreed) return;
  }
}

}  // namespace manta::scheduling
