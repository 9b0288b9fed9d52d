#include "core/base/check.hpp"

#include <cstdlib>
#include <string>

#include "core/base/log.hpp"

namespace manta::base {

void AssertFailed(const char* condition, const char* file, int line) {
  SayLine(std::string("internal error: ") + condition + " does not hold at " + file + ":" + std::to_string(line) +
          "; please report it with the command that led here");
  std::abort();
}

}  // namespace manta::base
