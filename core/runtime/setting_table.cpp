#include "core/runtime/setting_table.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace manta {
namespace {

constexpr double kMaxAmount = 1e9;   // CPUs or custom resources of a node; far inside what Amount holds
constexpr double kMaxSeconds = 1e9;  // 30 years, and still exact in nanoseconds of 64 bits
constexpr int kMaxCount = 1'000'000;
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 60;

// --- values to and from text -------------------------------------------------------------------------------------

/// The whole text as a number. from_chars takes no blanks, no plus sign, no locale; "inf" and "nan" are left to
/// the range check, which they never pass.
template <class Number>
bool ReadNumber(std::string_view text, Number& value) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end;
}

template <class Number>
bool ReadInRange(std::string_view text, Number min, Number max, Number& value) {
  Number number{};
  if (!ReadNumber(text, number) || !(number >= min && number <= max)) return false;  // false for NaN too
  value = number + Number{};                                                         // -0.0 becomes 0.0
  return true;
}

/// The shortest text that reads back as the same number.
template <class Number>
std::string WriteNumber(Number value) {
  std::array<char, 64> text;
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value);
  return std::string(text.data(), result.ptr);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

bool ReadBytes(std::string_view text, std::uint64_t& value) {
  std::uint64_t unit = 1;
  std::string lower = Lower(text);
  const std::size_t suffix = lower.find_first_not_of("0123456789.");
  if (suffix != std::string::npos) {
    std::string_view letters = std::string_view(lower).substr(suffix);
    constexpr std::string_view kUnits = "kmgt";
    const std::size_t power = kUnits.find(letters.front());
    const std::string_view tail = letters.substr(1);
    if (power != std::string_view::npos && (tail.empty() || tail == "b" || tail == "ib")) {
      unit = std::uint64_t{1} << (10 * (power + 1));
    } else if (letters != "b") {
      return false;
    }
    lower.resize(suffix);
  }
  std::uint64_t whole = 0;
  if (ReadNumber(std::string_view(lower), whole)) {
    if (whole > kMaxBytes / unit) return false;
    value = whole * unit;
    return true;
  }
  double part = 0;  // "1.5G"; half a byte is no size
  if (unit == 1 || !ReadInRange<double>(lower, 0, static_cast<double>(kMaxBytes / unit), part)) return false;
  value = static_cast<std::uint64_t>(std::llround(part * static_cast<double>(unit)));
  return true;
}

bool ReadBoolean(std::string_view text, bool& value) {
  const std::string word = Lower(text);
  const bool yes = word == "on" || word == "true" || word == "yes" || word == "1";
  const bool no = word == "off" || word == "false" || word == "no" || word == "0";
  if (yes || no) value = yes;
  return yes || no;
}

bool ReadDirectory(std::string_view text, std::string& value) {
  if (const std::string word = Lower(text); word == "auto" || word == "off") {
    value = word;
    return true;
  }
  const auto is_control = [](unsigned char c) { return std::iscntrl(c) != 0; };
  const bool fits = !text.empty() && text.front() == '/' && std::none_of(text.begin(), text.end(), is_control);
  if (fits) value = text;
  return fits;
}

bool IsResourceName(std::string_view name) {
  const std::string lower = Lower(name);
  for (std::string_view taken : {"cpu", "cpus", "gpu", "gpus", "memory"})
    if (lower == taken) return false;
  const auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.'; };
  return !name.empty() && !std::isdigit(static_cast<unsigned char>(name.front())) && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), allowed);
}

bool ReadResources(std::string_view text, std::map<std::string, double>& value) {
  std::map<std::string, double> resources;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t equals = item.find('=');
    double amount = 0;
    if (equals == std::string_view::npos || !IsResourceName(item.substr(0, equals)) ||
        !ReadInRange<double>(item.substr(equals + 1), 0, kMaxAmount, amount) ||
        !resources.emplace(item.substr(0, equals), amount).second) {
      return false;
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    if (text.empty()) return false;  // "a=1,"
  }
  value = std::move(resources);
  return true;
}

std::string WriteResources(const std::map<std::string, double>& resources) {
  std::string text;
  for (const auto& [name, amount] : resources) {
    if (!text.empty()) text += ',';
    // A Config may hold any name; one with a separator in it must not turn into two valid ones.
    text += IsResourceName(name) ? name : "=" + name;
    text += '=' + WriteNumber(amount);
  }
  return text;
}

// --- rows --------------------------------------------------------------------------------------------------------

template <class Value>
std::string WriteValue(const Value& value) {
  if constexpr (std::is_same_v<Value, bool>)
    return value ? "on" : "off";
  else if constexpr (std::is_same_v<Value, std::string>)
    return value;
  else if constexpr (std::is_same_v<Value, std::map<std::string, double>>)
    return WriteResources(value);
  else
    return WriteNumber(value);
}

