#pragma once
// The buffers in which a thread encodes what it sends.

#include <cstddef>
#include <utility>
#include <vector>

namespace manta::runtime {

/// One for each kind of message, for one may be sent while another is written. Goes with its thread. The end of the job
/// sends from the main thread after that one's thread_locals are gone: it gets another, which stays.
template <class Message>
std::vector<std::byte>& SendBuffer() {
  thread_local std::vector<std::byte>* buffer = nullptr;
  if (buffer == nullptr) {
    buffer = new std::vector<std::byte>();
    struct Owner {
      std::vector<std::byte>*& of_thread;
      ~Owner() { delete std::exchange(of_thread, nullptr); }
    };
    thread_local Owner owner{buffer};
  }
  return *buffer;
}

}  // namespace manta::runtime
