#include <manta/detail/type_ops.hpp>
#include <manta/object_ref.hpp>
#include <manta/serialize.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#include "tests/core/api/sample_types.hpp"

namespace manta::detail {
namespace {

using namespace sample;

/// Bytes whose end the address sanitizer guards, at the alignment of the store.
struct Bytes {
  explicit Bytes(std::size_t size) : data(new (std::align_val_t(64)) std::byte[size]), size(size) {}
  Bytes(const std::byte* from, std::size_t size) : Bytes(size) {
    if (size != 0) std::memcpy(data.get(), from, size);
  }
  struct Delete {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t(64)); }
  };
  std::unique_ptr<std::byte[], Delete> data;
  std::size_t size;
};

template <class T>
Bytes Written(const T& value) {
  const TypeOps& ops = OpsOf<T>();
  Bytes bytes(ops.measure(&value));
  std::vector<Handle> refs;
  ops.write(&value, bytes.data.get(), bytes.size, &refs);
  EXPECT_TRUE(refs.empty());
  return bytes;
}

template <class T>
std::shared_ptr<const T> Loaded(const Bytes& bytes) {
  return std::static_pointer_cast<const T>(OpsOf<T>().load(bytes.data.get(), bytes.size, nullptr));
}

template <class T>
std::shared_ptr<const T> RoundTrip(const T& value) { return Loaded<T>(Written(value)); }

template <class T>
void ExpectSame(const T& value) { EXPECT_EQ(*RoundTrip(value), value); }

/// No encoding of a T that was cut short or changed does harm: UsageError, or some value.
template <class T>
void ExpectSafe(const T& value) {
  const Bytes whole = Written(value);
  for (std::size_t size = 0; size < whole.size; ++size) {
    const Bytes cut(whole.data.get(), size);
    if constexpr (kIsArray<T>) {
      EXPECT_LE(Loaded<T>(cut)->size(), value.size()) << "an array is as long as its bytes";
    } else {
      EXPECT_THROW(Loaded<T>(cut), UsageError) << size << " of " << whole.size;
    }
  }
  std::mt19937 random(201);
  for (int round = 0; round < 200 && whole.size != 0; ++round) {
    const Bytes changed(whole.data.get(), whole.size);
    for (int i = 0; i < 2; ++i) changed.data[random() % changed.size] = static_cast<std::byte>(random());
    try {
      Loaded<T>(changed);
    } catch (const UsageError&) {
    } catch (const cereal::Exception&) {  // an unknown polymorphic type or variant index
    }
  }
}

TEST(TypeOps, ChooseTheFormatByType) {
  EXPECT_EQ(OpsOf<int>().format, Format::kPlain);
  EXPECT_EQ(OpsOf<Point>().format, Format::kPlain);
  EXPECT_EQ(OpsOf<Point>().item_bytes, sizeof(Point));
  EXPECT_EQ(OpsOf<std::vector<double>>().format, Format::kArray);
  EXPECT_EQ(OpsOf<std::vector<double>>().item_bytes, 8u);
  EXPECT_EQ(OpsOf<std::string>().format, Format::kArray);
  EXPECT_EQ(OpsOf<std::vector<bool>>().format, Format::kArchive);
  EXPECT_EQ(OpsOf<std::vector<std::string>>().format, Format::kArchive);
  EXPECT_EQ((OpsOf<std::pair<int, int>>().format), Format::kArchive);
}

TEST(TypeOps, TellTypesApart) {
  EXPECT_NE(OpsOf<int>().hash, OpsOf<unsigned>().hash);
  EXPECT_NE(OpsOf<std::vector<int>>().hash, OpsOf<std::vector<long>>().hash);
  EXPECT_EQ(OpsOf<int>().hash, HashName(typeid(int).name()));
  EXPECT_EQ(&OpsOf<int>(), &OpsOf<int>());
}

TEST(TypeOps, BringBackPlainData) {
  ExpectSame(42);
  ExpectSame(true);
  ExpectSame(-0.5);
  ExpectSame('x');
  EXPECT_TRUE(std::isnan(*RoundTrip(std::nan(""))));
  const Point point{1.5, 2.5};
  EXPECT_EQ(RoundTrip(point)->y, 2.5);
  ExpectSame(std::array<int, 3>{1, 2, 3});
}

TEST(TypeOps, BringBackArraysAsTheirRawElements) {
  const std::vector<double> numbers{1, 2, 3};
  EXPECT_EQ(OpsOf<std::vector<double>>().measure(&numbers), 24u);
  ExpectSame(numbers);
  ExpectSame(std::string("text with \0 inside", 18));
  ExpectSame(std::u16string(u"wide"));
  ExpectSame(std::vector<char>(1000, 'x'));
  ExpectSame(std::vector<std::array<int, 2>>{{1, 2}, {3, 4}});
}

