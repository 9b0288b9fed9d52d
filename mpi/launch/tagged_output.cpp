#include "mpi/launch/tagged_output.hpp"

#include <unistd.h>
#include <ext/stdio_sync_filebuf.h>

#include <cstdio>
#include <iostream>
#include <mutex>
#include <string>

#include "core/base/log.hpp"
#include "core/runtime/run_context.hpp"
#include "core/runtime/task_plane.hpp"

namespace manta::launch {
namespace {

struct Tagger {
  int rank;
  std::mutex mutex;
  std::string line;  // not ended yet; guarded by mutex
};

void WriteWhole(const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (count <= 0) return;
    done += static_cast<std::size_t>(count);
  }
}

/// glibc calls it with what a flush hands over, on the thread that wrote it (fopencookie(3)).
ssize_t Write(void* cookie, const char* data, std::size_t size) {
  auto& tagger = *static_cast<Tagger*>(cookie);
  std::string tag = "[r" + std::to_string(tagger.rank);
  if (const runtime::RunContext* run = runtime::RunContext::Current())
    tag += " " + runtime::TaskPlane::NameOf(*run->task);
  tag += "] ";
  std::lock_guard lock(tagger.mutex);
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    tagger.line += data[i];
    if (data[i] != '\n') continue;
    out += tag + tagger.line;
    tagger.line.clear();
  }
  WriteWhole(out);
  return static_cast<ssize_t>(size);
}

}  // namespace

void TagStandardOutput(int rank) {
  std::fflush(stdout);
  auto* tagger = new Tagger{rank, {}, {}};  // for the rest of the process
  cookie_io_functions_t functions = {};
  functions.write = &Write;
  FILE* tagged = ::fopencookie(tagger, "w", functions);
  if (tagged == nullptr) {
    base::SayLine("warning: stdout can't be tagged on rank " + std::to_string(rank));
    return;
  }
  std::setvbuf(tagged, nullptr, _IOLBF, 0);
  stdout = tagged;
  // std::cout keeps the stream that stdout was when the program began.
  std::cout.rdbuf(new __gnu_cxx::stdio_sync_filebuf<char>(stdout));
}

}  // namespace manta::launch
