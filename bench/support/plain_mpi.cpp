#include "bench/support/plain_mpi.hpp"

#include <manta/manta.hpp>

#include <mpi.h>
#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "bench/support/harness.hpp"

namespace plain_mpi {
namespace {

constexpr int kMessageBytes = 64;
constexpr int kOutstanding = 64;
constexpr int kWarmUp = 50;
using Message = std::array<char, kMessageBytes>;

MPI_Comm g_comm = MPI_COMM_NULL;
std::uint64_t g_tasks_made = 0;

void Send(const Message& message, int to) { MPI_Send(message.data(), kMessageBytes, MPI_BYTE, to, 0, g_comm); }
void Receive(Message& message, int from) {
  MPI_Recv(message.data(), kMessageBytes, MPI_BYTE, from, 0, g_comm, MPI_STATUS_IGNORE);
}

/// Rank 1's half of the ping-pong.
void Echo(int trips) {
  Message message{};
  for (int trip = 0; trip < trips; ++trip) {
    Receive(message, 0);
    Send(message, 0);
  }
}

/// One window of requests and their replies; both ranks call it at once.
void Round(int rank, std::vector<Message>& out, std::vector<Message>& in) {
  std::array<MPI_Request, kOutstanding> sends, receives;
  const int other = 1 - rank;
  for (std::size_t i = 0; i < kOutstanding; ++i) {
    MPI_Irecv(in[i].data(), kMessageBytes, MPI_BYTE, other, 1, g_comm, &receives[i]);
    if (rank == 0) MPI_Isend(out[i].data(), kMessageBytes, MPI_BYTE, other, 1, g_comm, &sends[i]);
  }
  if (rank == 1) {
    for (std::size_t i = 0; i < kOutstanding; ++i) {
      MPI_Wait(&receives[i], MPI_STATUS_IGNORE);
      MPI_Isend(in[i].data(), kMessageBytes, MPI_BYTE, other, 1, g_comm, &sends[i]);
    }
  } else {
    MPI_Waitall(kOutstanding, receives.data(), MPI_STATUSES_IGNORE);
  }
  MPI_Waitall(kOutstanding, sends.data(), MPI_STATUSES_IGNORE);
}
void Answer(int rounds) {
  std::vector<Message> out(kOutstanding), in(kOutstanding);
  for (int round = 0; round < rounds; ++round) Round(1, out, in);
}

/// This process's buffer, of pages that were touched: large ones where the kernel has them, as the store asks for.
char* Buffer(std::size_t bytes) {
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  static std::unique_ptr<char[], Free> buffer;
  static std::size_t size = 0;
  if (size < bytes) {
    constexpr std::size_t kLargePage = 2u << 20;
    size = (bytes + kLargePage - 1) / kLargePage * kLargePage;
    buffer.reset(static_cast<char*>(std::aligned_alloc(kLargePage, size)));
    static_cast<void>(madvise(buffer.get(), size, MADV_HUGEPAGE));
    std::memset(buffer.get(), 1, size);
  }
  return buffer.get();
}
/// Sends once its receiver says that it is ready.
void SendOnce(std::size_t bytes) {
  char* const buffer = Buffer(bytes);
  MPI_Recv(nullptr, 0, MPI_BYTE, 0, 2, g_comm, MPI_STATUS_IGNORE);
  MPI_Send(buffer, static_cast<int>(bytes), MPI_BYTE, 0, 2, g_comm);
}

}  // namespace

std::uint64_t TasksMade() { return g_tasks_made; }

void CollectiveStart() { MPI_Comm_dup(MPI_COMM_WORLD, &g_comm); }

double PingPongMicroseconds(int trips) {
  ++g_tasks_made;
  const auto half = manta::Task(Echo).SetRank(1).Remote(kWarmUp + trips);
  Message message{};
  double start = 0;
  for (int trip = -kWarmUp; trip < trips; ++trip) {
    if (trip == 0) start = bench::Now();
    Send(message, 1);
    Receive(message, 1);
  }
  const double spent = bench::Now() - start;
  manta::Get(half);
  return spent / trips * 1e6;
}

double ReceiveSeconds(std::size_t bytes) {
  ++g_tasks_made;
  const auto half = manta::Task(SendOnce).SetRank(1).Remote(bytes);
  char* const buffer = Buffer(bytes);
  const double start = bench::Now();
  MPI_Send(nullptr, 0, MPI_BYTE, 1, 2, g_comm);
  MPI_Recv(buffer, static_cast<int>(bytes), MPI_BYTE, 1, 2, g_comm, MPI_STATUS_IGNORE);
  const double spent = bench::Now() - start;
  manta::Get(half);
  return spent;
}

double PipelinedPerSecond(int rounds) {
  constexpr int kWarmUpRounds = 3;
  ++g_tasks_made;
  const auto half = manta::Task(Answer).SetRank(1).Remote(kWarmUpRounds + rounds);
  std::vector<Message> out(kOutstanding), in(kOutstanding);
  double start = 0;
  for (int round = -kWarmUpRounds; round < rounds; ++round) {
    if (round == 0) start = bench::Now();
    Round(0, out, in);
  }
  const double spent = bench::Now() - start;
  manta::Get(half);
  return rounds * kOutstanding / spent;
}

}  // namespace plain_mpi
