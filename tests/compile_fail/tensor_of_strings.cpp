// Strings have memory of their own, so that they can't be read in place.
#include <manta/manta.hpp>

#include <string>

#ifndef MANTA_POSITIVE_CONTROL
std::size_t Wrong() { return manta::Tensor<std::string>().size(); }
#else
std::size_t Right() { return manta::Tensor<double>().size(); }
#endif
