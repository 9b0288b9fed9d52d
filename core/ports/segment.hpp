#pragma once
// The memory that the ranks of one node share. What lies in it is said by offset, never by pointer: each process
// maps it elsewhere. core/node lays it out; implementations only bring the bytes.

#include <cstddef>
#include <span>
#include <string_view>

namespace manta {

class Segment {
 public:
  virtual ~Segment() = default;

  /// The whole segment: zeroed when new, base aligned to 4,096 bytes, valid while this object lives. Any thread.
  virtual std::span<std::byte> bytes() const = 0;
  /// "mpi shared window", "private heap", "memfd": for the start line and for errors.
  virtual std::string_view kind() const = 0;
};

}  // namespace manta
