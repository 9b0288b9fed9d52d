#include "mpi/message/mpi_transport.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/clock.hpp"
#include "core/base/log.hpp"

namespace manta {
namespace {

constexpr int kTag = 1;
constexpr std::size_t kReceives = 16;
constexpr std::size_t kMaxInFlight = 8;  // batches a destination: a bandwidth-delay product of 512 KiB
constexpr std::int64_t kForeverNs = 3'600'000'000'000;

}  // namespace

namespace mpi {
std::int64_t QuietSleepNanoseconds(std::int64_t quiet) {
  return std::clamp<std::int64_t>(quiet / 4, 50'000, 10'000'000);
}
}  // namespace mpi

std::unique_ptr<MpiTransport> MpiTransport::CollectiveCreate(const mpi::Communicator& world,
                                                             const std::function<bool(Rank)>& reaches) {
  return std::unique_ptr<MpiTransport>(new MpiTransport(world.CollectiveDup(), reaches));
}

MpiTransport::MpiTransport(mpi::Communicator own, const std::function<bool(Rank)>& reaches)
    : comm_(std::move(own)), last_traffic_ns_(base::NowNanoseconds()) {
  peers_.resize(static_cast<std::size_t>(comm_.size()));
  for (int rank = 0; rank < comm_.size(); ++rank) {
    if (rank == comm_.rank() || !reaches(Rank(rank))) continue;
    peers_[static_cast<std::size_t>(rank)] = std::make_unique<Peer>(pool_);
    ++num_peers_;
  }
  if (num_peers_ == 0) return;  // a job on one node never waits for MPI
  ring_.resize(kReceives);
  for (Receive& receive : ring_) {
    receive.buffer = std::make_unique_for_overwrite<std::byte[]>(mpi::kLargeBatchBytes);
    receive.request.ReceiveInit(receive.buffer.get(), static_cast<int>(mpi::kLargeBatchBytes), MPI_ANY_SOURCE, kTag,
                                comm_.get());
    receive.request.Start();
  }
}

MpiTransport::~MpiTransport() {
  if (!mpi::IsRunning()) return;
  try {
    for (Receive& receive : ring_) receive.request.CancelReceive();
  } catch (const MpiError& e) {
    MANTA_LOG(kWarning, "mpi", e.what());
  }
  // MPI may still read the buffers of unfinished sends: they are left to it.
  for (auto& peer : peers_)
    if (peer != nullptr)
      for (InFlight& send : peer->in_flight) static_cast<void>(send.batch.buffer.release());
}

bool MpiTransport::Reaches(Rank destination) const {
  return destination.valid() && destination.value < static_cast<int>(peers_.size()) &&
         peers_[static_cast<std::size_t>(destination.value)] != nullptr;
}

void MpiTransport::Send(Rank destination, std::span<const std::byte> message) {
  MANTA_ASSERT(Reaches(destination));
  MANTA_ASSERT(message.size() <= std::numeric_limits<std::int32_t>::max());
  MANTA_ASSERT(!closed_.load(std::memory_order_relaxed));
  unsent_messages_.fetch_add(1, std::memory_order_relaxed);
  bool became_listed = false;
  try {
    became_listed = peers_[static_cast<std::size_t>(destination.value)]->outbox.Append(message);
  } catch (...) {
    unsent_messages_.fetch_sub(1, std::memory_order_release);
    throw;
  }
  if (!became_listed) return;
  std::lock_guard lock(listed_mutex_);
  listed_.push_back(destination.value);
  has_listed_.store(true, std::memory_order_release);
}

std::size_t MpiTransport::Poll(MessageHandler& handler, std::size_t budget) {
  if (ring_.empty()) return 0;  // no peers, or closed
  FinishSends();
  StartSends();
  return Deliver(handler, budget);
}

void MpiTransport::FinishSends() {
  for (std::size_t i = 0; i < sending_.size();) {
    std::deque<InFlight>& in_flight = peers_[static_cast<std::size_t>(sending_[i])]->in_flight;
    while (!in_flight.empty() && in_flight.front().request.Test()) {
      FinishSend(std::move(in_flight.front()));
      in_flight.pop_front();
      NoteTraffic();
    }
    if (in_flight.empty()) {
      sending_[i] = sending_.back();
      sending_.pop_back();
    } else {
      ++i;
    }
  }
}

void MpiTransport::StartSends() {
  if (has_listed_.load(std::memory_order_acquire)) {
    std::lock_guard lock(listed_mutex_);
    to_send_.insert(to_send_.end(), listed_.begin(), listed_.end());
    listed_.clear();
    has_listed_.store(false, std::memory_order_relaxed);
  }
  for (std::size_t i = 0; i < to_send_.size();) {
    const int destination = to_send_[i];
    Peer& peer = *peers_[static_cast<std::size_t>(destination)];
    bool is_listed = true;
    while (is_listed && peer.in_flight.size() < kMaxInFlight)
      if (std::optional<mpi::Batch> batch = peer.outbox.TakeOldest(&is_listed))
        StartSend(destination, std::move(*batch));
    if (is_listed) {
      ++i;
    } else {
      to_send_[i] = to_send_.back();
      to_send_.pop_back();
    }
  }
}

void MpiTransport::StartSend(int destination, mpi::Batch batch) {
  Peer& peer = *peers_[static_cast<std::size_t>(destination)];
  InFlight send{std::move(batch), {}};
  send.request.Send(send.batch.buffer.get(), static_cast<int>(send.batch.used), destination, kTag, comm_.get());
  ++peer.batches_sent;
  NoteTraffic();
  peer.in_flight.push_back(std::move(send));
  if (peer.in_flight.size() == 1) sending_.push_back(destination);
}

void MpiTransport::FinishSend(InFlight&& send) {
  unsent_messages_.fetch_sub(static_cast<std::int64_t>(send.batch.messages), std::memory_order_release);
  pool_.Give(std::move(send.batch));
}

std::size_t MpiTransport::Deliver(MessageHandler& handler, std::size_t budget) {
  std::size_t delivered = 0;
  while (delivered < budget) {
    if (reader_.empty() && !ReceiveBatch()) break;
    const mpi::BatchReader::Record record = reader_.Next();
    const mpi::Assembly::Message message = peers_[static_cast<std::size_t>(source_)]->assembly.Add(record);
    if (message.bytes.empty()) continue;
    ++delivered;
    messages_received_.store(messages_received_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    bytes_received_.store(bytes_received_.load(std::memory_order_relaxed) + message.bytes.size(),
                          std::memory_order_relaxed);
    handler.OnMessage(Rank(source_), message.bytes);
  }
  // Answers leave before all that the end of a poll costs.
  if (delivered != 0 && has_listed_.load(std::memory_order_acquire)) StartSends();
  RestartHead();  // at once: a posted receive is what keeps the next batch out of MPI's own buffers
  return delivered;
}

bool MpiTransport::ReceiveBatch() {
  RestartHead();
  MPI_Status status;
  if (!ring_[head_].request.Test(&status)) return false;
  int size_bytes = 0;
  MANTA_MPI_TRY(MPI_Get_count(&status, MPI_BYTE, &size_bytes));
  MANTA_ASSERT(Reaches(Rank(status.MPI_SOURCE)));
  source_ = status.MPI_SOURCE;
  reader_ = mpi::BatchReader({ring_[head_].buffer.get(), static_cast<std::size_t>(size_bytes)});
  head_is_received_ = true;
  ++batches_received_;
  NoteTraffic();
  return true;
}

void MpiTransport::RestartHead() {
  if (!head_is_received_ || !reader_.empty()) return;
  ring_[head_].request.Start();
  head_is_received_ = false;
  head_ = (head_ + 1) % ring_.size();
}

bool MpiTransport::Flushed() const { return unsent_messages_.load(std::memory_order_acquire) == 0; }

std::int64_t MpiTransport::MaxSleepNanoseconds() const {
  if (num_peers_ == 0) return kForeverNs;
  if (has_listed_.load(std::memory_order_relaxed)) return 0;
  const std::int64_t now = base::NowNanoseconds();
  if (has_traffic_.load(std::memory_order_relaxed)) {
    has_traffic_.store(false, std::memory_order_relaxed);
    last_traffic_ns_.store(now, std::memory_order_relaxed);
  }
  return mpi::QuietSleepNanoseconds(now - last_traffic_ns_.load(std::memory_order_relaxed));
}

TransportCounters MpiTransport::counters() const {
  TransportCounters result;
  for (const auto& peer : peers_) {
    if (peer == nullptr) continue;
    result.messages_sent += peer->outbox.messages();
    result.bytes_sent += peer->outbox.bytes();
  }
  result.messages_received = messages_received_.load(std::memory_order_relaxed);
  result.bytes_received = bytes_received_.load(std::memory_order_relaxed);
  return result;
}

void MpiTransport::CollectiveClose(MessageHandler& handler) {
  MANTA_ASSERT(!closed_.exchange(true, std::memory_order_relaxed));
  // MPI calls a send done when its buffer is free, not when it has been received, and a barrier says nothing of
  // messages: only counting does. Each rank learns how many batches were sent to it, and polls until it has them.
  closing_counts_.assign(peers_.size(), 0);
  PollUntil(handler, [this] { return Flushed(); });
  for (std::size_t rank = 0; rank < peers_.size(); ++rank)
    if (peers_[rank] != nullptr) closing_counts_[rank] = peers_[rank]->batches_sent;
  mpi::Request sum;
  sum.CollectiveReduceScatter(closing_counts_.data(), &closing_sum_, comm_.get());
  PollUntil(handler, [&] { return sum.Test(); });
  PollUntil(handler, [this] { return batches_received_ == closing_sum_ && reader_.empty(); });
  for (Receive& receive : ring_) receive.request.CancelReceive();  // nothing can match them any more
  ring_.clear();
  comm_.Close();
}

void MpiTransport::PollUntil(MessageHandler& handler, const std::function<bool()>& done) {
  while (!done())
    if (Poll(handler, 1024) == 0) std::this_thread::yield();
}

}  // namespace manta
