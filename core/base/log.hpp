#pragma once
// Lines to stderr, each with rank, seconds since start and component: `manta[r2 3.141s worker] ...`.
// One write a line, so lines of several ranks do not mix. Nothing on the path of each task calls this.

#include <sstream>
#include <string>
#include <string_view>

namespace manta::base {

enum class LogLevel { kError = 0, kWarning = 1, kInfo = 2, kDebug = 3 };

/// Sets what the lines of this process begin with and the level up to which they are printed. Any thread.
void SetLogRank(int rank);
void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);

/// Prints one line. Any thread; never throws.
void LogLine(LogLevel level, std::string_view component, std::string_view text);
/// Prints `manta: text`, for what every user is meant to see (start line, warnings, exit reason).
void SayLine(std::string_view text);

}  // namespace manta::base

/// MANTA_LOG(kWarning, "worker", "lost " << n << " tasks");
#define MANTA_LOG(level, component, stream)                                                      \
  do {                                                                                           \
    if (::manta::base::LogEnabled(::manta::base::LogLevel::level)) {                             \
      std::ostringstream manta_log_stream;                                                       \
      manta_log_stream << stream;                                                                \
      ::manta::base::LogLine(::manta::base::LogLevel::level, component, manta_log_stream.str()); \
    }                                                                                            \
  } while (false)
