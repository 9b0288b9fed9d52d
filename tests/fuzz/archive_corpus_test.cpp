// Replays the fuzzer's corpus, without clang. With the argument --write-seeds, writes each type's encodings to the
// corpus instead.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "tests/fuzz/archive_cases.hpp"
#include "tests/fuzz/largest_allocation.hpp"

namespace manta::fuzz {
namespace {

const std::filesystem::path& Corpus() {
  static const std::filesystem::path corpus = MANTA_FUZZ_CORPUS;
  return corpus;
}

/// Reads it and checks what that took.
void ExpectHarmless(std::vector<std::byte> input, const std::string& what) {
  ForgetAllocations();
  RunInput(input);
  EXPECT_LE(LargestAllocation(), kLargestAllocation) << what;
}

TEST(ArchiveCorpus, IsReadWithoutHarm) {
  std::size_t files = 0;
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Corpus())) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto* const begin = reinterpret_cast<const std::byte*>(text.data());
    ExpectHarmless({begin, begin + text.size()}, entry.path().filename());
    ++files;
    bytes += text.size();
  }
  EXPECT_GT(files, Cases().size());
  EXPECT_LE(bytes, std::uintmax_t{200} << 10) << "minimise it: fuzz.sh --minimise";
}

TEST(ArchiveCorpus, HasAnEncodingOfEachTypeThatCanBeRead) {
  for (const Case& one : Cases())
    for (const auto& seed : one.seeds()) EXPECT_TRUE(one.run(seed)) << one.name;
}

TEST(ArchiveCorpus, IsHarmlessWhereAnyByteOfALengthLies) {
  const std::span<const Case> cases = Cases();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    for (const auto& seed : cases[i].seeds()) {
      std::vector<std::byte> input{static_cast<std::byte>(i)};
      input.insert(input.end(), seed.begin(), seed.end());
      for (std::size_t at = 1; at < input.size(); ++at) {
        for (const int value : {1, 16, 127, 255}) {
          auto changed = input;
          changed[at] = static_cast<std::byte>(value);
          ExpectHarmless(changed, cases[i].name + ", byte " + std::to_string(at) + " is " + std::to_string(value));
        }
      }
    }
  }
}

int WriteSeeds() {
  const std::span<const Case> cases = Cases();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    int number = 0;
    for (const auto& seed : cases[i].seeds()) {
      std::ofstream file(Corpus() / ("seed_" + cases[i].name + "_" + std::to_string(number++)), std::ios::binary);
      file.put(static_cast<char>(i));
      file.write(reinterpret_cast<const char*>(seed.data()), static_cast<std::streamsize>(seed.size()));
    }
  }
  return 0;
}

}  // namespace
}  // namespace manta::fuzz

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--write-seeds") == 0) return manta::fuzz::WriteSeeds();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
