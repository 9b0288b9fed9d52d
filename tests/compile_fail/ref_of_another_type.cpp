// A ref is not converted: its object is shared by all who hold it.
#include <manta/manta.hpp>

double Root(double x);

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(const manta::ObjectRef<int>& ref) { manta::Task(Root).Remote(ref); }
#else
void Right(const manta::ObjectRef<double>& ref) { manta::Task(Root).Remote(ref); }
#endif
