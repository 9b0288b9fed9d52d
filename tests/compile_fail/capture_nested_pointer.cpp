// A pointer two levels down is found too.
#include <manta/manta.hpp>

struct Inner {
  const char* name;
};
struct Options {
  int depth;
  std::array<Inner, 2> inner;
};

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(Options options) { manta::Task([options] { return options.depth; }).Remote(); }
#else
void Right(Options options) { manta::Task([depth = options.depth] { return depth; }).Remote(); }
#endif
