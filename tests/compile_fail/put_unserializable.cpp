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
void Wrong(const Tree& tree) { auto ref = manta::Put(tree); }
#else
void Right(const Leaf& leaf) { auto ref = manta::Put(leaf); }
#endif
