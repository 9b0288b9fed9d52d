#pragma once
// Long runs of bytes between ranks, straight from where they lie to where they shall lie: no copy of ours on either side.
// The receiver posts its receives before it asks for the bytes, so that none comes unexpected.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/ids.hpp"

namespace manta {

/// Holder of the progress token only. All throw MpiError.
class BulkTransport {
 public:
  static constexpr std::uint32_t kTags = 30'000;  // below the least that MPI promises (32,767)

  virtual ~BulkTransport() = default;

  /// Starts to send `size_bytes` (1 to 2^31 - 1) to the next receive of `to` with this tag. They stay as they are until
  /// `token` was reported.
  virtual void StartSend(Rank to, std::uint32_t tag, const std::byte* from, std::size_t size_bytes,
                         std::uint64_t token) = 0;
  /// Posts a receive of exactly `size_bytes`; those of one source and tag are filled in order.
  virtual void StartReceive(Rank from, std::uint32_t tag, std::byte* to, std::size_t size_bytes,
                            std::uint64_t token) = 0;
  /// Takes back a receive that nothing was sent to. Its token is not reported.
  virtual void CancelReceive(std::uint64_t token) = 0;
  /// Appends the tokens of what is done.
  virtual void Poll(std::vector<std::uint64_t>& done) = 0;
};

}  // namespace manta
