#include "mpi/launch/exit.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>

#include "core/base/log.hpp"
#include "core/object/error_record.hpp"

namespace manta::launch {
namespace {

// Written once before the handlers are installed, read by them.
int this_rank = 0;
ExitActions actions;
std::thread::id main_thread;
std::atomic<bool> armed{false};
std::atomic<bool> ending{false};
std::atomic<int> signal_fd{-1};
volatile std::sig_atomic_t last_signal = 0;
struct sigaction old_int, old_term;
std::terminate_handler old_terminate = nullptr;

void OnSignal(int number, siginfo_t* info, void* context) {
  last_signal = number;
  // The program's own handler first: the job may be over as soon as the thread behind the descriptor knows.
  const struct sigaction& old = number == SIGINT ? old_int : old_term;
  if ((old.sa_flags & SA_SIGINFO) != 0 && old.sa_sigaction != nullptr)
    old.sa_sigaction(number, info, context);
  else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN && old.sa_handler != nullptr)
    old.sa_handler(number);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written =
      ::write(signal_fd.load(std::memory_order_relaxed), &one, sizeof(one));  // async-signal-safe
}

void SignalThread(int fd) {
  for (;;) {
    std::uint64_t count = 0;
    if (::read(fd, &count, sizeof(count)) != sizeof(count)) continue;
    if (!armed.load()) {
      // The job is over already; the signal is the process's own.
      std::signal(last_signal, SIG_DFL);
      std::raise(last_signal);
    }
    EndJobNow(128 + last_signal, last_signal == SIGINT ? "SIGINT" : "SIGTERM", true);
  }
}

/// exit() was called, or main returned without Shutdown.
void OnExit(int status, void*) {
  if (!armed.load()) return;
  if (std::this_thread::get_id() == main_thread && this_rank == 0) {
    DisarmExitHandlers();
    if (actions.orderly_shutdown()) {
      std::fflush(stdout);
      ::_exit(status);
    }
    return;
  }
  if (this_rank == 0) EndJobNow(status, "exit(" + std::to_string(status) + ") was called in a task on rank 0", true);
  EndJobNow(kExitRankLost,
            "exit(" + std::to_string(status) + ") was called in a task on rank " + std::to_string(this_rank), true);
}

void OnTerminate() {
  if (armed.load()) {
    std::string reason = "an exception that nobody caught";
    if (const std::exception_ptr thrown = std::current_exception())
      reason += ": " + object::Describe(*object::FromException(thrown, "", this_rank));
    EndJobNow(kExitException, reason, true);
  }
  if (old_terminate != nullptr) old_terminate();
  std::abort();
}

}  // namespace

void InstallExitHandlers(int rank, ExitActions what) {
  this_rank = rank;
  actions = std::move(what);
  main_thread = std::this_thread::get_id();
  static bool installed = false;
  if (!installed) {
    installed = true;
    const int fd = ::eventfd(0, EFD_CLOEXEC);
    signal_fd.store(fd);
    // Lives as long as the process; it must not be joined by a signal's own victim.
    std::thread(SignalThread, fd).detach();
    struct sigaction action = {};
    action.sa_sigaction = &OnSignal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGINT, &action, &old_int);
    ::sigaction(SIGTERM, &action, &old_term);
    ::on_exit(&OnExit, nullptr);
    old_terminate = std::set_terminate(&OnTerminate);
  }
  armed.store(true);
}

void DisarmExitHandlers() { armed.store(false); }
bool ExitHandlersArmed() { return armed.load(); }

void EndJobNow(int code, const std::string& reason, bool tell_others) {
  if (ending.exchange(true)) {
    // Another thread is at it and ends the process in a moment.
    for (;;) ::pause();
  }
  // Whatever keeps the orderly part from ending must not keep the process.
  std::thread([code] {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    ::_exit(code);
  }).detach();
  std::fflush(stdout);
  if (this_rank == 0) base::SayLine("exit " + std::to_string(code) + " (" + reason + ")");
  if (tell_others) actions.tell_others(code, reason);
  // The launcher kills the job when the first rank leaves; the one that has something to say must not be the last to
  // hear of it.
  if (this_rank != 0) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  ::_exit(code);
}

}  // namespace manta::launch
