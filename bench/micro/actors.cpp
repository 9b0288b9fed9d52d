// Rows of ordered calls to an actor of the other rank.

#include <manta/manta.hpp>

#include <array>
#include <cstdint>
#include <string>

#include "bench/micro/calls.hpp"

namespace micro {
namespace {

struct Seen {
  std::uint64_t calls, out_of_order, bytes;
  std::int64_t rank;
};

class Callee {
 public:
  void Nothing() { ++calls_; }
  /// Calls number themselves from 0 on, and must come so.
  void Take(std::uint64_t number, const std::string& text) {
    out_of_order_ += number != calls_ ? 1 : 0;
    ++calls_;
    bytes_ += text.size();
  }
  Seen Report() const { return {calls_, out_of_order_, bytes_, manta::ThisRank()}; }

 private:
  std::uint64_t calls_ = 0, out_of_order_ = 0, bytes_ = 0;
};

}  // namespace

void ActorRows(Micro& micro) {
  const auto actor = manta::Actor<Callee>().SetRank(1).Remote();
  const auto call = actor.Task(&Callee::Nothing);
  std::uint64_t calls = 0;
  AddSync(micro, "actor_sync", [&] {
    ++calls;
    manta::Get(call.Remote());
  });
  AddAsync(micro, "actor_async", micro.settings.bulk, [&] {
    ++calls;
    return call.Remote();
  });
  const Seen seen = *manta::Get(actor.Task(&Callee::Report).Remote());
  micro.Check(seen.calls == calls && seen.rank == 1, "actor rows: not each call ran once, on rank 1");
}

void ActorArgumentRows(Micro& micro) {
  const auto actor = manta::Actor<Callee>().SetRank(1).SetMaxRestarts(3).SetMaxTaskRetries(3).Remote();
  const auto call = actor.Task(&Callee::Take);
  RandomTexts texts;
  std::uint64_t calls = 0, bytes = 0;
  const auto submit = [&] {
    const std::string& text = texts.Next();
    bytes += text.size();
    return call.Remote(calls++, text);
  };
  AddSync(micro, "actor_sync_args", [&] { manta::Get(submit()); });
  AddAsync(micro, "actor_async_args", micro.settings.bulk_arguments, submit);
  const Seen seen = *manta::Get(actor.Task(&Callee::Report).Remote());
  micro.Check(seen.calls == calls && seen.bytes == bytes && seen.rank == 1,
              "actor rows with arguments: not each call ran once, on rank 1");
  micro.Check(seen.out_of_order == 0, "actor calls came out of order: " + std::to_string(seen.out_of_order));
}

}  // namespace micro
