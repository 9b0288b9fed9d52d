#include "core/scheduling/policies/earliest_finish.hpp"

namespace manta::scheduling {

int ChooseEarliestFinish(std::span<const WayToRun> ways, std::size_t waiting) {
  int best = -1;
  double earliest = 0;
  bool best_is_free = false;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const WayToRun& way = ways[i];
    if (way.free_now && way.runs + static_cast<unsigned>(way.running) < 2) return static_cast<int>(i);
    if (!way.free_now && way.running == 0) continue;
    double finish = way.transfer_ns + way.mean_ns;
    // All that wait would go this way, in turns: the slow way is worth it only for what the fast one reaches later.
    if (!way.free_now)
      finish += way.soonest_ns + way.mean_ns * static_cast<double>(waiting - 1) / static_cast<double>(way.running);
    if (best >= 0 && finish >= earliest) continue;
    best = static_cast<int>(i);
    earliest = finish;
    best_is_free = way.free_now;
  }
  return best_is_free ? best : -1;
}

}  // namespace manta::scheduling
