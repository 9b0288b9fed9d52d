// Arguments: converted at the caller as in a plain call; refs resolve; references and views read in place.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

double Double(double x) { return 2 * x; }
std::size_t SizeOfText(std::string text) { return text.size(); }
std::size_t SizeOfView(std::string_view text) { return text.size(); }
double Sum(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }
double SumOf(const std::vector<double>& values) { return Sum(values); }

int OtherRank() { return manta::NumRanks() - 1; }
template <class F>
auto There(F f) { return manta::Task(f).SetRank(OtherRank()); }

struct Celsius {
  double degrees = 0;
  Celsius() = default;
  Celsius(double d) : degrees(d) {}  // NOLINT: the conversion is what is tested
};
double Degrees(Celsius c) { return c.degrees; }

TEST(Argument, ConvertsToTheDeclaredType) {
  EXPECT_EQ(*manta::Get(There(Double).Remote(7)), 14.0);
  EXPECT_EQ(*manta::Get(There(Double).Remote('\1')), 2.0);
  EXPECT_EQ(*manta::Get(There(SizeOfText).Remote("literal")), 7u);
  EXPECT_EQ(*manta::Get(There(Degrees).Remote(36.6)), 36.6);
}

TEST(Argument, IsCopiedBeforeRemoteReturns) {
  std::vector<double> values(1000, 1.0);

  const auto sum = There(SumOf).Remote(values);
  values.assign(1000, 5.0);

  EXPECT_EQ(*manta::Get(sum), 1000.0);
}

TEST(Argument, MayBeManyOrNone) {
  const auto all = There([](int a, double b, std::string c, char d, bool e, float f, long g, std::vector<int> h, unsigned i, short j) {
                     return a + b + static_cast<double>(c.size()) + d + e + f + static_cast<double>(g + h[0]) + i + j;
                   }).Remote(1, 2.0, "333", '\4', true, 5.0f, 6L, std::vector{7}, 8u, short{9});

  EXPECT_EQ(*manta::Get(all), 46.0);
}

