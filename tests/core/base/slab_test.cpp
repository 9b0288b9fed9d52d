#include "core/base/slab.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace manta::base {
namespace {

TEST(Slab, GivesBlocksThatDoNotOverlap) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{8}, std::size_t{56}, std::size_t{72}, std::size_t{512}, std::size_t{4096}}) {
    std::vector<unsigned char*> blocks;
    for (int i = 0; i < 500; ++i) {
      blocks.push_back(static_cast<unsigned char*>(SlabAllocate(size)));
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(blocks.back()) % 8, 0u);
      std::memset(blocks.back(), i % 251, size);
    }
    for (int i = 0; i < 500; ++i)
      for (std::size_t k = 0; k < size; ++k) ASSERT_EQ(blocks[static_cast<std::size_t>(i)][k], i % 251) << size;
    for (unsigned char* block : blocks) SlabFree(block, size);
  }
}

TEST(Slab, AlignsBlocksOfMultiplesOf16) {
  std::vector<void*> odd, even;
  for (int i = 0; i < 500; ++i) {
    odd.push_back(SlabAllocate(104));  // shifts what is left of the chunk by 8
    even.push_back(SlabAllocate(176));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(even.back()) % 16, 0u);
  }
  for (void* block : odd) SlabFree(block, 104);
  for (void* block : even) SlabFree(block, 176);
}

TEST(Slab, KeepsBlocksApartThatOneThreadAllocatesAndAnotherFrees) {
  // A maker and a taker, as a submitter and an executor are; each block carries its maker's mark until it is freed.
  constexpr int kRounds = 200;
  constexpr int kBlocks = 300;
  std::mutex mutex;
  std::vector<std::uint64_t*> passed;
  std::vector<std::thread> threads;
  for (std::uint64_t maker = 1; maker <= 2; ++maker)
    threads.emplace_back([&, maker] {
      for (int round = 0; round < kRounds; ++round) {
        std::vector<std::uint64_t*> mine;
        for (int i = 0; i < kBlocks; ++i) {
          auto* block = static_cast<std::uint64_t*>(SlabAllocate(56));
          for (int k = 0; k < 7; ++k) block[k] = maker;
          mine.push_back(block);
        }
        std::vector<std::uint64_t*> others;
        {
          std::lock_guard lock(mutex);
          others.swap(passed);
          passed = mine;
        }
        for (std::uint64_t* block : others) {
          for (int k = 1; k < 7; ++k) ASSERT_EQ(block[k], block[0]);
          SlabFree(block, 56);
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (std::uint64_t* block : passed) SlabFree(block, 56);
}

}  // namespace
}  // namespace manta::base
