// A pointer into the executing process.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
const double* First(const std::vector<double>& values);
void Wrong(const std::vector<double>& values) { manta::Task(First).Remote(values); }
#else
double First(const std::vector<double>& values);
void Right(const std::vector<double>& values) { manta::Task(First).Remote(values); }
#endif
