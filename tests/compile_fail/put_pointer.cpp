// A pointer means nothing elsewhere.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(const double* values) { auto ref = manta::Put(values); }
#else
void Right(const double* values) { auto ref = manta::Put(*values); }
#endif
