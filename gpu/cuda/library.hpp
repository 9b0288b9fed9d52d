#pragma once
// A shared library opened at run time. It is never closed: drivers start threads that outlive any owner.

#include <string>

namespace manta::gpu {

class Library {
 public:
  /// Looks for `file_name` where the dynamic linker looks. Never throws: ask found().
  explicit Library(std::string file_name);

  bool found() const { return handle_ != nullptr; }
  /// Why it could not be opened: "libcuda.so.1 not found", or what the dynamic linker said. Empty if it was.
  const std::string& error() const { return error_; }
  /// The function of that name, or null. Any thread.
  void* Find(const char* symbol) const;

 private:
  void* handle_ = nullptr;
  std::string error_;
};

}  // namespace manta::gpu
