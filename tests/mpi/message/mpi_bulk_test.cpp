#include "mpi/message/mpi_bulk.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

namespace manta {
namespace {

/// Each rank sends to the next one.
struct Bulk : ::testing::Test {
  mpi::Communicator world = mpi::Communicator::CollectiveDup(MPI_COMM_WORLD);
  std::unique_ptr<MpiBulk> bulk = MpiBulk::CollectiveCreate(world);
  const Rank next{(world.rank() + 1) % world.size()};
  const Rank previous{(world.rank() + world.size() - 1) % world.size()};
  std::vector<std::uint64_t> done;

  ~Bulk() override { bulk->CollectiveClose(); }
  void PollUntil(std::size_t count) {
    while (done.size() < count) bulk->Poll(done);
  }
  static std::vector<std::byte> Filled(std::size_t size, int rank) {
    return std::vector<std::byte>(size, static_cast<std::byte>(rank + 1));
  }
};

TEST_F(Bulk, CarriesPiecesOfATagInOrder) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{5'000}, std::size_t{1} << 20}) {
    done.clear();
    std::vector<std::byte> first(size), second(size);
    bulk->StartReceive(previous, 7, first.data(), size, 1);
    bulk->StartReceive(previous, 7, second.data(), size, 2);
    world.CollectiveBarrier();
    const auto one = Filled(size, world.rank()), other = Filled(size, world.rank() + 100);
    bulk->StartSend(next, 7, one.data(), size, 3);
    bulk->StartSend(next, 7, other.data(), size, 4);
    PollUntil(4);
    EXPECT_EQ(first, Filled(size, previous.value));
    EXPECT_EQ(second, Filled(size, previous.value + 100));
  }
}

/// So that nothing is on its way any more when all sends of a session are done, were it one byte.
TEST_F(Bulk, IsNotDoneWithASendBeforeItHasAReceive) {
  std::byte out{5}, in{0};
  bulk->StartSend(next, 9, &out, 1, 1);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  while (std::chrono::steady_clock::now() < end) {
    bulk->Poll(done);
    std::this_thread::yield();
  }
  EXPECT_TRUE(done.empty());
  world.CollectiveBarrier();
  bulk->StartReceive(previous, 9, &in, 1, 2);
  PollUntil(2);
  EXPECT_EQ(in, std::byte{5});
}

TEST_F(Bulk, TakesReceivesBack) {
  std::byte unused{0}, in{0};
  bulk->StartReceive(previous, 3, &unused, 1, 1);
  bulk->CancelReceive(1);
  bulk->StartReceive(previous, 3, &in, 1, 2);
  world.CollectiveBarrier();
  const std::byte out{6};
  bulk->StartSend(next, 3, &out, 1, 3);
  PollUntil(2);
  EXPECT_EQ(in, std::byte{6});
  EXPECT_EQ(unused, std::byte{0});
}

}  // namespace
}  // namespace manta
