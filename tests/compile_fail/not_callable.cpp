#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(int number) { manta::Task(number).Remote(); }
#else
void Right(int (*function)()) { manta::Task(function).Remote(); }
#endif
