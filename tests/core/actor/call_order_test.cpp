#include "core/actor/call_order.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace manta::actor {
namespace {

using Order = CallOrder<int>;
const int actor_a = 0, actor_b = 0;

TEST(CallOrder, LetsACallThroughThatWaitsForNothing) {
  Order order;

  EXPECT_FALSE(order.Waits({&actor_a, 1}));
}

TEST(CallOrder, HoldsLaterCallsBackUntilTheFirstMayLeave) {
  Order order;
  const Order::Stream stream{&actor_a, 1};
  order.Enter(stream, 1);
  order.Enter(stream, 2);
  order.Enter(stream, 3);

  EXPECT_TRUE(order.Waits(stream));
  EXPECT_TRUE(order.Settle(stream, 3).empty());
  EXPECT_TRUE(order.Settle(stream, 2).empty());
  EXPECT_EQ(order.Settle(stream, 1), (std::vector<int>{1, 2, 3}));
  EXPECT_FALSE(order.Waits(stream));
  EXPECT_TRUE(order.empty());
}

TEST(CallOrder, StopsAtTheNextCallThatIsNotSettled) {
  Order order;
  const Order::Stream stream{&actor_a, 1};
  for (int call = 1; call <= 4; ++call) order.Enter(stream, call);
  EXPECT_TRUE(order.Settle(stream, 2).empty());

  EXPECT_EQ(order.Settle(stream, 1), (std::vector<int>{1, 2}));
  EXPECT_EQ(order.Settle(stream, 3), (std::vector<int>{3}));
  EXPECT_EQ(order.Settle(stream, 4), (std::vector<int>{4}));
}

TEST(CallOrder, KeepsStreamsOfOtherActorsAndSubmittersApart) {
  Order order;
  order.Enter({&actor_a, 1}, 1);

  EXPECT_FALSE(order.Waits({&actor_a, 2}));
  EXPECT_FALSE(order.Waits({&actor_b, 1}));
}

TEST(CallOrder, IgnoresACallThatNeverEntered) {
  Order order;

  EXPECT_TRUE(order.Settle({&actor_a, 1}, 9).empty());
}

}  // namespace
}  // namespace manta::actor
