#pragma once
// How much memory the kernel lets this process's group of processes have (a container, or a batch job's cgroup). What
// goes beyond it is not refused: the kernel kills the job.

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace manta::topology {

/// The smallest limit on the way from this process's cgroup to the root, in bytes; the largest number where there is
/// none, or no cgroup. Versions 1 and 2.
std::uint64_t MemoryLimitBytes();

/// The same for the text of a /proc/PID/cgroup and what is mounted at /sys/fs/cgroup.
std::uint64_t MemoryLimitBytes(std::string_view cgroup_text, const std::filesystem::path& mounted_at);

}  // namespace manta::topology
