#pragma once
// The largest piece of memory that this program has asked operator new for.

#include <cstddef>

namespace manta::fuzz {

std::size_t LargestAllocation();
void ForgetAllocations();

}  // namespace manta::fuzz
