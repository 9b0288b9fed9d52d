#pragma once
// The order of actor calls at the caller: those of one thread or task to one actor leave in the order in which they
// were made, so one whose arguments are not ready holds back the later ones.

#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace manta::actor {

/// A plain state machine over calls of type Call (compared by ==); the caller locks. A stream is (actor, submitter).
template <class Call>
class CallOrder {
 public:
  using Stream = std::pair<const void*, std::uint64_t>;

  /// Whether earlier calls of the stream wait, so that a new one must Enter even when it is ready.
  bool Waits(const Stream& stream) const { return streams_.count(stream) != 0; }
  void Enter(const Stream& stream, Call call) { streams_[stream].push_back({std::move(call), false}); }
  /// `call`, which has entered, may go as far as it is concerned. Returns those that may leave now, in order.
  std::vector<Call> Settle(const Stream& stream, const Call& call) {
    std::vector<Call> leave;
    auto it = streams_.find(stream);
    if (it == streams_.end()) return leave;
    for (Entry& entry : it->second)
      if (entry.call == call) {
        entry.settled = true;
        break;
      }
    while (!it->second.empty() && it->second.front().settled) {
      leave.push_back(std::move(it->second.front().call));
      it->second.pop_front();
    }
    if (it->second.empty()) streams_.erase(it);
    return leave;
  }
  bool empty() const { return streams_.empty(); }

 private:
  struct Entry {
    Call call;
    bool settled;
  };
  std::map<Stream, std::deque<Entry>> streams_;
};

}  // namespace manta::actor
