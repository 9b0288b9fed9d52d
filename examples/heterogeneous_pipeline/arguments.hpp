#pragma once

#include <stdexcept>
#include <string>

// The command line of the example.

namespace pipeline {

struct Arguments {
  bool help = false;
  int batches = 200;   // 1 to 100,000
  double cpu_ms = 20;  // computing of the preprocessing of one batch on one CPU; 0.1 to 10,000
  double gpu_ms = 40;  // how long one batch keeps a GPU busy; 0.1 to 10,000
  int ahead = 4;       // batches of two_stages in flight for each GPU; 1 to 1000
  std::string svg = "heterogeneous_pipeline.svg";
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

}  // namespace pipeline