template <class Field>
std::function<std::optional<std::string>(const Config&)> ConfigText(std::optional<Field> Config::*field) {
  return [field](const Config& config) -> std::optional<std::string> {
    if (!(config.*field)) return std::nullopt;
    return WriteValue(*(config.*field));
  };
}

/// A row whose value `read` takes and WriteValue writes.
template <class Value, class Field, class Read>
SettingRow ValueRow(std::string_view name, std::string allowed, std::string_view help, Value Settings::*value,
                    std::optional<Field> Config::*field, Read read) {
  return {name,
          std::move(allowed),
          help,
          std::is_same_v<Value, bool>,
          [value, read](Settings& s, std::string_view text) { return read(text, s.*value); },
          [value](const Settings& s) { return WriteValue(s.*value); },
          ConfigText(field)};
}

template <class Number>
SettingRow NumberRow(std::string_view name, Number min, Number max, std::string_view help, Number Settings::*value,
                     std::optional<Number> Config::*field) {
  const std::string kind = std::is_integral_v<Number> ? "a whole number" : "a number";
  return ValueRow(name, kind + " from " + WriteNumber(min) + " to " + WriteNumber(max), help, value, field,
                  [min, max](std::string_view text, Number& out) { return ReadInRange(text, min, max, out); });
}

SettingRow BytesRow(std::string_view name, std::string_view help, std::uint64_t Settings::*value,
                    std::optional<std::uint64_t> Config::*field) {
  return ValueRow(name, "bytes, or a number with K, M, G or T (powers of 1024), up to 2^60", help, value, field,
                  ReadBytes);
}

SettingRow BooleanRow(std::string_view name, std::string_view help, bool Settings::*value,
                      std::optional<bool> Config::*field) {
  return ValueRow(name, "on or off (also true, false, yes, no, 1, 0)", help, value, field, ReadBoolean);
}

/// `words` in the order of the enumerators, from 0.
template <class Enum>
SettingRow ChoiceRow(std::string_view name, std::vector<std::string> words, std::string_view help,
                     Enum Settings::*value, std::optional<std::string> Config::*field) {
  std::string allowed = "one of";
  for (const std::string& word : words) allowed += (word == words.front() ? " " : ", ") + word;
  const auto read = [value, words](Settings& s, std::string_view text) {
    const auto found = std::find(words.begin(), words.end(), Lower(text));
    if (found != words.end()) s.*value = static_cast<Enum>(found - words.begin());
    return found != words.end();
  };
  const auto write = [value, words](const Settings& s) { return words[static_cast<std::size_t>(s.*value)]; };
  return {name, std::move(allowed), help, false, read, write, ConfigText(field)};
}

