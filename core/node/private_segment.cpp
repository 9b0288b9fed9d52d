#include "core/node/private_segment.hpp"

#include <manta/error.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace manta::node {

PrivateSegment::PrivateSegment(std::size_t size_bytes, Sharing sharing) {
  size_bytes = std::max<std::size_t>(size_bytes, 1);
  const int flags = MAP_ANONYMOUS | MAP_NORESERVE | (sharing == Sharing::kThisProcess ? MAP_PRIVATE : MAP_SHARED);
  void* base = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (base == MAP_FAILED)
    throw OutOfMemoryError("can't map " + std::to_string(size_bytes) + " bytes for the node segment (" +
                               std::strerror(errno) + "); lower the store size or raise ulimit -v",
                           size_bytes, 0);
  bytes_ = {static_cast<std::byte*>(base), size_bytes};
}

void PrivateSegment::PreferLargePages(std::size_t from, std::size_t size_bytes) {
  static_cast<void>(madvise(bytes_.data() + from, size_bytes, MADV_HUGEPAGE));
}

PrivateSegment::~PrivateSegment() { munmap(bytes_.data(), bytes_.size()); }

}  // namespace manta::node
