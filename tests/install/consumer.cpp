// The program of the outside projects.

#include <iostream>
#include <manta/manta.hpp>

int Multiply(int a, int b) { return a * b; }

int Driver(int, char**) {
  auto six = manta::Task(Multiply).Remote(2, 3);
  auto answer = manta::Task(Multiply).Remote(six, 7);
  std::cout << *manta::Get(six) << " times 7 is " << *manta::Get(answer) << std::endl;
  return 0;
}

int main(int argc, char** argv) { return manta::Run(argc, argv, Driver); }
