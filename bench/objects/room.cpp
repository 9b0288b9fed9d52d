#include "bench/objects/room.hpp"

#include <manta/manta.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <span>
#include <system_error>
#include <thread>
#include <vector>

namespace room {
namespace {

constexpr std::size_t kPiecesInRoom = 32;
constexpr std::size_t kStreamedRooms = 10;
constexpr std::size_t kKeptRooms = 4;

using Words = std::vector<std::uint64_t>;

/// Each step waits for the one before, so that reading a piece takes longer than putting it, and the store fills.
std::uint64_t HashStep(std::uint64_t hash, std::uint64_t word) { return (hash ^ word) * 0x9e3779b97f4a7c15; }
std::uint64_t HashOf(std::span<const std::uint64_t> words) {
  return std::accumulate(words.begin(), words.end(), std::uint64_t{1}, HashStep);
}

/// One piece of a room, each time with other contents.
class Piece {
 public:
  explicit Piece(std::size_t room) : words_(room / kPiecesInRoom / sizeof(std::uint64_t)) {
    std::iota(words_.begin(), words_.end(), std::uint64_t{1});
    hash_ = HashOf(std::span(words_).first(words_.size() - 1));
  }
  const Words& Make(std::uint64_t mark) {
    words_.back() = mark;
    return words_;
  }
  std::uint64_t HashWith(std::uint64_t mark) const { return HashStep(hash_, mark); }
  const Words& words() const { return words_; }
  std::size_t bytes() const { return words_.size() * sizeof(std::uint64_t); }

