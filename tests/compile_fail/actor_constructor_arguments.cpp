#include <manta/manta.hpp>

struct Counter {
  explicit Counter(int start);
};

#ifndef MANTA_POSITIVE_CONTROL
void Wrong() { auto counter = manta::Actor<Counter>().Remote(std::string("one")); }
#else
void Right() { auto counter = manta::Actor<Counter>().Remote(1); }
#endif
