#include "core/node/ring.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <thread>
#include <vector>

#include "core/node/private_segment.hpp"
#include "tests/core/node/forked_child.hpp"

namespace manta::node {
namespace {

constexpr std::uint64_t kCells = 64;

std::vector<std::byte> MakeBytes(std::size_t size, std::uint32_t seed) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + seed * 7);
  return bytes;
}

std::vector<std::byte> BytesOf(const RingRecord& record) {
  std::vector<std::byte> bytes(record.size());
  record.CopyTo(bytes);
  return bytes;
}

/// A ring in this process, standing at `start` as if it had been used that long.
struct TestRing {
  explicit TestRing(std::uint64_t start = 0)
      : cells(std::make_unique<RingCell[]>(kCells)),
        tail(std::make_unique<RingTail>()),
        writer(cells.get(), kCells, tail.get(), start),
        reader(cells.get(), kCells, tail.get(), start) {
    for (std::uint64_t i = 0; i < kCells; ++i)  // the lap before, as `start / kCells` rounds leave it
      cells[i].header.store(static_cast<std::uint32_t>(start / kCells), std::memory_order_relaxed);
    tail->position.store(start, std::memory_order_relaxed);
  }
  std::size_t ReadOne(std::vector<std::byte>& bytes, std::uint8_t* kind = nullptr) {
    return reader.Read(
        [&](const RingRecord& record) {
          bytes = BytesOf(record);
          if (kind) *kind = record.kind();
        },
        1);
  }
  std::unique_ptr<RingCell[]> cells;
  std::unique_ptr<RingTail> tail;
  RingWriter writer;
  RingReader reader;
};

TEST(Ring, GivesBackEverySizeWholeWithItsKind) {
  TestRing ring;
  for (std::size_t size = 1; size <= ring.writer.max_record(); ++size) {
    const std::vector<std::byte> sent = MakeBytes(size, 3);
    std::vector<std::byte> received;
    std::uint8_t kind = 0;

    ASSERT_TRUE(ring.writer.TryWrite(static_cast<std::uint8_t>(size), sent));
    ASSERT_EQ(ring.ReadOne(received, &kind), 1u);

    EXPECT_EQ(received, sent);
    EXPECT_EQ(kind, static_cast<std::uint8_t>(size));
  }
}

TEST(Ring, JoinsHeadAndBody) {
  TestRing ring;
  for (const std::size_t body : {0, 3, 48, 49, 200}) {
    const std::vector<std::byte> sent = MakeBytes(8 + body, 5);
    std::vector<std::byte> received;

    ASSERT_TRUE(ring.writer.TryWrite(0, std::span(sent).first(8), std::span(sent).subspan(8)));
    ring.ReadOne(received);

    EXPECT_EQ(received, sent);
  }
}

TEST(Ring, ReadsSmallRecordsWhereTheyLieAlignedToEight) {
  TestRing ring;
  ring.writer.TryWrite(0, MakeBytes(56, 1));
  ring.writer.TryWrite(0, MakeBytes(57, 1));
  int seen = 0;

  ring.reader.Read(
      [&](const RingRecord& record) {
        EXPECT_EQ(record.in_place(), seen++ == 0);
        if (!record.in_place()) return;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(record.bytes().data()) % 8, 0u);
        EXPECT_EQ(static_cast<const void*>(record.bytes().data()), ring.cells[0].payload);
      },
      10);

  EXPECT_EQ(seen, 2);
}

TEST(Ring, IsEmptyAtFirstAndAfterTheLastRecord) {
  TestRing ring;
  std::vector<std::byte> bytes;
  EXPECT_FALSE(ring.reader.MayHaveRecord());
  EXPECT_EQ(ring.ReadOne(bytes), 0u);

  ring.writer.TryWrite(0, MakeBytes(10, 1));

  EXPECT_TRUE(ring.reader.MayHaveRecord());
  EXPECT_EQ(ring.ReadOne(bytes), 1u);
  EXPECT_FALSE(ring.reader.MayHaveRecord());
  EXPECT_EQ(ring.ReadOne(bytes), 0u);
}

TEST(Ring, TakesWhatFitsAndRefusesTheRestUntouched) {
  TestRing ring;
  for (std::uint32_t i = 0; i < kCells; ++i) ASSERT_TRUE(ring.writer.TryWrite(0, MakeBytes(56, i)));

  EXPECT_FALSE(ring.writer.TryWrite(0, MakeBytes(1, 99)));

  std::uint32_t next = 0;
  ring.reader.Read([&](const RingRecord& record) { EXPECT_EQ(BytesOf(record), MakeBytes(56, next++)); }, 1000);
  EXPECT_EQ(next, kCells);
}

