#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Wrong() { manta::Task([](auto a, auto b) { return a + b; }).Remote(1, 2, 3); }
#else
void Right() { manta::Task([](auto a, auto b) { return a + b; }).Remote(1, 2); }
#endif
