#pragma once
// Questions to other ranks that the asking thread waits for.

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/runtime/wait_point.hpp"

namespace manta::runtime {

/// One kind of question with answers of type Answer. Ask makes the token that travels; Answered ends the wait. Any
/// thread.
template <class Answer>
class Queries {
 public:
  explicit Queries(worker::Progress& progress) : progress_(progress) {}

  /// `send(token)` sends the question. May park. Throws nothing of its own.
  template <class Send>
  Answer Ask(Send send) {
    Pending pending(progress_);
    std::uint64_t token = 0;
    {
      std::lock_guard lock(mutex_);
      token = ++last_;
      pending_[token] = &pending;
    }
    send(token);
    pending.point.Wait(-1);
    return std::move(pending.answer);
  }
  void Answered(std::uint64_t token, Answer answer) {
    std::lock_guard lock(mutex_);
    auto it = pending_.find(token);
    if (it == pending_.end()) return;
    Pending* pending = it->second;
    pending_.erase(it);
    pending->answer = std::move(answer);
    pending->point.Signal();
  }

 private:
  struct Pending {
    explicit Pending(worker::Progress& progress) : point(progress) {}
    WaitPoint point;
    Answer answer{};
  };
  worker::Progress& progress_;
  std::mutex mutex_;
  std::uint64_t last_ = 0;                               // guarded by mutex_
  std::unordered_map<std::uint64_t, Pending*> pending_;  // guarded by mutex_
};

}  // namespace manta::runtime
