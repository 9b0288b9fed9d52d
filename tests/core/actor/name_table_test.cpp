#include "core/actor/name_table.hpp"

#include <gtest/gtest.h>

namespace manta::actor {
namespace {

const ObjectId first{Rank(0), 1, 1};
const ObjectId second{Rank(1), 1, 1};

TEST(NameTable, FindsWhatWasRegistered) {
  NameTable names;

  EXPECT_TRUE(names.Register("hits", first));
  EXPECT_EQ(names.Find("hits"), first);
  EXPECT_EQ(names.Find("misses"), std::nullopt);
}

TEST(NameTable, RefusesANameThatIsTaken) {
  NameTable names;
  names.Register("hits", first);

  EXPECT_FALSE(names.Register("hits", second));
  EXPECT_EQ(names.Find("hits"), first);
}

TEST(NameTable, GivesANameAwayAgainOnceItsActorDroppedIt) {
  NameTable names;
  names.Register("hits", first);

  names.Drop("hits", first);

  EXPECT_TRUE(names.Register("hits", second));
}

TEST(NameTable, IgnoresALateDropByAFormerOwner) {
  NameTable names;
  names.Register("hits", first);
  names.Drop("hits", first);
  names.Register("hits", second);

  names.Drop("hits", first);

  EXPECT_EQ(names.Find("hits"), second);
}

}  // namespace
}  // namespace manta::actor
