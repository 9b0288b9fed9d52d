#include "core/runtime/local_store.hpp"

#include "core/base/check.hpp"

namespace manta::runtime {

LocalStore::LocalStore(std::span<std::byte> segment, const node::SegmentLayout& layout, std::uint32_t my_index,
                       node::SpillFiles& files)
    : segment_(segment),
      total_(layout.heap_bytes),
      files_(files),
      heap_(segment, layout, my_index, 1),
      entries_(segment, layout, my_index) {}

// ---- making ----
std::optional<LocalStore::Extent> LocalStore::TryAllocate(std::uint64_t size_bytes, std::uint64_t instead_of) {
  const std::uint64_t live = live_bytes();
  if (live > instead_of && heap_.FreeBytesOnNode() < live - instead_of + size_bytes) return std::nullopt;
  for (int attempt = 0; attempt < 3; ++attempt) {
    if (const auto offset = heap_.Allocate(size_bytes)) return Extent(*this, *offset);
    Reclaim();
  }
  return std::nullopt;
}

bool LocalStore::TryCountLive(std::shared_ptr<const void>& live, std::uint64_t size_bytes) {
  const std::uint64_t before = live_bytes_.fetch_add(size_bytes, std::memory_order_relaxed);
  if (heap_.FreeBytesOnNode() < before + size_bytes) {
    live_bytes_.fetch_sub(size_bytes, std::memory_order_relaxed);
    return false;
  }
  const void* const value = live.get();
  live = std::shared_ptr<const void>(
      value, [kept = std::move(live), alive = std::weak_ptr<LocalStore*>(alive_), size_bytes](const void*) mutable {
        kept.reset();
        const auto store = alive.lock();
        if (store == nullptr) return;
        (*store)->live_bytes_.fetch_sub(size_bytes, std::memory_order_relaxed);
        (*store)->TellFree();
      });
  return true;
}

void LocalStore::Seal(std::uint32_t entry, Extent&& extent, const Facts& facts, bool pinned) {
  extent.store_.reset();
  std::lock_guard lock(mutex_);
  // Known here before others know of it: they may be done with it at once.
  Held& held = held_[entry];
  held = {};
  held.id = facts.id;
  held.offset = extent.offset();
  held.size = facts.size_bytes;
  held.is_copy = facts.is_copy;
  held.age = ++last_age_;
  AgesOf(held).emplace(held.age, entry);
  entries_.Seal(entry, facts.id, held.offset, facts.size_bytes, facts.type_hash, facts.note);
  if (pinned) entries_.Pin(entry, facts.id);
}

std::optional<std::uint32_t> LocalStore::Reserve() {
  const auto entry = entries_.Reserve();
  return entry || !DropOldestCopy() ? entry : entries_.Reserve();
}

std::optional<std::uint32_t> LocalStore::Publish(Extent&& extent, const Facts& facts) {
  const auto entry = entries_.Reserve();
  if (entry) Seal(*entry, std::move(extent), facts);
  return entry;
}

// ---- reading ----
void LocalStore::Unpin(std::uint32_t entry) {
  if (!entries_.Unpin(entry)) return;
  {
    std::lock_guard lock(mutex_);
    // Another rank's, or read by others still.
    const auto it = held_.find(entry);
    if (it == held_.end() || !it->second.dying || !entries_.TryReclaim(entry)) return;
    Erase(it);  // warm
  }
  TellFree();
}

LocalStore::Kept LocalStore::KeepPinned(std::uint32_t entry) {
  const node::EntryView view = entries_.ViewOf(entry);
  std::byte* const bytes = At(view.offset);
  return {bytes, view.size_bytes,
          std::shared_ptr<const void>(bytes, [alive = std::weak_ptr<LocalStore*>(alive_), entry](const void*) {
            if (const auto store = alive.lock()) (*store)->Unpin(entry);
          })};
}

// ---- the end ----
void LocalStore::Abandon(std::uint64_t offset) {
  heap_.Free(offset);
  TellFree();
}

/// Of what lies in the segment.
void LocalStore::FreeBytes(Held& held) {
  heap_.Free(held.offset);
  frees_.fetch_add(1, std::memory_order_relaxed);
}

/// What was reclaimed.
void LocalStore::Erase(Entries::iterator it) {
  Held& held = it->second;
  if (held.here) FreeBytes(held);
  if (held.file != 0) files_.Discard(held.file);
  if (held.dying) --dying_;
  held_.erase(it);
}

void LocalStore::FreeLocked(std::uint32_t entry) {
  const auto it = held_.find(entry);
  Held& held = it->second;
  if (held.loading) {
    held.forgotten = true;
    return;
  }
  if (held.here) AgesOf(held).erase(held.age);
  // Retired and among the dying in one step, so that its last reader finds it there.
  if (entries_.Retire(entry)) {
    Erase(it);
  } else {
    held.dying = true;
    ++dying_;
  }
}

void LocalStore::Free(std::uint32_t entry, ObjectId id) {
  {
    std::lock_guard lock(mutex_);
    const auto it = held_.find(entry);
    if (it == held_.end() || it->second.id != id || it->second.dying) return;
    FreeLocked(entry);
  }
  TellFree();
}

void LocalStore::Reclaim() {
  bool any = false;
  {
    std::lock_guard lock(mutex_);
    if (dying_ == 0) return;
    for (auto it = held_.begin(); it != held_.end();) {
      const auto one = it++;
      if (!one->second.dying || !entries_.TryReclaim(one->first)) continue;
      Erase(one);
      any = true;
    }
  }
  if (any) TellFree();
}

void LocalStore::FreeAll() {
  {
    std::lock_guard lock(mutex_);
    for (auto it = held_.begin(); it != held_.end();) {
      const auto one = it++;
      one->second.loading = false;
      if (!one->second.dying) FreeLocked(one->first);
    }
  }
  Reclaim();
}

// ---- making room ----
std::uint64_t LocalStore::FreeCheaply(std::uint64_t size_bytes) {
  std::uint64_t freed = 0;
  std::lock_guard lock(mutex_);
  for (auto age = cheap_.begin(); age != cheap_.end() && freed < size_bytes;) {
    const std::uint32_t entry = age->second;
    const auto it = held_.find(entry);
    Held& held = it->second;
    if (!(held.is_copy ? entries_.TryRetire(entry) : entries_.TryUnload(entry))) {
      ++age;
      continue;
    }
    freed += held.size;
    age = cheap_.erase(age);
    if (held.is_copy) {
      Erase(it);
    } else {
      held.here = false;
      FreeBytes(held);
    }
  }
  return freed;
}

/// For its entry.
bool LocalStore::DropOldestCopy() {
  {
    std::lock_guard lock(mutex_);
    const auto age = std::find_if(cheap_.begin(), cheap_.end(), [this](const auto& one) {
      return held_.at(one.second).is_copy && entries_.TryRetire(one.second);
    });
    if (age == cheap_.end()) return false;
    const auto it = held_.find(age->second);
    cheap_.erase(age);
    Erase(it);
  }
  TellFree();
  return true;
}

std::optional<LocalStore::Bytes> LocalStore::BeginUnload() {
  std::lock_guard lock(mutex_);
  for (const auto& [age, entry] : costly_) {
    const Held& held = held_.at(entry);
    if (entries_.IsPinned(entry)) continue;
    if (!entries_.Pin(entry, held.id)) continue;
    return Bytes{entry, held.id, At(held.offset), held.size};
  }
  return std::nullopt;
}

std::uint64_t LocalStore::EndUnload(std::uint32_t entry, node::SpillFiles::File file) {
  std::uint64_t freed = 0;
  {
    std::lock_guard lock(mutex_);
    const auto it = held_.find(entry);  // there: we have it pinned
    Held& held = it->second;
    if (!held.dying) costly_.erase(held.age);
    held.file = file;
    entries_.Unpin(entry);
    if (held.dying) {
      if (!entries_.TryReclaim(entry)) return 0;
      freed = held.size;
      Erase(it);
    } else if (file != 0 && entries_.TryUnload(entry)) {
      freed = held.size;
      held.here = false;
      FreeBytes(held);
    } else {
      AgesOf(held).emplace(held.age, entry);
    }
  }
  if (freed != 0) TellFree();
  return freed;
}

bool LocalStore::Holds(std::uint32_t entry, ObjectId id) {
  std::lock_guard lock(mutex_);
  const auto it = held_.find(entry);
  return it != held_.end() && it->second.id == id && !it->second.dying;
}

std::optional<node::SpillFiles::File> LocalStore::BeginLoad(std::uint32_t entry, ObjectId id) {
  std::lock_guard lock(mutex_);
  const auto it = held_.find(entry);
  if (it == held_.end() || it->second.id != id || it->second.here || it->second.dying || it->second.loading)
    return std::nullopt;
  it->second.loading = true;
  return it->second.file;
}

std::optional<LocalStore::Kept> LocalStore::EndLoad(std::uint32_t entry, std::optional<Extent> extent) {
  std::optional<Kept> kept;
  std::lock_guard lock(mutex_);
  const auto it = held_.find(entry);
  if (it == held_.end()) return std::nullopt;  // the session ended
  Held& held = it->second;
  held.loading = false;
  if (held.forgotten) {
    FreeLocked(entry);
  } else if (extent) {
    held.here = true;
    held.offset = extent->offset();
    extent->store_.reset();
    held.age = ++last_age_;
    AgesOf(held).emplace(held.age, entry);
    entries_.Reload(entry, held.offset);
    if (entries_.Pin(entry, held.id)) kept = KeepPinned(entry);
  }
  return kept;
}

void LocalStore::OnFree(std::function<void()> told) {
  std::lock_guard lock(told_mutex_);
  told_ = std::move(told);
}

void LocalStore::TellFree() {
  frees_.fetch_add(1, std::memory_order_relaxed);
  std::lock_guard lock(told_mutex_);
  if (told_) told_();
}

}  // namespace manta::runtime
