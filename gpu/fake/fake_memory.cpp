#include "gpu/fake/fake_memory.hpp"

#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include <manta/error.hpp>

#include "core/base/check.hpp"

namespace manta::gpu {
namespace {
constexpr std::size_t kAlignment = 256;
constexpr std::uint64_t kMaxKeptBytes = 16ull << 20;

std::string Name(int device, DevicePointer pointer) {
  return "address " + std::to_string(pointer.address) + " of fake device " + std::to_string(device);
}
}  // namespace

void FakeMemory::FreeBytes::operator()(std::byte* bytes) const { std::free(bytes); }

DevicePointer FakeMemory::Allocate(std::size_t size_bytes) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t free_bytes = total_bytes_ - used_bytes_;
  if (size_bytes > free_bytes)
    throw OutOfMemoryError("fake device " + std::to_string(device_) + ": " + std::to_string(size_bytes) +
                               " bytes asked, " + std::to_string(free_bytes) + " free; free something, or ask for less",
                           size_bytes, free_bytes);
  const std::size_t rounded = (size_bytes + kAlignment - 1) / kAlignment * kAlignment;
  Block block;
  block.bytes.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded)));
  if (block.bytes == nullptr) throw std::bad_alloc();
  block.size_bytes = size_bytes;
  std::memset(block.bytes.get(), kFakeFreshByte, rounded);
  const auto address = reinterpret_cast<std::uint64_t>(block.bytes.get());
  used_bytes_ += size_bytes;
  blocks_.emplace(address, std::move(block));
  return {address};
}

void FakeMemory::Free(DevicePointer pointer) {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(pointer.address);
  if (found == blocks_.end()) throw CudaError("Free: " + Name(device_, pointer) + " is no start of an allocation");
  Block& block = found->second;
  if (block.freed) throw CudaError("Free: " + Name(device_, pointer) + " was freed before");
  MANTA_EXPECT(block.uses == 0, "Free: " << Name(device_, pointer) << " is still used by " << block.uses
                                         << " queued copies: synchronize the stream first");
  std::memset(block.bytes.get(), kFakeFreedByte, block.size_bytes);
  block.freed = true;
  used_bytes_ -= block.size_bytes;
  kept_bytes_ += block.size_bytes;
  freed_.push_back(pointer.address);
  Forget();
}

void FakeMemory::Forget() {
  while (kept_bytes_ > kMaxKeptBytes) {
    const auto oldest = blocks_.find(freed_.front());
    freed_.pop_front();
    kept_bytes_ -= oldest->second.size_bytes;
    blocks_.erase(oldest);
  }
}

DeviceMemoryInfo FakeMemory::info() const {
  const std::lock_guard lock(mutex_);
  return {total_bytes_ - used_bytes_, total_bytes_};
}

FakeMemory::Blocks::iterator FakeMemory::Find(DevicePointer pointer) {
  auto after = blocks_.upper_bound(pointer.address);
  if (after == blocks_.begin()) return blocks_.end();
  --after;
  return pointer.address - after->first < after->second.size_bytes ? after : blocks_.end();
}

std::byte* FakeMemory::BeginUse(DevicePointer pointer, std::size_t size_bytes) {
  const std::lock_guard lock(mutex_);
  const auto found = Find(pointer);
  if (found == blocks_.end()) throw CudaError(Name(device_, pointer) + " was never allocated");
  Block& block = found->second;
  if (block.freed) throw CudaError("use after free: " + Name(device_, pointer) + " was freed");
  const std::uint64_t offset = pointer.address - found->first;
  if (size_bytes > block.size_bytes - offset)
    throw CudaError(std::to_string(size_bytes) + " bytes from " + Name(device_, pointer) + " pass the end of its " +
                    std::to_string(block.size_bytes) + " bytes");
  ++block.uses;
  return block.bytes.get() + offset;
}

void FakeMemory::EndUse(DevicePointer pointer) {
  const std::lock_guard lock(mutex_);
  const auto found = Find(pointer);
  MANTA_ASSERT(found != blocks_.end() && found->second.uses > 0);
  --found->second.uses;
}

}  // namespace manta::gpu
