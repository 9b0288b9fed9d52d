#include "mpi/message/mpi_transport.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/conformance/transport_conformance.hpp"

namespace manta {
namespace {

using mpi::Communicator;
using testing::CheckingHandler;
using testing::MakeMessage;

/// For places where nothing may come in any more.
class NothingExpected : public MessageHandler {
 public:
  void OnMessage(Rank source, std::span<const std::byte>) override {
    ADD_FAILURE() << "an unexpected message from rank " << source;
  }
};

class MpiWorld {
 public:
  ~MpiWorld() {
    NothingExpected handler;
    transport_->CollectiveClose(handler);
  }
  int size() const { return world_.size(); }
  std::vector<testing::TransportEndpoint> endpoints() { return {{Rank(world_.rank()), transport_.get()}}; }
  void Barrier() { world_.CollectiveBarrier(); }

 private:
  Communicator world_ = Communicator::CollectiveDup(MPI_COMM_WORLD);
  std::unique_ptr<MpiTransport> transport_ = MpiTransport::CollectiveCreate(world_, [](Rank) { return true; });
};

}  // namespace

namespace testing {
INSTANTIATE_TYPED_TEST_SUITE_P(Mpi, TransportConformance, MpiWorld);
}

namespace {

TEST(MpiTransport, ReachesOnlyWhomItWasToldTo) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);
  const int mine = world.rank() % 2;

  const auto transport = MpiTransport::CollectiveCreate(world, [&](Rank rank) { return rank.value % 2 != mine; });

  for (int rank = 0; rank < world.size(); ++rank) EXPECT_EQ(transport->Reaches(Rank(rank)), rank % 2 != mine);
  NothingExpected handler;
  transport->CollectiveClose(handler);
  EXPECT_FALSE(transport->Reaches(Rank(-1)));
}

TEST(MpiTransport, NeverWaitsForMpiWhereItReachesNobody) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);
  NothingExpected handler;

  const auto transport = MpiTransport::CollectiveCreate(world, [](Rank) { return false; });

  EXPECT_EQ(transport->Poll(handler, 64), 0u);
  EXPECT_TRUE(transport->Flushed());
  EXPECT_FALSE(transport->MayHaveIncoming());
  EXPECT_GT(transport->MaxSleepNanoseconds(), 1'000'000'000);
  transport->CollectiveClose(handler);
}

TEST(MpiTransport, DeliversWhatWasSentJustBeforeClose) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);
  const Rank self(world.rank());
  const auto transport = MpiTransport::CollectiveCreate(world, [](Rank) { return true; });
  CheckingHandler handler;
  constexpr std::uint32_t kCount = 500;

  for (int peer = 0; peer < world.size(); ++peer)
    for (std::uint32_t i = 0; i < kCount && Rank(peer) != self; ++i)
      transport->Send(Rank(peer), MakeMessage(self, 0, i, i == 250 ? 2'000'000 : 300));
  transport->CollectiveClose(handler);

  EXPECT_EQ(handler.received(), kCount * static_cast<std::size_t>(world.size() - 1));
  EXPECT_EQ(transport->Poll(handler, 64), 0u);
}

TEST(MpiTransport, CanBeDroppedWithMessagesUnderWay) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);
  const Rank self(world.rank());
  CheckingHandler handler;
  {
    const auto transport = MpiTransport::CollectiveCreate(world, [](Rank) { return true; });
    for (int peer = 0; peer < world.size(); ++peer)
      if (Rank(peer) != self) transport->Send(Rank(peer), MakeMessage(self, 0, 0, 3'000'000));
    transport->Poll(handler, 1);
  }
  world.CollectiveBarrier();
}

TEST(MpiTransport, AsksToBePolledAtOnceWhileMessagesWait) {
  const Communicator world = Communicator::CollectiveDup(MPI_COMM_WORLD);
  const Rank self(world.rank());
  if (world.size() < 2) GTEST_SKIP() << "needs two ranks";
  const auto transport = MpiTransport::CollectiveCreate(world, [](Rank) { return true; });
  CheckingHandler handler;

  transport->Send(Rank((self.value + 1) % world.size()), MakeMessage(self, 0, 0, 100));

  EXPECT_FALSE(transport->Flushed());
  EXPECT_EQ(transport->MaxSleepNanoseconds(), 0);
  transport->Poll(handler, 0);
  EXPECT_GE(transport->MaxSleepNanoseconds(), 50'000);
  transport->CollectiveClose(handler);
  EXPECT_EQ(handler.received(), 1u);
}

TEST(QuietSleep, GrowsWithTheSilenceUpToTenMilliseconds) {
  EXPECT_EQ(mpi::QuietSleepNanoseconds(0), 50'000);
  EXPECT_EQ(mpi::QuietSleepNanoseconds(4'000'000), 1'000'000);
  EXPECT_EQ(mpi::QuietSleepNanoseconds(3'600'000'000'000), 10'000'000);
}

}  // namespace
}  // namespace manta
