#pragma once
// Other ranks' tasks that are at this rank, to be found by their ids when they are cancelled.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/base/check.hpp"
#include "core/task/task_record.hpp"

namespace manta::runtime {

/// By owner and slot: an owner uses a slot for one unfinished task at a time. One exchange to add, one to remove.
/// Find is for the holder of the progress token.
///
/// A word is null, or a record with a hold of the table's. Remove and Find both exchange it for null, so one of them
/// gets the record; Find puts it back, unless its end (`kDone`, set before Remove's exchange) is seen after that:
/// either Remove finds the record in the word, or Find, which looks at the phase after putting it back, takes it out.
/// Both sides are sequentially consistent for that (Dekker).
class ForeignTasks {
 public:
  explicit ForeignTasks(int ranks) : owners_(static_cast<std::size_t>(ranks)) {}
  ~ForeignTasks() {
    for (auto& owner : owners_)
      if (Word** chunks = owner.load(std::memory_order_relaxed)) FreeChunks(chunks);
  }
  ForeignTasks(const ForeignTasks&) = delete;
  ForeignTasks& operator=(const ForeignTasks&) = delete;

  /// Holder of the token, before anybody else knows the task. A record that is there already is of an attempt that nobody
  /// listens to any more.
  void Add(const task::TaskPtr& task) {
    // A word without a record is changed by the token's holder only. Release: who removes the task has it from us.
    Word& word = *WordOf(task->result(), true);
    task::TaskRecord* const record = task.CopyUnshared().Release();
    if (word.load(std::memory_order_acquire) == nullptr)
      word.store(record, std::memory_order_release);
    else
      Drop(word.exchange(record, std::memory_order_seq_cst));
  }
  /// Any thread; the record's phase says kDone by now (or it is given back to its owner, by the token's holder).
  void Remove(const task::TaskPtr& task, const ObjectId& id) {
    Word* word = WordOf(id, false);
    if (word == nullptr) return;
    task::TaskRecord* expected = task.get();
    if (word->compare_exchange_strong(expected, nullptr, std::memory_order_seq_cst)) task.DropOther();
  }
  /// Holder of the token. Empty if there is none, or its end is near.
  task::TaskPtr Find(const ObjectId& id) {
    Word* word = WordOf(id, false);
    task::TaskRecord* found = word == nullptr ? nullptr : word->exchange(nullptr, std::memory_order_seq_cst);
    if (found == nullptr) return {};
    task::TaskPtr task(found);
    word->store(found, std::memory_order_seq_cst);
    if (task->phase.load(std::memory_order_seq_cst) == task::Phase::kDone)
      Drop(word->exchange(nullptr, std::memory_order_seq_cst));
    return task->result() == id ? task : task::TaskPtr();
  }

 private:
  using Word = std::atomic<task::TaskRecord*>;
  static constexpr std::uint32_t kChunkBits = 12;
  static constexpr std::uint32_t kChunks = 1u << 18;  // as many slots as an ObjectPool has

  static void Drop(task::TaskRecord* held) { task::TaskPtr::Adopt(held); }

  /// Chunks are made by the token's holder, and found by others only through a task that was added.
  Word* WordOf(const ObjectId& id, bool make) {
    auto& owner = owners_[static_cast<std::size_t>(id.owner.value)];
    Word** chunks = owner.load(std::memory_order_acquire);
    const std::uint32_t index = id.slot >> kChunkBits;
    if (chunks == nullptr) {
      if (!make) return nullptr;
      chunks = static_cast<Word**>(std::calloc(kChunks, sizeof(Word*)));  // pages that are not used cost nothing
      MANTA_ASSERT(chunks != nullptr);
      owner.store(chunks, std::memory_order_release);
    }
    MANTA_ASSERT(index < kChunks);
    std::atomic_ref<Word*> chunk(chunks[index]);
    Word* words = chunk.load(std::memory_order_acquire);
    if (words == nullptr) {
      if (!make) return nullptr;
      words = new Word[1u << kChunkBits]();
      chunk.store(words, std::memory_order_release);
    }
    return words + (id.slot & ((1u << kChunkBits) - 1));
  }
  static void FreeChunks(Word** chunks) {
    for (std::uint32_t i = 0; i < kChunks; ++i) {
      if (chunks[i] == nullptr) continue;
      for (std::uint32_t k = 0; k < 1u << kChunkBits; ++k) Drop(chunks[i][k].load(std::memory_order_relaxed));
      delete[] chunks[i];
    }
    std::free(chunks);
  }
  std::vector<std::atomic<Word**>> owners_;
};

}  // namespace manta::runtime
