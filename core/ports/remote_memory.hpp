#pragma once
// One-sided reads of another node's segment, where the machine can do them without the other's help (MPI_Rget on a
// world window). The object plane asks `available()` and otherwise streams through messages.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/ids.hpp"

namespace manta {

class RemoteMemory {
 public:
  virtual ~RemoteMemory() = default;

  /// The outcome of the start-up probe, the same on all ranks.
  virtual bool available() const = 0;
  /// Starts to copy `size_bytes` from `offset` of the node segment of `target`'s node to `destination`, which must stay
  /// until `token` is reported. Holder of the progress token only. Throws MpiError.
  virtual void StartRead(Rank target, std::uint64_t offset, std::byte* destination, std::size_t size_bytes,
                         std::uint64_t token) = 0;
  /// Appends the tokens of reads that are done. Holder of the progress token only. Throws MpiError.
  virtual void PollReads(std::vector<std::uint64_t>& done) = 0;
};

}  // namespace manta
