#include "arguments.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <numeric>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace housing {
namespace {

constexpr std::string_view kFlags[] = {"--sequential", "--models", "--csv", "--progress", "--help"};

// How many letters to add, drop or change to make one word of the other (Levenshtein).
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

[[noreturn]] void FailUnknown(std::string_view flag) {
  std::string allowed;
  for (const std::string_view known : kFlags) (allowed += allowed.empty() ? "" : ", ") += known;
  const std::string_view nearest =
      *std::ranges::min_element(kFlags, {}, [flag](std::string_view known) { return EditDistance(flag, known); });
  throw ArgumentError("found the unknown argument '" + std::string(flag) + "', wanted one of " + allowed +
                      " (nearest: " + std::string(nearest) + ")");
}

int ParseModels(std::string_view text) {
  int models = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, models);
  if (error != std::errc() || stop != end || models < 1 || models > kMaxModels) {
    throw ArgumentError("--models: found '" + std::string(text) + "', wanted a whole number from 1 to " +
                        std::to_string(kMaxModels));
  }
  return models;
}

std::string ParseFile(std::string_view text) {
  if (text.empty()) throw ArgumentError("--csv: found an empty name, wanted a file");
  return std::string(text);
}

}  // namespace

Arguments ParseArguments(int argc, const char* const* argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string_view flag = argument.substr(0, equals);
    std::optional<std::string_view> value;
    if (equals != std::string_view::npos) value = argument.substr(equals + 1);

    const auto take_value = [&](const char* wanted) {
      if (!value && i + 1 == argc) throw ArgumentError(std::string(flag) + ": found no value, wanted " + wanted);
      return value ? *value : std::string_view(argv[++i]);
    };
    const auto take_no_value = [&] {
      if (value) throw ArgumentError(std::string(flag) + ": found '" + std::string(*value) + "', wanted no value");
      return true;
    };
    if (flag == "--models") {
      arguments.models = ParseModels(take_value("a whole number"));
    } else if (flag == "--csv") {
      arguments.csv = ParseFile(take_value("a file"));
    } else if (flag == "--sequential") {
      arguments.sequential = take_no_value();
    } else if (flag == "--progress") {
      arguments.progress = take_no_value();
    } else if (flag == "--help") {
      arguments.help = take_no_value();
    } else {
      FailUnknown(argument);
    }
  }
  return arguments;
}

std::string HelpText() {
  return R"(Usage: california_housing [--sequential] [--models N] [--csv FILE] [--progress] [--help]

Trains random forests of 8, 12, 16, ... trees on the California housing data, each as one task,
and says which predicts best.

  --sequential   one model after the other in this process, without tasks
  --models N     how many forests, 1 to 1000 (default: 20, of 8 to 84 trees)
  --csv FILE     read this file (default: the one that comes with the example)
  --progress     a progress bar on stderr, also where that is no terminal
  --help         this text
)";
}

}  // namespace housing
