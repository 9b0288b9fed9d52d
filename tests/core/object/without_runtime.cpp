// What the runtime defines, for programs that have none. Weak: gives way where the runtime is linked.
#include <manta/detail/archive.hpp>
#include <manta/detail/core_api.hpp>

#include "core/task/code_address.hpp"

namespace manta::detail {

__attribute__((weak)) void ReleaseLast(CountedRecord*) noexcept {}
__attribute__((weak)) void ThrowTruncated(std::size_t wanted_bytes, std::size_t left_bytes) {
  throw UsageError("bytes end early: " + std::to_string(wanted_bytes) + " wanted, " + std::to_string(left_bytes) + " left");
}
__attribute__((weak)) void ThrowNoRoom(std::size_t, std::size_t) { throw UsageError("the object changed while it was written"); }
__attribute__((weak)) void WriteArchive::AddRef(const Handle& ref) {
  Bytes("0123456789abcdef", SizeArchive::kRefBytes);
  if (refs_ != nullptr) refs_->push_back(ref);
}
__attribute__((weak)) Handle ReadArchive::ReadRef() {
  Skip(SizeArchive::kRefBytes);
  return {};
}
__attribute__((weak)) std::uint64_t EncodeCode(const void* address) { return task::EncodeCode(address); }
__attribute__((weak)) const void* DecodeCode(std::uint64_t code) { return task::DecodeCode(code); }

}  // namespace manta::detail
