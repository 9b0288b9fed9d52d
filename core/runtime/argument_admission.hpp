#pragma once
// How many bytes of arguments are kept in a node's store at once: a task's are admitted whole, before the first of them is
// brought, so that two tasks that each hold half of what they need can't wait for each other's room.
//
//   if (auto ticket = admission.TryAdmit(bytes)) { ... }              // what is brought ahead of a task's turn
//   ArgumentAdmission::Entry entry = admission.Admit(bytes, nested);  // who runs it: parks; then brings; then entry.EndTurn()
//
// At most four fifths of the store, or one task alone. Each rank of the node has a word with what it has admitted: it raises
// its own, then looks at the others', all sequentially consistent, so that of two that raise at once one sees the other
// (Dekker). Who has waited for long takes the node's turn, while which nobody else is admitted, and goes in when there is
// room or after a second: what holds the rest may wait for it (a parent for its child). It is one at a time until it has all.

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "core/node/rank_block.hpp"
#include "core/worker/progress.hpp"

namespace manta::runtime {

/// Any thread.
class ArgumentAdmission {
 public:
  /// Lets go of what was admitted, with its last copy.
  using Ticket = std::shared_ptr<const void>;

  ArgumentAdmission(std::span<node::RankBlock> blocks, std::uint32_t my_index, std::uint64_t store_bytes,
                    worker::Progress& progress);

  /// Arguments of fewer bytes need no ticket.
  bool IsSmall(std::uint64_t bytes) const { return bytes < store_bytes_ / 64; }
  /// Half of the store.
  bool IsLarge(std::uint64_t bytes) const { return bytes >= store_bytes_ / 2; }
  /// Empty: not now.
  Ticket TryAdmit(std::uint64_t bytes);

  class Entry {
   public:
    Entry() = default;
    Entry(Entry&& other) noexcept : ticket_(std::move(other.ticket_)), turn_(std::exchange(other.turn_, nullptr)) {}
    Entry& operator=(Entry other) noexcept {
      std::swap(ticket_, other.ticket_);
      std::swap(turn_, other.turn_);
      return *this;
    }
    ~Entry() { EndTurn(); }
    /// All is here.
    void EndTurn();

   private:
    friend class ArgumentAdmission;
    Ticket ticket_;
    std::atomic<std::uint32_t>* turn_ = nullptr;  // ours
  };
  /// Waits: blocks or parks. `nested`: on the stack of a task that was admitted and waits for this one, so that it must
  /// not wait itself.
  Entry Admit(std::uint64_t bytes, bool nested);
  /// For who was admitted with `bytes` and found no room: whether other tasks hold arguments that may yet go. Not where no
  /// other thread of the node computes, and it was waited for 100 s since `since_ns`. To be asked by the task's own thread.
  bool OthersMayEnd(std::uint64_t bytes, std::int64_t since_ns) const;
  /// For who let go of what it had: blocks or parks for a moment, as it may find no room again at once.
  void LetOthersGo() const;

 private:
  Ticket Raise(std::uint64_t bytes, bool even_if_full);

  const std::span<node::RankBlock> blocks_;
  const std::uint32_t my_index_;
  const std::uint64_t store_bytes_;
  worker::Progress& progress_;
};

}  // namespace manta::runtime
