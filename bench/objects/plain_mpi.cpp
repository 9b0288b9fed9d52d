#include "bench/objects/plain_mpi.hpp"

#include <manta/manta.hpp>

#include <mpi.h>

#include <vector>

#include "bench/support/harness.hpp"

namespace plain_mpi {
namespace {

constexpr int kWarmUp = 20;
MPI_Comm g_comm = MPI_COMM_NULL;

/// This process's buffer, of pages that were touched.
std::vector<char>& Buffer(std::size_t bytes) {
  static std::vector<char> buffer;
  if (buffer.size() < bytes) buffer.assign(bytes, 1);
  return buffer;
}

void Echo(std::size_t bytes, int trips) {
  std::vector<char>& buffer = Buffer(bytes);
  for (int trip = 0; trip < trips; ++trip) {
    MPI_Recv(buffer.data(), static_cast<int>(bytes), MPI_BYTE, 0, 0, g_comm, MPI_STATUS_IGNORE);
    MPI_Send(buffer.data(), static_cast<int>(bytes), MPI_BYTE, 0, 0, g_comm);
  }
}
/// Sends once its receiver says that it is ready.
void SendOnce(std::size_t bytes) {
  std::vector<char>& buffer = Buffer(bytes);
  MPI_Recv(nullptr, 0, MPI_BYTE, 0, 1, g_comm, MPI_STATUS_IGNORE);
  MPI_Send(buffer.data(), static_cast<int>(bytes), MPI_BYTE, 0, 1, g_comm);
}

}  // namespace

void CollectiveStart() { MPI_Comm_dup(MPI_COMM_WORLD, &g_comm); }

double RoundTripMicroseconds(std::size_t bytes, int trips) {
  const auto half = manta::Task(Echo).SetRank(1).Remote(bytes, kWarmUp + trips);
  std::vector<char>& buffer = Buffer(bytes);
  double start = 0;
  for (int trip = -kWarmUp; trip < trips; ++trip) {
    if (trip == 0) start = bench::Now();
    MPI_Send(buffer.data(), static_cast<int>(bytes), MPI_BYTE, 1, 0, g_comm);
    MPI_Recv(buffer.data(), static_cast<int>(bytes), MPI_BYTE, 1, 0, g_comm, MPI_STATUS_IGNORE);
  }
  const double spent = bench::Now() - start;
  manta::Get(half);
  return 1e6 * spent / trips;
}

double ReceiveSeconds(std::size_t bytes) {
  const auto half = manta::Task(SendOnce).SetRank(1).Remote(bytes);
  std::vector<char>& buffer = Buffer(bytes);
  const double start = bench::Now();
  MPI_Send(nullptr, 0, MPI_BYTE, 1, 1, g_comm);
  MPI_Recv(buffer.data(), static_cast<int>(bytes), MPI_BYTE, 1, 1, g_comm, MPI_STATUS_IGNORE);
  const double spent = bench::Now() - start;
  manta::Get(half);
  return spent;
}

}  // namespace plain_mpi
