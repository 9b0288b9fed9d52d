#include "core/task/task_class.hpp"

#include <deque>
#include <mutex>
#include <unordered_map>

#include "core/base/check.hpp"
#include "core/base/ids.hpp"
#include "core/task/code_address.hpp"

namespace manta::task {
namespace {

using namespace class_table;

struct Table {
  std::mutex mutex;
  std::unordered_multimap<std::size_t, const TaskClass*> by_hash;  // guarded by mutex
  std::uint32_t count = 0;                                         // guarded by mutex
};
Table& TheTable() {
  static auto* table = new Table();  // records name classes until the process ends
  return *table;
}

std::size_t HashOf(const TaskClassKey& one) {
  return base::MixHash(reinterpret_cast<std::uintptr_t>(one.thunk), one.callable.words[0],
                       reinterpret_cast<std::uintptr_t>(one.retry_matcher) ^ one.callable.words[1]);
}

const TaskClass& InternShared(const TaskClassKey& key, std::size_t hash) {
  Table& table = TheTable();
  std::lock_guard lock(table.mutex);
  const auto [first, last] = table.by_hash.equal_range(hash);
  for (auto it = first; it != last; ++it)
    if (static_cast<const TaskClassKey&>(*it->second) == key) return *it->second;
  MANTA_EXPECT(table.count < (kChunks << kChunkBits), "this program makes tasks of more than a million kinds");
  TaskClass* chunk = chunks[table.count >> kChunkBits].load(std::memory_order_relaxed);
  if (chunk == nullptr) {
    chunk = new TaskClass[kChunk];
    chunks[table.count >> kChunkBits].store(chunk, std::memory_order_release);
  }
  TaskClass& made = chunk[table.count & (kChunk - 1)];
  static_cast<TaskClassKey&>(made) = key;
  made.index = table.count++;
  table.by_hash.emplace(hash, &made);
  return made;
}

}  // namespace

wire::TaskClassNotice TaskClass::ToWire() const {
  auto code = [](auto address) {
    return address == nullptr ? 0 : EncodeCode(reinterpret_cast<const void*>(address));
  };
  wire::TaskClassNotice notice;
  notice.index = index;
  notice.thunk = code(thunk);
  notice.function = code(function);
  notice.retry_matcher = code(retry_matcher);
  notice.callable_is_code = callable.is_code;
  notice.callable_first = callable.is_code ? EncodeCode(reinterpret_cast<const void*>(callable.words[0])) : callable.words[0];
  notice.callable_second = callable.words[1];
  return notice;
}

TaskClassKey TaskClass::FromWire(const wire::TaskClassNotice& notice) {
  auto address = [](std::uint64_t code) { return code == 0 ? nullptr : const_cast<void*>(DecodeCode(code)); };
  TaskClassKey key;
  key.thunk = reinterpret_cast<detail::Thunk>(address(notice.thunk));
  key.function = address(notice.function);
  key.retry_matcher = reinterpret_cast<detail::ExceptionMatcher>(address(notice.retry_matcher));
  key.callable.is_code = notice.callable_is_code != 0;
  key.callable.words[0] = key.callable.is_code ? reinterpret_cast<std::uint64_t>(DecodeCode(notice.callable_first))
                                               : notice.callable_first;
  key.callable.words[1] = notice.callable_second;
  return key;
}

const TaskClass& InternTaskClass(const TaskClassKey& key) { return InternShared(key, HashOf(key)); }

const TaskClass& InternTaskClass(const detail::CallSpec& call, detail::ExceptionMatcher retry_matcher) {
  thread_local constinit const TaskClass* recent[64]{};
  // Word by word, and no key is made first: the words were stored one by one a moment ago, and a load of two of them at
  // once would wait until both are in the cache.
  const std::uint64_t word = call.callable.words[0];
  // Cheaper than HashOf, and good enough to keep the few kinds of a loop apart.
  const std::uint64_t mixed = reinterpret_cast<std::uintptr_t>(call.thunk) ^ word ^
                              reinterpret_cast<std::uintptr_t>(retry_matcher) * 3;
  const TaskClass*& slot = recent[mixed * 0x9e3779b97f4a7c15 >> 58];
  if (slot == nullptr || slot->thunk != call.thunk || slot->function != call.function ||
      slot->callable.words[0] != word || slot->callable.words[1] != call.callable.words[1] ||
      slot->callable.is_code != call.callable.is_code || slot->retry_matcher != retry_matcher)
    slot = &InternTaskClass({call.thunk, call.function, call.callable, retry_matcher});
  return *slot;
}

}  // namespace manta::task
