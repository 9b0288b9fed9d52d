#pragma once
// What the fuzzer and the replay of its corpus read: bytes, the first of which chooses a type, as an object or as the
// arguments of a call. Reading them must give a value or an exception, without undefined behaviour and without taking
// much more memory than the bytes justify.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace manta::fuzz {

/// One type.
struct Case {
  std::string name;
  /// Reads `bytes` as it; what could be read is written once more. True if it could. Exceptions for bad bytes stay
  /// inside.
  bool (*run)(std::span<const std::byte> bytes);
  /// Encodings of values of it.
  std::vector<std::vector<std::byte>> (*seeds)();
};

/// In the order of their numbers, which are first bytes: a new one goes to the end, or the corpus means something else.
std::span<const Case> Cases();

/// Case::run of the case that the first byte chooses, with the rest; false where there is none.
bool RunInput(std::span<const std::byte> input);

/// No single allocation for an input of a few KiB is larger.
inline constexpr std::size_t kLargestAllocation = std::size_t{2} << 20;

}  // namespace manta::fuzz
