#include "core/base/slab.hpp"

#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

#include "core/base/prefetch.hpp"

namespace manta::base {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

void* SlabAllocate(std::size_t size_bytes) { return ::operator new(size_bytes); }
void SlabFree(void* block, std::size_t) noexcept { ::operator delete(block); }

#else

namespace {

constexpr std::size_t kStep = 8;
constexpr std::size_t kLargest = 512;
constexpr std::size_t kLineBytes = 64;
constexpr std::size_t kClasses = kLargest / kStep;
constexpr std::size_t kBatch = 64;              // blocks that move between a thread and the stock
constexpr std::size_t kChunkBytes = 256 << 10;  // taken from the system at a time

struct Free {
  Free* next;
};
/// A list of blocks and how many they are.
struct Batch {
  Free* first = nullptr;
  std::size_t count = 0;
};

struct Stock {
  std::mutex mutex;
  std::vector<Batch> batches[kClasses];  // guarded by mutex
};
// Never destroyed: threads free blocks until the process ends.
Stock& TheStock() {
  static auto* stock = new Stock();
  return *stock;
}

struct Cache {
  Batch free[kClasses];
  std::byte* chunk = nullptr;  // what is left of this thread's chunk
  std::size_t left = 0;
};

thread_local constinit Cache* cache = nullptr;
thread_local constinit bool thread_ends = false;

/// Gives a thread's blocks to the others when it ends.
struct CacheOwner {
  ~CacheOwner() {
    thread_ends = true;
    if (cache == nullptr) return;
    std::lock_guard lock(TheStock().mutex);
    for (std::size_t index = 0; index < kClasses; ++index)
      if (cache->free[index].count != 0) TheStock().batches[index].push_back(cache->free[index]);
    delete cache;
    cache = nullptr;
  }
};

__attribute__((noinline)) Cache& MakeCache() {
  thread_local CacheOwner owner;
  (void)owner;
  cache = new Cache();
  return *cache;
}

constexpr std::size_t ClassOf(std::size_t size_bytes) { return (size_bytes + kStep - 1) / kStep - 1; }

__attribute__((noinline)) void* AllocateSlow(std::size_t index) {
  if (thread_ends) return ::operator new((index + 1) * kStep);
  Cache& mine = cache != nullptr ? *cache : MakeCache();
  {
    Stock& stock = TheStock();
    std::lock_guard lock(stock.mutex);
    if (!stock.batches[index].empty()) {
      mine.free[index] = stock.batches[index].back();
      stock.batches[index].pop_back();
    }
  }
  Batch& batch = mine.free[index];
  if (batch.first != nullptr) {
    Free* block = batch.first;
    batch.first = block->next;
    --batch.count;
    return block;
  }
  const std::size_t size = (index + 1) * kStep;
  const std::size_t off = reinterpret_cast<std::uintptr_t>(mine.chunk) % 16;
  if (off != 0 && size % 16 == 0 && mine.left >= off) {
    mine.chunk += off;  // it is 8
    mine.left -= off;
  }
  if (mine.left < size) {
    mine.chunk = static_cast<std::byte*>(::operator new(kChunkBytes, std::align_val_t{64}));
    mine.left = kChunkBytes;
  }
  void* block = mine.chunk;
  mine.chunk += size;
  mine.left -= size;
  return block;
}

__attribute__((noinline)) void FreeSlow(Free* block, std::size_t index) {
  Stock& stock = TheStock();
  if (thread_ends) {
    block->next = nullptr;
    std::lock_guard lock(stock.mutex);
    stock.batches[index].push_back({block, 1});
    return;
  }
  Cache& mine = cache != nullptr ? *cache : MakeCache();
  Batch& batch = mine.free[index];
  if (batch.count >= 2 * kBatch) {
    // The newest half stays: it is warm. The rest goes to whoever allocates.
    Free* last = batch.first;
    for (std::size_t i = 1; i < kBatch; ++i) last = last->next;
    const Batch away{last->next, batch.count - kBatch};
    last->next = nullptr;
    batch.count = kBatch;
    std::lock_guard lock(stock.mutex);
    stock.batches[index].push_back(away);
  }
  block->next = batch.first;
  batch.first = block;
  ++batch.count;
}

}  // namespace

void* SlabAllocate(std::size_t size_bytes) {
  if (size_bytes > kLargest) return ::operator new(size_bytes);
  const std::size_t index = ClassOf(size_bytes);
  if (cache == nullptr || cache->free[index].first == nullptr) return AllocateSlow(index);
  Batch& batch = cache->free[index];
  Free* block = batch.first;
  batch.first = block->next;
  --batch.count;
  // The next call reads and writes the next one: of a million blocks that were freed few are in a cache still.
  if (const auto* next = reinterpret_cast<const std::byte*>(batch.first); next != nullptr)
    for (std::size_t line = 0; line < size_bytes; line += kLineBytes) PrefetchToWrite(next + line);
  return block;
}

void SlabFree(void* block, std::size_t size_bytes) noexcept {
  if (size_bytes > kLargest) {
    ::operator delete(block);
    return;
  }
  const std::size_t index = ClassOf(size_bytes);
  auto* free = static_cast<Free*>(block);
  if (cache == nullptr || cache->free[index].count >= 2 * kBatch) {
    FreeSlow(free, index);
    return;
  }
  Batch& batch = cache->free[index];
  free->next = batch.first;
  batch.first = free;
  ++batch.count;
}

#endif

}  // namespace manta::base
