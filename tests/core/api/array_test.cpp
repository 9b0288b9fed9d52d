#include <manta/array.hpp>
#include <manta/serialize.hpp>

#include <gtest/gtest.h>

#include <cereal/archives/json.hpp>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace manta {
namespace {

struct Point {
  float x, y;
};

TEST(Array, IsEmptyAtFirst) {
  const Array<int> none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.begin(), none.end());
  EXPECT_TRUE(none.MutableCopy().empty());
  EXPECT_EQ(none, Array<int>(std::vector<int>()));
}

TEST(Array, TakesAVectorOverWithoutACopy) {
  std::vector<double> values{1, 2, 3};
  const double* const place = values.data();
  const Array<double> array(std::move(values));
  EXPECT_EQ(array.data(), place);
  EXPECT_EQ(array.MutableCopy(), (std::vector<double>{1, 2, 3}));
}

TEST(Array, CopiesWhatItIsGivenASpanOf) {
  const std::vector<Point> points{{1, 2}, {3, 4}};
  const Array<Point> array{std::span<const Point>(points)};
  EXPECT_NE(static_cast<const void*>(array.data()), points.data());
  ASSERT_EQ(array.size(), 2u);
  EXPECT_EQ(array.back().y, 4);
}

TEST(Array, CopiesAndSlicesShareAndKeep) {
  auto whole = std::make_unique<Array<int>>(std::vector<int>{10, 11, 12, 13});
  const Array<int> copy = *whole;
  const Array<int> slice = whole->Slice(1, 2);
  EXPECT_EQ(copy.data(), whole->data());
  whole.reset();
  EXPECT_EQ(slice, (Array<int>{11, 12}));
  EXPECT_EQ(slice.data(), copy.data() + 1);
  EXPECT_TRUE(copy.Slice(4, 0).empty());
}

TEST(Array, RefusesWhatIsNotThere) {
  const Array<int> array{1, 2, 3};
  EXPECT_EQ(array.at(2), 3);
  EXPECT_THROW(array.at(3), std::out_of_range);
  EXPECT_THROW(array.Slice(4, 0), std::out_of_range);
  EXPECT_THROW(array.Slice(1, 3), std::out_of_range);
  EXPECT_THROW(array.Slice(1, ~std::size_t{0}), std::out_of_range);
}

TEST(Array, HasTheBytesOfAVector) {
  const auto& array_ops = detail::OpsOf<Array<float>>();
  const auto& vector_ops = detail::OpsOf<std::vector<float>>();
  EXPECT_EQ(array_ops.hash, vector_ops.hash);
  EXPECT_FALSE(detail::SameType(array_ops, vector_ops));
  EXPECT_NE(array_ops.hash, detail::OpsOf<Array<double>>().hash);

  const std::vector<float> values{1, 2, 3};
  alignas(64) std::byte bytes[12];
  ASSERT_EQ(vector_ops.measure(&values), sizeof(bytes));
  vector_ops.write(&values, bytes, sizeof(bytes), nullptr);
  const auto copied = std::static_pointer_cast<const Array<float>>(array_ops.load(bytes, sizeof(bytes), nullptr));
  EXPECT_EQ(copied->MutableCopy(), values);
  EXPECT_NE(static_cast<const void*>(copied->data()), bytes);
}

TEST(Array, IsLoadedInPlaceWhereTheBytesAreKept) {
  const auto& ops = detail::OpsOf<Array<std::uint32_t>>();
  auto bytes = std::make_shared<std::vector<std::uint32_t>>(std::vector<std::uint32_t>{7, 8, 9});
  const auto* const from = reinterpret_cast<const std::byte*>(bytes->data());
  const std::weak_ptr<void> alive = bytes;
  const std::shared_ptr<const void> kept = std::move(bytes);
  auto loaded = std::static_pointer_cast<const Array<std::uint32_t>>(ops.load(from, 12, kept));
  EXPECT_EQ(static_cast<const void*>(loaded->data()), from);
  const auto shifted = std::static_pointer_cast<const Array<std::uint32_t>>(ops.load(from + 1, 8, kept));
  EXPECT_NE(static_cast<const void*>(shifted->data()), from + 1) << "not aligned for its elements: must be copied";

  const_cast<std::shared_ptr<const void>&>(kept).reset();
  EXPECT_FALSE(alive.expired());
  loaded.reset();
  EXPECT_TRUE(alive.expired());
}

struct Mesh {
  std::string name;
  Array<double> nodes;
  template <class A>
  void serialize(A& a) {
    a(name, nodes);
  }
};

TEST(Array, TravelsInsideOfOtherTypes) {
  const Mesh mesh{"wing", Array<double>{1.5, 2.5}};
  const auto& ops = detail::OpsOf<Mesh>();
  std::vector<std::byte> bytes(ops.measure(&mesh));
  ops.write(&mesh, bytes.data(), bytes.size(), nullptr);
  const auto loaded = std::static_pointer_cast<const Mesh>(ops.load(bytes.data(), bytes.size(), nullptr));
  EXPECT_EQ(loaded->name, "wing");
  EXPECT_EQ(loaded->nodes, mesh.nodes);
  EXPECT_THROW(ops.load(bytes.data(), bytes.size() - 1, nullptr), UsageError);
}

