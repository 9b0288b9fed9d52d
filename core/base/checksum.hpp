#pragma once
// CRC-32 (IEEE 802.3), to find bytes that a disk or a hand has changed.

#include <cstddef>
#include <cstdint>

namespace manta::base {

/// By zlib; in builds without it by Boost, with the same result, several times slower. Any thread.
std::uint32_t Crc32(const std::byte* bytes, std::size_t size_bytes);

}  // namespace manta::base
