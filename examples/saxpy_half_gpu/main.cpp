// A kernel of our own in tasks that each ask for half a GPU, compared with the plain loop.

#include <manta/manta.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "saxpy.hpp"

namespace {

using Values = std::vector<float>;

constexpr float kA = 2.5f;
// |a x| < 2.5: the kernel's fused multiply-add and the loop's two roundings differ by less than this.
constexpr double kTolerance = 1e-6;

struct Problem {
  Values x, y;
};

Values SaxpyOnCpu(float a, const Values& x, const Values& y) {
  Values result(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) result[i] = a * x[i] + y[i];
  return result;
}

// The task. Its half of a device is current when it starts.
SaxpyResult Saxpy(float a, const Values& x, const Values& y) {
  SaxpyResult result = SaxpyOnGpu(a, x, y);
  const auto gpus = manta::Context().AssignedGpus();
  if (!result.device.empty() && !gpus.empty())
    result.device += ", " + gpus[0].uuid + ", share " + std::to_string(gpus[0].amount).substr(0, 4);
  return result;
}

Problem MakeProblem(std::size_t n) {
  std::mt19937 random(201);
  std::uniform_real_distribution<float> number(-1.0f, 1.0f);
  Problem problem{Values(n), Values(n)};
  for (float& value : problem.x) value = number(random);
  for (float& value : problem.y) value = number(random);
  return problem;
}

// What is not a number, or is missing, is infinitely wrong.
double MaxError(const Values& got, const Values& wanted) {
  if (got.size() != wanted.size()) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - wanted[i]);
    worst = std::max(worst, std::isnan(error) ? INFINITY : error);
  }
  return worst;
}

bool JobHasGpu() {
  const manta::ResourceMap resources = manta::ClusterResources();
  const auto gpu = resources.find("GPU");
  return gpu != resources.end() && gpu->second > 0;
}

int Driver() {
  std::vector<Problem> problems;
  for (const std::size_t n : {1, 31, 33, 257, 1'000'003}) problems.push_back(MakeProblem(n));  // around a warp, a block

  std::string no_gpu;
  std::vector<manta::ObjectRef<SaxpyResult>> on_gpu;
  if (JobHasGpu()) {
    for (const Problem& problem : problems)
      on_gpu.push_back(manta::Task(Saxpy).SetGpus(0.5).Remote(kA, problem.x, problem.y));
    no_gpu = manta::Get(on_gpu[0])->no_gpu;  // GPUs may be declared (--manta-gpus 1) that no device stands behind
  } else {
    no_gpu = WhyNoGpu();
    if (no_gpu.empty()) no_gpu = "no node offers one";
  }
  if (!no_gpu.empty()) std::printf("no GPU in this job: %s; compared on the CPU only\n", no_gpu.c_str());

  double worst = 0;
  for (std::size_t i = 0; i < problems.size(); ++i) {
    const Problem& problem = problems[i];
    const Values wanted = SaxpyOnCpu(kA, problem.x, problem.y);
    std::string where = "CPU";
    Values got;
    if (no_gpu.empty()) {
      SaxpyResult result = *manta::Get(on_gpu[i]);
      got = std::move(result.y);
      where = result.device;
    } else {
      got = *manta::Get(manta::Task(SaxpyOnCpu).Remote(kA, problem.x, problem.y));
    }
    const double error = MaxError(got, wanted);
    worst = std::max(worst, error);
    std::printf("n=%zu, max error %.2g, on %s\n", problem.x.size(), error, where.c_str());
  }
  std::printf("max error %.2g, at most %.2g allowed: %s\n", worst, kTolerance, worst <= kTolerance ? "right" : "WRONG");
  return worst <= kTolerance ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return manta::Run(argc, argv, Driver); }
