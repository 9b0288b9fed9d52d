// [this]: the object lies in the caller's process.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
struct Model {
  int factor = 2;
  void Wrong() { manta::Task([this](int x) { return x * factor; }).Remote(1); }
};
#else
struct Model {
  int factor = 2;
  void Right() { manta::Task([*this](int x) { return x * factor; }).Remote(1); }
};
#endif
