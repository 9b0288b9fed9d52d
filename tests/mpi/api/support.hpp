#pragma once
// What the tests of the API share: gates that hold tasks until the driver opens them, and journals that tasks of all
// ranks write to. Both are files of this machine, so that they do not rest on what is being tested.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace api_test {

using namespace std::chrono_literals;

/// How long anything that should happen may take, on a machine that is busy with other tests.
inline constexpr std::chrono::seconds kPatience{20};

inline std::string FreshPath(const std::string& kind) {
  static std::atomic<int> count{0};
  const auto name = "manta_" + kind + '_' + std::to_string(::getpid()) + '_' + std::to_string(count++);
  return (std::filesystem::temp_directory_path() / name).string();
}

/// Calls `done` until it is true or time is up; whether it was true.
template <class Condition>
bool Eventually(Condition done, std::chrono::nanoseconds patience = kPatience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(200us);
  }
  return true;
}

/// Closed from its making until Open or its end. Tasks get its path.
class Gate {
 public:
  Gate() : path_(FreshPath("gate")) { std::ofstream(path_) << "closed"; }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() { Open(); }
  void Open() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Blocks the calling thread, as a long computation would, until the gate is open.
inline void PassGate(const std::string& gate) {
  if (!Eventually([&] { return !std::filesystem::exists(gate); })) throw std::runtime_error("the gate was never opened");
}
/// The same, and gives `value` back: for tasks.
inline int ValueBehindGate(const std::string& gate, int value) {
  PassGate(gate);
  return value;
}

/// Adds a line to a journal. Lines of all processes and threads stay whole and in the order of their writing.
inline void Note(const std::string& journal, const std::string& line) {
  const int file = ::open(journal.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const std::string text = line + '\n';
  const auto written = ::write(file, text.data(), text.size());
  ::close(file);
  if (written != static_cast<::ssize_t>(text.size())) throw std::runtime_error("the journal could not be written");
}

class Journal {
 public:
  Journal() : path_(FreshPath("journal")) { std::ofstream{path_}; }
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }
  std::vector<std::string> Lines() const {
    std::ifstream file(path_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  std::size_t Count(const std::string& line) const {
    const auto lines = Lines();
    return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), line));
  }
  bool WaitFor(const std::string& line, std::size_t count = 1) const {
    return Eventually([&] { return Count(line) >= count; });
  }

 private:
  std::string path_;
};

/// The most "in" lines that were not yet followed by an "out".
inline int MostAtOnce(const std::vector<std::string>& lines) {
  int now = 0, most = 0;
  for (const auto& line : lines) {
    if (line == "in") most = std::max(most, ++now);
    if (line == "out") --now;
  }
  return most;
}

}  // namespace api_test
