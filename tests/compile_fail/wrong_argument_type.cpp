#include <manta/manta.hpp>

double Root(double x);

#ifndef MANTA_POSITIVE_CONTROL
void Wrong() { manta::Task(Root).Remote(std::string("two")); }
#else
void Right() { manta::Task(Root).Remote(2); }
#endif
