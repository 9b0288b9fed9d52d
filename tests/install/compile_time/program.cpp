#include <iostream>
#include <manta/manta.hpp>
#include <vector>

double Half(double x) { return x / 2; }

struct Counter {
  int n = 0;
  int Add(int k) { return n += k; }
};

int Driver(int, char**) {
  std::vector<manta::ObjectRef<double>> halves;
  for (int i = 0; i < 8; ++i) halves.push_back(manta::Task(Half).SetCpus(1).Remote(i));
  auto hits = manta::Actor<Counter>().SetName("hits").Remote();
  for (const auto& half : halves) std::cout << *manta::Get(half) << '\n';
  return *manta::Get(hits.Task(&Counter::Add).Remote(1)) == 1 ? 0 : 1;
}

int main(int argc, char** argv) { return manta::Run(argc, argv, Driver); }
