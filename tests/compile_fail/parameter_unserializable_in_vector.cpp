// The elements of a container are asked too.
#include <manta/manta.hpp>

struct Tree {
  Tree* left;
  Tree* right;
};
struct Leaf {
  int value;
};

#ifndef MANTA_POSITIVE_CONTROL
int Count(const std::vector<Tree>& trees);
void Wrong(const std::vector<Tree>& trees) { manta::Task(Count).Remote(trees); }
#else
int Count(const std::vector<Leaf>& leaves);
void Right(const std::vector<Leaf>& leaves) { manta::Task(Count).Remote(leaves); }
#endif
