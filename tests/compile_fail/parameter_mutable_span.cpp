// std::span<T>: the task would change a copy.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Scale(std::span<double> values);
void Wrong(std::vector<double>& values) { manta::Task(Scale).Remote(values); }
#else
double Sum(std::span<const double> values);
void Right(std::vector<double>& values) { manta::Task(Sum).Remote(values); }
#endif
