// The smallest Manta program: one task on the last rank. run.sh times it from mpirun to its end.

#include <manta/manta.hpp>

#include <cstdio>

int Answer() { return 42; }

int Driver() {
  const int answer = *manta::Get(manta::Task(Answer).SetRank(manta::NumRanks() - 1).Remote());
  std::printf("first result: %d\n", answer);
  return answer == 42 ? 0 : 1;
}

int main(int argc, char** argv) { return manta::Run(argc, argv, Driver, {.quiet = true}); }
