// The rival of first_task: MPI up, one message from the last rank, MPI down.

#include <mpi.h>

#include <cstdio>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0, size = 0, answer = 42;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (rank == size - 1 && size > 1) MPI_Send(&answer, 1, MPI_INT, 0, 0, MPI_COMM_WORLD);
  if (rank == 0) {
    if (size > 1) MPI_Recv(&answer, 1, MPI_INT, size - 1, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    std::printf("first result: %d\n", answer);
  }
  MPI_Finalize();
  return 0;
}
