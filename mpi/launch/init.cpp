// Init, Run and Shutdown: the order in which a job starts and ends (docs/lifecycle.md).
#include <manta/runtime.hpp>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "core/base/check.hpp"
#include "core/base/log.hpp"
#include "core/object/error_record.hpp"
#include "core/runtime/rank_runtime.hpp"
#include "core/runtime/settings.hpp"
#include "mpi/launch/exit.hpp"
#include "mpi/launch/process.hpp"
#include "mpi/launch/tagged_output.hpp"

extern char** environ;

namespace manta {
namespace {

using launch::Process;
using runtime::RankRuntime;

/// The process's one job. A function's static, so that nothing else can reach it.
struct Job {
  std::unique_ptr<Process> process;  // never destroyed but by EndProcess: its end is collective
  std::unique_ptr<RankRuntime> session;
  std::uint32_t sessions = 0;
  bool stuck = false;  // a thread did not end: nothing may be freed any more
  std::int64_t grace_ns = 2'000'000'000;
};
Job& TheJob() {
  static auto* job = new Job();
  return *job;
}

void OnAbort(int code, const std::string& reason) { launch::EndJobNow(code, reason, false); }

void BeginSession(const Settings& settings, const Config& config) {
  Job& job = TheJob();
  Process& process = *job.process;
  base::SetLogLevel(settings.log_level);
  process.CollectiveSetUp(settings);
  std::vector<std::string> warnings;
  runtime::JobInfo info = process.MakeJob(settings, ++job.sessions, &warnings);
  job.grace_ns = static_cast<std::int64_t>(settings.cancel_grace_seconds * 1e9);
  if (process.rank() == 0) {
    if (!settings.quiet) base::SayLine(process.StartLine(info));
    for (const std::string& warning : warnings) base::SayLine("warning: " + warning);
  }
  if (settings.tag_output && job.sessions == 1) launch::TagStandardOutput(process.rank());
  if (config.on_start) config.on_start();
  job.session = std::make_unique<RankRuntime>(std::move(info), process.parts(), &OnAbort);
  // Nobody sends before everybody listens.
  process.world().CollectiveBarrier();
  job.session->Start();
}

/// After the session's end was agreed: threads, messages, memory. With a limit, a task that does not end leaves the
/// session there, stuck, for the process to end without it.
void EndSessionHere(std::int64_t grace_ns) {
  Job& job = TheJob();
  job.stuck = !job.session->JoinThreads(grace_ns);
  if (!job.stuck) job.session->Flush();
  job.session->StopPolling();
  if (!job.stuck) {
    job.session->Sweep();
    job.session.reset();
  }
  job.process->CollectiveQuiesce(job.stuck);
}

/// Ranks above 0: sessions until the driver's process ends; then this process does.
[[noreturn]] void Serve(const Config& config) {
  Job& job = TheJob();
  for (;;) {
    std::string text;
    int code = 0;
    if (job.process->CollectiveCommand(Process::Command::kExit, &text, &code) == Process::Command::kExit) break;
    if (job.stuck) {  // another session begins: only when the old one's last task has ended
      job.session->JoinThreads(-1);
      job.session->Sweep();
      job.session.reset();
      job.process->EmptyStore();
    }
    BeginSession(DeserializeSettings(text), config);
    job.session->WaitForEnd();
    EndSessionHere(job.grace_ns);
  }
  launch::DisarmExitHandlers();
  std::fflush(stdout);
  job.process->CollectiveClose(job.stuck);
  if (job.stuck) ::_exit(0);
  std::exit(0);
}

void EndProcess() {
  Job& job = TheJob();
  if (job.process == nullptr) return;
  launch::DisarmExitHandlers();
  std::string none;
  int code = 0;
  job.process->CollectiveCommand(Process::Command::kExit, &none, &code);
  job.process->CollectiveClose(job.stuck);
  job.process.reset();
}

void ShutdownSession(bool last) {
  Job& job = TheJob();
  if (job.session == nullptr) return;
  const std::uint64_t dropped = job.session->EndSession();
  if (dropped > 0)
    base::SayLine(std::to_string(dropped) + (dropped == 1 ? " task" : " tasks") +
                  " dropped at Shutdown; Drain() finishes them first");
  EndSessionHere(last ? job.grace_ns : -1);
}

/// Returns whether a task still runs, beside which the process can't take itself apart.
bool OrderlyShutdown() {
  ShutdownSession(true);
  const bool stuck = TheJob().stuck;
  EndProcess();
  return stuck;
}

/// Flags are taken out on every rank; what they say is rank 0's to decide.
void InitRank(int& argc, char**& argv, const Config& config) {
  Job& job = TheJob();
  MANTA_EXPECT(job.session == nullptr,
               "Init was called twice: the job runs already; call Shutdown first to begin anew");
  if (job.process == nullptr) {
    job.process = std::make_unique<Process>(argc, argv);
    launch::InstallExitHandlers(job.process->rank(), {[](int code, const std::string& reason) {
                                                        if (RankRuntime* session = RankRuntime::Current())
                                                          session->BroadcastAbort(code, reason);
                                                      },
                                                      &OrderlyShutdown});
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
  }
  ParsedSettings parsed;
  std::string refused;
  try {
    parsed = ParseSettings(argc, argv, environ, config);
  } catch (const UsageError& error) {
    refused = error.what();
  }
  if (job.process->rank() != 0) Serve(config);
  if (!refused.empty()) {
    base::SayLine(refused);
    EndProcess();
    throw launch::LaunchRefused{launch::kExitUsage};
  }
  for (const std::string& warning : parsed.warnings) base::SayLine("warning: " + warning);
  std::string text = SerializeSettings(parsed.settings);
  int code = 0;
  job.process->CollectiveCommand(Process::Command::kSession, &text, &code);
  BeginSession(parsed.settings, config);
}

/// A refusal of the launch ends every rank: there is nothing that a program could do about it.
void InitOrExit(int& argc, char**& argv, const Config& config) {
  try {
    InitRank(argc, argv, config);
  } catch (const launch::LaunchRefused& refused) {
    launch::DisarmExitHandlers();
    if (TheJob().process != nullptr)
      TheJob().process->FinalizeOnly();
    else {
      int running = 0, ended = 0;
      MPI_Initialized(&running);
      MPI_Finalized(&ended);
      if (running != 0 && ended == 0) MPI_Finalize();
    }
    std::fflush(stdout);
    std::exit(refused.code);
  }
}

}  // namespace

void Init(int& argc, char**& argv, const Config& config) { InitOrExit(argc, argv, config); }

void Init(const Config& config) {
  // Open MPI takes null arguments; ours are then the environment and Config alone.
  int argc = 0;
  char** argv = nullptr;
  InitOrExit(argc, argv, config);
}

bool IsInitialized() { return RankRuntime::Current() != nullptr; }

void Shutdown() {
  MANTA_EXPECT(runtime::RunContext::Current() == nullptr, "Shutdown was called from a task; call it from the driver");
  ShutdownSession(false);
}

namespace detail {

int RunDriver(int& argc, char**& argv, const Config& config, const std::function<int(int, char**)>& driver) {
  Init(argc, argv, config);
  int code = 0;
  try {
    code = driver(argc, argv);
  } catch (...) {
    std::string reason = "an exception left the driver";
    if (const auto thrown = std::current_exception())
      reason += ": " + object::Describe(*object::FromException(thrown, "driver", 0));
    launch::EndJobNow(launch::kExitException, reason, true);
  }
  ShutdownSession(true);
  const bool stuck = TheJob().stuck;
  if (stuck)
    base::SayLine("tasks still run after " + std::to_string(TheJob().grace_ns / 1'000'000) +
                  " ms; the job ends without them");
  EndProcess();
  if (stuck) {
    std::fflush(stdout);
    ::_exit(code);
  }
  return code;
}

}  // namespace detail
}  // namespace manta
