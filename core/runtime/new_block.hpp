#pragma once
// The bytes of an object that its maker writes before anybody knows of it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/runtime/local_store.hpp"

namespace manta::runtime {

/// Room in the store, or where it is small in this process. Given back at its end, which may come after the session's
/// and the store's, unless Release was called.
class NewBlock {
 public:
  NewBlock(LocalStore& store, std::uint64_t size_bytes, std::uint32_t session)
      : store_(store.alive()), offset_(store.Allocate(size_bytes)), data_(store.At(offset_)), size_(size_bytes),
        session_(session) {}
  NewBlock(std::shared_ptr<std::byte[]> heap, std::uint64_t size_bytes, std::uint32_t session)
      : heap_(std::move(heap)), data_(heap_.get()), size_(size_bytes), session_(session) {}
  ~NewBlock() {
    if (const auto store = store_.lock()) (*store)->Abandon(offset_);
  }
  NewBlock(const NewBlock&) = delete;
  NewBlock& operator=(const NewBlock&) = delete;

  std::byte* data() const { return data_; }
  std::uint64_t size_bytes() const { return size_; }
  std::uint32_t session() const { return session_; }
  bool in_store() const { return heap_ == nullptr; }
  std::uint64_t offset() const { return offset_; }
  const std::shared_ptr<std::byte[]>& heap() const { return heap_; }
  /// The bytes in the store are somebody else's to free.
  void Release() { store_.reset(); }

 private:
  std::weak_ptr<LocalStore*> store_;
  std::shared_ptr<std::byte[]> heap_;
  std::uint64_t offset_ = 0;
  std::byte* data_;
  std::uint64_t size_;
  std::uint32_t session_;
};

}  // namespace manta::runtime