TEST(Array, IsNoLongerThanItsBytes) {
  const Mesh mesh{"", Array<double>{1}};
  const auto& ops = detail::OpsOf<Mesh>();
  std::vector<std::byte> bytes(ops.measure(&mesh));
  ops.write(&mesh, bytes.data(), bytes.size(), nullptr);
  const std::uint64_t lie = std::uint64_t{1} << 60;  // no such memory may be asked for
  std::memcpy(bytes.data() + sizeof(std::uint64_t), &lie, sizeof(lie));
  EXPECT_THROW(ops.load(bytes.data(), bytes.size(), nullptr), UsageError);
}

/// An object's bytes, kept, at the alignment of the store.
struct Stored {
  template <class T>
  explicit Stored(const T& value) : ops(detail::OpsOf<T>()), size(ops.measure(&value)) {
    kept = std::shared_ptr<void>(::operator new(size, std::align_val_t(64)),
                                 [](void* p) { ::operator delete(p, std::align_val_t(64)); });
    ops.write(&value, bytes(), size, nullptr);
  }
  std::byte* bytes() const { return static_cast<std::byte*>(kept.get()); }
  bool Holds(const void* p) const { return p >= bytes() && p < bytes() + size; }
  template <class T>
  std::shared_ptr<const T> Load(const std::shared_ptr<const void>& in, std::size_t* in_place = nullptr) const {
    return std::static_pointer_cast<const T>(ops.load(bytes(), size, in, in_place));
  }

  const detail::TypeOps& ops;
  std::size_t size;
  std::shared_ptr<void> kept;
};

Array<double> Counting(std::size_t count) {
  std::vector<double> values(count);
  std::iota(values.begin(), values.end(), 1.0);
  return Array<double>(std::move(values));
}

TEST(Array, IsReadInPlaceInsideOfOtherTypes) {
  const std::map<std::string, Mesh> meshes{{"a", {"wing", Counting(512)}}, {"b", {"", Counting(100'000)}}};
  auto stored = std::make_unique<Stored>(meshes);
  std::size_t in_place = 0;
  auto loaded = stored->Load<std::map<std::string, Mesh>>(stored->kept, &in_place);
  EXPECT_EQ(in_place, 100'512 * sizeof(double));
  for (const auto& [name, mesh] : *loaded) {
    EXPECT_EQ(mesh.name, meshes.at(name).name);
    EXPECT_EQ(mesh.nodes, meshes.at(name).nodes);
    EXPECT_TRUE(stored->Holds(mesh.nodes.data()));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mesh.nodes.data()) % 64, 0u);
  }

  const std::weak_ptr<void> alive = stored->kept;
  stored.reset();
  const Array<double> nodes = loaded->at("b").nodes;
  loaded.reset();
  EXPECT_FALSE(alive.expired()) << "what an Array lies in stays";
  EXPECT_EQ(nodes, Counting(100'000));
}

TEST(Array, IsCopiedOutOfOtherTypesWhereItIsSmallOrNothingKeepsTheBytes) {
  const std::vector<Array<double>> arrays{Counting(3), Counting(511), Counting(0), Counting(512)};
  const Stored stored(arrays);
  std::size_t in_place = 0;
  const auto some = stored.Load<std::vector<Array<double>>>(stored.kept, &in_place);
  EXPECT_EQ(*some, arrays);
  EXPECT_EQ(in_place, 4096u);
  EXPECT_FALSE(stored.Holds((*some)[1].data()));
  EXPECT_TRUE(stored.Holds((*some)[3].data()));

  const auto none = stored.Load<std::vector<Array<double>>>(nullptr, &in_place);
  EXPECT_EQ(*none, arrays);
  EXPECT_EQ(in_place, 0u);
  EXPECT_FALSE(stored.Holds((*none)[3].data()));

  const auto moved = std::make_shared<std::vector<std::byte>>(stored.size + 1);
  std::memcpy(moved->data() + 1, stored.bytes(), stored.size);
  const auto unaligned = std::static_pointer_cast<const std::vector<Array<double>>>(
      stored.ops.load(moved->data() + 1, stored.size, moved, &in_place));
  EXPECT_EQ(*unaligned, arrays);
  EXPECT_EQ(in_place, 0u);
}

TEST(Array, IsNotPaddedInsideOfACall) {
  // The second argument's archive begins elsewhere than where it was measured.
  const Mesh first{"first", Counting(600)}, second{"2", Counting(1000)};
  const std::size_t size = 3 + detail::MeasureItem(first) + detail::MeasureItem(second);
  std::vector<std::byte> bytes(size);
  detail::CallWriter writer(bytes.data(), size, nullptr);
  writer.Bytes("abc", 3);
  detail::WriteItem(writer, first);
  detail::WriteItem(writer, second);
  EXPECT_EQ(writer.left(), 0u);

  detail::CallReader reader(bytes.data(), size);
  reader.Skip(3);
  EXPECT_EQ(detail::ReadItem<Mesh>(reader)->nodes, first.nodes);
  EXPECT_EQ(detail::ReadItem<Mesh>(reader)->nodes, second.nodes);
  EXPECT_EQ(reader.left(), 0u);
}

TEST(Array, IsReadAndWrittenByCerealsOwnArchives) {
  const Array<std::int16_t> array{1, -2};
  std::stringstream text;
  {
    cereal::JSONOutputArchive archive(text);
    archive(array);
  }
  Array<std::int16_t> read;
  cereal::JSONInputArchive archive(text);
  archive(read);
  EXPECT_EQ(read, array);
}

}  // namespace
}  // namespace manta
