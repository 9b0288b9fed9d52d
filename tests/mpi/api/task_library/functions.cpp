#include "tests/mpi/api/task_library/functions.hpp"

namespace task_library {

double Half(double x) { return x / 2; }
std::string Greet(const std::string& name) { return "hello " + name; }
double Accumulator::Plus(double x) const { return start + x; }
double Accumulator::Times(double x) const { return start * x; }

}  // namespace task_library
