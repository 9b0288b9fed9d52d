// A job for the tests of how jobs end: `job MODE [ARGUMENT...]`. Its modes are the functions in kModes, below.

#include <manta/manta.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using Arguments = std::vector<std::string>;

constexpr auto kLong = 60s;  // longer than any test waits

int Last() { return manta::NumRanks() - 1; }

void SleepTask(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }
void SpinTask() {
  const auto end = std::chrono::steady_clock::now() + kLong;
  while (std::chrono::steady_clock::now() < end) {
  }
}
void ExitTask(int code) { std::exit(code); }

/// Adds this process to the file, which the test waits for: one line a rank.
void NotePid(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const std::string line = std::to_string(::getpid()) + '\n';
  if (::write(file, line.data(), line.size()) < 0) std::abort();
  ::close(file);
}
/// Rank 0 comes first.
void NotePids(const std::string& path) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) manta::Get(manta::Task(NotePid).SetRank(rank).SetCpus(0).Remote(path));
}

int Work(const Arguments&) {
  std::cout << "driver ran" << std::endl;
  for (int rank = 0; rank < manta::NumRanks(); ++rank) manta::Get(manta::Task(SleepTask).SetRank(rank).Remote(0));
  return 0;
}
int Return(const Arguments& arguments) { return std::stoi(arguments.at(0)); }
int Throw(const Arguments&) { throw std::out_of_range("left the driver"); }
int ThrowNumber(const Arguments&) { throw 42; }
int ThrowOfTask(const Arguments&) {
  manta::Get(manta::Task([] { throw std::runtime_error("left a task and the driver"); }).SetRank(Last()).Remote());
  return 0;
}
int Exit(const Arguments& arguments) {
  manta::Get(manta::Task(SleepTask).SetRank(Last()).Remote(0));
  std::exit(std::stoi(arguments.at(0)));
}
int ExitInTask(const Arguments& arguments) {
  std::vector<manta::ObjectRef<void>> refs;
  for (int rank = 0; rank < manta::NumRanks(); ++rank) refs.push_back(manta::Task(SleepTask).SetCpus(0).SetRank(rank).Remote(60'000));
  refs.push_back(manta::Task(ExitTask).SetRank(Last()).Remote(std::stoi(arguments.at(0))));
  manta::Get(refs);
  return 0;
}

/// Tasks on every rank and a driver that waits for them, once their pids are in the file.
int Wait(const Arguments& arguments) {
  std::vector<manta::ObjectRef<void>> refs;
  for (int rank = 0; rank < manta::NumRanks(); ++rank) refs.push_back(manta::Task(SleepTask).SetRank(rank).Remote(60'000));
  NotePids(arguments.at(0));
  manta::Get(refs);
  return 0;
}
/// Tasks that hold every executor, compute, and never look up.
int WaitForBusy(const Arguments& arguments) {
  std::vector<manta::ObjectRef<void>> refs;
  const auto cpus = static_cast<int>(manta::ClusterResources()["CPU"]);
  for (int i = 0; i < cpus; ++i) refs.push_back(manta::Task(SpinTask).Remote());
  NotePids(arguments.at(0));
  manta::Get(refs);
  return 0;
}
/// A driver that is not in Manta.
int Busy(const Arguments& arguments) {
  NotePids(arguments.at(0));
  SpinTask();
  return 0;
}

/// Work, then nothing for 8 s: the driver waits in Get for a task that sleeps.
int IdleInGet(const Arguments& arguments, double cpus) {
  std::vector<manta::ObjectRef<void>> refs;
  for (int i = 0; i < 1000; ++i) refs.push_back(manta::Task(SleepTask).Remote(0));
  manta::Get(refs);
  NotePids(arguments.at(0));
  manta::Get(manta::Task(SleepTask).SetCpus(cpus).SetRank(Last()).Remote(8000));
  return 0;
}
int IdleInGet(const Arguments& arguments) { return IdleInGet(arguments, 1); }
int IdleBesideLane(const Arguments& arguments) { return IdleInGet(arguments, 0); }
/// The same with a driver that is not in Manta.
int IdleOutside(const Arguments& arguments) {
  std::vector<manta::ObjectRef<void>> refs;
  for (int i = 0; i < 1000; ++i) refs.push_back(manta::Task(SleepTask).Remote(0));
  manta::Get(refs);
  NotePids(arguments.at(0));
  std::this_thread::sleep_for(8s);
  return 0;
}

int UnreadFailure(const Arguments&) {
  manta::Task([] { throw std::runtime_error("nobody reads this"); }).SetRank(Last()).Remote();
  manta::Drain();
  return 0;
}
int ReadFailure(const Arguments&) {
  try {
    manta::Get(manta::Task([] { throw std::runtime_error("somebody reads this"); }).SetRank(Last()).Remote());
  } catch (const manta::TaskError&) {
  }
  return 0;
}
int DropsTasks(const Arguments&) {
  const auto slow = manta::Task([] {
                      std::this_thread::sleep_for(500ms);
                      return 1;
                    }).SetCpus(0).Remote();
  std::this_thread::sleep_for(100ms);  // until it runs: what runs is not dropped
  for (int i = 0; i < 17; ++i) manta::Task([](int) { std::cout << "a dropped task ran" << std::endl; }).Remote(slow);
  return 0;
}

void Speak(const std::string& text) { std::cout << text << std::endl; }
int Speaks(const Arguments&) {
  std::cout << "the driver speaks\n";
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    manta::Get(manta::Task(Speak).SetName("Speak").SetRank(rank).Remote("rank " + std::to_string(rank) + " speaks"));
  return 0;
}
int BadConfig(const Arguments&) { return Work({}); }

const std::map<std::string, int (*)(const Arguments&)> kModes{
    {"work", Work}, {"return", Return}, {"throw", Throw}, {"throw-number", ThrowNumber}, {"throw-of-task", ThrowOfTask},
    {"exit", Exit}, {"exit-in-task", ExitInTask}, {"wait", Wait}, {"wait-for-busy", WaitForBusy}, {"busy", Busy},
    {"wait-with-handler", Wait}, {"idle-in-get", IdleInGet}, {"idle-beside-lane", IdleBesideLane}, {"idle-outside", IdleOutside}, {"unread-failure", UnreadFailure},
    {"read-failure", ReadFailure}, {"drops-tasks", DropsTasks}, {"speaks", Speaks}, {"bad-config", BadConfig}};

int Driver(int argc, char** argv) { return kModes.at(argv[1])(Arguments(argv + 2, argv + argc)); }

extern "C" void OwnHandler(int) {
  constexpr char kText[] = "the program's own handler ran\n";
  if (::write(STDERR_FILENO, kText, sizeof(kText) - 1) < 0) std::abort();
}

}  // namespace

/// `job init MODE ...` runs the mode between Init and the end of main, instead of in Run.
int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "init") {
    manta::Init(argc, argv);
    return Driver(argc - 1, argv + 1);
  }
  if (mode == "wait-with-handler") {
    std::signal(SIGINT, OwnHandler);
    std::signal(SIGTERM, OwnHandler);
  }
  manta::Config config;
  if (mode == "bad-config") config.rma = "sometimes";
  return manta::Run(argc, argv, Driver, config);
}
