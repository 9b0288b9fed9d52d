#include "mpi/rma/shared_segment.hpp"

#include <sys/mman.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "core/base/check.hpp"

namespace manta {
namespace {

constexpr std::size_t kPage = 4096;

/// Zeroes whole pages without touching them: those never written cost neither time nor memory.
void ZeroPages(std::byte* base, std::size_t size) {
  // MPI gives no promise on the content. Punching a hole into the file behind a shared mapping leaves zeros; EINVAL
  // says that there is no such file (with one rank, Open MPI takes the heap), and then dropping the pages does.
  if (madvise(base, size, MADV_REMOVE) == 0) return;
  if (errno == EINVAL && madvise(base, size, MADV_DONTNEED) == 0) return;
  std::memset(base, 0, size);
}

}  // namespace

std::unique_ptr<MpiSharedSegment> MpiSharedSegment::CollectiveCreate(const mpi::Communicator& node,
                                                                     std::size_t size_bytes) {
  const std::size_t asked = node.CollectiveBroadcast(size_bytes);
  MANTA_EXPECT(asked > 0, "a node segment of 0 bytes was asked for; it needs at least 1");
  const std::size_t rounded = (asked + kPage - 1) / kPage * kPage;
  if (node.size() > 1) {  // a sole rank gets its own heap, which /dev/shm does not bound
    const std::size_t free = node.CollectiveBroadcast(node.rank() == 0 ? mpi::FreeSharedMemoryBytes() : 0);
    if (rounded + kPage > free || rounded < asked)
      throw OutOfMemoryError("the node's segment needs " + std::to_string(asked) +
                                 " bytes of shared memory, but /dev/shm has " + std::to_string(free) +
                                 " free; ask for a smaller store, or make /dev/shm larger",
                             asked, free);
  }

  // A page more than asked for: Open MPI 4.1 aligns the base to 8 bytes only.
  auto segment = std::unique_ptr<MpiSharedSegment>(new MpiSharedSegment());
  segment->window_ = mpi::Window::CollectiveAllocateShared(node, node.rank() == 0 ? rounded + kPage : 0);
  std::byte* const base = segment->window_.SharedAddress(0);
  // Mappings differ between processes, though by whole pages: one rank says how far the first page is, for all.
  const std::size_t shift = node.CollectiveBroadcast((kPage - reinterpret_cast<std::uintptr_t>(base) % kPage) % kPage);
  MANTA_ASSERT(reinterpret_cast<std::uintptr_t>(base + shift) % kPage == 0);
  if (node.rank() == 0) ZeroPages(base + shift, rounded);
  node.CollectiveBarrier();
  segment->window_.Sync();
  segment->bytes_ = {base + shift, asked};
  return segment;
}

void MpiSharedSegment::CollectiveClose() {
  bytes_ = {};
  window_.CollectiveClose();
}

namespace mpi {

std::size_t FreeSharedMemoryBytes() {
  struct statvfs info;
  if (statvfs("/dev/shm", &info) != 0) return std::numeric_limits<std::size_t>::max();
  return static_cast<std::size_t>(info.f_bavail) * info.f_frsize;
}

std::size_t StoreBytesThatFit(std::size_t wanted, std::size_t node_memory, std::size_t shared_memory_free) {
  const std::size_t limit = std::min(node_memory, shared_memory_free) / 5 * 3;
  return std::min(wanted, limit) / kPage * kPage;
}

}  // namespace mpi
}  // namespace manta
