// Says where a job runs: `where [CODE [SECONDS]]` prints a line for each node, one for each rank, made by a task there, and one
// for each GPU, made by two actors of half a GPU. Then stays for SECONDS (0) and ends with CODE (0).

#include <manta/manta.hpp>

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

std::string Here() {
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  const auto context = manta::Context();
  return "rank " + std::to_string(context.Rank()) + " is on node " + std::to_string(context.Node()) + ", host " + host;
}

void Stay(int seconds) { std::this_thread::sleep_for(std::chrono::seconds(seconds)); }

struct HalfGpu {
  std::string Where() {
    const auto context = manta::Context();
    std::string line = "halves of a GPU on node " + std::to_string(context.Node());
    for (const auto& gpu : context.AssignedGpus()) line += ", index " + std::to_string(gpu.index);
    return line;
  }
};

int Driver(int argc, char** argv) {
  int gpus = 0;
  for (const auto& node : manta::Nodes()) {
    std::cout << "node " << node.id << ": host " << node.host << ", ranks";
    for (const int rank : node.ranks) std::cout << ' ' << rank;
    std::cout << ", " << node.resources.at("CPU") << " CPUs, " << node.gpus.size() << " GPUs\n";
    gpus += static_cast<int>(node.gpus.size());
  }

  for (int rank = 0; rank < manta::NumRanks(); ++rank) std::cout << *manta::Get(manta::Task(Here).SetRank(rank).Remote()) << '\n';

  // Actors keep what they hold: two a GPU take all there is.
  std::vector<manta::ActorHandle<HalfGpu>> halves;
  for (int i = 0; i < 2 * gpus; ++i) halves.push_back(manta::Actor<HalfGpu>().SetGpus(0.5).SetCpus(0).Remote());
  std::map<std::string, int> count;
  for (auto& half : halves) ++count[*manta::Get(half.Task(&HalfGpu::Where).Remote())];
  for (const auto& [line, times] : count) std::cout << times << ' ' << line << '\n';

  if (argc > 2) {
    std::cout.flush();
    manta::Get(manta::Task(Stay).SetRank(manta::NumRanks() - 1).Remote(std::stoi(argv[2])));
  }
  return argc > 1 ? std::stoi(argv[1]) : 0;
}

}  // namespace

int main(int argc, char** argv) { return manta::Run(argc, argv, Driver); }
