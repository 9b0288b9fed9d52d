// A Tensor's bytes: alone, inside of other types, and wrong ones.

#include <manta/serialize.hpp>
#include <manta/tensor.hpp>

#include <gtest/gtest.h>

#include <cereal/archives/json.hpp>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

namespace manta {
namespace {

Tensor<float> Counting(const Dims& shape) {
  std::vector<float> values(detail::CountElements(shape, sizeof(float)));
  std::iota(values.begin(), values.end(), 0.0f);
  return {std::move(values), shape};
}

/// Memory at the alignment of the store, whose end the address sanitizer guards.
std::shared_ptr<std::byte> Aligned(std::size_t size) {
  return {static_cast<std::byte*>(::operator new(size, std::align_val_t(64))),
          [](std::byte* p) { ::operator delete(p, std::align_val_t(64)); }};
}

template <class T>
struct Written {
  explicit Written(const T& value) : size(ops.measure(&value)), bytes(Aligned(size)) {
    std::memset(bytes.get(), 0xee, size);
    ops.write(&value, bytes.get(), size, nullptr);
  }
  std::shared_ptr<const T> Load(const std::shared_ptr<const void>& kept, std::size_t* in_place = nullptr) const {
    return std::static_pointer_cast<const T>(ops.load(bytes.get(), size, kept, in_place));
  }
  bool Holds(const void* p) const { return p >= bytes.get() && p < bytes.get() + size; }
  /// As if word `position` of the header were `value`.
  void Lie(std::size_t position, std::uint64_t value) { std::memcpy(bytes.get() + 8 * position, &value, sizeof(value)); }