TEST(Ring, HasRoomForTheLargestRecordWheneverItWasReadToItsEnd) {
  // Whatever the reader keeps back of its tail: all starts, all sizes before.
  for (std::uint64_t start = 0; start < kCells; ++start) {
    for (std::size_t cells = 1; cells <= kCells / 4; ++cells) {
      TestRing ring(start);
      std::vector<std::byte> bytes;
      for (int i = 0; i < 9; ++i) {
        ASSERT_TRUE(ring.writer.TryWrite(0, MakeBytes(cells * 56, 1)));
        ASSERT_EQ(ring.ReadOne(bytes), 1u);
      }
      EXPECT_TRUE(ring.writer.TryWrite(0, MakeBytes(ring.writer.max_record(), 1)));
    }
  }
}

TEST(Ring, HonoursTheBudget) {
  TestRing ring;
  for (int i = 0; i < 5; ++i) ring.writer.TryWrite(0, MakeBytes(8, 1));

  EXPECT_EQ(ring.reader.Read([](const RingRecord&) {}, 3), 3u);
  EXPECT_EQ(ring.reader.Read([](const RingRecord&) {}, 3), 2u);
  EXPECT_EQ(ring.reader.Read([](const RingRecord&) {}, 3), 0u);
}

TEST(Ring, OffersARecordAgainWhenItsReaderThrew) {
  TestRing ring;
  ring.writer.TryWrite(7, MakeBytes(8, 1));

  EXPECT_THROW(ring.reader.Read([](const RingRecord&) { throw 1; }, 1), int);

  EXPECT_EQ(ring.reader.Read([](const RingRecord& record) { EXPECT_EQ(record.kind(), 7); }, 1), 1u);
}

/// Writes and reads `count` records of random sizes in random turns, and expects them whole and in order.
void ExpectKeepsOrder(TestRing& ring, std::uint32_t count) {
  std::mt19937 random(17);
  std::uint32_t written = 0, read = 0;
  const auto size_of = [](std::uint32_t i) { return 1 + (i * 7919u) % 900; };
  while (read < count) {
    for (std::uint32_t turns = random() % 20; turns > 0 && written < count; --turns, ++written)
      if (!ring.writer.TryWrite(static_cast<std::uint8_t>(written), MakeBytes(size_of(written), written))) break;
    ring.reader.Read(
        [&](const RingRecord& record) {
          ASSERT_EQ(record.kind(), static_cast<std::uint8_t>(read));
          ASSERT_EQ(BytesOf(record), MakeBytes(size_of(read), read));
          ++read;
        },
        random() % 20);
    ASSERT_EQ(ring.reader.MayHaveRecord(), read < written);
  }
}

TEST(Ring, KeepsOrderAcrossWraparound) {
  TestRing ring;
  ExpectKeepsOrder(ring, 20'000);
}

TEST(Ring, KeepsOrderWhenTheLapWraps) {
  TestRing ring(((std::uint64_t{1} << 32) - 3) * kCells);
  ExpectKeepsOrder(ring, 2'000);  // some 280 rounds
}

TEST(Ring, SeesALaterRoundFromAnOldPosition) {
  // A sleeper may look with a position that the reader has left: a cell of a later lap is no empty cell.
  TestRing ring;
  const RingReader old(ring.cells.get(), kCells, ring.tail.get());
  std::vector<std::byte> bytes;
  for (std::uint64_t i = 0; i < 2 * kCells + 5; ++i) {
    ring.writer.TryWrite(0, MakeBytes(8, 1));
    ring.ReadOne(bytes);
  }

  EXPECT_TRUE(old.MayHaveRecord());
}

bool WriteMany(RingWriter& writer, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::vector<std::byte> bytes = MakeBytes(1 + i % 300, i);
    while (!writer.TryWrite(static_cast<std::uint8_t>(i), bytes)) std::this_thread::yield();
  }
  return true;
}

bool ReadMany(RingReader& reader, std::uint32_t count) {
  std::uint32_t next = 0;
  bool good = true;
  while (next < count) {
    const std::size_t read = reader.Read(
        [&](const RingRecord& record) {
          good = good && record.kind() == static_cast<std::uint8_t>(next) &&
                 BytesOf(record) == MakeBytes(1 + next % 300, next);
          ++next;
        },
        16);
    if (read == 0) std::this_thread::yield();
  }
  return good;
}

TEST(Ring, CarriesRecordsBetweenThreads) {
  TestRing ring;

  std::thread writer([&] { WriteMany(ring.writer, 30'000); });
  const bool good = ReadMany(ring.reader, 30'000);
  writer.join();

  EXPECT_TRUE(good);
}

TEST(Ring, CarriesRecordsBetweenProcesses) {
  PrivateSegment segment(2 * kPageBytes + kCells * sizeof(RingCell), PrivateSegment::Sharing::kForkedChildren);
  auto* tail = reinterpret_cast<RingTail*>(segment.bytes().data());
  auto* cells = reinterpret_cast<RingCell*>(segment.bytes().data() + kPageBytes);

  manta::testing::ForkedChild child([&] {
    RingWriter writer(cells, kCells, tail);
    return WriteMany(writer, 50'000);
  });
  RingReader reader(cells, kCells, tail);

  EXPECT_TRUE(ReadMany(reader, 50'000));
  EXPECT_TRUE(child.Succeeded());
}

}  // namespace
}  // namespace manta::node
