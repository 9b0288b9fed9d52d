#include <manta/manta.hpp>

double Sum(const std::vector<double>& values);

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(const std::vector<manta::ObjectRef<int>>& refs) { manta::Task(Sum).Remote(refs); }
#else
void Right(const std::vector<manta::ObjectRef<double>>& refs) { manta::Task(Sum).Remote(refs); }
#endif
