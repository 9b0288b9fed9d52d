#include "core/node/slot_table.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace manta::node {
namespace {

TEST(SlotTable, GivesNoMoreThanItHas) {
  std::vector<RankBlock> blocks(1);
  SlotTable slots(blocks, 0);
  EXPECT_FALSE(slots.TryTake(Amount::Whole(1)));

  slots.GiveBack(Amount::FromDouble(2.5));

  EXPECT_TRUE(slots.TryTake(Amount::Whole(1)));
  EXPECT_TRUE(slots.TryTake(Amount::Whole(1)));
  EXPECT_FALSE(slots.TryTake(Amount::Whole(1)));
  EXPECT_EQ(slots.FreeOf(0), Amount::FromDouble(0.5));
}

TEST(SlotTable, CedesWholeCpusUpToWhatIsWantedAndFree) {
  std::vector<RankBlock> blocks(1);
  SlotTable slots(blocks, 0);
  slots.GiveBack(Amount::FromDouble(3.5));

  EXPECT_EQ(slots.CedeWhole(Amount::Whole(2)), Amount::Whole(2));
  EXPECT_EQ(slots.CedeWhole(Amount::Whole(2)), Amount::Whole(1));
  EXPECT_EQ(slots.CedeWhole(Amount::Whole(2)), Amount());

  EXPECT_EQ(slots.FreeOf(0), Amount::FromDouble(0.5));
}

TEST(SlotTable, CedesNothingWhenItOwes) {
  std::vector<RankBlock> blocks(1);
  SlotTable slots(blocks, 0);
  blocks[0].free_slots.store(-Amount::kUnitsPerOne);

  EXPECT_EQ(slots.CedeWhole(Amount::Whole(1)), Amount());
  EXPECT_FALSE(slots.TryTake(Amount::Whole(1)));
}

TEST(SlotTable, KeepsTheRanksApart) {
  std::vector<RankBlock> blocks(2);
  SlotTable first(blocks, 0), second(blocks, 1);
  first.GiveBack(Amount::Whole(1));

  EXPECT_FALSE(second.TryTake(Amount::Whole(1)));

  EXPECT_EQ(second.FreeOf(0), Amount::Whole(1)) << "seen by the others";
}

TEST(SlotTable, LosesAndInventsNoCpuUnderThreads) {
  std::vector<RankBlock> blocks(1);
  SlotTable slots(blocks, 0);
  slots.GiveBack(Amount::Whole(3));
  std::atomic<int> held{0}, most{0};

  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5'000; ++i) {
        const Amount took = t == 0                               ? slots.CedeWhole(Amount::Whole(2))
                            : slots.TryTake(Amount::Whole(1)) ? Amount::Whole(1)
                                                                 : Amount();
        const int now = held += static_cast<int>(took.RoundedUp());
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        held -= static_cast<int>(took.RoundedUp());
        slots.GiveBack(took);
      }
    });
  for (std::thread& thread : threads) thread.join();

  EXPECT_LE(most, 3);
  EXPECT_EQ(slots.FreeOf(0), Amount::Whole(3));
}

}  // namespace
}  // namespace manta::node
