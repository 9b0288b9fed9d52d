#pragma once
// The rival: MPI_Send of large messages from rank 1 to rank 0, and of small ones there and back, inside a running Manta
// job. Rank 1's half runs in a Manta task, so the runtime is quiet there meanwhile.

#include <cstddef>

namespace plain_mpi {

/// Duplicates the world for the calls below. Collective: every rank calls it before any task runs.
void CollectiveStart();

/// Microseconds for `bytes` to rank 1 and back. Called by the driver.
double RoundTripMicroseconds(std::size_t bytes, int trips);
/// Seconds for `bytes` from rank 1 into memory that was received into before. Called by the driver.
double ReceiveSeconds(std::size_t bytes);

}  // namespace plain_mpi
