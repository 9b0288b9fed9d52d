// T&: the task would change a copy.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Scale(std::vector<double>& values);
void Wrong(std::vector<double>& values) { manta::Task(Scale).Remote(values); }
#else
std::vector<double> Scaled(const std::vector<double>& values);
void Right(std::vector<double>& values) { manta::Task(Scaled).Remote(values); }
#endif
