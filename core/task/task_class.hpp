#pragma once
// What all tasks of one Task(f) have in common, kept once: the thunk, the callable where it is a code address, and
// which exceptions are retried. A record names its class by a small number, and so does the wire: a rank tells another
// of a class before the first task of it (wire::TaskClassNotice).

#include <manta/detail/core_api.hpp>

#include <atomic>
#include <cstdint>

#include "core/wire/messages.hpp"

namespace manta::task {

struct TaskClassKey {
  detail::Thunk thunk = nullptr;
  const void* function = nullptr;  // for its name; null: the thunk's
  detail::CodeWords callable;      // what the thunk calls, where that is a function or a member function
  detail::ExceptionMatcher retry_matcher = nullptr;
  bool operator==(const TaskClassKey&) const = default;
};

struct TaskClass : TaskClassKey {
  std::uint32_t index = 0;

  /// Throws UsageError where it names code that is in no module which all ranks have.
  void CheckCanTravel() const {
    if (can_travel.load(std::memory_order_relaxed)) return;
    ToWire();
    can_travel.store(true, std::memory_order_relaxed);
  }
  wire::TaskClassNotice ToWire() const;
  static TaskClassKey FromWire(const wire::TaskClassNotice& notice);

  mutable std::atomic<bool> can_travel{false};  // relaxed: the answer never changes
};

/// The class with these contents, made if there is none yet. It stays for the life of the process: there are no more of
/// them than places in the program that make tasks. Any thread; a few ns when this thread used it lately.
const TaskClass& InternTaskClass(const TaskClassKey& key);
/// The class of a call.
const TaskClass& InternTaskClass(const detail::CallSpec& call, detail::ExceptionMatcher retry_matcher);

namespace class_table {
inline constexpr std::uint32_t kChunkBits = 10;
inline constexpr std::uint32_t kChunk = 1u << kChunkBits;
inline constexpr std::uint32_t kChunks = 1024;
// Written once each under a mutex (release), read by any thread (acquire).
inline constinit std::atomic<TaskClass*> chunks[kChunks]{};
}  // namespace class_table

inline const TaskClass& TaskClassAt(std::uint32_t index) {
  // Acquire: the class was whole before its chunk, or before the message or queue that brought its number here.
  const TaskClass* const chunk = class_table::chunks[index >> class_table::kChunkBits].load(std::memory_order_acquire);
  return chunk[index & (class_table::kChunk - 1)];
}

}  // namespace manta::task
