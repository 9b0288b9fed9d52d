#pragma once
// What a task or an actor asks for. Amounts are kept as whole numbers of 1/10,000; a GPU amount below 1 is a share of
// one device, above 1 it is whole devices.

#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace manta {

/// Amounts by name: "CPU", "GPU", "memory" (bytes) and custom ones.
using ResourceMap = std::map<std::string, double>;

namespace detail {

using ExceptionMatcher = bool (*)(std::exception_ptr);

/// What the builders collect. Checked when the call is submitted.
struct TaskOptions {
  std::string name;
  std::optional<double> cpus;  // tasks: 1; actors: 0, or 1 where any other resource is given
  double gpus = 0;
  std::uint64_t memory_bytes = 0;
  ResourceMap custom;
  std::optional<int> rank;
  int max_retries = 3;
  ExceptionMatcher retry_matcher = nullptr;
};

struct ActorOptions : TaskOptions {
  int max_restarts = 0;
  int max_task_retries = 0;
  int max_concurrency = 1;
  bool detached = false;
};

/// Throws UsageError unless `amount` is a finite number of at least 0 (whole above 1 where `gpu`).
void CheckAmount(const std::string& resource, double amount, bool gpu);
template <class... E>
bool MatchesAny(std::exception_ptr thrown) {
  auto matches = [&]<class One>(One*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const One&) {
      return true;
    } catch (...) {
      return false;
    }
  };
  return (matches(static_cast<E*>(nullptr)) || ...);
}

}  // namespace detail
}  // namespace manta
