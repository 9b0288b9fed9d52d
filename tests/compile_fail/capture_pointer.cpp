// A pointer points to the caller's memory.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(const int* factor) { manta::Task([factor](int x) { return x * *factor; }).Remote(1); }
#else
void Right(const int* factor) { manta::Task([f = *factor](int x) { return x * f; }).Remote(1); }
#endif
