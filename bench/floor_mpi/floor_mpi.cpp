// The floors that Manta's figures are compared with: a plain MPI program (THREAD_SINGLE) that prints a row a metric,
// `name value unit`. Run it as `mpirun -np 2 build/release/bench/floor_mpi`; ranks above 1 only wait at the end.
//
// The machine may switch between a fast and a slow state, so each metric is measured in many blocks of a few
// milliseconds, in 9 runs; what is printed is the median of the runs' medians, and their lowest and highest.

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr int kMessageBytes = 64;
constexpr int kOutstanding = 64;
using Message = std::array<char, kMessageBytes>;

constexpr int kRuns = 9;

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Microseconds for a message of 64 bytes to rank 1 and back. Ranks 0 and 1 call it together; rank 0 has the result.
double PingPongMicroseconds(int rank) {
  constexpr int kBlocks = 40, kTrips = 1000;
  Message message{};
  std::vector<double> blocks;
  for (int block = 0; block < kBlocks; ++block) {
    const double start = MPI_Wtime();
    for (int trip = 0; trip < kTrips; ++trip) {
      if (rank == 0) {
        MPI_Send(message.data(), kMessageBytes, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
        MPI_Recv(message.data(), kMessageBytes, MPI_BYTE, 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      } else {
        MPI_Recv(message.data(), kMessageBytes, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Send(message.data(), kMessageBytes, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
      }
    }
    blocks.push_back((MPI_Wtime() - start) / kTrips * 1e6);
  }
  return Median(blocks);
}

/// Requests of 64 bytes answered by rank 1 with 64 bytes, 64 of them outstanding, a second. Called as above.
double PipelinedPerSecond(int rank) {
  constexpr int kBlocks = 20, kRounds = 50;  // a round sends all requests of the window and takes all replies
  std::vector<Message> requests(kOutstanding), replies(kOutstanding);
  std::vector<MPI_Request> sends(kOutstanding), receives(kOutstanding);
  std::vector<double> blocks;
  for (int block = 0; block < kBlocks; ++block) {
    const double start = MPI_Wtime();
    for (int round = 0; round < kRounds; ++round) {
      const int other = 1 - rank;
      for (std::size_t i = 0; i < kOutstanding; ++i) {
        MPI_Irecv(replies[i].data(), kMessageBytes, MPI_BYTE, other, 1, MPI_COMM_WORLD, &receives[i]);
        if (rank == 0) MPI_Isend(requests[i].data(), kMessageBytes, MPI_BYTE, other, 1, MPI_COMM_WORLD, &sends[i]);
      }
      if (rank == 1) {
        for (std::size_t i = 0; i < kOutstanding; ++i) {
          MPI_Wait(&receives[i], MPI_STATUS_IGNORE);
          MPI_Isend(replies[i].data(), kMessageBytes, MPI_BYTE, other, 1, MPI_COMM_WORLD, &sends[i]);
        }
      } else {
        MPI_Waitall(kOutstanding, receives.data(), MPI_STATUSES_IGNORE);
      }
      MPI_Waitall(kOutstanding, sends.data(), MPI_STATUSES_IGNORE);
    }
    blocks.push_back(kRounds * kOutstanding / (MPI_Wtime() - start));
  }
  return Median(blocks);
}

/// 10^9 bytes a second of one memcpy of 256 MiB. Local.
double MemcpyGBps() {
  constexpr std::size_t kBytes = std::size_t{256} << 20;
  constexpr int kBlocks = 9;
  std::vector<char> source(kBytes, 1), target(kBytes, 2);
  std::vector<double> blocks;
  for (int block = 0; block < kBlocks; ++block) {
    source[static_cast<std::size_t>(block)] = static_cast<char>(block);
    const double start = MPI_Wtime();
    std::memcpy(target.data(), source.data(), kBytes);
    blocks.push_back(static_cast<double>(kBytes) / (MPI_Wtime() - start) * 1e-9);
  }
  return target[0] == source[0] ? Median(blocks) : 0.0;
}

void Print(const char* name, const std::vector<double>& runs, const char* unit) {
  const auto [lowest, highest] = std::minmax_element(runs.begin(), runs.end());
  std::printf("# %s: lowest %.4g, highest %.4g of %zu runs\n", name, *lowest, *highest, runs.size());
  std::printf(*lowest >= 1000 ? "%s %.0f %s\n" : "%s %.3f %s\n", name, Median(runs), unit);
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0, size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (size < 2) {
    std::fprintf(stderr, "floor_mpi needs two ranks: mpirun -np 2 %s\n", argv[0]);
    MPI_Finalize();
    return 2;
  }
  std::vector<double> ping_pong_us, pipelined_per_s;
  for (int run = 0; run < kRuns && rank < 2; ++run) {
    ping_pong_us.push_back(PingPongMicroseconds(rank));
    pipelined_per_s.push_back(PipelinedPerSecond(rank));
  }
  if (rank == 0) {
    Print("mpi_pingpong_64B_us", ping_pong_us, "us");
    Print("mpi_pipelined_per_s", pipelined_per_s, "1/s");
    std::printf("memcpy_GBps %.2f GB/s\n", MemcpyGBps());
  }
  MPI_Finalize();
  return 0;
}
