#include "mpi/message/batch.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>

namespace manta::mpi {
namespace {

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
std::string Text(std::span<const std::byte> bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}
BatchReader Reader(const Batch& batch) { return BatchReader({batch.buffer.get(), batch.used}); }

TEST(Batch, GivesItsRecordsBackInOrder) {
  BatchPool pool;
  Batch batch = pool.Take(100);

  batch.Append(Bytes("a"), 0);
  batch.Append(Bytes("eight by"), 0);
  batch.Append(Bytes("and nine!"), 0);

  BatchReader reader = Reader(batch);
  EXPECT_EQ(Text(reader.Next().payload), "a");
  EXPECT_EQ(Text(reader.Next().payload), "eight by");
  EXPECT_EQ(Text(reader.Next().payload), "and nine!");
  EXPECT_TRUE(reader.empty());
  EXPECT_EQ(batch.messages, 3u);
}

TEST(Batch, StartsEachPayloadAtAMultipleOfEight) {
  BatchPool pool;
  Batch batch = pool.Take(kSmallBatchBytes);
  for (std::size_t size = 1; size < 40; ++size) batch.Append(Bytes(std::string(size, 'x')), 0);

  for (BatchReader reader = Reader(batch); !reader.empty();)
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(reader.Next().payload.data()) % 8, 0u);
}

TEST(Batch, CountsAMessageWhereItEnds) {
  BatchPool pool;
  Batch batch = pool.Take(100);

  batch.Append(Bytes("first half, "), 11);
  EXPECT_EQ(batch.messages, 0u);
  batch.Append(Bytes("second half"), 0);
  EXPECT_EQ(batch.messages, 1u);
}

TEST(BatchPool, GivesBuffersOfTwoSizesAndUsesThemAgain) {
  BatchPool pool;
  Batch small = pool.Take(kSmallBatchBytes);
  Batch large = pool.Take(kSmallBatchBytes + 1);
  EXPECT_EQ(small.capacity, kSmallBatchBytes);
  EXPECT_EQ(large.capacity, kLargeBatchBytes);
  const std::byte* buffer = large.buffer.get();
  large.Append(Bytes("x"), 0);

  pool.Give(std::move(large));
  const Batch again = pool.Take(kLargeBatchBytes);

  EXPECT_EQ(again.buffer.get(), buffer);
  EXPECT_EQ(again.used, 0u);
  EXPECT_EQ(again.messages, 0u);
}

TEST(BatchReaderDeathTest, AbortsOnARecordThatIsCutShort) {
  BatchPool pool;
  Batch batch = pool.Take(100);
  batch.Append(Bytes("0123456789"), 0);
  BatchReader reader({batch.buffer.get(), batch.used - 8});

  EXPECT_DEATH(reader.Next(), "internal error");
}

TEST(Assembly, ReturnsAMessageOfOnePieceInPlace) {
  BatchPool pool;
  Batch batch = pool.Take(100);
  batch.Append(Bytes("whole"), 0);
  Assembly assembly;

  const Assembly::Message message = assembly.Add(Reader(batch).Next());

  EXPECT_EQ(message.bytes.data(), batch.buffer.get() + sizeof(RecordHeader));
  EXPECT_EQ(Text(message.bytes), "whole");
}

TEST(Assembly, PutsPiecesTogetherAgainAndAgain) {
  BatchPool pool;
  Batch batch = pool.Take(200);
  for (int i = 0; i < 2; ++i) {
    batch.Append(Bytes("one, "), 10);
    batch.Append(Bytes("two, "), 5);
    batch.Append(Bytes("three"), 0);
  }
  BatchReader reader = Reader(batch);
  Assembly assembly;

  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(assembly.Add(reader.Next()).bytes.empty());
    EXPECT_TRUE(assembly.Add(reader.Next()).bytes.empty());
    EXPECT_EQ(Text(assembly.Add(reader.Next()).bytes), "one, two, three");
  }
}

}  // namespace
}  // namespace manta::mpi
