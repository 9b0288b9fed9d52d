#pragma once

#include <stdexcept>
#include <string>

// The command line of the example.

namespace housing {

inline constexpr int kMaxModels = 1000;

struct Arguments {
  bool help = false;
  bool sequential = false;  // one model after the other in this thread, no tasks
  bool progress = false;    // a progress bar even where stderr is no terminal
  int models = 20;          // 1 to kMaxModels
  std::string csv;          // empty: the file that comes with the example
};

/// An argument that is unknown or has a bad value; `what()` is one line.
class ArgumentError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// Reads `argv[1]` onwards. A value follows its flag as the next argument or after `=`; the last of equal flags holds.
Arguments ParseArguments(int argc, const char* const* argv);

/// What --help prints.
std::string HelpText();

}  // namespace housing
