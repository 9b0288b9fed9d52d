#include "core/runtime/settings.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>

#include "core/base/check.hpp"
#include "core/runtime/setting_table.hpp"

namespace manta {
namespace {

constexpr std::string_view kFlagPrefix = "--manta-";
constexpr std::string_view kVariablePrefix = "MANTA_";

/// Takes one value or says all that the user needs to mend it.
void ReadValue(const SettingRow& row, std::string_view value, std::string_view source, Settings& settings) {
  MANTA_EXPECT(row.read(settings, value), "setting " << row.name << ": '" << value << "' from " << source
                                                     << " is not allowed; it takes " << row.allowed);
}

// --- environment -------------------------------------------------------------------------------------------------

bool StartsWith(std::string_view text, std::string_view head) { return text.substr(0, head.size()) == head; }

/// Variables that build systems, module systems and test rigs own.
bool BelongsToOthers(std::string_view variable) {
  for (std::string_view name : {"MANTA_ROOT", "MANTA_DIR", "MANTA_HOME", "MANTA_VERSION", "MANTA_WITH_CUDA"})
    if (variable == name) return true;
  return StartsWith(variable, "MANTA_BUILD_") || StartsWith(variable, "MANTA_TEST_");
}

/// "CHECKSERIALIZE" of MANTA_CHECK_SERIALIZE and of check-serialize alike.
std::string LettersOf(std::string_view name) {
  std::string letters;
  for (char c : name)
    if (c != '_' && c != '-') letters += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return letters;
}

/// The setting that `variable` most likely meant, or null. Two wrong letters of "rma" are another word: names of up to
/// four letters get one.
const SettingRow* NearSetting(std::string_view variable) {
  std::string name(variable.substr(kVariablePrefix.size()));
  for (const SettingRow& row : SettingTable())
    if (LettersOf(name) == LettersOf(row.name)) return &row;
  for (char& c : name) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const NearestSetting nearest = FindNearestSetting(name);
  return nearest.distance <= (nearest.row->name.size() <= 4 ? 1 : 2) ? nearest.row : nullptr;
}

void ReadEnvironment(const char* const* environment, ParsedSettings& parsed) {
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    if (!StartsWith(entry, kVariablePrefix)) continue;
    const std::size_t equals = std::min(entry.find('='), entry.size());
    const std::string_view variable = entry.substr(0, equals);
    const std::string_view value = entry.substr(std::min(equals + 1, entry.size()));

    const SettingRow* exact = nullptr;
    for (const SettingRow& row : SettingTable())
      if (VariableOf(row.name) == variable) exact = &row;
    if (exact != nullptr) {
      ReadValue(*exact, value, "the variable " + std::string(variable), parsed.settings);
    } else if (!BelongsToOthers(variable)) {
      const SettingRow* near = NearSetting(variable);
      MANTA_EXPECT(near == nullptr, "the variable " << variable << " is no setting; did you mean "
                                                    << VariableOf(near->name) << "? If not, unset it");
      parsed.warnings.push_back("the variable " + std::string(variable) + " is no setting of Manta and has no effect");
    }
  }
}

// --- flags -------------------------------------------------------------------------------------------------------

bool IsBooleanWord(std::string_view word) {
  for (std::string_view known : {"on", "off", "true", "false", "yes", "no"})
    if (word == known) return true;
  return false;
}

/// Reads the flag at argv[i] and returns how many words it took.
int ReadFlag(int argc, char** argv, int i, Settings& settings) {
  const std::string_view word = argv[i];
  const std::size_t equals = word.find('=');
  const std::string_view flag = word.substr(0, equals);
  const std::string_view name = flag.substr(kFlagPrefix.size());
  const SettingRow* row = FindSetting(name);
  MANTA_EXPECT(row != nullptr, "unknown flag " << flag << "; did you mean " << kFlagPrefix
                                               << FindNearestSetting(name).row->name
                                               << "? docs/configuration.md lists all; words after -- are not read");
  const std::string source = "the flag " + std::string(flag);
  if (equals != std::string_view::npos) {
    ReadValue(*row, word.substr(equals + 1), source, settings);
    return 1;
  }
  const bool has_next = i + 1 < argc && !StartsWith(argv[i + 1], "--");
  if (row->is_boolean) {
    const bool takes_next = has_next && IsBooleanWord(argv[i + 1]);
    ReadValue(*row, takes_next ? argv[i + 1] : "on", source, settings);
    return takes_next ? 2 : 1;
  }
  MANTA_EXPECT(has_next, "setting " << row->name << ": " << source << " has no value; it takes " << row->allowed);
  ReadValue(*row, argv[i + 1], source, settings);
  return 2;
}

/// Returns the words that are the user's.
std::vector<char*> ReadFlags(int argc, char** argv, Settings& settings) {
  std::vector<char*> kept;
  int i = 0;
  if (argc > 0) kept.push_back(argv[i++]);
  while (i < argc && std::string_view(argv[i]) != "--") {
    if (StartsWith(argv[i], kFlagPrefix)) {
      i += ReadFlag(argc, argv, i, settings);
    } else {
      kept.push_back(argv[i++]);
    }
  }
  kept.insert(kept.end(), argv + i, argv + argc);
  return kept;
}

}  // namespace

ParsedSettings ParseSettings(int& argc, char** argv, const char* const* environment, const Config& config) {
  ParsedSettings parsed;
  // From the weakest source to the strongest: each overwrites what it names.
  for (const SettingRow& row : SettingTable())
    if (const auto value = row.from_config(config))
      ReadValue(row, *value, "Config::" + FieldOf(row.name), parsed.settings);
  ReadEnvironment(environment, parsed);
  if (argv != nullptr && argc > 0) {
    const std::vector<char*> kept = ReadFlags(argc, argv, parsed.settings);
    // argv[argc] is null by the standard; where a word was removed it has to be made so.
    if (static_cast<int>(kept.size()) < argc) *std::copy(kept.begin(), kept.end(), argv) = nullptr;
    argc = static_cast<int>(kept.size());
  }
  return parsed;
}

std::string SerializeSettings(const Settings& settings) {
  std::string text;
  for (const SettingRow& row : SettingTable()) {
    text += row.name;
    text += '=' + row.write(settings) + '\n';
  }
  return text;
}

Settings DeserializeSettings(std::string_view text) {
  Settings settings;
  for (const SettingRow& row : SettingTable()) {
    const std::string head = std::string(row.name) + '=';
    const std::size_t end = text.find('\n');
    MANTA_EXPECT(StartsWith(text, head) && end != std::string_view::npos,
                 "rank 0 sent no setting " << row.name << "; do all ranks run the same build of Manta?");
    ReadValue(row, text.substr(head.size(), end - head.size()), "rank 0", settings);
    text.remove_prefix(end + 1);
  }
  MANTA_EXPECT(text.empty(), "rank 0 sent a setting that this rank does not know: '"
                                 << text.substr(0, text.find('\n')) << "'; do all ranks run the same build of Manta?");
  return settings;
}

std::string SettingsHelp() {
  std::ostringstream out;
  out << "A setting foo-bar is the flag --manta-foo-bar V (or =V), the variable MANTA_FOO_BAR or Config::foo_bar;\n"
         "the first of these that is given rules.\n";
  const Settings defaults;
  for (const SettingRow& row : SettingTable()) {
    const std::string value = row.write(defaults);
    out << "\n--manta-" << row.name << "  (default " << (value.empty() ? "none" : value) << ")\n    " << row.help
        << "\n    Takes " << row.allowed << ".\n";
  }
  return out.str();
}

}  // namespace manta
