#pragma once
// The settings of a job as plain typed values, and where they come from: flags, variables, Config, defaults.
//
//   ParsedSettings parsed = ParseSettings(argc, argv, environ, config);   // argc and argv lose the --manta- flags
//   std::string bytes = SerializeSettings(parsed.settings);               // rank 0 sends, the others take
//   Settings settings = DeserializeSettings(bytes);
//
// All of it is free of state and of MPI: it may be called on any thread, as long as nobody changes the environment.

#include <manta/config.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/log.hpp"

namespace manta {

enum class RmaMode { kAuto, kOn, kOff };
enum class SchedulerMode { kAuto, kCentral };
enum class SegmentMode { kAuto, kMpi, kMemfd };
enum class SpillCompression { kNone, kZstd };
enum class NodeTransport { kAuto, kRing, kMpi };
enum class DeviceMode { kAuto, kCuda, kFake, kNone };
enum class IsolationMode { kLogical, kQuota };

/// What each setting means is said in <manta/config.hpp>; the defaults are those here and nowhere else.
struct Settings {
  double cpus = 0;                          // 0: detect
  int gpus = -1;                            // -1: detect
  std::map<std::string, double> resources;  // by name, per node
  std::uint64_t memory = 0;                 // bytes; 0: detect
  int executors = 0;                        // 0: one a core
  bool binding = true;
  bool use_hyperthreads = false;
  int gpu_home_ranks = 1;
  DeviceMode device = DeviceMode::kAuto;
  IsolationMode isolation = IsolationMode::kLogical;
  std::uint64_t object_store_bytes = 0;  // 0: choose
  SegmentMode segment = SegmentMode::kAuto;
  std::uint64_t inline_bytes = 2048;
  std::string spill_dir = "auto";  // TMPDIR, or /tmp; "off": no spilling
  SpillCompression spill_compression = SpillCompression::kNone;
  double store_wait_seconds = 10;
  NodeTransport transport = NodeTransport::kAuto;
  RmaMode rma = RmaMode::kAuto;
  bool check_serialize = false;
  SchedulerMode scheduler = SchedulerMode::kAuto;
  int credits = 4096;
  std::uint64_t queue_bytes = 0;  // 0: no bound
  std::uint64_t seed = 0;
  double hang_seconds = 0;  // 0: off
  bool hang_abort = false;
  bool events = false;
  double cancel_grace_seconds = 2;
  int fake_nodes = 0;  // 0: real nodes
  base::LogLevel log_level = base::LogLevel::kWarning;
  bool tag_output = false;
  bool quiet = false;

  bool operator==(const Settings&) const = default;
};

struct ParsedSettings {
  Settings settings;
  std::vector<std::string> warnings;  // one line each, to be said by rank 0
};

/// Reads all sources; flag over variable over Config over default. Every value given is checked, also one that a
/// stronger source overrides; of a flag given twice the last rules.
/// Takes its flags (`--manta-foo-bar V` or `--manta-foo-bar=V`) out of `argv[1..argc)` in place and keeps the null at
/// the end; `--` and what follows are the user's and stay. A boolean flag may stand alone: a next word of on, off,
/// true, false, yes or no is its value, anything else (also 0 and 1, which are likely the program's) is not.
/// `environment` is a null-ended list of NAME=value as `environ`; null means none. `argv` may be null if argc is 0.
/// Throws UsageError for an unknown flag, a variable that is nearly a setting's, a missing or a bad value; then
/// argc and argv are as before.
ParsedSettings ParseSettings(int& argc, char** argv, const char* const* environment, const Config& config);

/// `name=value` lines, exact for every value; read back by the same build only.
std::string SerializeSettings(const Settings& settings);
/// Throws UsageError when the text is of another build (a setting is missing or unknown).
Settings DeserializeSettings(std::string_view text);

/// All settings with values, default and meaning, a few lines each, for `--manta-help` and docs/configuration.md.
std::string SettingsHelp();

}  // namespace manta
