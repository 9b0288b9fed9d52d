// The same batches through CPU preprocessing and GPU work twice: as one pool of tasks that do both, and as two stages.
//
//   mpirun -np 2 heterogeneous_pipeline --manta-gpus 2
//
// See README.md for the options and what it prints.

#include <manta/manta.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

#include "arguments.hpp"
#include "figures.hpp"
#include "stages.hpp"
#include "timeline.hpp"

namespace {

constexpr int kUsageExitCode = 2;
constexpr int kDetailBatches = 24;  // a GPU, in the part of the picture that shows numbers

struct Devices {
  int gpus = 0;
  double cpus = 0;
};

// Whole GPUs: each is held by one batch at a time.
Devices FindDevices() {
  const manta::ResourceMap resources = manta::ClusterResources();
  const auto amount = [&](const char* name) {
    const auto found = resources.find(name);
    return found == resources.end() ? 0 : found->second;
  };
  const Devices devices{static_cast<int>(amount("GPU")), amount("CPU")};
  if (devices.gpus < 1)
    throw pipeline::ArgumentError(
        "found no GPU in this job, wanted at least one: declare some with --manta-gpus 2 "
        "(their work is simulated)");
  return devices;
}

std::ofstream OpenSvg(const std::string& name) {
  errno = 0;
  std::ofstream file(name);
  if (!file)
    throw pipeline::ArgumentError("--svg: found '" + name + "', which can't be written (" +
                                  std::generic_category().message(errno) + "), wanted a file");
  return file;
}

// Empty, or in one line what is wrong. The plain loop does a few batches again: all would take as long as the run.
std::string WhatIsWrong(const pipeline::Trace& one_pool, const pipeline::Trace& two_stages, int passes) {
  const std::string difference = pipeline::FirstDifference(one_pool, two_stages);
  if (!difference.empty()) return difference;
  const int batches = static_cast<int>(one_pool.batches.size());
  pipeline::Trace loop{.name = "the plain loop"}, same_batches{.name = one_pool.name};
  for (int batch = 0; batch < batches; batch += (batches + 3) / 4) {
    loop.batches.push_back({.batch = batch, .checksum = pipeline::Checksum(pipeline::Preprocess(batch, passes))});
    same_batches.batches.push_back(one_pool.batches[static_cast<std::size_t>(batch)]);
  }
  return pipeline::FirstDifference(loop, same_batches);
}

int RunJob(const pipeline::Arguments& arguments) {
  const Devices devices = FindDevices();
  std::ofstream svg = OpenSvg(arguments.svg);
  const pipeline::Work work{.passes = pipeline::PassesFor(arguments.cpu_ms), .gpu_seconds = arguments.gpu_ms / 1000};
  std::printf("%d GPUs, %g CPUs; %d batches of %g ms of computing (%d passes) and %g ms on a GPU (simulated: a wait)\n",
              devices.gpus, devices.cpus, arguments.batches, arguments.cpu_ms, work.passes, arguments.gpu_ms);
  const double wanted_cpus = devices.gpus * arguments.cpu_ms / arguments.gpu_ms;
  if (wanted_cpus > 0.9 * devices.cpus)
    std::printf("note: to keep these GPUs busy takes %.1f CPUs; with %g the CPUs are the limit of two stages\n",
                wanted_cpus, devices.cpus);

  std::vector<pipeline::Panel> panels;
  std::vector<double> throughputs;
  const auto report = [&](const pipeline::Trace& trace) {
    const pipeline::Figures figures = pipeline::ComputeFigures(trace, devices.gpus, devices.cpus);
    const std::string text = trace.name + ": " + pipeline::FormatFigures(trace, figures);
    std::printf("%s\n", text.c_str());
    std::fflush(stdout);
    panels.push_back({text, trace});
    throughputs.push_back(figures.batches_per_second);
  };
  report(pipeline::RunOnePool(arguments.batches, work));
  report(pipeline::RunTwoStages(arguments.batches, work, devices.gpus, arguments.ahead));
  std::printf("ratio: %.2f\n", throughputs[1] / throughputs[0]);

  svg << pipeline::DrawTimeline(panels, kDetailBatches * work.gpu_seconds) << std::flush;
  std::printf("timeline: %s%s\n", arguments.svg.c_str(), svg ? "" : ": NOT WRITTEN, is the disk full?");
  const std::string wrong = WhatIsWrong(panels[0].trace, panels[1].trace, work.passes);
  std::printf("results: %s\n", wrong.empty() ? "right" : ("WRONG: " + wrong).c_str());
  return svg && wrong.empty() ? 0 : 1;
}

// Runs on rank 0; the other ranks wait for tasks. What it returns is the exit code of the job.
int Driver(int argc, char** argv) {
  try {
    const pipeline::Arguments arguments = pipeline::ParseArguments(argc, argv);
    if (arguments.help) {
      std::printf("%s", pipeline::HelpText().c_str());
      return 0;
    }
    return RunJob(arguments);
  } catch (const pipeline::ArgumentError& error) {
    std::fprintf(stderr, "heterogeneous_pipeline: %s\n", error.what());
  }
  return kUsageExitCode;
}

}  // namespace

int main(int argc, char** argv) { return manta::Run(argc, argv, Driver); }
