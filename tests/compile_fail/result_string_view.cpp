// A view of what is gone when the task ends.
#include <manta/manta.hpp>

#ifndef MANTA_POSITIVE_CONTROL
std::string_view Word(const std::string& text);
void Wrong(const std::string& text) { manta::Task(Word).Remote(text); }
#else
std::string Word(const std::string& text);
void Right(const std::string& text) { manta::Task(Word).Remote(text); }
#endif
