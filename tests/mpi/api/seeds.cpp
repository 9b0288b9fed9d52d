// Prints the seeds of tasks, of children of tasks and of actor calls; same_seeds_test.sh compares them between jobs.

#include <manta/manta.hpp>

#include <iostream>
#include <vector>

namespace {

std::uint64_t Seed(int) { return manta::Context().Seed(); }

std::vector<std::uint64_t> SeedsOfATree(int depth) {
  std::vector<std::uint64_t> seeds{manta::Context().Seed()};
  if (depth == 0) return seeds;
  std::vector<manta::ObjectRef<std::vector<std::uint64_t>>> children;
  for (int i = 0; i < 3; ++i) children.push_back(manta::Task(SeedsOfATree).Remote(depth - 1));
  for (const auto& child : manta::Get(children)) seeds.insert(seeds.end(), child->begin(), child->end());
  return seeds;
}

struct Roller {
  std::uint64_t Roll() const { return manta::Context().Seed(); }
};

void Driver() {
  std::cout << manta::Context().Seed() << '\n';
  std::vector<manta::ObjectRef<std::uint64_t>> refs;
  for (int i = 0; i < 20; ++i) refs.push_back(manta::Task(Seed).SetRank(i % manta::NumRanks()).Remote(i));
  for (const auto& seed : manta::Get(refs)) std::cout << *seed << '\n';
  for (const auto seed : *manta::Get(manta::Task(SeedsOfATree).Remote(3))) std::cout << seed << '\n';
  const auto roller = manta::Actor<Roller>().Remote();
  for (int i = 0; i < 3; ++i) std::cout << *manta::Get(roller.Task(&Roller::Roll).Remote()) << '\n';
}

}  // namespace

int main(int argc, char** argv) { return manta::Run(argc, argv, Driver); }
