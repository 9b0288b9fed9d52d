#pragma once
// The memory of one fake device: host memory behind addresses that are checked on each use. What is fresh or freed is
// filled with a pattern, so that reading it is seen, and freed blocks are kept apart for a while, so that it stays
// seen.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "core/ports/device_backend.hpp"

namespace manta::gpu {

inline constexpr unsigned char kFakeFreshByte = 0xCD;           // allocated, never written
inline constexpr unsigned char kFakeFreedByte = 0xDD;           // given back
inline constexpr unsigned char kFakeUnsynchronizedByte = 0xAB;  // host memory that a copy has not reached yet

/// Any thread.
class FakeMemory {
 public:
  FakeMemory(int device, std::uint64_t total_bytes) : device_(device), total_bytes_(total_bytes) {}

  /// Filled with kFakeFreshByte. Throws OutOfMemoryError.
  DevicePointer Allocate(std::size_t size_bytes);
  /// Throws UsageError while queued work still names the block, and CudaError for what is no start of a live block.
  void Free(DevicePointer pointer);
  DeviceMemoryInfo info() const;

  /// Queued work is going to touch [pointer, pointer + size_bytes): throws CudaError unless it lies in one live block,
  /// which can't be freed until EndUse with the same pointer. Returns where the bytes are.
  std::byte* BeginUse(DevicePointer pointer, std::size_t size_bytes);
  void EndUse(DevicePointer pointer);

 private:
  struct FreeBytes {
    void operator()(std::byte* bytes) const;
  };
  struct Block {
    std::unique_ptr<std::byte, FreeBytes> bytes;
    std::size_t size_bytes = 0;
    int uses = 0;
    bool freed = false;
  };
  using Blocks = std::map<std::uint64_t, Block>;
  Blocks::iterator Find(DevicePointer pointer);  // the block that holds it, or end()
  void Forget();

  const int device_;
  const std::uint64_t total_bytes_;
  mutable std::mutex mutex_;  // guards all below
  Blocks blocks_;             // by address, freed ones that are kept too
  std::deque<std::uint64_t> freed_;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t kept_bytes_ = 0;  // in freed blocks
};

}  // namespace manta::gpu
