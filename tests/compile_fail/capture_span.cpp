// A span points to the caller's memory.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(std::span<const double> row) { manta::Task([row] { return row[0]; }).Remote(); }
#else
void Right(const std::vector<double>& row) { manta::Task([](std::span<const double> r) { return r[0]; }).Remote(row); }
#endif
