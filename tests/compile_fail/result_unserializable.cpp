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
Tree Grow(int depth);
void Wrong() { manta::Task(Grow).Remote(3); }
#else
Leaf Grow(int depth);
void Right() { manta::Task(Grow).Remote(3); }
#endif
