#include "core/scheduling/matchmaker.hpp"

#include <algorithm>
#include <utility>

namespace manta::scheduling {

void Matchmaker::Hungry(Rank rank) {
  if (std::find(hungry_.begin(), hungry_.end(), rank) == hungry_.end()) hungry_.push_back(rank);
}

void Matchmaker::Backlog(Rank rank, bool has) {
  // One that was hungry stays so: it asks no more until it is hinted, and says then whether it still wants work.
  if (has) suppliers_.insert(rank);
  else suppliers_.erase(rank);
}

std::optional<Rank> Matchmaker::NextSupplier(Rank hungry) const {
  auto next = suppliers_.upper_bound(last_supplier_);
  for (std::size_t i = 0; i < suppliers_.size(); ++i, ++next) {
    if (next == suppliers_.end()) next = suppliers_.begin();
    if (*next != hungry) return *next;
  }
  return std::nullopt;
}

std::vector<Hint> Matchmaker::Decide() {
  std::vector<Hint> hints;
  std::vector<Rank> still_hungry;
  for (const Rank hungry : hungry_) {
    if (const std::optional<Rank> supplier = NextSupplier(hungry)) {
      last_supplier_ = *supplier;
      hints.push_back({hungry, *supplier});
    } else {
      still_hungry.push_back(hungry);
    }
  }
  hungry_ = std::move(still_hungry);
  return hints;
}

}  // namespace manta::scheduling
