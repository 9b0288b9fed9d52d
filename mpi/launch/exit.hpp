#pragma once
// How a job ends other than by the driver's return: signals, exit() anywhere, an exception that nobody catches, another
// rank's word. Exit codes: docs/lifecycle.md.

#include <functional>
#include <string>

namespace manta::launch {

inline constexpr int kExitUsage = 2;
inline constexpr int kExitException = 3;
inline constexpr int kExitRankLost = 4;

/// What the endings need of the session, and the driver's orderly end.
struct ExitActions {
  std::function<void(int code, const std::string& reason)> tell_others;  // must be callable from any thread
  std::function<bool()> orderly_shutdown;  // main thread of rank 0; whether the process must end at once then
};

/// Installs the handlers for SIGINT and SIGTERM (those that were there are called too), exit() and std::terminate.
/// Once.
void InstallExitHandlers(int rank, ExitActions actions);
/// From now on exit() and returning from main are nobody's business but the process's.
void DisarmExitHandlers();
bool ExitHandlersArmed();

/// Tells the other ranks, says `manta: exit N (reason)` on rank 0, and ends this process at once. Any thread; the first
/// caller wins.
[[noreturn]] void EndJobNow(int code, const std::string& reason, bool tell_others);

}  // namespace manta::launch
