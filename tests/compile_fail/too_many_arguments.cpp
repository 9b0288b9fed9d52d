#include <manta/manta.hpp>

int Add(int a, int b);

#ifndef MANTA_POSITIVE_CONTROL
void Wrong() { manta::Task(Add).Remote(1, 2, 3); }
#else
void Right() { manta::Task(Add).Remote(1, 2); }
#endif
