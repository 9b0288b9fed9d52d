// A ref keeps its object alive in the job; a file can't.
#include <manta/manta.hpp>

#include <cereal/archives/binary.hpp>

#include <ostream>

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(const manta::ObjectRef<int>& ref, std::ostream& file) {
  cereal::BinaryOutputArchive archive(file);
  archive(ref);
}
#else
void Right(const int& value, std::ostream& file) {
  cereal::BinaryOutputArchive archive(file);
  archive(value);
}
#endif
