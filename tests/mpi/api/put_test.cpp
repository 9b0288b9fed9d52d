// Put: what may be put, that lvalues are copied and rvalues are not, and that every rank reads the same value.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <array>
#include <chrono>
#include <complex>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

template <class T>
bool IsThis(const T& there, const T& expected) { return there == expected; }

/// Whether the value, put here, is the same in a task of every rank, by reference and through a result.
template <class T>
T Same(const T& value) { return value; }

template <class T>
void ExpectTravels(const T& value) {
  const auto ref = manta::Put(value);
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    EXPECT_EQ(*manta::Get(manta::Task(IsThis<T>).SetRank(rank).Remote(ref, value)), true) << "on rank " << rank;
    EXPECT_TRUE(*manta::Get(manta::Task(Same<T>).SetRank(rank).Remote(ref)) == value) << "back from rank " << rank;
  }
  EXPECT_TRUE(*manta::Get(ref) == value);
}

enum class Colour : std::uint8_t { kRed, kGreen };

struct Plain {
  int number;
  double weight;
  std::array<float, 3> position;
  bool operator==(const Plain&) const = default;
};

struct LargePlain {
  std::array<std::uint64_t, 512> words;
  bool operator==(const LargePlain&) const = default;
};

template <std::size_t kBytes>
void ExpectBytesTravel() {
  std::array<unsigned char, kBytes> bytes;
  for (std::size_t i = 0; i < kBytes; ++i) bytes[i] = static_cast<unsigned char>(i * 11 + 3);
  ExpectTravels(bytes);
}

TEST(Put, OfPlainDataOfAnySize) {
  ExpectBytesTravel<1>();
  ExpectBytesTravel<16>();
  ExpectBytesTravel<17>();
  ExpectBytesTravel<24>();
  ExpectBytesTravel<25>();
  ExpectBytesTravel<32>();
  ExpectBytesTravel<33>();
  ExpectBytesTravel<3000>();
}

TEST(Put, OfLargePlainDataIsReadWhereItLies) {
  const auto ref = manta::Put(LargePlain{});
  const auto before = manta::Stats().bytes_copied_get;

  const auto first = manta::Get(ref), second = manta::Get(ref);

  EXPECT_EQ(first.get(), second.get());
  EXPECT_EQ(manta::Stats().bytes_copied_get, before);
}

struct Model {
  std::string name;
  std::map<std::string, std::vector<double>> weights;
  std::optional<Plain> plain;
  bool operator==(const Model&) const = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(name, weights, plain);
  }
};

TEST(Put, TakesPlainData) {
  ExpectTravels(7);
  ExpectTravels(true);
  ExpectTravels(2.5);
  ExpectTravels(Colour::kGreen);
  ExpectTravels(Plain{3, 0.5, {1, 2, 3}});
  LargePlain large{};
  large.words[511] = 42;
  ExpectTravels(large);
}

TEST(Put, TakesStringsAndVectorsOfAllSizes) {
  ExpectTravels(std::string());
  ExpectTravels(std::string("short"));
  ExpectTravels(std::string(100'000, 'x'));
  ExpectTravels(std::vector<double>());
  ExpectTravels(std::vector<double>{1, 2, 3});
  ExpectTravels(std::vector<std::int16_t>(100'001, 7));
  ExpectTravels(std::vector<bool>{true, false, true});
  ExpectTravels(std::vector<std::string>{"a", "", "c"});
}

TEST(Put, TakesWhatCerealTakesAndPlainDataInside) {
  ExpectTravels(std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
  ExpectTravels(std::unordered_map<int, std::string>{{1, "one"}});
  ExpectTravels(std::set<int>{3, 1});
  ExpectTravels(std::optional<std::string>());
  ExpectTravels(std::variant<int, std::string>("text"));
  ExpectTravels(std::tuple<int, std::string, double>(1, "two", 3.0));
  ExpectTravels(std::complex<double>(1, -1));
  ExpectTravels(std::chrono::milliseconds(17));
  ExpectTravels(std::map<int, Plain>{{1, {1, 2, {3, 4, 5}}}});
  ExpectTravels(std::vector<std::vector<Plain>>{{}, {{1, 2, {3, 4, 5}}}});
  ExpectTravels(Model{"m", {{"w", {1, 2}}}, Plain{1, 2, {3, 4, 5}}});
}

TEST(Put, CopiesAnLvalue) {
  std::vector<int> values(1000, 1);

  const auto ref = manta::Put(values);
  values[0] = 9;

  EXPECT_EQ(manta::Get(ref)->front(), 1);
}

struct CountsCopies {
  static inline int copies = 0;
  std::vector<double> values;
  CountsCopies() = default;
  explicit CountsCopies(std::size_t size) : values(size, 1.0) {}
  CountsCopies(const CountsCopies& other) : values(other.values) { ++copies; }
  CountsCopies(CountsCopies&&) = default;
  CountsCopies& operator=(CountsCopies&&) = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(values);
  }
};

TEST(Put, DoesNotCopyWhatIsMovedIn) {
  CountsCopies::copies = 0;

  const auto ref = manta::Put(CountsCopies(10'000));

  EXPECT_EQ(manta::Get(ref)->values.size(), 10'000u);
  EXPECT_EQ(CountsCopies::copies, 0);
}

TEST(Put, AdoptsASharedPointerToConst) {
  const auto values = std::make_shared<const std::vector<int>>(5000, 3);

  const manta::ObjectRef<std::vector<int>> ref = manta::Put(values);

  EXPECT_EQ(*manta::Get(ref), *values);
  EXPECT_THROW(static_cast<void>(manta::Put(std::shared_ptr<const int>())), manta::UsageError);
}

TEST(Put, TakesWhatCanOnlyBeMoved) {
  auto ref = manta::Put(std::make_unique<std::string>("only one"));

  EXPECT_EQ(**manta::Get(ref).get(), "only one");
}

std::vector<manta::ObjectRef<std::string>> PutThere(int size) {
  return {manta::Put(std::string("small")), manta::Put(std::string(static_cast<std::size_t>(size), 'y'))};
}

TEST(Put, InATaskOfAnyRankIsReadByTheDriver) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto refs = *manta::Get(manta::Task(PutThere).SetRank(rank).Remote(50'000));

    EXPECT_EQ(*manta::Get(refs[0]), "small");
    EXPECT_EQ(*manta::Get(refs[1]), std::string(50'000, 'y'));
  }
}

}  // namespace
