// A shared library of the user's, which the test links.
#include "tests/core/task/linked_library.hpp"

namespace linked {
namespace {
int Hidden(int x) { return x - 1; }
}  // namespace

int Twice(int x) { return 2 * x; }
Function GiveHidden() { return &Hidden; }
}  // namespace linked
