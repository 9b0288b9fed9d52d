#pragma once
// The rival: plain MPI between rank 0 and rank 1, inside a running Manta job. Rank 1's half runs in a Manta task, so
// the runtime is quiet there meanwhile; both halves use a communicator of their own.

#include <cstddef>
#include <cstdint>

namespace plain_mpi {

/// Duplicates the world for the calls below. Collective: every rank calls it before any task runs.
void CollectiveStart();

/// Microseconds for 64 bytes to rank 1 and back, over `trips` of them. Called by the driver.
double PingPongMicroseconds(int trips);

/// Requests of 64 bytes answered with 64 bytes, 64 of them outstanding, a second; `rounds` of 64. Called by the driver.
double PipelinedPerSecond(int rounds);

/// Seconds for `bytes` (below 2^31) from rank 1 into memory that was received into before. Called by the driver.
double ReceiveSeconds(std::size_t bytes);

/// Tasks that the calls above made on rank 1, one each. Of the driver.
std::uint64_t TasksMade();

}  // namespace plain_mpi
