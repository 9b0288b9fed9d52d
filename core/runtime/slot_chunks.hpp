#pragma once
// An array over the slots of one rank's ObjectPool, for what only few objects have: parts that nobody has asked for
// take no memory.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/base/check.hpp"

namespace manta::runtime {

/// Any thread. Places stay where they are for the life of the array. A T begins value-initialized.
template <class T>
class SlotChunks {
 public:
  SlotChunks() = default;
  SlotChunks(const SlotChunks&) = delete;
  SlotChunks& operator=(const SlotChunks&) = delete;
  ~SlotChunks() {
    T** const chunks = chunks_.load(std::memory_order_relaxed);
    if (chunks == nullptr) return;
    for (std::uint32_t i = 0; i < kChunks; ++i) delete[] chunks[i];
    std::free(chunks);
  }

  /// Null where nobody has called Make for a slot nearby.
  T* Find(std::uint32_t slot) const {
    T** const chunks = chunks_.load(std::memory_order_acquire);
    if (chunks == nullptr || slot >> kChunkBits >= kChunks) return nullptr;
    T* const chunk = std::atomic_ref<T*>(chunks[slot >> kChunkBits]).load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : chunk + (slot & (kChunk - 1));
  }
  T& Make(std::uint32_t slot) {
    if (T* const found = Find(slot)) return *found;
    MANTA_ASSERT(slot >> kChunkBits < kChunks);
    T** chunks = chunks_.load(std::memory_order_acquire);
    if (chunks == nullptr) {
      auto** const made = static_cast<T**>(std::calloc(kChunks, sizeof(T*)));  // pages that are not used cost nothing
      MANTA_ASSERT(made != nullptr);
      // Who is first has made it; acq_rel: the zeros are there for who finds it.
      if (chunks_.compare_exchange_strong(chunks, made, std::memory_order_acq_rel))
        chunks = made;
      else
        std::free(made);
    }
    std::atomic_ref<T*> place(chunks[slot >> kChunkBits]);
    T* chunk = place.load(std::memory_order_acquire);
    if (chunk == nullptr) {
      T* const made = new T[kChunk]();
      if (place.compare_exchange_strong(chunk, made, std::memory_order_acq_rel))
        chunk = made;
      else
        delete[] made;
    }
    return chunk[slot & (kChunk - 1)];
  }
  /// All places that there are, also those that nobody uses.
  template <class Visit>
  void ForEach(Visit visit) {
    T** const chunks = chunks_.load(std::memory_order_acquire);
    if (chunks == nullptr) return;
    for (std::uint32_t i = 0; i < kChunks; ++i)
      if (T* const chunk = std::atomic_ref<T*>(chunks[i]).load(std::memory_order_acquire))
        for (std::uint32_t k = 0; k < kChunk; ++k) visit(chunk[k]);
  }

 private:
  static constexpr std::uint32_t kChunkBits = 10;
  static constexpr std::uint32_t kChunk = 1u << kChunkBits;
  static constexpr std::uint32_t kChunks = 1u << 20;  // as many slots as an ObjectPool has
  std::atomic<T**> chunks_{nullptr};
};

}  // namespace manta::runtime
