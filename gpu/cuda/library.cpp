#include "gpu/cuda/library.hpp"

#include <dlfcn.h>

#include <utility>

namespace manta::gpu {

Library::Library(std::string file_name) : handle_(::dlopen(file_name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ != nullptr) return;
  const char* reason = ::dlerror();
  error_ = reason == nullptr ? file_name + " could not be opened" : reason;
  // The common case in few words; a library that is there but broken (a missing dependency, wrong machine) in the
  // linker's.
  if (error_.rfind(file_name + ": cannot open shared object file: No such file", 0) == 0)
    error_ = file_name + " not found";
}

void* Library::Find(const char* symbol) const { return handle_ == nullptr ? nullptr : ::dlsym(handle_, symbol); }

}  // namespace manta::gpu
