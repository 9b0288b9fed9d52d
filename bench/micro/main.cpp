// What the control plane costs, row by row, beside plain MPI in the same process. docs/performance.md says what each
// row is and what is asked of it.
//
//   mpirun -np 2 build/release/bench/micro [--quick] [--rows NAME,...] [--list] [--hog] [--queued N] [--limit SECONDS]
//
// Prints `name value unit` for each row, and lines that begin with # for spreads and bars. Exits with 0 unless
// something was wrong (a value, a rank, an order) or did not end; a bar that is missed is no fault.

#include <manta/manta.hpp>

#include <charconv>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/micro/micro.hpp"
#include "bench/support/plain_mpi.hpp"
#include "bench/micro/ranks.hpp"

namespace micro {
namespace {

bool g_central = false;  // whether rank 0 places every task

const std::vector<bench::Bar>& Bars() {
  static const std::vector<bench::Bar> bars = {
      {"task_sync_ratio", true, 1.0, 0.5},       {"task_async_ratio", false, 1.5, 4},
      {"actor_sync_ratio", true, 1.0, 0.5},      {"actor_async_ratio", false, 1.5, 4},
      {"task_sync_args_ratio", true, 1.4, 1.4},  {"task_async_args_ratio", false, 1.0, 1.0},
      {"actor_sync_args_ratio", true, 1.4, 1.4}, {"actor_async_args_ratio", false, 1.0, 1.0},
      {"chain_local_us", true, 0.5, 0.15},       {"chain_alternating_ratio", true, 1.2, 0.6},
      {"nested_per_s", false, 3e6, 15e6},        {"wait_each_ns", true, 300, 60},
      {"wait_call_ns", true, 5000, 1500},        {"put_small_per_s", false, 5e6, 20e6},
      {"get_small_per_s", false, 15e6, 40e6},    {"queued_10M_s", true, 5, 1.5},
      {"queued_bytes_per_task", true, 128, 64},  {"actors_100k_s", true, 0.5, 0.1},
      {"actor_bytes", true, 512, 128},           {"idle_cpu_percent", true, 3, 0.5},
      {"busy_owner_get_us", true, 5, 1},         {"sync_np4_idle_us", true, 15, 4},
      {"sync_np8_idle_us", true, 30, 10},        {"sync_np4_busy_us", true, 30, 6},
      {"sync_np8_busy_us", true, 60, 12},        {"cpu_us_per_task", true, 0.1, 0.1},
      {"central_per_s", false, 500e3, 500e3},    {"task_sync_hog_ratio", true, 3, 3},
      {"task_async_hog_ratio", true, 3, 3},      {"actor_sync_hog_ratio", true, 3, 3},
      {"actor_async_hog_ratio", true, 3, 3},
  };
  return bars;
}

enum class When { kDefault, kOnDemand, kHog, kCentral, kCrowded };

struct Group {
  void (*measure)(Micro&);
  When when;
  std::vector<std::string> rows;  // that ask for it; it may print more
};

// In this order: actors are weighed before others leave free memory behind, in which they would not show; tasks before
// the large objects, which make the ranks grow.
const std::vector<Group>& Groups() {
  static const std::vector<Group> groups = {
      {ManyActorRows, When::kDefault, {"actors_100k_s", "actor_bytes"}},
      {TaskRows, When::kDefault, {"task_sync_us", "task_sync_ratio", "task_async_per_s", "task_async_ratio"}},
      // Before rows that leave memory of other sizes: it is weighed against the program's begin.
      {QueuedRows, When::kDefault, {"queued_10M_s", "queued_bytes_per_task"}},
      {ActorRows, When::kDefault, {"actor_sync_us", "actor_sync_ratio", "actor_async_per_s", "actor_async_ratio"}},
      {TaskArgumentRows, When::kDefault, {"task_sync_args_ratio", "task_async_args_ratio"}},
      {ActorArgumentRows, When::kDefault, {"actor_sync_args_ratio", "actor_async_args_ratio"}},
      {CpuRows, When::kDefault, {"cpu_us_per_task"}},
      {ChainRows, When::kDefault, {"chain_local_us", "chain_alternating_us", "chain_alternating_ratio"}},
      {NestedRows, When::kDefault, {"nested_per_s", "nested_least_share_percent"}},
      {WaitEachRows, When::kDefault, {"wait_each_ns", "wait_each_running_ns"}},
      {WaitCallRows, When::kDefault, {"wait_call_ns", "wait_call_copy_ns"}},
      {SmallObjectRows, When::kDefault, {"put_small_per_s", "get_small_per_s"}},
      {PendingRows,
       When::kDefault,
       {"pending_cost_ns_1e3", "pending_cost_ns_1e4", "pending_cost_ns_1e5", "pending_cost_ns_1e6"}},
      {PendingRows, When::kOnDemand, {"pending_cost_ns_1e7"}},
      {IdleRows, When::kDefault, {"idle_cpu_percent"}},
      {CrowdedIdleRows, When::kCrowded, {"sync_np4_idle_us", "sync_np8_idle_us"}},
      {CrowdedBusyRows, When::kCrowded, {"sync_np4_busy_us", "sync_np8_busy_us"}},
      {BusyOwnerRows, When::kDefault, {"busy_owner_get_us", "busy_owner_get_vector_us"}},
      {LargeObjectRows, When::kDefault, {"memcpy_GBps", "put_256MiB_GBps", "get_256MiB_us", "get_256MiB_vector_us"}},
      {CentralRows, When::kCentral, {"central_per_s"}},
      {HogRows,
       When::kHog,
       {"task_sync_hog_ratio", "task_async_hog_ratio", "actor_sync_hog_ratio", "actor_async_hog_ratio"}},
  };
  return groups;
}

const char* Condition(When when) {
  switch (when) {
    case When::kDefault:
      return "";
    case When::kOnDemand:
      return " (only when it is asked for)";
    case When::kHog:
      return " (with --hog)";
    case When::kCentral:
      return " (with --manta-scheduler central)";
    case When::kCrowded:
      return " (with more than two ranks)";
  }
  return "";
}

struct Wanted {
  Settings settings;
  std::set<std::string> rows;  // empty: those that apply
  bool hog = false, list = false;
  double limit = 180;  // s for a group
};

std::optional<double> Number(const char* text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  return error == std::errc() && *end == '\0' && value > 0 ? std::optional(value) : std::nullopt;
}

/// Nothing where an argument is wrong, which was said then.
std::optional<Wanted> Parse(int argc, char** argv) {
  Wanted wanted;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--quick") wanted.settings = Settings::Quick();
  }
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (argument == "--quick") {
    } else if (argument == "--hog") {
      wanted.hog = true;
    } else if (argument == "--list") {
      wanted.list = true;
    } else if (argument == "--rows" && *value != '\0') {
      std::istringstream names(argv[++i]);
      for (std::string name; std::getline(names, name, ',');) wanted.rows.insert(name);
    } else if ((argument == "--queued" || argument == "--limit") && Number(value)) {
      if (argument == "--limit")
        wanted.limit = *Number(value);
      else
        wanted.settings.queued = static_cast<std::size_t>(*Number(value));
      ++i;
    } else {
      std::fprintf(
          stderr,
          "micro: '%s' is not understood here; it takes --quick, --rows NAME,..., --list, --hog, --queued N and "
          "--limit SECONDS\n",
          argv[i]);
      return std::nullopt;
    }
  }
  for (const std::string& name : wanted.rows) {
    bool known = false;
    for (const Group& group : Groups())
      known = known || std::find(group.rows.begin(), group.rows.end(), name) != group.rows.end();
    if (known) continue;
    std::fprintf(stderr, "micro: there is no row '%s'; --list prints their names\n", name.c_str());
    return std::nullopt;
  }
  return wanted;
}

