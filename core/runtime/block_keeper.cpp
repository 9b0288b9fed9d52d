#include "core/runtime/block_keeper.hpp"

#include <algorithm>
#include <utility>

#include "core/base/check.hpp"

namespace manta::runtime {

namespace {
object::ErrorPtr Gone(const ObjectId& id) {
  std::ostringstream text;
  text << "the bytes of object " << id << " are gone: its last ref was dropped while they were asked for";
  return object::MakeError(object::ErrorKind::kObjectLost, text.str());
}
}  // namespace

BlockKeeper::BlockKeeper(Options options, Router& router, LocalStore& store, Room& room, BulkMoves* bulk,
                         RmaReads* rma, Counters& counters)
    : options_(std::move(options)), router_(router), store_(store), room_(room), bulk_(bulk), rma_(rma), counters_(counters) {
  index_of_.resize(options_.node_of.size(), 0);
  for (std::size_t rank = 0; rank < options_.node_of.size(); ++rank) {
    if (options_.node_of[rank] != NodeOf(options_.self)) continue;
    index_of_[rank] = static_cast<std::uint32_t>(node_ranks_.size());
    node_ranks_.push_back(Rank(static_cast<int>(rank)));
  }
}

Rank BlockKeeper::KeeperOf(const ObjectId& id, const wire::Location& at) const {
  if (NodeOf(at.holder) == NodeOf(options_.self)) return at.holder;
  return node_ranks_[std::hash<ObjectId>()(id) % node_ranks_.size()];
}

// ---- asked by a rank of this node ----
/// False: the bytes are not in that entry now.
bool BlockKeeper::TellHere(Rank asker, const ObjectId& id, std::uint32_t entry) {
  if (!store_.PinFor(IndexOf(asker), entry, id)) return false;
  router_.Send(asker, wire::BytesHere{id, entry, std::nullopt});
  return true;
}

void BlockKeeper::TellFailed(Rank asker, const ObjectId& id, const object::ErrorPtr& error) {
  router_.Send(asker, wire::BytesHere{id, 0, object::ToWire(*error)});
}

void BlockKeeper::On(Rank from, const wire::BytesAsk& message) {
  if (message.at.holder == options_.self) {
    if (!TellHere(from, message.id, message.at.entry)) RestoreFor(from, message, message.at.entry);
    return;
  }
  if (const auto known = copies_.find(message.id); known != copies_.end() && known->second.here) {
    if (TellHere(from, message.id, known->second.entry)) return;
    copies_.erase(known);  // dropped for lack of room, so nobody is served from it
  }
  const auto [it, is_new] = copies_.try_emplace(message.id);
  Copy& copy = it->second;
  copy.askers.push_back(from);
  if (!is_new) return;
  copy.wanted = message;
  if (under_way_ < kPullsAtOnce)
    StartCopy(it);
  else
    waiting_.push_back(message.id);
}

// ---- what is not in the segment ----
void BlockKeeper::Post(std::function<void()> step) {
  {
    std::lock_guard lock(steps_mutex_);
    steps_.push_back(std::move(step));
  }
  router_.Send(options_.self, wire::KeeperStep{});
}

void BlockKeeper::On(Rank, const wire::KeeperStep&) {
  std::vector<std::function<void()>> steps;
  {
    std::lock_guard lock(steps_mutex_);
    steps.swap(steps_);
  }
  for (const auto& step : steps) step();
}

/// Brings an entry of this rank back, whose bytes a pin did not find, and takes the message up again: the bytes are kept
/// until then.
template <class M>
void BlockKeeper::RestoreFor(Rank from, const M& message, std::uint32_t entry) {
  if (!store_.Holds(entry, message.id)) {
    Refuse(from, message, Gone(message.id));
    return;
  }
  room_.Restore(entry, message.id, [this, from, message](const LocalStore::Kept& kept, const object::ErrorPtr& error) {
    Post([this, from, message, kept, error] {
      if (error != nullptr)
        Refuse(from, message, error);
      else
        On(from, message);
    });
  });
}

void BlockKeeper::Refuse(Rank from, const wire::BytesAsk& message, const object::ErrorPtr& error) {
  TellFailed(from, message.id, error);
}

void BlockKeeper::Refuse(Rank from, const wire::Pull& message, const object::ErrorPtr& error) {
  router_.Send(from,
               wire::PullAnswer{message.id, message.tag, wire::PullResult::kGone, {}, 0, 0, object::ToWire(*error)});
}

// ---- bringing a copy ----
void BlockKeeper::StartCopy(Copies::iterator it) {
  Copy& copy = it->second;
  ++under_way_;
  const std::optional<std::uint32_t> entry = store_.Reserve();
  if (!entry) {
    FailCopy(it, object::MakeError(object::ErrorKind::kOutOfMemory,
                                   "this rank has no entry left for a copy of an object of another node"));
    return;
  }
  copy.entry = *entry;
  if (auto extent = room_.TryAllocate(copy.wanted.size)) {
    RoomCame(it->first, std::move(*extent), nullptr);
    return;
  }
  room_.AllocateThen(copy.wanted.size, [this, id = it->first](const std::shared_ptr<LocalStore::Extent>& extent,
                                                              const object::ErrorPtr& error) {
    Post([this, id, extent, error] { RoomCame(id, extent == nullptr ? LocalStore::Extent() : std::move(*extent), error); });
  });
}

void BlockKeeper::RoomCame(const ObjectId& id, LocalStore::Extent&& extent, const object::ErrorPtr& error) {
  const auto it = copies_.find(id);
  if (it == copies_.end()) return;
  if (error != nullptr) {
    FailCopy(it, error);
    return;
  }
  Copy& copy = it->second;
  copy.extent = std::move(extent);
  // The owner says when the object goes. Before the bytes are asked for: its holder hears of no copy that the owner does
  // not know of.
  if (copy.wanted.id.owner != options_.self) router_.Send(copy.wanted.id.owner, wire::CopyNotice{copy.wanted.id});
  BeginPull(copy, copy.wanted.at.holder, true);
}

std::uint32_t BlockKeeper::NewTag() {
  // That of a pull under way is not given again: two objects of one source would run into each other.
  do {
    last_tag_ = last_tag_ % (BulkTransport::kTags - 1) + 1;
  } while (!tags_in_use_.insert(last_tag_).second);
  return last_tag_;
}

/// The copy's pull is over: another may begin.
/// Of a copy that was begun and is here, or has failed.
void BlockKeeper::EndPull(Copy& copy) {
  tags_in_use_.erase(copy.tag);
  --under_way_;
  StartWaiting();
}

void BlockKeeper::StartWaiting() {
  // One that fails at once ends its pull in here: a long row of those must not grow the stack.
  if (std::exchange(starts_waiting_, true)) return;
  while (!waiting_.empty() && under_way_ < kPullsAtOnce) {
    const ObjectId next = waiting_.front();
    waiting_.pop_front();
    StartCopy(copies_.find(next));
  }
  starts_waiting_ = false;
}

void BlockKeeper::BeginPull(Copy& copy, Rank source, bool may_redirect, std::uint32_t next_tag) {
  wire::Pull pull;
  pull.next_tag = next_tag;
  pull.id = copy.wanted.id;
  pull.may_redirect = may_redirect ? 1 : 0;
  tags_in_use_.erase(copy.tag);
  pull.tag = copy.tag = NewTag();
  copy.source = source;
  const bool is_holder = source == copy.wanted.at.holder;
  if (is_holder) pull.entry = copy.wanted.at.entry;
  if (is_holder && rma_ != nullptr) {
    pull.by = wire::PullBy::kRead;
  } else {
    copy.receive = bulk_->Receive(source, copy.tag, store_.At(copy.extent.offset()), copy.wanted.size,
                                  [this, id = pull.id](std::uint64_t bytes) { Arrived(id, bytes); });
  }
  router_.Send(source, pull);
}

void BlockKeeper::EndReceive(Copy& copy) {
  if (copy.receive != 0) bulk_->Cancel(std::exchange(copy.receive, 0));
}

void BlockKeeper::On(Rank from, const wire::PullAnswer& message) {
  const auto it = copies_.find(message.id);
  if (it == copies_.end() || it->second.here || it->second.tag != message.tag) return;
  Copy& copy = it->second;
  switch (message.result) {
    case wire::PullResult::kPinned:
      ReadOn(copy, from, message.offset);
      return;
    case wire::PullResult::kElsewhere:
      EndReceive(copy);
      BeginPull(copy, message.rank, true, message.next_tag);
      return;
    case wire::PullResult::kGone:
      EndReceive(copy);
      if (from == copy.wanted.at.holder)
        FailCopy(it, message.error ? object::FromWire(*message.error) : Gone(message.id));
      else
        BeginPull(copy, copy.wanted.at.holder, false);
  }
}

void BlockKeeper::ReadOn(Copy& copy, Rank source, std::uint64_t offset) {
  while (copy.read < copy.wanted.size && copy.read - copy.arrived < kReadsAhead * kReadBytes) {
    const std::uint64_t at = copy.read;
    const std::uint64_t size = std::min(kReadBytes, copy.wanted.size - at);
    copy.read += size;
    rma_->Read(source, offset + at, store_.At(copy.extent.offset() + at), size,
               [this, id = copy.wanted.id, source, offset, at] { ReadEnded(id, source, offset, at); });
  }
}

void BlockKeeper::ReadEnded(const ObjectId& id, Rank source, std::uint64_t offset, std::uint64_t at) {
  const auto it = copies_.find(id);
  if (it == copies_.end()) return;
  Copy& copy = it->second;
  // Reads end in any order; what has arrived is always the object's beginning, for others are sent it.
  copy.ended |= 1u << ((at - copy.arrived) / kReadBytes);
  std::uint64_t arrived = copy.arrived;
  for (; (copy.ended & 1) != 0; copy.ended >>= 1) arrived += std::min(kReadBytes, copy.wanted.size - arrived);
  if (arrived == copy.arrived) return;
  if (arrived == copy.wanted.size) router_.Send(source, wire::PullDone{id, copy.tag});
  Arrived(id, arrived);
  if (const auto same = copies_.find(id); same != copies_.end() && !same->second.here)
    ReadOn(same->second, source, offset);
}

void BlockKeeper::Arrived(const ObjectId& id, std::uint64_t bytes) {
  const auto it = copies_.find(id);
  MANTA_ASSERT(it != copies_.end());
  Copy& copy = it->second;
  Counters::Add(copy.receive != 0 ? counters_.bytes_fetched_messages : counters_.bytes_fetched_rma,
                bytes - copy.arrived);
  copy.arrived = bytes;
  if (bytes == copy.wanted.size) FinishCopy(it);
  if (const auto serving = serving_.find(id); serving != serving_.end())
    for (const Serve& serve : std::vector<Serve>(serving->second.active))
      if (serve.move != 0) bulk_->Extend(serve.move, bytes);
}

void BlockKeeper::FinishCopy(Copies::iterator it) {
  Copy& copy = it->second;
  const ObjectId id = it->first;
  copy.receive = 0;
  const std::uint32_t entry = copy.entry;
  // Pinned until those who asked and those who are served have pins of their own: else it could be dropped for room.
  store_.Seal(entry, std::move(copy.extent), {id, copy.wanted.size, copy.wanted.type_hash, copy.wanted.format, true}, true);
  copy.here = true;
  // Those that are served keep it from now on as readers do.
  if (const auto serving = serving_.find(id); serving != serving_.end())
    for (Serve& serve : serving->second.active)
      if (!serve.entry && store_.PinOwn(entry, id)) serve.entry = entry;
  for (const Rank asker : std::exchange(copy.askers, {}))
    if (!TellHere(asker, id, entry)) TellFailed(asker, id, Gone(id));
  EndPull(copy);
  store_.Unpin(entry);
  if (!copy.forgotten) return;
  store_.Free(entry, id);
  copies_.erase(it);
}

void BlockKeeper::FailCopy(Copies::iterator it, const object::ErrorPtr& error) {
  Copy copy = std::move(it->second);
  const ObjectId id = it->first;
  copies_.erase(it);
  if (copy.entry != kNoEntry) store_.GiveBack(copy.entry);
  for (const Rank asker : copy.askers) TellFailed(asker, id, error);
  EndPull(copy);
  const auto serving = serving_.find(id);
  if (serving == serving_.end()) return;
  // Nothing has come, so nothing was passed on: they ask the holder.
  for (const Serve& serve : serving->second.active) {
    bulk_->Cancel(serve.move);
    router_.Send(serve.to, wire::PullAnswer{id, serve.tag, wire::PullResult::kGone, {}, 0, 0, {}});
  }
  serving_.erase(serving);
}

// ---- serving other nodes ----
void BlockKeeper::On(Rank from, const wire::Pull& message) {
  const bool of_copy = message.entry == wire::Pull::kAnyCopy;
  const auto it = of_copy ? copies_.find(message.id) : copies_.end();
  // The pull that the sender was told to follow is served already. Another one of ours may lead back to the sender: then
  // they would wait for each other, so that one counts only once its bytes are here.
  const bool is_named = !of_copy || (it != copies_.end() && it->second.tag == message.next_tag);
  if (of_copy && (it == copies_.end() || (!it->second.here && !is_named))) {
    Refuse(from, message, Gone(message.id));
    return;
  }
  const auto serving = serving_.find(message.id);
  if (message.may_redirect != 0 && is_named && serving != serving_.end() && serving->second.active.size() >= kFanOut) {
    Serving& others = serving->second;
    const Serve& next = others.active[others.turn++ % others.active.size()];
    router_.Send(from,
                 wire::PullAnswer{message.id, message.tag, wire::PullResult::kElsewhere, next.to, next.tag, 0, {}});
    return;
  }
  if (of_copy && !it->second.here) {
    const Copy& copy = it->second;
    ServeFrom(from, message, copy.extent.offset(), copy.wanted.size, copy.arrived, std::nullopt);
    return;
  }
  const std::uint32_t entry = of_copy ? it->second.entry : message.entry;
  const auto view = store_.PinOwn(entry, message.id);
  if (!view) {
    // A copy that was dropped is asked for where it came from.
    if (of_copy)
      Refuse(from, message, Gone(message.id));
    else
      RestoreFor(from, message, entry);
    return;
  }
  ServeFrom(from, message, view->offset, view->size_bytes, view->size_bytes, entry);
}

void BlockKeeper::ServeFrom(Rank to, const wire::Pull& message, std::uint64_t offset, std::uint64_t size,
                            std::uint64_t ready, std::optional<std::uint32_t> entry) {
  std::vector<Serve>& active = serving_[message.id].active;
  active.push_back({to, message.tag, 0, entry});
  if (message.by == wire::PullBy::kRead) {
    router_.Send(to, wire::PullAnswer{message.id, message.tag, wire::PullResult::kPinned, {}, 0, offset, {}});
    return;
  }
  active.back().move =
      bulk_->Send(to, message.tag, store_.At(offset), size, ready,
                  [this, id = message.id, to, tag = message.tag] { EndServe(id, to, tag); });
}

void BlockKeeper::On(Rank from, const wire::PullDone& message) { EndServe(message.id, from, message.tag); }

void BlockKeeper::EndServe(const ObjectId& id, Rank to, std::uint32_t tag) {
  const auto serving = serving_.find(id);
  if (serving == serving_.end()) return;
  std::vector<Serve>& active = serving->second.active;
  const auto it =
      std::find_if(active.begin(), active.end(), [&](const Serve& one) { return one.to == to && one.tag == tag; });
  if (it == active.end()) return;
  const std::optional<std::uint32_t> entry = it->entry;
  active.erase(it);
  if (active.empty()) serving_.erase(serving);
  if (entry) store_.Unpin(*entry);
}

// ---- the end of copies ----
void BlockKeeper::Forget(const ObjectId& id) {
  const auto it = copies_.find(id);
  if (it == copies_.end()) return;
  if (!it->second.here) {
    it->second.forgotten = true;
    return;
  }
  store_.Free(it->second.entry, id);
  copies_.erase(it);
}

void BlockKeeper::Sweep() {
  {
    std::lock_guard lock(steps_mutex_);
    steps_.clear();
  }
  // Bytes may still come into the room of the others: it goes with all that is sealed, once all ranks are here.
  for (auto& [id, copy] : copies_) {
    if (copy.here || copy.entry == kNoEntry) continue;
    if (copy.tag == 0)
      store_.GiveBack(copy.entry);
    else
      store_.Seal(copy.entry, std::move(copy.extent), {id, copy.wanted.size, copy.wanted.type_hash, copy.wanted.format, true});
  }
  copies_.clear();
  waiting_.clear();
  tags_in_use_.clear();
  under_way_ = 0;
  for (const auto& [id, serving] : serving_)
    for (const Serve& serve : serving.active)
      if (serve.entry) store_.Unpin(*serve.entry);
  serving_.clear();
}

void GiveBackHanded(LocalStore& store, std::span<const std::byte> message) {
  wire::Reader reader(message);
  wire::Header header;
  reader(header);
  if (header.kind != wire::Kind::kBytesHere) return;
  if (const auto here = wire::Decode<wire::BytesHere>(reader); !here.error) store.Unpin(here.entry);
}

}  // namespace manta::runtime
