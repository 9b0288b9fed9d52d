// T*: how many, and who owns them?
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
double Sum(int count, const double* values);
void Wrong(const double* values) { manta::Task(Sum).Remote(3, values); }
#else
double Sum(int count, const std::vector<double>& values);
void Right(const std::vector<double>& values) { manta::Task(Sum).Remote(3, values); }
#endif