  const detail::TypeOps& ops = detail::OpsOf<T>();
  std::size_t size;
  std::shared_ptr<std::byte> bytes;
};

TEST(TensorBytes, AreAHeaderAndAlignedElements) {
  const Written written(Counting({2, 3}));
  ASSERT_EQ(written.size, 64 + 6 * sizeof(float));
  std::uint64_t header[8];
  std::memcpy(header, written.bytes.get(), sizeof(header));
  const std::uint64_t expected[8] = {2, 2, 3};
  EXPECT_EQ(std::memcmp(header, expected, sizeof(header)), 0) << "zeros after rank and shape";
  float last = 0;
  std::memcpy(&last, written.bytes.get() + 64 + 5 * sizeof(float), sizeof(last));
  EXPECT_EQ(last, 5);

  EXPECT_EQ(Written(Counting(std::vector<std::size_t>(7, 1))).size, 64 + sizeof(float));
  EXPECT_EQ(Written(Counting(std::vector<std::size_t>(8, 1))).size, 128 + sizeof(float));
  EXPECT_EQ(written.ops.format, detail::Format::kArchive);
  EXPECT_NE(written.ops.hash, detail::OpsOf<Tensor<int>>().hash);
}

TEST(TensorBytes, AreReadInPlaceWhereTheyAreKept) {
  for (const Dims& shape : {Dims{}, Dims{3}, Dims{2, 3}, Dims{100, 0}, Dims{0}, Dims{50, 2, 40}}) {
    const Tensor<float> tensor = Counting(shape);
    Written written(tensor);
    std::size_t in_place = 0;
    const auto there = written.Load(written.bytes, &in_place);
    EXPECT_EQ(*there, tensor);
    EXPECT_EQ(static_cast<const void*>(there->data()), written.bytes.get() + 64);
    EXPECT_EQ(in_place, tensor.empty() ? 0 : written.size);
    in_place = 0;
    const auto copied = written.Load(nullptr, &in_place);
    EXPECT_EQ(*copied, tensor);
    EXPECT_FALSE(written.Holds(copied->data()));
    EXPECT_EQ(in_place, 0u);

    const std::weak_ptr<std::byte> alive = written.bytes;
    const auto view = std::make_unique<Tensor<float>>(there->Transpose());
    written.bytes.reset();
    EXPECT_FALSE(alive.expired());
    EXPECT_EQ(*view, tensor.Transpose());
  }
}

TEST(TensorBytes, AreCopiedWhereTheyAreNotAligned) {
  const Tensor<float> tensor = Counting({2, 3});
  const Written written(tensor);
  const auto shifted = Aligned(written.size + 1);
  std::memcpy(shifted.get() + 1, written.bytes.get(), written.size);
  std::size_t in_place = 0;
  const auto loaded = std::static_pointer_cast<const Tensor<float>>(
      written.ops.load(shifted.get() + 1, written.size, shifted, &in_place));
  EXPECT_EQ(*loaded, tensor);
  EXPECT_EQ(in_place, 0u);
}

TEST(TensorBytes, OfAViewAreCompact) {
  const Tensor<float> cube = Counting({4, 5, 6});
  for (const Tensor<float>& view : {cube.Slice(1, 2), cube.Transpose(), cube.Permute({1, 0, 2}), cube.Select(2, 3),
                                    cube.Select(1, 4).Select(1, 0), cube.Slice(4, 0).Transpose()}) {
    const Written written(view);
    EXPECT_EQ(written.size, 64 + view.size() * sizeof(float));
    const auto loaded = written.Load(written.bytes);
    EXPECT_EQ(*loaded, view);
    EXPECT_TRUE(loaded->contiguous());
  }
}

TEST(TensorBytes, ThatLieAreRefused) {
  using Tensors = Written<Tensor<float>>;
  const Tensor<float> tensor = Counting({2, 3});
  const std::uint64_t huge = std::uint64_t{1} << 62;
  const auto refused = [&](std::size_t position, std::uint64_t value) {
    Tensors written(tensor);
    written.Lie(position, value);
    EXPECT_THROW(written.Load(written.bytes), UsageError) << position << ' ' << value;
    EXPECT_THROW(written.Load(nullptr), UsageError) << position << ' ' << value;
  };
  refused(0, 17);
  refused(0, ~std::uint64_t{0});
  refused(1, 3);      // more elements than there are
  refused(1, huge);   // the product is more than 64 bits
  refused(2, huge);
  refused(2, std::uint64_t{1} << 40);  // no such memory may be asked for
}

TEST(TensorBytes, ThatEndEarlyAreRefused) {
  const Written written(Counting({2, 3}));
  for (std::size_t size = 0; size < written.size; ++size) {
    const auto cut = Aligned(size);
    std::memcpy(cut.get(), written.bytes.get(), size);
    EXPECT_THROW(written.ops.load(cut.get(), size, cut), UsageError) << size;
    EXPECT_THROW(written.ops.load(cut.get(), size, nullptr), UsageError) << size;
  }
}

struct Layer {
  std::string name;
  Tensor<float> weights;
  std::vector<Tensor<float>> more;
  template <class A>
  void serialize(A& a) {
    a(name, weights, more);
  }
  bool operator==(const Layer&) const = default;
};

TEST(TensorBytes, AreReadInPlaceInsideOfOtherTypes) {
  const std::vector<Layer> layers{{"dense", Counting({64, 100}), {}},
                                  {"x", Counting({2, 2}), {Counting({1024}), Counting({}), Counting({40, 50}).Transpose()}}};
  const Written written(layers);
  std::size_t in_place = 0;
  const auto loaded = written.Load(written.bytes, &in_place);
  EXPECT_EQ(*loaded, layers);
  EXPECT_EQ(in_place, (6400 + 1024 + 2000) * sizeof(float));
  EXPECT_TRUE(written.Holds((*loaded)[0].weights.data()));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>((*loaded)[0].weights.data()) % 64, 0u);
  EXPECT_FALSE(written.Holds((*loaded)[1].weights.data())) << "of less than 4096 bytes";
  EXPECT_EQ(*written.Load(nullptr), layers);
}

TEST(TensorBytes, AreNotPaddedInsideOfACall) {
  const Layer layer{"dense", Counting({64, 100}), {Counting({3})}};
  const Tensor<float> tensor = Counting({7, 300}).Transpose();
  const std::size_t size = 1 + 2 * detail::MeasureItem(tensor) + detail::MeasureItem(layer);
  EXPECT_EQ(detail::MeasureItem(tensor), 3 * 8 + 2100 * sizeof(float));
  std::vector<std::byte> bytes(size);
  detail::CallWriter writer(bytes.data(), size, nullptr);
  writer.Bytes("a", 1);
  detail::WriteItem(writer, tensor);
  detail::WriteItem(writer, layer);
  detail::WriteItem(writer, tensor);
  EXPECT_EQ(writer.left(), 0u);

  detail::CallReader reader(bytes.data(), size);
  reader.Skip(1);
  EXPECT_EQ(*detail::ReadItem<Tensor<float>>(reader), tensor);
  EXPECT_EQ(*detail::ReadItem<Layer>(reader), layer);
  EXPECT_EQ(*detail::ReadItem<Tensor<float>>(reader), tensor);
}

TEST(TensorBytes, AreReadAndWrittenByCerealsOwnArchives) {
  const Tensor<float> tensor = Counting({2, 3}).Transpose();
  std::stringstream text;
  {
    cereal::JSONOutputArchive archive(text);
    archive(tensor);
  }
  Tensor<float> read;
  cereal::JSONInputArchive archive(text);
  archive(read);
  EXPECT_EQ(read, tensor);
}

}  // namespace
}  // namespace manta
