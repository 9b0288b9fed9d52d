#include "core/base/checksum.hpp"

#ifdef MANTA_HAVE_ZLIB
#include <zlib.h>
#else
#include <boost/crc.hpp>
#endif

namespace manta::base {

std::uint32_t Crc32(const std::byte* bytes, std::size_t size_bytes) {
#ifdef MANTA_HAVE_ZLIB
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const unsigned char*>(bytes), size_bytes));
#else
  boost::crc_32_type sum;
  sum.process_bytes(bytes, size_bytes);
  return sum.checksum();
#endif
}

}  // namespace manta::base
