#include "core/worker/openmp.hpp"

#include <dlfcn.h>
#include <pthread.h>

extern "C" {
// Null where the program has no OpenMP. omp_in_parallel is not enough: it doesn't count regions of one thread.
__attribute__((weak)) int omp_get_level(void);
__attribute__((weak)) int omp_get_thread_num(void);
__attribute__((weak)) int omp_get_max_threads(void);
__attribute__((weak)) void omp_set_num_threads(int);
}

namespace manta::worker::openmp {
namespace {

struct Functions {
  int (*level)();
  int (*thread_num)();
  int (*max_threads)();
  void (*set_num_threads)(int);
};

/// The linker leaves a weak name null when only a library of the program uses OpenMP: then ask the loader.
template <class Function>
Function* Find(Function* linked, const char* name) {
  return linked != nullptr ? linked : reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
}

const Functions& Found() {
  static const Functions functions = [] {
    Functions found{Find(omp_get_level, "omp_get_level"), Find(omp_get_thread_num, "omp_get_thread_num"),
                    Find(omp_get_max_threads, "omp_get_max_threads"),
                    Find(omp_set_num_threads, "omp_set_num_threads")};
    const bool all = found.level && found.thread_num && found.max_threads && found.set_num_threads;
    return all ? found : Functions{};
  }();
  return functions;
}

}  // namespace

bool InParallelRegion() { return Found().level != nullptr && Found().level() > 0; }
bool IsHelper() { return InParallelRegion() && Found().thread_num() != 0; }

std::size_t StackLeftOfHelper() {
  thread_local const std::byte* low = [] {
    void* at = nullptr;
    std::size_t size = 0;
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
      ::pthread_attr_getstack(&attributes, &at, &size);
      ::pthread_attr_destroy(&attributes);
    }
    return static_cast<const std::byte*>(at);
  }();
  const auto* here = static_cast<const std::byte*>(__builtin_frame_address(0));
  return low != nullptr && here > low ? static_cast<std::size_t>(here - low) : 0;
}

int Width() { return Found().max_threads != nullptr ? Found().max_threads() : 0; }
void SetWidth(int width) {
  if (width > 0) Found().set_num_threads(width);
}

}  // namespace manta::worker::openmp