TEST(TypeOps, BringBackStandardContainers) {
  ExpectSame(std::vector<bool>{true, false, true});
  ExpectSame(std::vector<std::string>{"a", "", "ccc"});
  ExpectSame(std::vector<std::vector<std::vector<int>>>{{{1}, {}}, {}, {{2, 3}}});
  ExpectSame(std::map<std::string, double>{{"a", 1}, {"b", 2}});
  ExpectSame(std::unordered_map<int, std::string>{{1, "a"}, {2, "b"}});
  ExpectSame(std::set<int>{3, 1, 2});
  ExpectSame(std::unordered_set<std::string>{"x", "y"});
  ExpectSame(std::deque<int>{1, 2});
  ExpectSame(std::list<std::string>{"a"});
  ExpectSame(std::optional<std::string>("text"));
  ExpectSame(std::optional<std::string>());
  ExpectSame(std::optional<int>(3));
  ExpectSame(std::variant<int, std::string>("text"));
  ExpectSame(std::variant<int, std::string>(7));
  ExpectSame(std::tuple<int, std::string, std::vector<int>>{1, "a", {2}});
  ExpectSame(std::pair<std::string, int>{"a", 1});
  ExpectSame(std::array<std::string, 2>{"a", "b"});
}

TEST(TypeOps, BringBackEmptyContainers) {
  ExpectSame(std::vector<double>());
  ExpectSame(std::vector<bool>());
  ExpectSame(std::vector<std::string>());
  ExpectSame(std::string());
  ExpectSame(std::map<int, int>());
  ExpectSame(std::unordered_map<std::string, std::string>());
  ExpectSame(std::tuple<>());
}

TEST(TypeOps, BringBackMoveOnlyValues) {
  EXPECT_EQ(**RoundTrip(std::make_unique<int>(5)), 5);
  EXPECT_EQ(*RoundTrip(std::unique_ptr<std::string>()), nullptr);
  std::vector<std::unique_ptr<std::string>> list;
  list.push_back(std::make_unique<std::string>("a"));
  list.push_back(nullptr);
  const auto again = RoundTrip(list);
  EXPECT_EQ(*(*again)[0], "a");
  EXPECT_EQ((*again)[1], nullptr);
}

TEST(TypeOps, KeepTheSharingOfAGraph) {
  auto leaf = std::make_shared<Node>();
  leaf->name = "leaf";
  auto root = std::make_shared<Node>();
  root->name = "root";
  root->children = {leaf, leaf, std::make_shared<Node>()};
  root->children[2]->children = {leaf};

  const auto again = *RoundTrip(root);

  ASSERT_EQ(again->children.size(), 3u);
  EXPECT_EQ(again->children[0], again->children[1]);
  EXPECT_EQ(again->children[2]->children[0], again->children[0]);
  EXPECT_EQ(again->children[0]->name, "leaf");
  EXPECT_EQ(again->children[0].use_count(), 3);
}

TEST(TypeOps, BringBackADerivedObjectThroughItsBase) {
  const std::unique_ptr<Shape> circle = std::make_unique<Circle>(2.0);
  const auto unique = RoundTrip(circle);
  EXPECT_EQ((*unique)->Area(), 12.0);

  const std::vector<std::shared_ptr<Shape>> shapes{std::make_shared<Square>(3.0), std::make_shared<Circle>(1.0)};
  const auto list = RoundTrip(shapes);
  EXPECT_EQ((*list)[0]->Area(), 9.0);
  EXPECT_EQ((*list)[1]->Area(), 3.0);
}

TEST(TypeOps, RefuseADerivedTypeThatWasNotRegistered) {
  const std::shared_ptr<Shape> shape = std::make_shared<Unregistered>();

  EXPECT_THROW(Written(shape), cereal::Exception);
}

TEST(TypeOps, UseEveryFormOfSerializeThatCerealKnows) {
  EXPECT_EQ(RoundTrip(Versioned{"7"})->value, "7");
  EXPECT_EQ(RoundTrip(Versioned{"7"})->loaded_version, 3u);
  EXPECT_EQ(RoundTrip(Hidden(8))->value(), 8);
  EXPECT_EQ(RoundTrip(SavesAndLoads{"in"})->text, "in saved loaded");
  EXPECT_EQ(RoundTrip(Outside{"a", 2})->count, 2);
  EXPECT_EQ(RoundTrip(Minimal{5})->value, 5);
  EXPECT_EQ(RoundTrip(Inherits(3, "base"))->name, "base");
  EXPECT_EQ(RoundTrip(Inherits(3, "base"))->own, "own 3");
}