bool Applies(const Group& group, const Wanted& wanted) {
  const bool crowded = manta::NumRanks() > 2;
  if (!wanted.rows.empty()) {
    bool named = false;
    for (const std::string& row : group.rows) named = named || wanted.rows.count(row) != 0;
    if (!named || (group.when == When::kCrowded && !crowded) || (group.when == When::kCentral && !g_central))
      return false;
    return true;
  }
  switch (group.when) {
    case When::kDefault:
      return !g_central;
    case When::kOnDemand:
      return false;
    case When::kHog:
      return wanted.hog;
    case When::kCentral:
      return g_central;
    case When::kCrowded:
      return crowded && !g_central;
  }
  return false;
}

/// Ends the job when a group takes longer than it may, and says which.
class Watch {
 public:
  explicit Watch(double limit) : thread_([this, limit] { Run(limit); }) {}
  ~Watch() {
    Begin("");
    thread_.join();
  }
  /// A group begins, or, with an empty name, nothing more does.
  void Begin(const std::string& name) {
    {
      const std::lock_guard lock(mutex_);
      name_ = name;
      ++count_;
      end_ = name.empty();
    }
    changed_.notify_one();
  }

 private:
  void Run(double limit) {
    std::unique_lock lock(mutex_);
    while (!end_) {
      const int count = count_;
      if (changed_.wait_for(lock, std::chrono::duration<double>(limit), [&] { return count_ != count; })) continue;
      std::fprintf(stderr, "micro: the group of %s has not ended after %.0f s\n", name_.c_str(), limit);
      std::fflush(stdout);
      std::_Exit(1);
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string name_;  // this and those below: guarded by mutex_
  int count_ = 0;
  bool end_ = false;
  std::thread thread_;
};

int Driver(int argc, char** argv) {
  const auto wanted = Parse(argc, argv);
  if (!wanted) return 2;
  if (wanted->list) {
    for (const Group& group : Groups()) {
      for (const std::string& row : group.rows) std::printf("%s%s\n", row.c_str(), Condition(group.when));
    }
    return 0;
  }
  if (manta::NumRanks() < 2) {
    std::fprintf(stderr, "micro needs two ranks: mpirun -np 2 %s\n", argv[0]);
    return 2;
  }
  Micro micro;
  micro.settings = wanted->settings;
  micro.report = bench::Report(Bars());
  micro.memory_at_start = Footprint();
  std::printf("# ranks: %d, nodes: %zu, executors of rank 0: %d\n", manta::NumRanks(), manta::Nodes().size(),
              ExecutorsOf(0));
  Watch watch(wanted->limit);
  for (const Group& group : Groups()) {
    if (!Applies(group, *wanted)) continue;
    watch.Begin(group.rows.front());
    if (group.when == When::kOnDemand) micro.settings.most_pending = 10'000'000;
    group.measure(micro);
  }
  watch.Begin("the end");
  if (micro.report.wrong() == 0) return 0;
  std::fprintf(stderr, "micro: %d results were wrong\n", micro.report.wrong());
  return 1;
}

/// Whether the job was started so that rank 0 places every task: said by flag (over the variable) or by variable.
bool AskedForCentral(int argc, char** argv) {
  const char* variable = std::getenv("MANTA_SCHEDULER");
  bool central = variable != nullptr && std::string_view(variable) == "central";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--manta-scheduler=central" ||
        (argument == "--manta-scheduler" && i + 1 < argc && std::string_view(argv[i + 1]) == "central"))
      central = true;
  }
  return central;
}

}  // namespace
}  // namespace micro

int main(int argc, char** argv) {
  micro::g_central = micro::AskedForCentral(argc, argv);
  return manta::Run(argc, argv, micro::Driver, {.on_start = plain_mpi::CollectiveStart});
}
