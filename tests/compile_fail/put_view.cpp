// A view means nothing elsewhere.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(std::span<const double> values) { auto ref = manta::Put(values); }
#else
void Right(std::span<const double> values) { auto ref = manta::Put(std::vector(values.begin(), values.end())); }
#endif
