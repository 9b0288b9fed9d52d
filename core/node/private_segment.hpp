#pragma once
// A node segment without other processes: for a rank that is alone on its node, and for tests.
//
//   PrivateSegment segment(layout.total);
//
// Address space only (NORESERVE): pages count when they are first touched.

#include <cstddef>
#include <span>
#include <string_view>

#include "core/ports/segment.hpp"

namespace manta::node {

class PrivateSegment : public Segment {
 public:
  enum class Sharing {
    kThisProcess,       // private pages
    kForkedChildren,    // processes forked later see the same bytes (tests with two processes)
  };

  /// Throws OutOfMemoryError when the address space can't be had.
  explicit PrivateSegment(std::size_t size_bytes, Sharing sharing = Sharing::kThisProcess);
  ~PrivateSegment() override;
  PrivateSegment(const PrivateSegment&) = delete;
  PrivateSegment& operator=(const PrivateSegment&) = delete;

  /// Asks the kernel for pages of 2 MiB there, from a page's beginning on: to touch, copy and send long runs of bytes
  /// costs less by them (other ranks' MPI looks up every page of what it copies out of this process). A kernel that has
  /// none gives small ones.
  void PreferLargePages(std::size_t from, std::size_t size_bytes);

  std::span<std::byte> bytes() const override { return bytes_; }
  std::string_view kind() const override { return "private memory"; }

 private:
  std::span<std::byte> bytes_;  // fixed after construction
};

}  // namespace manta::node
