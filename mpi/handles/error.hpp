#pragma once
// The one place that looks at MPI return codes. Every call of this room goes through one of these two:
//
//   MANTA_MPI_TRY(MPI_Isend(bytes, count, MPI_BYTE, 1, tag, comm, &request));   // throws MpiError
//   MANTA_MPI_LOG(MPI_Comm_free(&comm));                                        // destructors: logs and goes on
//
// They see codes only where errors are returned: on our own communicators and windows, not on the world's.

// The C API only: MPI's C++ bindings left the standard with MPI 3.0.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <string>

#include <manta/error.hpp>

namespace manta::mpi {

/// Whether MPI calls may be made: after MPI_Init and before MPI_Finalize. Any thread.
bool IsRunning();

/// "MPI_Isend failed on rank 3: MPI_ERR_RANK: invalid rank (code 6), at mpi_transport.cpp:71". `call`: the call's text.
std::string DescribeError(const char* call, int code, const char* file, int line);

/// What the macros do with a code that is not MPI_SUCCESS.
[[noreturn]] void ThrowError(const char* call, int code, const char* file, int line);
void LogError(const char* call, int code, const char* file, int line) noexcept;

}  // namespace manta::mpi

/// Makes the call; throws manta::MpiError with call, code, text, place and rank if it fails.
#define MANTA_MPI_TRY(call)                                                \
  do {                                                                     \
    if (const int manta_mpi_code = (call); manta_mpi_code != MPI_SUCCESS)  \
      ::manta::mpi::ThrowError(#call, manta_mpi_code, __FILE__, __LINE__); \
  } while (false)

/// Makes the call; logs if it fails. For destructors.
#define MANTA_MPI_LOG(call)                                               \
  do {                                                                    \
    if (const int manta_mpi_code = (call); manta_mpi_code != MPI_SUCCESS) \
      ::manta::mpi::LogError(#call, manta_mpi_code, __FILE__, __LINE__);  \
  } while (false)