 private:
  Words words_;
  std::uint64_t hash_ = 0;  // without the mark
};

/// Until everything that was dropped is gone, files too: it is not the next block's to pay for.
void WaitUntilEmpty(bench::Report& report) {
  const double start = bench::Now();
  while (manta::Stats().store_bytes_used != 0) {
    if (bench::Now() - start > 20) return report.Wrong("objects that were dropped keep their room");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

class Rooms {
 public:
  Rooms(const Options& options, bench::Report& report) : options_(options), report_(report), piece_(options.room) {}

  /// Ten rooms are put and read on the other rank, each piece dropped by the task that read it. As many as the store
  /// holds are alive, and Put waits for room. The rival is the same loop with at most half a room alive, so that the
  /// store never fills: as in a store with room for all, but on memory that is as warm.
  void StreamRow() {
    constexpr std::size_t kCount = kStreamedRooms * kPiecesInRoom;
    const std::uint64_t spilled = manta::Stats().bytes_spilled;
    const auto pairs = bench::Bracket(options_.blocks, [&] { return Stream(kCount); },
                                      [&] { return Stream(kPiecesInRoom / 2); });
    std::printf("# stream_10x: %.3g GB/s; with room for all %.3g GB/s; %.0f MiB spilled\n", bench::Median(pairs.first),
                bench::Median(pairs.second),
                static_cast<double>(manta::Stats().bytes_spilled - spilled) / (std::size_t{1} << 20));
    report_.Add("stream_10x_ratio", pairs.Ratios(), "times");
  }

  /// Four rooms are put and kept, then all read, in the order of their making: the worst one for who spills the oldest.
  /// The rival writes as many files of as many bytes to the same directory and reads them; neither asks for fsync.
  void SpillRow() {
    const std::uint64_t before = manta::Stats().bytes_spilled;
    const auto pairs = bench::Bracket(options_.blocks, [&] { return KeepAndRead(); }, [&] { return WriteAndRead(); });
    const auto rounds = static_cast<std::uint64_t>(pairs.first.size() + 1);
    const std::uint64_t spilled = (manta::Stats().bytes_spilled - before) / rounds;
    std::printf("# spill: %.3g GB/s kept and read; plain files %.3g GB/s; %.2f rooms spilled each time\n",
                bench::Median(pairs.first), bench::Median(pairs.second),
                static_cast<double>(spilled) / static_cast<double>(options_.room));
    report_.Add("spill_ratio", pairs.Ratios(), "times",
                spilled < (kKeptRooms - 2) * options_.room ? "the store had room, nothing had to be spilled" : "");
  }

 private:
  /// GB/s with at most `alive` pieces alive.
  double Stream(std::size_t alive) {
    constexpr std::size_t kCount = kStreamedRooms * kPiecesInRoom;
    const auto read = manta::Task(HashOf).SetRank(1);
    std::vector<manta::ObjectRef<std::uint64_t>> hashes;
    hashes.reserve(kCount);
    const std::uint64_t first = mark_;
    const double start = bench::Now();
    for (std::size_t i = 0; i < kCount; ++i) {
      if (i >= alive) manta::Get(hashes[i - alive]);
      hashes.push_back(read.Remote(manta::Put(piece_.Make(mark_++))));
    }
    const auto values = manta::Get(hashes);
    const double spent = bench::Now() - start;
    for (std::size_t i = 0; i < kCount; ++i)
      if (*values[i] != piece_.HashWith(first + i)) report_.Wrong("a task read another piece than was put");
    WaitUntilEmpty(report_);
    return static_cast<double>(kCount * piece_.bytes()) * 1e-9 / spent;
  }

  double KeepAndRead() {
    constexpr std::size_t kCount = kKeptRooms * kPiecesInRoom;
    const std::uint64_t first = mark_;
    double spent = 0;
    {
      std::vector<manta::ObjectRef<manta::Array<std::uint64_t>>> kept;
      kept.reserve(kCount);
      const double start = bench::Now();
      for (std::size_t i = 0; i < kCount; ++i) kept.emplace_back(manta::Put(piece_.Make(mark_++)));
      for (std::size_t i = 0; i < kCount; ++i) Check(*manta::Get(kept[i]), first + i);
      spent = bench::Now() - start;
    }
    WaitUntilEmpty(report_);
    return static_cast<double>(kCount * piece_.bytes()) * 1e-9 / spent;
  }

  double WriteAndRead() {
    constexpr std::size_t kCount = kKeptRooms * kPiecesInRoom;
    std::vector<std::filesystem::path> paths;
    for (std::size_t i = 0; i < kCount; ++i)
      paths.push_back(std::filesystem::path(options_.directory) /
                      ("manta_bench_" + std::to_string(::getpid()) + '_' + std::to_string(i)));
    const std::uint64_t first = mark_;
    Words target(piece_.words().size());
    const double start = bench::Now();
    for (const auto& path : paths) Write(path, std::as_bytes(std::span(piece_.Make(mark_++))));
    for (std::size_t i = 0; i < kCount; ++i) {
      Read(paths[i], std::as_writable_bytes(std::span(target)));
      Check(target, first + i);
    }
    const double spent = bench::Now() - start;
    for (const auto& path : paths) std::filesystem::remove(path);
    return static_cast<double>(kCount * piece_.bytes()) * 1e-9 / spent;
  }

  void Check(std::span<const std::uint64_t> words, std::uint64_t mark) {
    const Words& made = piece_.words();
    if (words.size() != made.size() || words.front() != made.front() ||
        words[words.size() / 2] != made[made.size() / 2] || words.back() != mark)
      report_.Wrong("a piece that came back was not what was put");
  }

  static void Require(bool good, const char* call) {
    if (!good) throw std::system_error(errno, std::generic_category(), call);
  }
  static void Write(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    Require(file >= 0, "open");
    for (std::size_t done = 0; done < bytes.size();) {
      const auto part = ::pwrite(file, bytes.data() + done, bytes.size() - done, static_cast<::off_t>(done));
      Require(part > 0, "pwrite");
      done += static_cast<std::size_t>(part);
    }
    ::close(file);
  }
  static void Read(const std::filesystem::path& path, std::span<std::byte> bytes) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    Require(file >= 0, "open");
    for (std::size_t done = 0; done < bytes.size();) {
      const auto part = ::pread(file, bytes.data() + done, bytes.size() - done, static_cast<::off_t>(done));
      Require(part > 0, "pread");
      done += static_cast<std::size_t>(part);
    }
    ::close(file);
  }

  const Options& options_;
  bench::Report& report_;
  Piece piece_;
  std::uint64_t mark_ = 1;
};

}  // namespace

void Rows(const Options& options, bench::Report& report) {
  Rooms rooms(options, report);
  rooms.StreamRow();
  rooms.SpillRow();
}

}  // namespace room