TEST(Argument, MayBeLargeAndByValue) {
  const auto size = There([](std::vector<double> values, std::string text) { return values.size() + text.size(); })
                        .Remote(std::vector<double>(200'000, 1.0), std::string(300'000, 'x'));

  EXPECT_EQ(*manta::Get(size), 500'000u);
}

TEST(Argument, ByValueIsACopyOfItsOwn) {
  const auto ref = manta::Put(std::vector<double>(2000, 1.0));
  const auto change = There([](std::vector<double> values) {
    values[0] = 100;
    return values[0];
  });

  EXPECT_EQ(*manta::Get(change.Remote(ref)), 100.0);
  EXPECT_EQ(*manta::Get(change.Remote(ref)), 100.0);
  EXPECT_EQ(*manta::Get(There(SumOf).Remote(ref)), 2000.0);
  EXPECT_EQ(manta::Get(ref)->front(), 1.0);
}

TEST(Argument, ByRvalueReferenceMayBeMovedFrom) {
  const auto taken = There([](std::string&& text) { return std::move(text); }).Remote(std::string(5000, 'm'));

  EXPECT_EQ(*manta::Get(taken), std::string(5000, 'm'));
}

TEST(Argument, ByConstValueAndConstReferenceAreTheSame) {
  EXPECT_EQ(*manta::Get(There([](const std::string text) { return text + "!"; }).Remote("a")), "a!");
  EXPECT_EQ(*manta::Get(There([](const int& number) { return number; }).Remote(manta::Put(3))), 3);
}

TEST(SpanArgument, ReadsVectorsArraysAndRefs) {
  EXPECT_EQ(*manta::Get(There(Sum).Remote(std::vector<double>{1, 2, 3})), 6.0);
  EXPECT_EQ(*manta::Get(There(Sum).Remote(std::array<double, 2>{1, 2})), 3.0);
  EXPECT_EQ(*manta::Get(There(Sum).Remote(std::vector<double>())), 0.0);
  EXPECT_EQ(*manta::Get(There(Sum).Remote(manta::Put(std::vector<double>(100'000, 0.5)))), 50'000.0);
  EXPECT_EQ(*manta::Get(There(Sum).Remote(manta::Put(std::vector<double>{1}))), 1.0);
  EXPECT_EQ(*manta::Get(There(Sum).Remote(manta::Put(std::vector<double>()))), 0.0);
}

TEST(SpanArgument, ReadsAPendingResult) {
  const auto made = There([](int size) { return std::vector<double>(static_cast<std::size_t>(size), 2.0); }).Remote(10'000);

  EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(0).Remote(made)), 20'000.0);
}

TEST(SpanArgument, IsAligned) {
  const auto offset = There([](std::span<const double> values) {
    return static_cast<int>(reinterpret_cast<std::uintptr_t>(values.data()) % alignof(double));
  });

  EXPECT_EQ(*manta::Get(offset.Remote(manta::Put(std::vector<double>(10'000)))), 0);
  EXPECT_EQ(*manta::Get(offset.Remote(std::vector<double>{1})), 0);
}

TEST(SpanArgument, ReadsInPlaceWithoutACopy) {
  const auto ref = manta::Put(std::vector<double>(1'000'000, 1.0));
  const auto before = manta::Stats().bytes_copied_get;

  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(rank).Remote(ref)), 1'000'000.0);

  if (manta::Nodes().size() == 1) {
    EXPECT_LT(manta::Stats().bytes_copied_get - before, 1'000'000u);
  }
}

TEST(StringViewArgument, ReadsWhatCameWithTheCallInPlace) {
  const auto inside = There([](std::int16_t, std::string_view text, char last, std::string_view none) {
    return std::string(text) + last + std::to_string(none.size());
  });

  EXPECT_EQ(*manta::Get(inside.Remote(std::int16_t{1}, "some text", '!', "")), "some text!0");
}

TEST(SpanArgument, OfAnUnalignedPlaceIsACopy) {
  const auto offset = There([](char, std::span<const double> values) {
    return values[0] + static_cast<double>(reinterpret_cast<std::uintptr_t>(values.data()) % alignof(double));
  });

  EXPECT_EQ(*manta::Get(offset.Remote('x', std::vector<double>{1, 2})), 1.0);
}

TEST(StringViewArgument, ReadsLiteralsStringsAndRefs) {
  EXPECT_EQ(*manta::Get(There(SizeOfView).Remote("literal")), 7u);
  EXPECT_EQ(*manta::Get(There(SizeOfView).Remote(std::string(100'000, 'x'))), 100'000u);
  EXPECT_EQ(*manta::Get(There(SizeOfView).Remote(manta::Put(std::string(5000, 'x')))), 5000u);
  EXPECT_EQ(*manta::Get(There(SizeOfView).Remote(manta::Put(std::string()))), 0u);
}

TEST(ListOfRefs, ResolvesForAVectorOfValues) {
  std::vector<manta::ObjectRef<double>> numbers;
  std::vector<manta::ObjectRef<std::string>> texts;
  for (int i = 0; i < 10; ++i) {
    numbers.push_back(manta::Task(Double).Remote(i));
    texts.push_back(manta::Put(std::string(static_cast<std::size_t>(i) * 1000, 'x')));
  }
  const auto total = There([](const std::vector<std::string>& all) {
    std::size_t size = 0;
    for (const auto& text : all) size += text.size();
    return size;
  });

  EXPECT_EQ(*manta::Get(There(SumOf).Remote(numbers)), 90.0);
  EXPECT_EQ(*manta::Get(There([](std::vector<double> all) { return all[9]; }).Remote(numbers)), 18.0);
  EXPECT_EQ(*manta::Get(total.Remote(texts)), 45'000u);
  EXPECT_EQ(*manta::Get(There(SumOf).Remote(std::vector<manta::ObjectRef<double>>())), 0.0);
}

TEST(ListOfRefs, ResolvesForASpan) {
  const std::vector numbers{manta::Put(1.0), manta::Task(Double).Remote(2)};

  EXPECT_EQ(*manta::Get(There(Sum).Remote(numbers)), 5.0);
}

/// As large as an object that keeps its value in its record.
struct Triple {
  std::int64_t a = 0, b = 0, c = 0;
};

TEST(SmallRefs, OfAnyKindOfPlainDataCome) {
  const auto all = There(
      [](bool a, char b, const float& c, std::int64_t d, Triple e, const std::string& text, std::array<short, 3> f) {
        return static_cast<double>(a + b) + c + static_cast<double>(d + e.a + e.b + e.c) +
               static_cast<double>(text.size()) + f[2];
      });

  EXPECT_EQ(*manta::Get(all.Remote(manta::Put(true), manta::Put('\2'), manta::Put(3.0f), manta::Put(std::int64_t{4}),
                                   manta::Put(Triple{5, 6, 7}), "8 bytes.", manta::Put(std::array<short, 3>{0, 0, 9}))),
            45.0);
}

TEST(SmallRefs, ComeBesideLargeAndPendingOnes) {
  const auto pending = manta::Task(Double).SetRank(OtherRank()).Remote(1);
  const auto all = There([](double number, const std::vector<double>& values, const std::string& text, double result) {
    return number + values.back() + static_cast<double>(text.size()) + result;
  });

  EXPECT_EQ(*manta::Get(all.Remote(manta::Put(1.0), manta::Put(std::vector<double>(100'000, 2.0)),
                                   manta::Put(std::string(3, 'x')), pending)),
            8.0);
}

TEST(SmallRefs, MayBeMany) {
  for (const std::size_t count : {1, 2, 3, 255, 256, 1000}) {
    std::vector<manta::ObjectRef<double>> numbers;
    for (std::size_t i = 0; i < count; ++i) numbers.push_back(manta::Put(static_cast<double>(i)));

    const double wanted = static_cast<double>(count * (count - 1) / 2);
    EXPECT_EQ(*manta::Get(There(SumOf).Remote(numbers)), wanted) << count;
    EXPECT_EQ(*manta::Get(There([](double one, const std::vector<double>& all) {
                            return one + Sum(all);
                          }).Remote(manta::Put(0.5), numbers)),
              wanted + 0.5);
  }
}

TEST(SmallRefs, AreThereForARetry) {
  auto task = manta::Task([](int number, int other) {
    if (manta::Context().Attempt() < 2) throw std::runtime_error("again");
    return number + other;
  });
  task.SetMaxRetries(3).SetRetryExceptions<std::runtime_error>();
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    auto number = manta::Put(3);
    const auto sum = task.SetRank(rank).Remote(number, 4);
    number = {};
    EXPECT_EQ(*manta::Get(sum), 7);
  }
}

int Next(int value) { return value + 1; }

TEST(Chain, OfTasksEachGivenTheOneBefore) {
  constexpr int kLength = 3000;
  const std::uint64_t before = manta::Stats().objects_alive;
  for (const bool anywhere : {true, false}) {
    auto ref = manta::Task(Next).Remote(0);
    for (int i = 1; i < kLength; ++i) {
      auto task = manta::Task(Next);
      if (!anywhere) task.SetRank(i % manta::NumRanks());
      ref = task.Remote(ref);
    }
    EXPECT_EQ(*manta::Get(ref), kLength);
  }
  // Those of other ranks count too: they hear of nothing that they would have to keep.
  for (int i = 0; i < 1000 && manta::Stats().objects_alive > before + 100; ++i) manta::Drain();
  EXPECT_LT(manta::Stats().objects_alive, before + 100);
}

TEST(Chain, OfTasksThatWaitForManyEach) {
  constexpr int kWidth = 20;
  std::vector<manta::ObjectRef<double>> layer;
  for (int i = 0; i < kWidth; ++i) layer.push_back(manta::Task(Double).Remote(0.5));
  for (int depth = 0; depth < 10; ++depth) {
    std::vector<manta::ObjectRef<double>> next;
    for (int i = 0; i < kWidth; ++i)
      next.push_back(manta::Task([](const std::vector<double>& all) {
                       return Sum(all) / static_cast<double>(all.size());
                     }).Remote(layer));
    layer = std::move(next);
  }
  for (const auto& value : manta::Get(layer)) EXPECT_DOUBLE_EQ(*value, 1.0);
}

TEST(Chain, BreaksAtTheFirstFailure) {
  auto ref = manta::Task([](int value) -> int { throw std::out_of_range("link " + std::to_string(value)); }).Remote(1);
  for (int i = 0; i < 20'000; ++i) ref = manta::Task(Next).Remote(ref);

  EXPECT_THROW(manta::Get(ref), std::out_of_range);
}

/// Whose destructor waits for a gate, where one was used.
struct SlowToDie {
  static inline std::atomic<bool> used{false};  // of rank 0; other copies, as check-serialize makes, may go at once
  std::string gate;
  SlowToDie() = default;
  explicit SlowToDie(std::string path) : gate(std::move(path)) {}
  SlowToDie(SlowToDie&& other) noexcept : gate(std::exchange(other.gate, {})) {}
  SlowToDie& operator=(SlowToDie&&) = delete;
  ~SlowToDie() {
    if (!gate.empty() && used) api_test::PassGate(gate);
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(gate);
  }
};

TEST(Chain, GoesOnWhileAnArgumentIsDestroyed) {
  if (manta::ClusterResources()["CPU"] < 2 * manta::NumRanks()) GTEST_SKIP() << "a rank has one executor";
  api_test::Gate begin, end;
  auto slow = manta::Put(SlowToDie(end.path()));
  const auto first = manta::Task([](const SlowToDie&, const std::string& gate) {
                       api_test::PassGate(gate);
                       SlowToDie::used = true;
                       return 1;
                     })
                         .SetRank(0)
                         .Remote(slow, begin.path());
  const auto second = manta::Task(Next).SetRank(0).Remote(first);
  slow = {};

  begin.Open();

  EXPECT_EQ(*manta::Get(second, api_test::kPatience / 2), 2) << "it waited for the destructor";
  end.Open();
}

TEST(RefArgument, MayBeGivenTwice) {
  const auto ref = manta::Put(std::vector<double>(1000, 1.0));
  const auto same = There([](const std::vector<double>& a, const std::vector<double>& b) { return a == b && &a == &b; });

  EXPECT_TRUE(*manta::Get(same.Remote(ref, ref)));
}

TEST(RefArgument, MayBeDroppedRightAfterRemote) {
  auto ref = manta::Put(std::vector<double>(100'000, 1.0));
  const auto sum = There(SumOf).Remote(ref);

  ref = {};

  EXPECT_EQ(*manta::Get(sum), 100'000.0);
}

/// Counts how often it was read from bytes in this process.
struct CountsLoads {
  static inline int loads = 0;
  std::vector<double> values;
  template <class Archive>
  void save(Archive& archive) const {
    archive(values);
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(values);
    ++loads;
  }
};
int LoadsHere(const CountsLoads& counted) { return counted.values.size() == 10'000 ? CountsLoads::loads : -1; }

TEST(RefArgument, ByReferenceIsMaterializedAtMostOnceARank) {
  CountsLoads counted;
  counted.values.assign(10'000, 1.0);
  const auto ref = manta::Put(std::move(counted));

  for (int rank = 1; rank < manta::NumRanks(); ++rank) {
    for (int i = 0; i < 5; ++i) {
      const int loads = *manta::Get(manta::Task(LoadsHere).SetRank(rank).Remote(ref));
      EXPECT_GE(loads, 0);
      EXPECT_LE(loads, 1) << "on rank " << rank;
    }
  }
  // Rank 0 put it, which with --manta-check-serialize loads it once more.
  EXPECT_LE(*manta::Get(manta::Task(LoadsHere).SetRank(0).Remote(ref)), 2);
}

TEST(RefArgument, ByReferenceIsOneObjectForAllReadersOfARank) {
  const auto ref = manta::Put(std::vector<std::string>(1000, "text"));
  const auto address = manta::Task([](const std::vector<std::string>& texts) {
    return reinterpret_cast<std::uintptr_t>(texts.data());
  });

  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    auto builder = address;
    std::vector<manta::ObjectRef<std::uintptr_t>> addresses;
    for (int i = 0; i < 10; ++i) addresses.push_back(builder.SetRank(rank).Remote(ref));
    for (const auto& one : manta::Get(addresses)) EXPECT_EQ(*one, *manta::Get(addresses[0])) << "on rank " << rank;
  }
}

}  // namespace
