// A closure is copied as its bytes; a string holds a pointer.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(const std::string& text) { manta::Task([text] { return text.size(); }).Remote(); }
#else
void Right(const std::string& text) { manta::Task([](const std::string& t) { return t.size(); }).Remote(text); }
#endif
