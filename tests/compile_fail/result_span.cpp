// A view of what is gone when the task ends.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
std::span<const double> Head(const std::vector<double>& values);
void Wrong(const std::vector<double>& values) { manta::Task(Head).Remote(values); }
#else
std::vector<double> Head(const std::vector<double>& values);
void Right(const std::vector<double>& values) { manta::Task(Head).Remote(values); }
#endif
