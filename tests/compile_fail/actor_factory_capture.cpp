#include <manta/manta.hpp>

struct Counter {
  int count;
};

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(int& start) { auto counter = manta::Actor([&] { return Counter{start}; }).Remote(); }
#else
void Right(int& start) { auto counter = manta::Actor([](int s) { return Counter{s}; }).Remote(start); }
#endif
