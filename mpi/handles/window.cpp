#include "mpi/handles/window.hpp"

namespace manta::mpi {

Window Window::CollectiveAllocateShared(const Communicator& comm, std::size_t size_bytes) {
  Window made;
  void* ignored = nullptr;  // null for ranks that give nothing, in some versions: SharedAddress is the one to ask
  MANTA_MPI_TRY(MPI_Win_allocate_shared(static_cast<MPI_Aint>(size_bytes), 1, MPI_INFO_NULL, comm.get(), &ignored,
                                        &made.window_));
  made.OpenEpoch();
  return made;
}

Window Window::CollectiveCreate(const Communicator& comm, std::byte* base, std::size_t size_bytes) {
  Window made;
  MANTA_MPI_TRY(MPI_Win_create(base, static_cast<MPI_Aint>(size_bytes), 1, MPI_INFO_NULL, comm.get(), &made.window_));
  made.OpenEpoch();
  return made;
}

void Window::OpenEpoch() {
  MANTA_MPI_TRY(MPI_Win_set_errhandler(window_, MPI_ERRORS_RETURN));
  int* model = nullptr;
  int found = 0;
  MANTA_MPI_TRY(MPI_Win_get_attr(window_, MPI_WIN_MODEL, &model, &found));
  // Our words in it are C++ atomics: that needs public and private copy to be the same (MPI 3.1 section 11.4).
  if (found == 0 || *model != MPI_WIN_UNIFIED)
    throw MpiError("the MPI library has no unified memory model for windows, which Manta needs; use Open MPI or MPICH");
  MANTA_MPI_TRY(MPI_Win_lock_all(MPI_MODE_NOCHECK, window_));  // nobody takes an exclusive lock
}

std::byte* Window::SharedAddress(int rank) const {
  MPI_Aint size = 0;
  int unit = 0;
  void* base = nullptr;
  MANTA_MPI_TRY(MPI_Win_shared_query(window_, rank, &size, &unit, &base));
  return static_cast<std::byte*>(base);
}

void Window::Sync() const { MANTA_MPI_TRY(MPI_Win_sync(window_)); }

void Window::CollectiveClose() {
  if (window_ == MPI_WIN_NULL) return;
  MANTA_MPI_TRY(MPI_Win_unlock_all(window_));
  MANTA_MPI_TRY(MPI_Win_free(&window_));
}

}  // namespace manta::mpi
