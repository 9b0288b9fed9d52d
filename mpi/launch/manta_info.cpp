// manta-info: what Manta finds, and what it would make of it.
//
//   mpirun -np 4 manta-info [--manta-... V]               of this job
//   manta-info --topology FILE.xml [--ranks N]            of a machine that `lstopo --of xml FILE.xml` describes
//   manta-info --topology "pack:2 [numa] core:8 pu:2"     of one in hwloc's short form
#include <mpi.h>

#include <charconv>
#include <iostream>
#include <string>
#include <string_view>

#include <manta/error.hpp>

#include "core/base/check.hpp"
#include "core/runtime/settings.hpp"
#include "mpi/launch/exit.hpp"
#include "mpi/launch/info.hpp"
#include "mpi/launch/process.hpp"

extern char** environ;

namespace manta::launch {
namespace {

constexpr const char* kUsage =
    "manta-info prints what Manta finds: nodes, ranks, cores, GPUs, stores, transports and MPI\n"
    "  mpirun -np N manta-info [--manta-SETTING VALUE]...\n"
    "  manta-info --topology FILE.xml|SYNTHETIC [--ranks N] [--manta-SETTING VALUE]...   of another machine\n";

struct Request {
  bool help = false;
  std::string topology;  // empty: this job
  int ranks = 1;
};

Request ReadRequest(int argc, char** argv) {
  Request request;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--help" || word == "-h") {
      request.help = true;
    } else if (word == "--topology" && has_value && *argv[i + 1] != '\0') {
      request.topology = argv[++i];
    } else if (word == "--ranks" && has_value) {
      const std::string_view text = argv[++i];
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), request.ranks);
      MANTA_EXPECT(error == std::errc() && end == text.data() + text.size() && request.ranks >= 1 &&
                       request.ranks <= 100'000,
                   "--ranks takes a whole number from 1 to 100000, not '" << text << "'");
    } else {
      throw UsageError("manta-info does not know '" + std::string(word) + "', or misses its value; see --help");
    }
  }
  return request;
}

std::string MpiLine() {
  char library[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0, version = 0, subversion = 0, level = 0;
  MPI_Get_library_version(library, &length);
  MPI_Get_version(&version, &subversion);
  MPI_Query_thread(&level);
  const std::string text(library);
  return "MPI " + std::to_string(version) + '.' + std::to_string(subversion) + " (" +
         text.substr(0, text.find_first_of(",\n")) + "), " +
         (level == MPI_THREAD_MULTIPLE ? "MPI_THREAD_MULTIPLE" : "MPI_THREAD_SERIALIZED") + '\n';
}

/// Sets up as a job does, to the point where its session would begin.
int RunJob(int& argc, char**& argv) {
  Process process(argc, argv);
  std::string text, refused;
  Request request;
  if (process.rank() == 0) {
    try {
      ParsedSettings parsed = ParseSettings(argc, argv, environ, {});
      request = ReadRequest(argc, argv);
      text = SerializeSettings(parsed.settings);
    } catch (const UsageError& error) {
      refused = error.what();
    }
  }
  int code = refused.empty() ? 0 : kExitUsage;
  const bool ends = !refused.empty() || request.help;
  const auto command = process.CollectiveCommand(
      process.rank() == 0 && !ends ? Process::Command::kSession : Process::Command::kExit, &text, &code);
  if (command == Process::Command::kExit) {
    if (!refused.empty()) std::cerr << "manta-info: " << refused << '\n';
    if (request.help) std::cout << kUsage;
    process.FinalizeOnly();
    return code;
  }
  const Settings settings = DeserializeSettings(text);
  process.CollectiveSetUp(settings);
  std::vector<std::string> warnings;
  const runtime::JobInfo job = process.MakeJob(settings, 1, &warnings);
  if (process.rank() == 0) {
    std::cout << MpiLine() << process.TransportsText(settings) << InfoText(process.facts(), process.machines(), job);
    for (const std::string& warning : warnings) std::cout << "warning: " << warning << '\n';
    std::cout << std::flush;
  }
  process.CollectiveQuiesce(false);
  process.CollectiveClose(false);
  return 0;
}

int RunTopology(int argc, char** argv) {
  const Settings settings = ParseSettings(argc, argv, environ, {}).settings;
  const Request request = ReadRequest(argc, argv);
  const topology::Topology machine = topology::DetectTopology(topology::SourceOf(request.topology));
  std::cout << InfoOfMachine(machine, request.ranks, settings);
  return 0;
}

int Main(int argc, char** argv) {
  bool of_other_machine = false;
  for (int i = 1; i < argc; ++i) of_other_machine = of_other_machine || std::string_view(argv[i]) == "--topology";
  try {
    return of_other_machine ? RunTopology(argc, argv) : RunJob(argc, argv);
  } catch (const LaunchRefused& refused) {
    return refused.code;  // it was said
  } catch (const UsageError& error) {
    std::cerr << "manta-info: " << error.what() << '\n';
    return kExitUsage;
  }
}

}  // namespace
}  // namespace manta::launch

int main(int argc, char** argv) { return manta::launch::Main(argc, argv); }