TEST(TypeOps, TakePlainDataByItsBytesEvenWhereItHasASerializeFunction) {
  static_assert(kPlainData<PlainWithSerialize>);
  const PlainWithSerialize value{3};

  EXPECT_EQ(OpsOf<PlainWithSerialize>().measure(&value), sizeof(value));
  EXPECT_EQ(RoundTrip(value)->value, 3);
}

TEST(TypeOps, ConstructTypesWithoutADefault) {
  EXPECT_EQ(RoundTrip(NoDefault(9))->value(), 9);
  EXPECT_EQ((*RoundTrip(std::make_unique<NoDefault>(4)))->value(), 4);
  EXPECT_EQ((*RoundTrip(std::make_shared<NoDefault>(4)))->value(), 4);
  EXPECT_EQ(RoundTrip(PrivateDefault::Make(6))->value(), 6);
}

TEST(TypeOps, ThrowUsageErrorForBytesThatEndEarlyAndNeverCrash) {
  ExpectSafe(42);
  ExpectSafe(Point{1, 2});
  ExpectSafe(std::vector<double>{1, 2, 3});
  ExpectSafe(std::string("text"));
  ExpectSafe(std::vector<bool>(17, true));
  ExpectSafe(std::vector<std::string>{"a", "", "ccc"});
  ExpectSafe(std::map<std::string, std::vector<int>>{{"a", {1, 2}}, {"b", {}}});
  ExpectSafe(std::unordered_map<int, std::string>{{1, "a"}, {2, "b"}});
  ExpectSafe(std::optional<std::string>("text"));
  ExpectSafe(std::variant<int, std::string>("text"));
  ExpectSafe(std::tuple<int, std::string, std::vector<int>>{1, "a", {2}});
  ExpectSafe(std::make_unique<std::string>("a"));
  ExpectSafe(std::vector<std::shared_ptr<Shape>>{std::make_shared<Square>(3.0), std::make_shared<Circle>(1.0)});
  ExpectSafe(Versioned{"7"});
  ExpectSafe(NoDefault(9));
  ExpectSafe(std::list<std::string>{"a", "b"});
  ExpectSafe(std::deque<std::string>{"a", "b"});
  ExpectSafe(std::set<std::string>{"a", "b"});
}

template <class T>
void ExpectAbsurdLengthRefused() {
  for (const int bits : {64, 62, 40, 21, 16}) {
    const std::uint64_t length = bits == 64 ? ~std::uint64_t{0} : std::uint64_t{1} << bits;
    Bytes bytes(sizeof(length) + 16);
    std::memset(bytes.data.get(), 0, bytes.size);
    std::memcpy(bytes.data.get(), &length, sizeof(length));
    EXPECT_THROW(Loaded<T>(bytes), UsageError) << typeid(T).name() << " of " << length;
  }
}

TEST(TypeOps, RefuseAbsurdLengthsBeforeTakingMemory) {
  ExpectAbsurdLengthRefused<std::vector<std::string>>();
  ExpectAbsurdLengthRefused<std::vector<bool>>();
  ExpectAbsurdLengthRefused<std::vector<std::vector<double>>>();
  ExpectAbsurdLengthRefused<std::map<int, int>>();
  ExpectAbsurdLengthRefused<std::unordered_map<std::string, int>>();
  ExpectAbsurdLengthRefused<std::unordered_set<std::string>>();
  ExpectAbsurdLengthRefused<std::list<std::string>>();
  ExpectAbsurdLengthRefused<std::deque<std::string>>();
}

/// Changes the byte at `at` of what `value` is written as.
template <class T>
Bytes Changed(const T& value, std::size_t at, int byte) {
  Bytes bytes = Written(value);
  bytes.data[at] = static_cast<std::byte>(byte);
  return bytes;
}

TEST(TypeOps, RefuseASharedPointerOfAnotherType) {
  using Pair = std::pair<std::shared_ptr<std::string>, std::shared_ptr<std::vector<int>>>;
  const Pair pair{std::make_shared<std::string>("a"), std::make_shared<std::vector<int>>(1)};
  constexpr std::size_t kSecond = 4 + 8 + 1;  // after the first one's number and text

  EXPECT_EQ(Loaded<Pair>(Written(pair))->second->size(), 1u);
  Bytes as_first = Changed(pair, kSecond, 1);
  as_first.data[kSecond + 3] = std::byte{0};  // no new pointer, but the first
  EXPECT_THROW(Loaded<Pair>(as_first), UsageError);
  EXPECT_THROW(Loaded<Pair>(Changed(pair, kSecond, 1)), UsageError) << "the first one's number again";
  EXPECT_THROW(Loaded<Pair>(Changed(pair, 0, 0)), UsageError) << "a number that stands for null";
}

