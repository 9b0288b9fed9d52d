#pragma once

namespace linked {
using Function = int (*)(int);
int Twice(int x);
/// A function that the library does not export.
Function GiveHidden();
}  // namespace linked
