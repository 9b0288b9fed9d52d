// Another program than `job`: the two cannot be one job.

#include <manta/manta.hpp>

#include <iostream>

int main(int argc, char** argv) {
  return manta::Run(argc, argv, [] { std::cout << "driver ran" << std::endl; });
}
