#include "core/wire/messages.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <set>
#include <span>
#include <stdexcept>
#include <vector>

#include "core/wire/hang_messages.hpp"
#include "core/wire/place_messages.hpp"

namespace manta::wire {
namespace {

/// Gives every field of a message a value of its own that is not the default.
class Filler {
 public:
  template <class T>
  void operator()(T& value) { Fill(value); }

 private:
  int Next() { return next_ = next_ % 120 + 1; }
  template <class T>
  void Fill(T& value) {
    if constexpr (std::is_arithmetic_v<T>) value = static_cast<T>(Next());
    else value.Fields(*this);
  }
  void Fill(TaskKind& kind) { kind = TaskKind::kActorCreation; }  // the one with all fields
  void Fill(Outcome& outcome) { outcome = Outcome::kRetry; }
  void Fill(PullBy& by) { by = PullBy::kRead; }
  void Fill(PullResult& result) { result = PullResult::kPinned; }
  void Fill(HangState& state) { state = HangState::kSent; }
  void Fill(Rank& rank) { rank = Rank(Next()); }
  void Fill(ObjectId& id) { id = {Rank(Next()), static_cast<std::uint32_t>(Next()), static_cast<std::uint32_t>(Next())}; }
  void Fill(Location& at) {
    std::memset(static_cast<void*>(&at), 0, sizeof(at));  // padding crosses the wire too, and is compared here
    at.holder = Rank(Next());
    at.entry = static_cast<std::uint32_t>(Next());
  }
  void Fill(DeviceShare& share) {
    std::memset(static_cast<void*>(&share), 0, sizeof(share));
    share.device = Next();
    share.amount = Next();
  }
  void Fill(SlotUse& use) { use = {static_cast<std::uint32_t>(Next()), static_cast<std::uint32_t>(Next())}; }
  void Fill(DroppedBorrow& dropped) {
    Fill(dropped.object);
    Fill(dropped.received);
  }
  void Fill(std::string& text) { text = "text " + std::to_string(Next()); }
  void Fill(std::vector<std::byte>& bytes) { bytes.assign(static_cast<std::size_t>(Next() % 5 + 1), std::byte{7}); }
  template <class T>
  void Fill(std::vector<T>& list) {
    list.resize(2);
    for (T& one : list) Fill(one);
  }
  template <class T>
  void Fill(std::optional<T>& maybe) { Fill(maybe.emplace()); }
  template <class A, class B>
  void Fill(std::pair<A, B>& two) {
    Fill(two.first);
    Fill(two.second);
  }
  int next_ = 0;
};

template <class M>
std::vector<std::byte> Encoded(const M& message, std::uint32_t session = 5) {
  std::vector<std::byte> bytes;
  Encode(bytes, session, message);
  return bytes;
}

template <class M>
std::vector<std::byte> Body(const M& message) {
  std::vector<std::byte> bytes = Encoded(message);
  bytes.erase(bytes.begin(), bytes.begin() + sizeof(Header));
  return bytes;
}

template <class M>
M DecodedBody(std::span<const std::byte> body) {
  Reader reader(body);
  return Decode<M>(reader);
}

template <class M>
M Filled() {
  M message;
  Filler filler;
  message.Fields(filler);
  return message;
}

/// The encoded part of a TaskPush, which is no message of its own.
struct PushMore : TaskPushMore {
  static constexpr Kind kKind = Kind::kTaskPush;
};

/// The list of arguments in one, likewise.
struct PushArguments {
  static constexpr Kind kKind = Kind::kTaskPush;
  std::vector<WireArgument> arguments;
  template <class V>
  void Fields(V& v) {
    v(arguments);
  }
};

template <class M>
class Messages : public ::testing::Test {};
using All = ::testing::Types<
    PushMore, TaskDone, TaskCancel, WorkRequest, NoWork, AnswerAskers, HandBack, Hungry, Backlog, WorkHint, ObjectQuery, ObjectReady, BorrowVia,
    BorrowConfirmed, BorrowDrop, TransitDone, CopyNotice, Evict, FreeBlock, LeaseRequest, LeaseGrant,
    LeaseReturn, LeaseSuspend, LeaseResume, CedeSlots, SlotsCeded, SlotsReturned, ActorEnd, ActorKill, ActorDied, NameRegister,
    NameLookup, NameGrant, NameReply, NameDrop, StatsQuery, StatsReply, AvailableQuery, AvailableReply>;
using AlsoAll = ::testing::Types<BytesAsk, BytesHere, Pull, PullAnswer, PullDone, KeeperStep, RoomWanted, TaskClassNotice, TaskStarted, PlaceRequest, PlaceGrant, PlacesBack, PlacesRecall, Abort, SessionEnd, SessionEnded, HangQuery, HangReply>;  // gtest takes 50 types at most
TYPED_TEST_SUITE(Messages, All);
template <class M>
class JobMessages : public Messages<M> {};
TYPED_TEST_SUITE(JobMessages, AlsoAll);

template <class M>
void ExpectRoundTrip() {
  const M message = Filled<M>();
  const std::vector<std::byte> bytes = Encoded(message, 17);

  Header header;
  Reader reader(bytes);
  reader(header);
  EXPECT_EQ(header.kind, M::kKind);
  EXPECT_EQ(header.session, 17u);
  const M again = Decode<M>(reader);
  EXPECT_EQ(reader.left(), 0u);
  EXPECT_EQ(Encoded(again, 17), bytes);
  if (bytes.size() > sizeof(Header)) {
    EXPECT_NE(Encoded(M{}, 17), bytes) << "the sample holds more than defaults";
  }
  EXPECT_EQ(Body(DecodedBody<M>(Body(M{}))), Body(M{}));
}

template <class M>
void ExpectEveryTruncationThrows() {
  for (const M& message : {Filled<M>(), M{}}) {
    const std::vector<std::byte> body = Body(message);
    for (std::size_t size = 0; size < body.size(); ++size) {
      // A copy of that size, so that the address sanitizer sees a read past it.
      const std::vector<std::byte> cut(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THROW(DecodedBody<M>(cut), std::runtime_error) << size << " of " << body.size();
    }
  }
}

template <class M>
void ExpectNoHarmFromChangedBytes() {
  std::mt19937 random(201);
  const std::vector<std::byte> body = Body(Filled<M>());
  if (body.empty()) return;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::byte> changed = body;
    for (int i = 0; i < 3; ++i) changed[random() % changed.size()] = static_cast<std::byte>(random());
    try {
      DecodedBody<M>(changed);
    } catch (const std::runtime_error&) {
    }
  }
}

TYPED_TEST(Messages, ComeBackAsTheyWere) { ExpectRoundTrip<TypeParam>(); }
TYPED_TEST(Messages, AreRefusedWhenTheyEndEarly) { ExpectEveryTruncationThrows<TypeParam>(); }
TYPED_TEST(Messages, DoNoHarmWhenTheirBytesAreWrong) { ExpectNoHarmFromChangedBytes<TypeParam>(); }
TYPED_TEST(JobMessages, ComeBackAsTheyWere) { ExpectRoundTrip<TypeParam>(); }
TYPED_TEST(JobMessages, AreRefusedWhenTheyEndEarly) { ExpectEveryTruncationThrows<TypeParam>(); }
TYPED_TEST(JobMessages, DoNoHarmWhenTheirBytesAreWrong) { ExpectNoHarmFromChangedBytes<TypeParam>(); }

TEST(TaskMessages, ListTheirArguments) {
  ExpectRoundTrip<PushArguments>();
  ExpectEveryTruncationThrows<PushArguments>();
  ExpectNoHarmFromChangedBytes<PushArguments>();
}

template <class... M>
std::vector<Kind> KindsOf(::testing::Types<M...>) { return {M::kKind...}; }

TEST(MessageKinds, AreEachUsedOnce) {
  std::set<Kind> seen;
  for (const Kind kind : KindsOf(All{})) EXPECT_TRUE(seen.insert(kind).second) << static_cast<int>(kind);
  for (const Kind kind : KindsOf(AlsoAll{})) EXPECT_TRUE(seen.insert(kind).second) << static_cast<int>(kind);
}

TEST(TaskMessages, OfFewBytesAreOneCellOfARing) {
  constexpr std::size_t kCell = 56;
  EXPECT_LE(sizeof(TaskPushHead) + 24, kCell) << "a task with 24 bytes of arguments";
  EXPECT_LE(sizeof(TaskPushHead) + sizeof(SmallArgument) + 8, kCell) << "a task with the ref of a number";
  EXPECT_LE(sizeof(TaskPushHead) + sizeof(ObjectId) + 12, kCell) << "a call with 12 bytes of arguments";
  EXPECT_LE(sizeof(TaskOk) + 24, kCell) << "a result of 24 bytes";
}

TEST(TaskMessages, HeadsKeepTheirKindBesideTheirFlags) {
  for (const TaskKind kind : {TaskKind::kTask, TaskKind::kActorCreation, TaskKind::kActorCall}) {
    TaskPushHead head;
    head.flags = static_cast<std::uint8_t>(static_cast<unsigned>(kind) | TaskPushHead::kOneCpu | TaskPushHead::kMore);
    EXPECT_EQ(head.kind(), kind);
  }
}

TEST(Codec, KeepsEmptyAndLargeFields) {
  ObjectReady ready;
  ready.value.inside.assign(1u << 20, std::byte{3});

  EXPECT_EQ(DecodedBody<ObjectReady>(Body(ready)).value.inside, ready.value.inside);
}

TEST(Codec, RefusesAbsurdCountsWithoutTakingMemoryForThem) {
  for (const std::uint32_t count : {std::numeric_limits<std::uint32_t>::max(), 0x10000u}) {
    std::vector<std::byte> bytes;
    Writer writer(bytes);
    writer(count);
    Reader list(bytes), text(bytes);
    std::vector<std::uint64_t> numbers;
    std::string string;
    EXPECT_THROW(list(numbers), std::runtime_error);
    EXPECT_THROW(text(string), std::runtime_error);
    EXPECT_EQ(numbers.capacity(), 0u);
  }
  std::vector<std::byte> bytes;
  Writer writer(bytes);
  writer(std::numeric_limits<std::uint64_t>::max());
  Reader reader(bytes);
  std::vector<std::byte> raw;
  EXPECT_THROW(reader(raw), std::runtime_error);
}

}  // namespace
}  // namespace manta::wire
