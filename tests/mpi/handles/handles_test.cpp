#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mpi/handles/communicator.hpp"
#include "mpi/handles/request.hpp"
#include "mpi/handles/window.hpp"

namespace manta::mpi {
namespace {

using ::testing::HasSubstr;

TEST(MpiTry, ThrowsCallCodeTextPlaceAndRank) {
  const Communicator comm = Communicator::CollectiveDup(MPI_COMM_WORLD);
  const char byte = 0;

  try {
    MANTA_MPI_TRY(MPI_Send(&byte, 1, MPI_BYTE, comm.size() + 7, 0, comm.get()));
    FAIL() << "nothing was thrown";
  } catch (const MpiError& e) {
    EXPECT_THAT(e.what(), HasSubstr("MPI_Send failed on rank " + std::to_string(comm.rank()) + ": "));
    EXPECT_THAT(e.what(), HasSubstr("rank"));
    EXPECT_THAT(e.what(), HasSubstr("(code "));
    EXPECT_THAT(e.what(), HasSubstr("handles_test.cpp:"));
  }
}

TEST(MpiTry, LogsInsteadWhereNothingMayBeThrown) {
  const Communicator comm = Communicator::CollectiveDup(MPI_COMM_WORLD);
  const char byte = 0;

  ::testing::internal::CaptureStderr();
  MANTA_MPI_LOG(MPI_Send(&byte, 1, MPI_BYTE, comm.size() + 7, 0, comm.get()));

  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("MPI_Send failed on rank"));
}

TEST(Communicator, KeepsRanksWhenDuplicatedAndIsEmptyWhenMovedFrom) {
  Communicator first = Communicator::CollectiveDup(MPI_COMM_WORLD);
  const Communicator second = first.CollectiveDup();
  EXPECT_EQ(first.rank(), second.rank());
  EXPECT_EQ(first.size(), second.size());
  EXPECT_NE(first.get(), second.get());

  Communicator third = std::move(first);

  EXPECT_FALSE(first);
  EXPECT_EQ(first.size(), 0);
  EXPECT_EQ(third.rank(), second.rank());
  third.Close();
  EXPECT_FALSE(third);
  third.Close();
}

TEST(Communicator, SplitsByColourInOrderOfRanks) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);

  const Communicator half = world.CollectiveSplit(world.rank() % 2);

  EXPECT_EQ(half.rank(), world.rank() / 2);
  EXPECT_EQ(half.CollectiveBroadcast(static_cast<std::uint64_t>(world.rank())),
            static_cast<std::uint64_t>(world.rank() % 2));
}

TEST(Communicator, SplitsIntoRanksThatShareMemory) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);

  const Communicator node = world.CollectiveSplitShared();

  EXPECT_EQ(node.size(), world.size()) << "these tests run on one machine";
}

TEST(Communicator, AgreesOnMinimumAndMaximum) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);
  const auto rank = static_cast<std::uint64_t>(world.rank());

  EXPECT_EQ(world.CollectiveMin(rank + 5), 5u);
  EXPECT_EQ(world.CollectiveMax(rank + 5), static_cast<std::uint64_t>(world.size()) + 4);
}

TEST(Request, ReceivesAgainAndAgainWhenPersistent) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);
  int incoming = -1;
  Request receive;
  receive.ReceiveInit(&incoming, sizeof(incoming), world.rank(), 3, world.get());

  for (int i = 0; i < 3; ++i) {
    receive.Start();
    Request send;
    send.Send(&i, sizeof(i), world.rank(), 3, world.get());
    receive.Wait();
    send.Wait();
    EXPECT_EQ(incoming, i);
  }

  EXPECT_FALSE(receive.active());
  EXPECT_TRUE(receive.Test()) << "what is idle is over";
}

TEST(Request, EndsAReceiveThatNothingMatches) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);
  int incoming = -1;
  Request receive;
  receive.ReceiveInit(&incoming, sizeof(incoming), MPI_ANY_SOURCE, 3, world.get());
  receive.Start();

  EXPECT_FALSE(receive.Test());
  receive.CancelReceive();

  EXPECT_FALSE(receive.active());
  EXPECT_EQ(incoming, -1);
}

TEST(Request, ThrowsWhatMpiRefuses) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);
  const int value = 0;
  Request request;

  EXPECT_THROW(request.Send(&value, sizeof(value), world.size(), 3, world.get()), MpiError);
  EXPECT_FALSE(request.active());
}

TEST(Request, SumsWhatEachRankContributes) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);
  const auto ranks = static_cast<std::size_t>(world.size());
  const std::vector<std::uint64_t> contributions(ranks, 10);
  std::uint64_t sum = 0;
  Request request;

  request.CollectiveReduceScatter(contributions.data(), &sum, world.get());
  request.Wait();

  EXPECT_EQ(sum, 10 * ranks);
}

TEST(Window, CanBeMovedAndClosedTwice) {
  const Communicator node = Communicator::CollectiveDup(MPI_COMM_WORLD).CollectiveSplitShared();
  Window made = Window::CollectiveAllocateShared(node, node.rank() == 0 ? 4096 : 0);

  Window window = std::move(made);

  EXPECT_FALSE(made);
  EXPECT_NE(window.SharedAddress(0), nullptr);
  window.CollectiveClose();
  EXPECT_FALSE(window);
  window.CollectiveClose();
}

}  // namespace
}  // namespace manta::mpi
