#include "core/base/log.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdio>

#include "core/base/clock.hpp"

namespace manta::base {
namespace {

// Written at start, read by any thread; a line with an old value is harmless, so relaxed is enough.
std::atomic<int> log_rank{-1};
std::atomic<int> log_level{static_cast<int>(LogLevel::kWarning)};
const std::int64_t start_ns = NowNanoseconds();

void WriteWhole(const std::string& line) {
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data() + done, line.size() - done);
    if (n <= 0) return;
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace

void SetLogRank(int rank) { log_rank.store(rank, std::memory_order_relaxed); }
void SetLogLevel(LogLevel level) { log_level.store(static_cast<int>(level), std::memory_order_relaxed); }
bool LogEnabled(LogLevel level) { return static_cast<int>(level) <= log_level.load(std::memory_order_relaxed); }

void LogLine(LogLevel, std::string_view component, std::string_view text) {
  char head[96];
  const double seconds = static_cast<double>(NowNanoseconds() - start_ns) * 1e-9;
  std::snprintf(head, sizeof(head), "manta[r%d %.3fs %.*s] ", log_rank.load(std::memory_order_relaxed), seconds,
                static_cast<int>(component.size()), component.data());
  std::string line(head);
  line.append(text).push_back('\n');
  WriteWhole(line);
}

void SayLine(std::string_view text) {
  std::string line("manta: ");
  line.append(text).push_back('\n');
  WriteWhole(line);
}

}  // namespace manta::base
