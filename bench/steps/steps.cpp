// Follows one thread of a running process instruction by instruction and writes the address of each to a file, for
// report.py. Counts are exact where there are no hardware counters; the thread runs some ten thousand times slower
// meanwhile, so what depends on time (polls, sleeps) is not as in life.
//
//   steps TID COUNT FILE

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: steps TID COUNT FILE\n");
    return 2;
  }
  const pid_t thread = std::atoi(argv[1]);
  std::ofstream file(argv[3], std::ios::binary);
  int status = 0;
  if (!file || ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0 ||
      ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0 || waitpid(thread, &status, __WALL) < 0) {
    std::perror("steps");
    return 1;
  }
  for (long left = std::atol(argv[2]); left > 0; --left) {
    if (ptrace(PTRACE_SINGLESTEP, thread, nullptr, nullptr) != 0 || waitpid(thread, &status, __WALL) < 0 ||
        WIFEXITED(status))
      break;
    const std::uint64_t address = static_cast<std::uint64_t>(
        ptrace(PTRACE_PEEKUSER, thread, reinterpret_cast<void*>(offsetof(user_regs_struct, rip)), nullptr));
    file.write(reinterpret_cast<const char*>(&address), sizeof(address));
  }
  ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
  return 0;
}
