#pragma once
// What every Segment must do. A suite is made for an implementation by a *world*: a default-constructible type with
//
//   static constexpr std::size_t kSizeBytes;   // what it asks for: a multiple of 4,096, at least 64 KiB
//   int size() const;                          // processes that share the segment, of which this one is
//   int rank() const;                          //   number 0 to size - 1
//   Segment& segment();                        // new: nothing has been written to it
//   void Barrier();                            // returns when all those processes have called it
//
// and then, in a .cpp: INSTANTIATE_TYPED_TEST_SUITE_P(Mpi, SegmentConformance, MpiSegmentWorld);
// A world is made anew for each test.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/ports/segment.hpp"

namespace manta::testing {

template <class World>
class SegmentConformance : public ::testing::Test {
 protected:
  std::span<std::byte> bytes() { return world_.segment().bytes(); }

  World world_;
};

TYPED_TEST_SUITE_P(SegmentConformance);

TYPED_TEST_P(SegmentConformance, HasTheSizeAskedForAndAName) {
  EXPECT_EQ(this->bytes().size(), TypeParam::kSizeBytes);
  EXPECT_FALSE(this->world_.segment().kind().empty());
}

TYPED_TEST_P(SegmentConformance, BeginsAtAPage) {
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(this->bytes().data()) % 4096, 0u);
}

TYPED_TEST_P(SegmentConformance, IsZeroed) {
  EXPECT_TRUE(std::ranges::all_of(this->bytes(), [](std::byte b) { return b == std::byte{0}; }));
  this->world_.Barrier();
  this->bytes()[0] = this->bytes().back() = std::byte{1};  // a next segment must not find this
  this->world_.Barrier();
}

TYPED_TEST_P(SegmentConformance, ShowsTheWritesOfEachRankToAllAfterABarrier) {
  const std::size_t ranks = static_cast<std::size_t>(this->world_.size());
  const std::size_t share = this->bytes().size() / ranks;
  const std::size_t mine = static_cast<std::size_t>(this->world_.rank());

  std::memset(this->bytes().data() + mine * share, static_cast<int>(mine + 1), share);
  this->world_.Barrier();

  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const auto part = this->bytes().subspan(rank * share, share);
    EXPECT_TRUE(std::ranges::all_of(part, [&](std::byte b) { return b == static_cast<std::byte>(rank + 1); }))
        << "the part of rank " << rank;
  }
  this->world_.Barrier();
}

TYPED_TEST_P(SegmentConformance, HoldsAtomicsThatAllRanksAddTo) {
  constexpr std::uint64_t kTimes = 10'000;
  auto* words = reinterpret_cast<std::uint64_t*>(this->bytes().data());
  std::atomic_ref<std::uint64_t> sum(words[8]);

  for (std::uint64_t i = 0; i < kTimes; ++i) sum.fetch_add(1, std::memory_order_relaxed);
  this->world_.Barrier();

  EXPECT_EQ(sum.load(std::memory_order_acquire), kTimes * static_cast<std::uint64_t>(this->world_.size()));
  this->world_.Barrier();
}

TYPED_TEST_P(SegmentConformance, PublishesBytesByAReleaseStore) {
  // The last rank writes and publishes; all others wait for the word and must see the bytes, without a barrier.
  auto* words = reinterpret_cast<std::uint64_t*>(this->bytes().data());
  std::atomic_ref<std::uint64_t> ready(words[0]);

  if (this->world_.rank() == this->world_.size() - 1) {
    for (std::uint64_t i = 1; i < 1000; ++i) words[i] = i;
    ready.store(1, std::memory_order_release);
  }
  while (ready.load(std::memory_order_acquire) == 0) {
  }

  for (std::uint64_t i = 1; i < 1000; ++i) ASSERT_EQ(words[i], i);
  this->world_.Barrier();
}

REGISTER_TYPED_TEST_SUITE_P(SegmentConformance, HasTheSizeAskedForAndAName, BeginsAtAPage, IsZeroed,
                            ShowsTheWritesOfEachRankToAllAfterABarrier, HoldsAtomicsThatAllRanksAddTo,
                            PublishesBytesByAReleaseStore);

}  // namespace manta::testing
