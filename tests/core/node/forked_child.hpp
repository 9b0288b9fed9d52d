#pragma once
// A second process for tests of what two processes share: a fork that runs a function and says whether it was true.

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

namespace manta::testing {

class ForkedChild {
 public:
  /// Runs `body` in a new process, which sees the parent's shared mappings and ends after 30 s at the latest. Only while
  /// this process has one thread.
  template <class Body>
  explicit ForkedChild(Body&& body) : pid_(fork()) {
    if (pid_ != 0) return;
    alarm(30);
    bool good = false;
    try {
      good = body();
    } catch (...) {
    }
    _exit(good ? 0 : 1);  // not exit: the parent's tests are not ours to report
  }
  ~ForkedChild() {
    if (pid_ > 0) Succeeded();
  }
  ForkedChild(const ForkedChild&) = delete;
  ForkedChild& operator=(const ForkedChild&) = delete;

  /// Waits for the end. Once.
  bool Succeeded() {
    int status = 1;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t pid_;
};

}  // namespace manta::testing
