#pragma once
// Functions of a shared library that a test program links: they run as tasks like its own.

#include <string>

namespace task_library {

double Half(double x);
std::string Greet(const std::string& name);

struct Accumulator {
  double start = 0;
  double Plus(double x) const;
  virtual double Times(double x) const;
  virtual ~Accumulator() = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(start);
  }
};

}  // namespace task_library
