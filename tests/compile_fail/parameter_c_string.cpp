// const char* is a pointer.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
int Length(const char* text);
void Wrong() { manta::Task(Length).Remote("text"); }
#else
int Length(const std::string& text);
void Right() { manta::Task(Length).Remote("text"); }
#endif
