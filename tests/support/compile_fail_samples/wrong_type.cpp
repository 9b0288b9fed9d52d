// Fails to compile for the reason its test expects.
#ifndef MANTA_POSITIVE_CONTROL
static_assert(sizeof(char) == 2, "a char is one byte");
#endif
