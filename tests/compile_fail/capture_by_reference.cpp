// [&]: the variable lies on the caller's stack.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(int& factor) { manta::Task([&](int x) { return x * factor; }).Remote(1); }
#else
void Right(int& factor) { manta::Task([factor](int x) { return x * factor; }).Remote(1); }
#endif
