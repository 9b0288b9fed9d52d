#pragma once
// What the tests of a full store share. They run with --manta-object-store-bytes 64M, and with the variable
// MANTA_SPILL_DIR, by which they find the files of spilled objects: no two runs at a time share that directory.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace full_store_test {

inline constexpr std::size_t kMiB = std::size_t{1} << 20;
inline constexpr std::size_t kStoreBytes = 64 * kMiB;  // of each node
inline constexpr std::size_t kPieceBytes = 4 * kMiB;
inline constexpr std::size_t kPieces = 4 * kStoreBytes / kPieceBytes;  // four times the store
inline constexpr std::chrono::seconds kDiskPatience{60};               // for what the disk has a part in

using Word = std::uint64_t;
using Words = std::vector<Word>;
using WordArray = manta::Array<Word>;

/// Contents that depend on every bit of the seed: no two of them share a word at the same place.
inline Words Make(Word seed, std::size_t bytes = kPieceBytes) {
  Words words(bytes / sizeof(Word));
  std::iota(words.begin(), words.end(), seed * 0x9e3779b97f4a7c15);
  return words;
}
inline bool IsMade(std::span<const Word> words, Word seed, std::size_t bytes = kPieceBytes) {
  if (words.size() != bytes / sizeof(Word)) return false;
  Word expected = seed * 0x9e3779b97f4a7c15;
  return std::all_of(words.begin(), words.end(), [&](Word word) { return word == expected++; });
}

/// The places of `count` pieces, in the orders in which they are read back.
inline std::vector<std::size_t> InOrder(std::size_t count) {
  std::vector<std::size_t> places(count);
  std::iota(places.begin(), places.end(), std::size_t{0});
  return places;
}
inline std::vector<std::size_t> InReverse(std::size_t count) {
  auto places = InOrder(count);
  std::reverse(places.begin(), places.end());
  return places;
}
inline std::vector<std::size_t> AtRandom(std::size_t count, unsigned seed = 1) {
  auto places = InOrder(count);
  std::shuffle(places.begin(), places.end(), std::mt19937(seed));
  return places;
}

/// Where spilled objects go; empty where they go nowhere.
inline std::string SpillDirectory() {
  const char* directory = std::getenv("MANTA_SPILL_DIR");
  if (directory == nullptr) throw std::runtime_error("the variable MANTA_SPILL_DIR is not set");
  return std::string(directory) == "off" ? "" : directory;
}

/// The files of spilled objects of all nodes of this machine. They come and go meanwhile.
inline std::vector<std::filesystem::path> SpilledFiles(const std::string& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code gone;
  auto entry = std::filesystem::recursive_directory_iterator(directory, gone);
  while (!gone && entry != std::filesystem::recursive_directory_iterator()) {
    std::error_code unknown;
    if (entry->is_regular_file(unknown)) files.push_back(entry->path());
    entry.increment(gone);
  }
  return files;
}

/// Each test ends with nothing left on any rank, and no file.
class FullStore : public ::testing::Test {
 protected:
  void TearDown() override {
    manta::Drain();
    const bool is_empty = api_test::Eventually([&] {
      const auto stats = manta::Stats();
      return stats.objects_alive == 0 && stats.store_bytes_used == 0 && stats.store_pins == 0 && Files().empty();
    });
    const auto stats = manta::Stats();
    EXPECT_TRUE(is_empty) << stats.objects_alive << " objects, " << stats.store_bytes_used << " bytes, "
                          << stats.store_pins << " pins and " << Files().size() << " files are left";
  }

  static int Last() { return manta::NumRanks() - 1; }
  std::vector<std::filesystem::path> Files() const {
    return directory_.empty() ? std::vector<std::filesystem::path>() : SpilledFiles(directory_);
  }
  bool MaySpill() const { return !directory_.empty(); }
  std::uint64_t SpilledSince() const { return manta::Stats().bytes_spilled - spilled_; }
  std::uint64_t RestoredSince() const { return manta::Stats().bytes_restored - restored_; }

 private:
  std::string directory_ = SpillDirectory();
  std::uint64_t spilled_ = manta::Stats().bytes_spilled;
  std::uint64_t restored_ = manta::Stats().bytes_restored;
};

}  // namespace full_store_test
