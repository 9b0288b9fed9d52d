#pragma once
// What the tests of the settings share: sources spelled as words.

#include <string>
#include <utility>
#include <vector>

#include <manta/error.hpp>

#include "core/runtime/settings.hpp"

namespace manta {

/// A command line and an environment that a test may spell as words.
struct Sources {
  std::vector<std::string> words = {};
  std::vector<std::string> variables = {};
  Config config = {};
  std::vector<char*> argv = {};
  int argc = 0;

  ParsedSettings Parse() {
    argv.clear();
    words.insert(words.begin(), "app");
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    argc = static_cast<int>(words.size());
    std::vector<const char*> environment;
    for (const std::string& variable : variables) environment.push_back(variable.c_str());
    environment.push_back(nullptr);
    return ParseSettings(argc, argv.data(), environment.data(), config);
  }

  std::vector<std::string> Left() const { return {argv.begin(), argv.begin() + argc}; }
};

inline Settings FromFlags(std::vector<std::string> words) {
  return Sources{.words = std::move(words)}.Parse().settings;
}
inline Settings FromVariables(std::vector<std::string> variables) {
  return Sources{.variables = std::move(variables)}.Parse().settings;
}

inline std::string ErrorOf(Sources sources) {
  try {
    sources.Parse();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}
inline std::string ErrorOfFlags(std::vector<std::string> words) { return ErrorOf({.words = std::move(words)}); }
inline std::string ErrorOfVariable(std::string variable) { return ErrorOf({.variables = {std::move(variable)}}); }

using Words = std::vector<std::string>;

}  // namespace manta
