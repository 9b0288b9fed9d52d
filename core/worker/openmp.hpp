#pragma once
// What a fiber must know of OpenMP, asked of the program's own runtime: this library doesn't link one.

#include <cstddef>

namespace manta::worker::openmp {

/// Whether the calling thread is in a parallel region, be it of one thread.
bool InParallelRegion();
/// Whether it is in one as another thread than that which began it.
bool IsHelper();
/// Bytes left on the calling helper's stack.
std::size_t StackLeftOfHelper();

/// The number of threads that the calling thread's next region gets; 0 where there is no OpenMP.
int Width();
void SetWidth(int width);

}  // namespace manta::worker::openmp
