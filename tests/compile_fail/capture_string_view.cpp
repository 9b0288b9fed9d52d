// A string_view points to the caller's memory.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(std::string_view text) { manta::Task([text] { return text.size(); }).Remote(); }
#else
void Right(std::string_view text) { manta::Task([](std::string_view t) { return t.size(); }).Remote(text); }
#endif
