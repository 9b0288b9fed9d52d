#include "core/scheduling/waiting.hpp"

#include <algorithm>
#include <utility>

#include "core/base/check.hpp"

namespace manta::scheduling {

int Waiting::ShareOf(Rank requester) const {
  const auto found = shares_.find(requester);
  return found == shares_.end() ? 0 : found->second.share;
}

void Waiting::GiveTurn(Line& line, const Line::Owner& owner) {
  line.turns.emplace(ShareOf(owner.rank), owner.first->arrival, owner.rank);
}
void Waiting::TakeTurn(Line& line, const Line::Owner& owner) {
  line.turns.erase({ShareOf(owner.rank), owner.first->arrival, owner.rank});
}

void Waiting::Settle(Line& line, bool stood) {
  if (line.empty()) {
    if (stood) order_.erase(line.key);
    return;
  }
  const auto& [share, arrival, rank] = *line.turns.begin();
  const TurnKey key(-line.of->priority, share, arrival, line.of->id);
  if (stood && key == line.key) return;
  if (!stood) {
    line.key = key;
    order_.emplace(key, &line);
    return;
  }
  auto place = order_.extract(line.key);
  line.key = key;
  place.key() = key;
  order_.insert(std::move(place));
}

void Waiting::Link(PendingRequest& request) {
  Line& line = *request.line;
  const bool stood = !line.empty();
  ++line.size;
  const auto [found, is_new] = line.owners.try_emplace(request.requester, Line::Owner{request.requester});
  Line::Owner& owner = found->second;
  if (is_new) shares_[request.requester].lines.push_back(&line);
  // Nearly always the last: only one that is put back stands before others.
  PendingRequest* before = owner.last;
  while (before != nullptr && before->arrival > request.arrival) before = before->previous;
  const bool first = before == nullptr;
  if (first && !is_new) TakeTurn(line, owner);
  request.previous = before;
  request.next = first ? owner.first : before->next;
  (first ? owner.first : before->next) = &request;
  (request.next == nullptr ? owner.last : request.next->previous) = &request;
  if (!first) return;
  GiveTurn(line, owner);
  Settle(line, stood);
}

void Waiting::Unlink(PendingRequest& request) {
  Line& line = *request.line;
  const auto found = line.owners.find(request.requester);
  MANTA_ASSERT(found != line.owners.end());
  Line::Owner& owner = found->second;
  const bool first = owner.first == &request;
  if (first) TakeTurn(line, owner);
  (first ? owner.first : request.previous->next) = request.next;
  (request.next == nullptr ? owner.last : request.next->previous) = request.previous;
  request.next = request.previous = nullptr;
  --line.size;
  if (!first) return;
  if (owner.first == nullptr) {
    std::erase(shares_[request.requester].lines, &line);
    line.owners.erase(found);
  } else {
    GiveTurn(line, owner);
  }
  Settle(line, true);
}

PendingRequest* Waiting::Add(Line& line, Rank requester, std::uint64_t id, std::int64_t now_ns) {
  const auto [found, is_new] = requests_.try_emplace({requester, id});
  MANTA_ASSERT(is_new);
  PendingRequest& request = found->second;
  request.requester = requester;
  request.id = id;
  request.arrival = next_arrival_++;
  request.since_ns = now_ns;
  request.line = &line;
  Link(request);
  return &request;
}

PendingRequest* Waiting::First(const Line& line) const {
  return line.owners.find(std::get<Rank>(*line.turns.begin()))->second.first;
}

PendingRequest* Waiting::TakeFirst(Line& line) {
  PendingRequest* const request = First(line);
  Unlink(*request);
  return request;
}

void Waiting::PutBack(PendingRequest& request) {
  request.node = -1;
  Link(request);
}

void Waiting::Forget(PendingRequest& request) {
  if (request.node < 0) Unlink(request);
  requests_.erase({request.requester, request.id});
}

PendingRequest* Waiting::Find(Rank requester, std::uint64_t id) {
  const auto found = requests_.find({requester, id});
  return found == requests_.end() ? nullptr : &found->second;
}

std::vector<PendingRequest*> Waiting::Of(Rank requester) const {
  std::vector<PendingRequest*> all;
  for (const auto& [key, request] : requests_)
    if (key.first == requester) all.push_back(const_cast<PendingRequest*>(&request));
  std::sort(all.begin(), all.end(),
            [](const PendingRequest* a, const PendingRequest* b) { return a->arrival < b->arrival; });
  return all;
}

void Waiting::SetShare(Rank requester, int share) {
  Share& of = shares_[requester];
  if (of.share == share) return;
  for (Line* const line : of.lines) TakeTurn(*line, line->owners.at(requester));
  of.share = share;
  for (Line* const line : of.lines) {
    GiveTurn(*line, line->owners.at(requester));
    Settle(*line, true);
  }
}

}  // namespace manta::scheduling
