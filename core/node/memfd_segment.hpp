#pragma once
// A node segment in memory of the job (memfd_create): it counts against the job's memory like any other, not against
// what /dev/shm has free, and its pages are taken when they are first touched. One process makes it, the others find
// the file through the maker's /proc entry, at any time while the maker lives:
//
//   auto made = MemfdSegment::Create(layout.total);      // one rank; sends made->address()
//   auto seen = MemfdSegment::Open(address, &why_not);   // the others
//
// A file of no name: nothing is left behind, however the processes end.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/ports/segment.hpp"

namespace manta::node {

/// Where the processes of a machine find the file, and what tells it from others: plain data, to be sent as it is.
struct MemfdAddress {
  std::int64_t pid = 0;  // of the maker, in the PID namespace of the maker
  std::int64_t file = -1;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size_bytes = 0;
};

class MemfdSegment final : public Segment {
 public:
  /// A zeroed segment of `size_bytes`, at least 1. Throws OutOfMemoryError where the system gives no such file, or no
  /// address space.
  static std::unique_ptr<MemfdSegment> Create(std::size_t size_bytes);
  /// The segment that another process, or this one, made; null where it can't be reached (another user, another PID
  /// namespace, a hidden /proc, its maker has ended), and then `why_not` says the reason and what to do.
  static std::unique_ptr<MemfdSegment> Open(const MemfdAddress& address, std::string* why_not);
  ~MemfdSegment() override;
  MemfdSegment(const MemfdSegment&) = delete;
  MemfdSegment& operator=(const MemfdSegment&) = delete;

  std::span<std::byte> bytes() const override { return bytes_; }
  std::string_view kind() const override { return "memfd"; }
  /// For Open. Of use while the process that called Create has its segment.
  const MemfdAddress& address() const { return address_; }

 private:
  MemfdSegment() = default;

  // All fixed after construction.
  std::span<std::byte> bytes_;
  MemfdAddress address_;
  int file_ = -1;  // the maker's, for those who open it later
};

}  // namespace manta::node
