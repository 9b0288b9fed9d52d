// A reference to a C array.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
double Sum(const double (&values)[3]);
void Wrong(const double (&values)[3]) { manta::Task(Sum).Remote(values); }
#else
double Sum(const std::array<double, 3>& values);
void Right(const std::array<double, 3>& values) { manta::Task(Sum).Remote(values); }
#endif
