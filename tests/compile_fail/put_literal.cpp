// A literal is a C array.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Wrong() { auto ref = manta::Put("text"); }
#else
void Right() { auto ref = manta::Put(std::string("text")); }
#endif
