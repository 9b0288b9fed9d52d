#pragma once
// What the tests of the control plane share: a random walk that is the same in every run, numbers from the environment,
// and boards: a file of this machine in which tasks of all ranks say what they are doing, so that a test that is stuck
// can say where.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/mpi/api/support.hpp"

namespace control_test {

using namespace std::chrono_literals;
using api_test::Eventually;
using Clock = std::chrono::steady_clock;

/// SplitMix64: small, and the same everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x1234567) {}
  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// 0 to bound - 1.
  int Below(int bound) { return static_cast<int>(Next() % static_cast<std::uint64_t>(bound)); }
  bool OneIn(int count) { return Below(count) == 0; }

 private:
  std::uint64_t state_;
};

/// The number in the environment variable `name` of the calling rank, or `otherwise`.
inline std::int64_t Setting(const char* name, std::int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

/// Computes for so long: a delay that keeps its core, as a slow task would.
inline void Compute(std::chrono::nanoseconds duration) {
  const auto end = Clock::now() + duration;
  while (Clock::now() < end) {
  }
}

inline double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Words that all ranks of this machine share. Made by the driver, opened by its path elsewhere.
class Board {
 public:
  static constexpr std::size_t kWords = 4096;
  using Word = std::atomic<std::uint64_t>;

  Board() : path_(api_test::FreshPath("board")), owner_(true) {
    std::ofstream{path_};
    std::filesystem::resize_file(path_, kWords * sizeof(Word));
    Map();
  }
  explicit Board(const std::string& path) : path_(path) { Map(); }
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;
  ~Board() {
    ::munmap(words_, kWords * sizeof(Word));
    if (owner_) std::filesystem::remove(path_);
  }
  const std::string& path() const { return path_; }
  Word& operator[](std::size_t index) { return words_[index]; }

 private:
  void Map() {
    const int file = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) throw std::runtime_error("no board at " + path_);
    void* at = ::mmap(nullptr, kWords * sizeof(Word), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (at == MAP_FAILED) throw std::runtime_error("the board could not be mapped");
    words_ = static_cast<Word*>(at);
  }

  std::string path_;
  bool owner_ = false;
  Word* words_ = nullptr;
};

}  // namespace control_test
