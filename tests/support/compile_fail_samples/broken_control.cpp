// Fails to compile for another reason than the one tested: its positive control fails too.
#include <a_header_that_does_not_exist.hpp>
#ifndef MANTA_POSITIVE_CONTROL
static_assert(sizeof(char) == 2, "a char is one byte");
#endif
