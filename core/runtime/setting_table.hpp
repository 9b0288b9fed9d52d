#pragma once
// One row for each setting: its name, how its value is read and written as text, and what is said about it.
// Adding a setting is a field in Config, a field in Settings, a row in the .cpp and a row in docs/configuration.md.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/runtime/settings.hpp"

namespace manta {

struct SettingRow {
  std::string_view name;    // "foo-bar": --manta-foo-bar, MANTA_FOO_BAR, Config::foo_bar
  std::string allowed;      // what may be given, for messages
  std::string_view help;    // one sentence
  bool is_boolean = false;  // its flag may stand alone

  /// Takes a value; false when it is not allowed, and then nothing has changed.
  std::function<bool(Settings&, std::string_view)> read;
  /// The value as text that `read` takes for the same value.
  std::function<std::string(const Settings&)> write;
  /// The Config field as text, if it is set.
  std::function<std::optional<std::string>(const Config&)> from_config;
};

/// All settings in the order of Config. Made at first use; lives until the process ends.
std::span<const SettingRow> SettingTable();
/// The row of that name, or null.
const SettingRow* FindSetting(std::string_view name);

/// "foo-bar" -> "MANTA_FOO_BAR", "foo_bar".
std::string VariableOf(std::string_view setting);
std::string FieldOf(std::string_view setting);

/// The setting whose name is nearest by edit distance (insert, delete, replace, swap neighbours), and that distance.
struct NearestSetting {
  const SettingRow* row = nullptr;
  int distance = 0;
};
NearestSetting FindNearestSetting(std::string_view name);

}  // namespace manta