TEST(TypeOps, RefuseNoValueWhereOneWasToBe) {
  EXPECT_THROW(Loaded<NoDefault>(Changed(NoDefault(4), 0, 0)), UsageError);
}

TEST(TypeOps, BringBackManyLargeElementsOfFewBytes) {
  using Sparse = std::vector<std::optional<std::array<double, 100>>>;
  Sparse sparse(5000);
  sparse[4999] = std::array<double, 100>{1};
  ExpectSame(sparse);
  EXPECT_EQ(RoundTrip(std::vector<Empty>(100'000))->size(), 100'000u);
}

TEST(TypeOps, LoadFromUnalignedBytes) {
  const std::vector<double> numbers{1, 2, 3};
  const Bytes whole = Written(numbers);
  const Bytes shifted(whole.size + 1);
  std::memcpy(shifted.data.get() + 1, whole.data.get(), whole.size);

  const auto again = std::static_pointer_cast<const std::vector<double>>(
      OpsOf<std::vector<double>>().load(shifted.data.get() + 1, whole.size, nullptr));

  EXPECT_EQ(*again, numbers);
}

struct alignas(64) Wide {
  double values[8];
};

TEST(TypeOps, KeepTheAlignmentOfATypeThatAsksForMore) {
  Wide wide{};
  wide.values[7] = 7;
  const auto one = RoundTrip(wide);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(one.get()) % 64, 0u);
  EXPECT_EQ(one->values[7], 7);

  const auto list = RoundTrip(std::vector<Wide>{wide, wide});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(list->data()) % 64, 0u);
  EXPECT_EQ((*list)[1].values[7], 7);
}

struct Changing {
  std::string not_plain;
  mutable int calls = 0;
  template <class A>
  void save(A& archive) const {
    const std::string text(static_cast<std::size_t>(++calls), 'x');  // longer at every pass
    archive(text);
  }
  template <class A>
  void load(A& archive) {
    std::string text;
    archive(text);
  }
};

TEST(TypeOps, RefuseAnObjectThatGrewBetweenMeasureAndWrite) {
  const Changing changing;
  const TypeOps& ops = OpsOf<Changing>();
  Bytes bytes(ops.measure(&changing));

  EXPECT_THROW(ops.write(&changing, bytes.data.get(), bytes.size, nullptr), UsageError);
}

struct Throwing {
  std::string not_plain;
  template <class A>
  void serialize(A&) { throw std::runtime_error("the user's own"); }
};

TEST(TypeOps, LetTheUsersExceptionsThrough) {
  const Throwing throwing;
  EXPECT_THROW(OpsOf<Throwing>().measure(&throwing), std::runtime_error);
}

TEST(TypeOps, BringBackEmptyRefs) {
  std::vector<Handle> refs;
  const std::vector<ObjectRef<int>> list(2);
  const TypeOps& ops = OpsOf<std::vector<ObjectRef<int>>>();
  Bytes bytes(ops.measure(&list));

  ops.write(&list, bytes.data.get(), bytes.size, &refs);
  const auto again = Loaded<std::vector<ObjectRef<int>>>(bytes);

  EXPECT_TRUE(refs.empty());
  ASSERT_EQ(again->size(), 2u);
  EXPECT_FALSE((*again)[0]);
}

struct WithPointer {
  int* p;
};

TEST(Serializable, AsksTheElementsToo) {
  EXPECT_TRUE((kSerializable<int>));
  EXPECT_TRUE((kSerializable<std::vector<std::map<std::string, std::optional<Point>>>>));
  EXPECT_TRUE((kSerializable<std::unique_ptr<NoDefault>>));
  EXPECT_TRUE((kSerializable<std::shared_ptr<Shape>>));
  EXPECT_FALSE((kSerializable<int*>));
  EXPECT_FALSE((kSerializable<WithPointer>));
  EXPECT_FALSE((kSerializable<std::vector<WithPointer>>));
  EXPECT_FALSE((kSerializable<std::map<int, std::vector<WithPointer>>>));
  EXPECT_FALSE((kSerializable<std::optional<WithPointer>>));
  EXPECT_FALSE((kSerializable<std::variant<int, WithPointer>>));
  EXPECT_FALSE((kSerializable<std::unique_ptr<WithPointer>>));
  EXPECT_FALSE((kSerializable<std::tuple<int, std::pair<WithPointer, int>>>));
  EXPECT_FALSE((kSerializable<std::array<WithPointer, 2>>));
}

}  // namespace
}  // namespace manta::detail
