#pragma once
// The bytes of an object that its maker writes before anybody knows of it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/runtime/local_store.hpp"

namespace manta::runtime {

/// Room in the store, or where it is small in this process. Given back at its end, which may come after the session's
/// and the store's, unless it was published.
class NewBlock {
 public:
  NewBlock(LocalStore& store, LocalStore::Extent&& extent, std::uint64_t size_bytes, std::uint32_t session)
      : extent_(std::move(extent)), data_(store.At(extent_.offset())), size_(size_bytes), session_(session) {}
  NewBlock(std::shared_ptr<std::byte[]> heap, std::uint64_t size_bytes, std::uint32_t session)
      : heap_(std::move(heap)), data_(heap_.get()), size_(size_bytes), session_(session) {}
  NewBlock(const NewBlock&) = delete;
  NewBlock& operator=(const NewBlock&) = delete;

  std::byte* data() const { return data_; }
  std::uint64_t size_bytes() const { return size_; }
  std::uint32_t session() const { return session_; }
  bool in_store() const { return heap_ == nullptr; }
  /// The bytes in the store, for who publishes them.
  LocalStore::Extent&& extent() { return std::move(extent_); }
  const std::shared_ptr<std::byte[]>& heap() const { return heap_; }

 private:
  LocalStore::Extent extent_;
  std::shared_ptr<std::byte[]> heap_;
  std::byte* data_;
  std::uint64_t size_;
  std::uint32_t session_;
};

}  // namespace manta::runtime
