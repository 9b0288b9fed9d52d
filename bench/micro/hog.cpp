// Rows with a foreign process that takes one core all the time: how many times worse they are than without it.

#include <manta/manta.hpp>

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "bench/micro/calls.hpp"
#include "bench/micro/ranks.hpp"

namespace micro {
namespace {

void Nothing() {}
class Callee {
 public:
  void Nothing() {}
};

int Core() { return sched_getcpu(); }

/// A process that spins on one core while it is let.
class Hog {
 public:
  explicit Hog(int core) : pid_(fork()) {
    if (pid_ != 0) return;
    // The child of a process with threads: system calls only. It does not outlive this process.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(static_cast<unsigned>(core), &cores);
    sched_setaffinity(0, sizeof cores, &cores);
    volatile unsigned spin = 0;
    for (;;) {
      const unsigned seen = spin;
      spin = seen + 1;
    }
  }
  ~Hog() {
    if (pid_ < 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Hog(const Hog&) = delete;
  Hog& operator=(const Hog&) = delete;
  bool good() const { return pid_ > 0; }
  void Stop() { kill(pid_, SIGSTOP); }
  void Go() { kill(pid_, SIGCONT); }

 private:
  pid_t pid_;
};

/// Blocks with and without the hog in turns; `block` returns seconds a call.
template <class Block>
void AddHog(Micro& micro, Hog& hog, const std::string& name, Block block) {
  const auto pairs = bench::Alternate(
      micro.settings.long_pairs,
      [&] {
        hog.Go();
        return block();
      },
      [&] {
        hog.Stop();
        return block();
      });
  std::printf("# %s: with the hog %.4g us a call, without %.4g us\n", name.c_str(), 1e6 * bench::Median(pairs.first),
              1e6 * bench::Median(pairs.second));
  micro.report.Add(name, pairs.Ratios(), "times");
}

}  // namespace

void HogRows(Micro& micro) {
  const int core = *OnRank(1, Core);
  Hog hog(core);
  if (!hog.good()) {
    micro.report.Wrong("no process could be made to take a core");
    return;
  }
  std::printf("# a process takes core %d, where rank 1 is, in every other block\n", core);
  auto task = manta::Task(Nothing);
  task.SetRank(1);
  const auto actor = manta::Actor<Callee>().SetRank(1).Remote();
  const auto call = actor.Task(&Callee::Nothing);
  Refs refs;
  const std::size_t count = micro.settings.bulk_arguments;
  const auto sync = [&](auto submit) {
    return bench::SecondsEach(micro.settings.hog_block, [&] { manta::Get(submit()); });
  };
  const auto async = [&](auto submit) { return TimeAsync(count, refs, submit).got / static_cast<double>(count); };
  const auto run_task = [&] { return task.Remote(); };
  const auto run_call = [&] { return call.Remote(); };
  AddHog(micro, hog, "task_sync_hog_ratio", [&] { return sync(run_task); });
  AddHog(micro, hog, "task_async_hog_ratio", [&] { return async(run_task); });
  AddHog(micro, hog, "actor_sync_hog_ratio", [&] { return sync(run_call); });
  AddHog(micro, hog, "actor_async_hog_ratio", [&] { return async(run_call); });
}

}  // namespace micro
