// well_formed FILE...: says of each file why it is not well-formed XML; exit code 1 where one is not.

#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "well_formed.hpp"

int main(int argc, char** argv) {
  int code = argc > 1 ? 0 : 1;
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i]);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::string why = file ? pipeline::WhyNotWellFormed(text) : "it can't be read";
    if (why.empty()) continue;
    std::cout << argv[i] << ": " << why << '\n';
    code = 1;
  }
  return code;
}
