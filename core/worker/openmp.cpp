#include "core/worker/openmp.hpp"

#include <dlfcn.h>

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
int Width() { return Found().max_threads != nullptr ? Found().max_threads() : 0; }
void SetWidth(int width) {
  if (width > 0) Found().set_num_threads(width);
}

}  // namespace manta::worker::openmp