std::vector<SettingRow> MakeTable() {
  using S = Settings;
  using C = Config;
  constexpr std::uint64_t kMaxSeed = std::numeric_limits<std::uint64_t>::max();
  return {
      NumberRow(
          "cpus", 0.0, kMaxAmount,
          "CPUs of each node; 0: its cores, or its ranks where they are more. CPUs beyond the cores are not bound.",
          &S::cpus, &C::cpus),
      NumberRow("gpus", -1, kMaxCount, "GPUs of each node; -1: those found. A larger number declares GPUs for tests.",
                &S::gpus, &C::gpus),
      ValueRow("resources",
               "name=amount, separated by commas; names of letters, digits, _ - . that are not CPU, GPU or memory; "
               "amounts from 0 to 1e+09",
               "Custom resources of each node, as in license=2,ssd=0.5.", &S::resources, &C::resources, ReadResources),
      BytesRow("memory", "Memory of each node that tasks may ask for; 0: what the machine has.", &S::memory,
               &C::memory),
      NumberRow("executors", 0, kMaxCount, "Executor threads of each rank; 0: one for each of its cores, at least one.",
                &S::executors, &C::executors),
      BooleanRow("binding", "Whether executors, and tasks of other amounts than one CPU, are bound to cores.", &S::binding,
                 &C::binding),
      BooleanRow("use-hyperthreads", "Whether each hardware thread of a core counts as a CPU.", &S::use_hyperthreads,
                 &C::use_hyperthreads),
      NumberRow("gpu-home-ranks", 1, kMaxCount, "Ranks of a node that may use one GPU and hold a CUDA context on it.",
                &S::gpu_home_ranks, &C::gpu_home_ranks),
      ChoiceRow("device", {"auto", "cuda", "fake", "none"},
                "Where GPUs come from; auto: CUDA if there is a device; fake: the test backend in host memory.",
                &S::device, &C::device),
      ChoiceRow("isolation", {"logical", "quota"},
                "How a task is kept to its share of a GPU; logical: it is trusted; quota: allocations above its share "
                "are refused.",
                &S::isolation, &C::isolation),
      BytesRow("object-store-bytes", "Room for objects on each node; 0: 30 % of its memory.",
               &S::object_store_bytes, &C::object_store_bytes),
      ChoiceRow("segment", {"auto", "mpi", "memfd"},
                "What ranks of a node share objects in; mpi: a window in /dev/shm; memfd: memory of the job; auto: mpi, or "
                "memfd where /dev/shm is too small for the store.",
                &S::segment, &C::segment),
      ValueRow("spill-dir", "an absolute path, auto or off",
               "A directory of each node for objects that the store has no room for; auto: TMPDIR, or /tmp; off: none.",
               &S::spill_dir, &C::spill_dir, ReadDirectory),
      ChoiceRow("spill-compression", {"none", "zstd"}, "What is done to objects that go there.", &S::spill_compression,
                &C::spill_compression),
      NumberRow("store-wait-seconds", 0.0, kMaxSeconds,
                "How long who needs room in a full store waits while none is made, before OutOfMemoryError.",
                &S::store_wait_seconds, &C::store_wait_seconds),
      BytesRow("inline-bytes", "The largest value that stays inside a message instead of the store.", &S::inline_bytes,
               &C::inline_bytes),
      ChoiceRow("transport", {"auto", "ring", "mpi"},
                "How ranks of one node talk; auto: ring; ring: shared memory; mpi: as between nodes.", &S::transport,
                &C::transport),
      ChoiceRow("rma", {"auto", "on", "off"},
                "Whether objects move between nodes by MPI one-sided calls; auto: if a probe at start finds them fit.",
                &S::rma, &C::rma),
      BooleanRow("check-serialize", "Passes every object through its serializer, so that a forgotten field shows.",
                 &S::check_serialize, &C::check_serialize),
      ChoiceRow("scheduler", {"auto", "central"},
                "auto: ranks place small tasks themselves; central: rank 0 places every task, the same each time.",
                &S::scheduler, &C::scheduler),
      NumberRow("credits", 1, kMaxCount,
                "Unstarted one-CPU tasks that a rank may have at another, which it bound to it; the rest wait at home.",
                &S::credits, &C::credits),
      BytesRow("queue-bytes",
               "Memory for the tasks that a rank has submitted and that have not begun; above it submitters wait. "
               "0: no bound.",
               &S::queue_bytes, &C::queue_bytes),
      NumberRow("seed", std::uint64_t{0}, kMaxSeed, "The job's seed, from which the seed of each task follows.",
                &S::seed, &C::seed),
      NumberRow("hang-seconds", 0.0, kMaxSeconds,
                "After so long without progress, who waits for what is printed; 0: never.", &S::hang_seconds,
                &C::hang_seconds),
      BooleanRow("hang-abort", "Whether the job ends with code 4 when hang-seconds have passed without progress.",
                 &S::hang_abort, &C::hang_abort),
      BooleanRow("events", "Whether each thread keeps a record of its last events, for a timeline.", &S::events,
                 &C::events),
      NumberRow("cancel-grace-seconds", 0.0, kMaxSeconds,
                "How long running tasks have to notice a cancel before they are left behind.", &S::cancel_grace_seconds,
                &C::cancel_grace_seconds),
      NumberRow("fake-nodes", 0, kMaxCount, "Splits each machine's ranks into so many nodes, for tests; 0: real nodes.",
                &S::fake_nodes, &C::fake_nodes),
      ChoiceRow("log-level", {"error", "warning", "info", "debug"}, "Which lines are printed on stderr.", &S::log_level,
                &C::log_level),
      BooleanRow("tag-output", "Puts rank and task before each line of stdout, as in [r3 Score].", &S::tag_output,
                 &C::tag_output),
      BooleanRow("quiet", "Leaves out the line at start.", &S::quiet, &C::quiet),
  };
}

/// Optimal string alignment distance: Levenshtein's, with a swap of neighbours as one step.
int EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::vector<int>> d(a.size() + 1, std::vector<int>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = static_cast<int>(i + j);
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::span<const SettingRow> SettingTable() {
  static const std::vector<SettingRow> table = MakeTable();
  return table;
}

const SettingRow* FindSetting(std::string_view name) {
  for (const SettingRow& row : SettingTable())
    if (row.name == name) return &row;
  return nullptr;
}

std::string VariableOf(std::string_view setting) {
  std::string name = "MANTA_";
  for (char c : setting) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::string FieldOf(std::string_view setting) {
  std::string name(setting);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

NearestSetting FindNearestSetting(std::string_view name) {
  NearestSetting nearest;
  for (const SettingRow& row : SettingTable()) {
    const int distance = EditDistance(name, row.name);
    if (nearest.row == nullptr || distance < nearest.distance) nearest = {&row, distance};
  }
  return nearest;
}

}  // namespace manta
