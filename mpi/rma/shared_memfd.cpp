#include "mpi/rma/shared_memfd.hpp"

#include <manta/error.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace manta {
namespace {

/// `text` of rank `from`, on all ranks.
std::string CollectiveText(const mpi::Communicator& comm, int from, std::string text) {
  std::uint64_t size = text.size();
  MANTA_MPI_TRY(MPI_Bcast(&size, 1, MPI_UINT64_T, from, comm.get()));
  text.resize(size);
  MANTA_MPI_TRY(MPI_Bcast(text.data(), static_cast<int>(size), MPI_CHAR, from, comm.get()));
  return text;
}

}  // namespace

SharedMemfd CollectiveCreateMemfd(const mpi::Communicator& node, std::size_t size_bytes) {
  SharedMemfd made;
  node::MemfdAddress address;  // of a maker that could not: no file, so that nobody can open it
  if (node.rank() == 0) {
    try {
      made.segment = node::MemfdSegment::Create(size_bytes);
      address = made.segment->address();
    } catch (const OutOfMemoryError& e) {
      made.why_not = e.what();
    }
  }
  static_assert(std::is_trivially_copyable_v<node::MemfdAddress>);
  MANTA_MPI_TRY(MPI_Bcast(&address, sizeof(address), MPI_BYTE, 0, node.get()));
  if (node.rank() != 0) made.segment = node::MemfdSegment::Open(address, &made.why_not);

  const int size = node.size();
  const auto first_without =
      node.CollectiveMin(static_cast<std::uint64_t>(made.segment != nullptr ? size : node.rank()));
  if (first_without == static_cast<std::uint64_t>(size)) return made;
  made.segment.reset();
  made.why_not = CollectiveText(node, static_cast<int>(first_without), std::move(made.why_not));
  return made;
}

}  // namespace manta
