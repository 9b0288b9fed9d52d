// Twenty random forests on the California housing data, each one task: which number of trees predicts best?
//
//   mpirun -np 2 california_housing
//
// See README.md for the options and what it prints.

#include <manta/manta.hpp>

#include <unistd.h>

#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "data_file.hpp"
#include "features.hpp"
#include "forest.hpp"
#include "report.hpp"
#include "split.hpp"
#include "training.hpp"

namespace {

constexpr double kTestFraction = 0.2;
constexpr std::uint32_t kSplitSeed = 201;
constexpr int kUsageExitCode = 2;

housing::TrainTestData LoadAndSplit(const std::string& file) {
  const housing::Dataset data = housing::LoadHousing(file);
  const housing::Split split = housing::TrainTestSplit(data.num_rows(), kTestFraction, kSplitSeed);
  return {.train = housing::TakeRows(data, split.train), .test = housing::TakeRows(data, split.test)};
}

void RunJob(const housing::Arguments& arguments) {
  housing::TrainTestData data = LoadAndSplit(arguments.csv.empty() ? housing::FindDataFile() : arguments.csv);
  const std::vector<int> sizes = housing::ForestSizes(arguments.models);
  housing::Report report(std::cout, std::cerr, arguments.progress || isatty(STDERR_FILENO), sizes);
  if (arguments.sequential) {
    housing::TrainSequentially(data, sizes, report);
  } else {
    housing::TrainAsTasks(std::move(data), sizes, report);
  }
  report.Finish();
}

// Runs on rank 0; the other ranks wait for tasks. What it returns is the exit code of the job.
int Driver(int argc, char** argv) {
  try {
    const housing::Arguments arguments = housing::ParseArguments(argc, argv);
    if (arguments.help) {
      std::cout << housing::HelpText();
      return 0;
    }
    RunJob(arguments);
    return 0;
  } catch (const housing::ArgumentError& error) {
    std::cerr << "california_housing: " << error.what() << '\n';
  } catch (const housing::CsvError& error) {
    std::cerr << error.what() << '\n';
  }
  return kUsageExitCode;
}

}  // namespace

int main(int argc, char** argv) {
  housing::TrainInCallingThread();
  return manta::Run(argc, argv, Driver);
}
