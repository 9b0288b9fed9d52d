// A libFuzzer target (clang++ -fsanitize=fuzzer,address,undefined) over all that reads serialized bytes: see
// archive_cases.hpp. fuzz.sh builds and runs it.

#include <manta/detail/archive.hpp>

#include <cstdint>
#include <string>

#include "tests/fuzz/archive_cases.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  manta::fuzz::RunInput({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}

// What the headers leave to the runtime, which is not built for this: refs are read and are empty.
namespace manta::detail {

void ThrowTruncated(std::size_t, std::size_t) { throw UsageError("truncated"); }
void ThrowNoRoom(std::size_t, std::size_t) { throw UsageError("no room"); }
void CheckRef(const Handle&) {}
void WriteArchive::AddRef(const Handle&) {
  static_cast<void>(refs_);
  const std::byte bytes[SizeArchive::kRefBytes] = {};
  Bytes(bytes, sizeof(bytes));
}
Handle ReadArchive::ReadRef() {
  Skip(SizeArchive::kRefBytes);
  return {};
}
void ReleaseLast(CountedRecord*) noexcept {}
void ReleaseSole(CountedRecord*) noexcept {}

}  // namespace manta::detail
