// A struct with pointers and no serialize function.
#include <manta/manta.hpp>

struct Tree {
  Tree* left;
  Tree* right;
};
struct Leaf {
  int value;
};

#ifndef MANTA_POSITIVE_CONTROL
int Count(const Tree& tree);
void Wrong(const Tree& tree) { manta::Task(Count).Remote(tree); }
#else
int Count(const Leaf& leaf);
void Right(const Leaf& leaf) { manta::Task(Count).Remote(leaf); }
#endif
