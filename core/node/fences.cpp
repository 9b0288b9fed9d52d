#include "core/node/fences.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/check.hpp"

namespace manta::node {

bool RegisterForHeavyFences() {
  static const bool registered = [] {
    const long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    constexpr long kWanted = MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED;
    return commands >= 0 && (commands & kWanted) == kWanted &&
           syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
  }();
  detail::registered_for_heavy_fences.store(registered, std::memory_order_relaxed);
  return registered;
}

void HeavyFence() {
  const long result = syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
  MANTA_ASSERT(result == 0);  // it was offered and registered
}

}  // namespace manta::node
