#pragma once
// Manta: tasks, actors and objects over MPI. The smallest whole program:
//
//   #include <manta/manta.hpp>
//   #include <iostream>
//   int Square(int x) { return x * x; }
//   int main(int argc, char** argv) {
//     return manta::Run(argc, argv, [] { std::cout << *manta::Get(manta::Task(Square).Remote(7)) << '\n'; });
//   }
//
//   mpirun -np 4 ./program

#include <manta/actor.hpp>
#include <manta/array.hpp>
#include <manta/config.hpp>
#include <manta/create.hpp>
#include <manta/error.hpp>
#include <manta/object_ref.hpp>
#include <manta/resources.hpp>
#include <manta/runtime.hpp>
#include <manta/serialize.hpp>
#include <manta/task.hpp>
#include <manta/tensor.hpp>
#include <manta/version.hpp>
