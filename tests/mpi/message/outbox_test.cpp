#include "mpi/message/outbox.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace manta::mpi {
namespace {

std::vector<std::byte> Message(std::size_t size, int fill = 1) {
  return std::vector(size, static_cast<std::byte>(fill));
}

std::optional<Batch> Take(Outbox& outbox) {
  bool is_listed = false;
  return outbox.TakeOldest(&is_listed);
}

TEST(Outbox, IsListedOnceUntilItHasBeenEmptied) {
  BatchPool pool;
  Outbox outbox(pool);

  EXPECT_TRUE(outbox.Append(Message(10)));
  EXPECT_FALSE(outbox.Append(Message(10)));
  EXPECT_FALSE(outbox.Append(Message(kLargeBatchBytes - 100)));
  bool is_listed = false;
  EXPECT_TRUE(outbox.TakeOldest(&is_listed).has_value());
  EXPECT_TRUE(is_listed);
  EXPECT_FALSE(outbox.Append(Message(10))) << "listed until it is empty";
  EXPECT_TRUE(outbox.TakeOldest(&is_listed).has_value());
  EXPECT_FALSE(is_listed);
  EXPECT_FALSE(outbox.TakeOldest(&is_listed).has_value());
  EXPECT_FALSE(is_listed);
  EXPECT_TRUE(outbox.Append(Message(10)));
}

TEST(Outbox, PutsSmallMessagesTogether) {
  BatchPool pool;
  Outbox outbox(pool);

  for (int i = 0; i < 50; ++i) outbox.Append(Message(20));

  EXPECT_EQ(Take(outbox)->messages, 50u);
  EXPECT_FALSE(Take(outbox).has_value());
}

TEST(Outbox, StartsSmallAndGrowsWhileBatchesWait) {
  BatchPool pool;
  Outbox outbox(pool);

  for (int i = 0; i < 2'000; ++i) outbox.Append(Message(100));

  EXPECT_EQ(Take(outbox)->capacity, kSmallBatchBytes);
  EXPECT_EQ(Take(outbox)->capacity, kLargeBatchBytes);
}

TEST(Outbox, CutsAMessageAboveTheLargestBatchIntoPiecesInOrder) {
  BatchPool pool;
  Outbox outbox(pool);
  outbox.Append(Message(5, 1));
  outbox.Append(Message(3 * kMaxRecordPayload + 7, 2));
  outbox.Append(Message(5, 3));

  Assembly assembly;
  std::vector<std::size_t> sizes;
  std::uint64_t messages = 0;
  while (const std::optional<Batch> batch = Take(outbox)) {
    messages += batch->messages;
    for (BatchReader reader({batch->buffer.get(), batch->used}); !reader.empty();)
      if (const Assembly::Message message = assembly.Add(reader.Next()); !message.bytes.empty())
        sizes.push_back(message.bytes.size());
  }

  EXPECT_EQ(sizes, (std::vector<std::size_t>{5, 3 * kMaxRecordPayload + 7, 5}));
  EXPECT_EQ(messages, 3u);
  EXPECT_EQ(outbox.messages(), 3u);
  EXPECT_EQ(outbox.bytes(), 3 * kMaxRecordPayload + 17);
}

TEST(Outbox, TakesTheLargestMessageOfOnePieceWhole) {
  BatchPool pool;
  Outbox outbox(pool);

  outbox.Append(Message(kMaxRecordPayload));

  EXPECT_EQ(Take(outbox)->messages, 1u);
  EXPECT_FALSE(Take(outbox).has_value());
}

}  // namespace
}  // namespace manta::mpi
