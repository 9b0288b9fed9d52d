#include "core/topology/memory_limit.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

namespace manta::topology {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

/// The number in that file; kNoLimit for "max" and where there is no such file.
std::uint64_t LimitIn(const std::filesystem::path& file) {
  std::uint64_t limit = 0;
  std::ifstream stream(file);
  return stream >> limit ? limit : kNoLimit;
}

/// A group is bound by all that it lies in. In a container the path may be that of the host, of which only the
/// container's own part is mounted: what is missing does not bind, and the walk ends at the mount.
std::uint64_t SmallestOnTheWay(const std::filesystem::path& mounted_at, std::string_view group, const char* file) {
  std::filesystem::path path = std::filesystem::path(group).relative_path();
  std::uint64_t limit = LimitIn(mounted_at / file);
  for (; !path.empty(); path = path.parent_path()) limit = std::min(limit, LimitIn(mounted_at / path / file));
  return limit;
}

}  // namespace

std::uint64_t MemoryLimitBytes() {
  std::ifstream stream("/proc/self/cgroup");
  std::ostringstream text;
  text << stream.rdbuf();
  return MemoryLimitBytes(text.str(), "/sys/fs/cgroup");
}

std::uint64_t MemoryLimitBytes(std::string_view cgroup_text, const std::filesystem::path& mounted_at) {
  std::uint64_t limit = kNoLimit;
  std::istringstream lines{std::string(cgroup_text)};
  for (std::string line; std::getline(lines, line);) {  // "0::/user.slice/job" or, in version 1, "9:memory:/job"
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    if (controllers == ",,")
      limit = std::min(limit, SmallestOnTheWay(mounted_at, group, "memory.max"));
    else if (controllers.find(",memory,") != std::string::npos)
      limit = std::min(limit, SmallestOnTheWay(mounted_at / "memory", group, "memory.limit_in_bytes"));
  }
  return limit;
}

}  // namespace manta::topology
