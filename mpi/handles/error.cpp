#include "mpi/handles/error.hpp"

#include <cstring>

#include "core/base/log.hpp"

namespace manta::mpi {

bool IsRunning() {
  int initialized = 0;
  int finalized = 0;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  return initialized != 0 && finalized == 0;
}

std::string DescribeError(const char* call, int code, const char* file, int line) {
  const std::string name(call, std::strcspn(call, "("));
  std::string rank_text;
  char code_text[MPI_MAX_ERROR_STRING] = "unknown error";
  if (IsRunning()) {
    int rank = -1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    rank_text = " on rank " + std::to_string(rank);
    int length = 0;
    MPI_Error_string(code, code_text, &length);
  }
  const char* slash = std::strrchr(file, '/');
  return name + " failed" + rank_text + ": " + code_text + " (code " + std::to_string(code) + "), at " +
         (slash != nullptr ? slash + 1 : file) + ":" + std::to_string(line);
}

void ThrowError(const char* call, int code, const char* file, int line) {
  throw MpiError(DescribeError(call, code, file, line));
}

void LogError(const char* call, int code, const char* file, int line) noexcept {
  try {
    MANTA_LOG(kWarning, "mpi", DescribeError(call, code, file, line));
  } catch (...) {  // out of memory: there is nothing left to say it with
  }
}

}  // namespace manta::mpi
