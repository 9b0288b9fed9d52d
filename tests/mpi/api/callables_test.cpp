// Every kind of callable runs as a task on every rank.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <array>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "tests/mpi/api/task_library/functions.hpp"

namespace {

/// Runs a builder's task on each rank and expects the same result of all.
template <class Expected, class Builder, class... A>
void ExpectOnAllRanks(const Expected& expected, Builder builder, const A&... arguments) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    EXPECT_EQ(*manta::Get(builder.SetRank(rank).Remote(arguments...)), expected) << "on rank " << rank;
}

int Square(int x) { return x * x; }
int Cube(int x) noexcept { return x * x * x; }
template <class T>
T Twice(T x) { return x + x; }
int Overloaded(int x) { return x; }
double Overloaded(double x) { return x / 2; }
const std::string& Longer(const std::string& a, const std::string& b) { return a.size() < b.size() ? b : a; }
int TakesNothing() { return 11; }

struct Polynomial {
  std::array<double, 3> factors;
  double operator()(double x) const { return factors[0] + x * (factors[1] + x * factors[2]); }
};

struct Joiner {
  std::vector<std::string> words;
  std::string operator()(const std::string& between) const {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : between) + word;
    return text;
  }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(words);
  }
};

struct Circle {
  double radius = 1;
  double Scaled(double factor) const { return radius * factor; }
  double Grown(double by) { return radius += by; }
  double Grown(double by, double more) { return radius += by + more; }
  double Noexcept() const noexcept { return radius; }
  static double Unit() { return 1; }
};

struct Shape {
  virtual ~Shape() = default;
  virtual std::string Name() const { return "shape"; }
  template <class Archive>
  void serialize(Archive&) {}
};
struct Square4 : Shape {
  std::string Name() const override { return "square"; }
};

TEST(Callable, IsAFunction) {
  ExpectOnAllRanks(49, manta::Task(Square), 7);
  ExpectOnAllRanks(49, manta::Task(&Square), 7);
  ExpectOnAllRanks(27, manta::Task(Cube), 3);
  ExpectOnAllRanks(11, manta::Task(TakesNothing));
}

TEST(Callable, IsAnInstanceOfAFunctionTemplate) {
  ExpectOnAllRanks(14, manta::Task(Twice<int>), 7);
  ExpectOnAllRanks(std::string("abab"), manta::Task(Twice<std::string>), "ab");
}

TEST(Callable, IsAnOverloadChosenByACastOrASignature) {
  ExpectOnAllRanks(7, manta::Task(static_cast<int (*)(int)>(Overloaded)), 7);
  ExpectOnAllRanks(3.5, manta::Task<double(double)>(Overloaded), 7);
}

TEST(Callable, ReturnsReferencesAsValues) {
  ExpectOnAllRanks(std::string("longer"), manta::Task(Longer), "short", "longer");
}

TEST(Callable, IsAFunctorWithPlainMembers) { ExpectOnAllRanks(17.0, manta::Task(Polynomial{{1, 2, 3}}), 2.0); }

TEST(Callable, IsAFunctorThatCerealTakes) { ExpectOnAllRanks(std::string("a-b"), manta::Task(Joiner{{"a", "b"}}), "-"); }

TEST(Callable, IsAFunctorOfTheStandardLibrary) { ExpectOnAllRanks(5, manta::Task(std::plus<int>()), 2, 3); }

TEST(Callable, IsALambdaWithPlainCaptures) {
  const int base = 40;
  const std::array<int, 3> more{1, 2, 3};

  ExpectOnAllRanks(42, manta::Task([base](int x) { return base + x; }), 2);
  ExpectOnAllRanks(46, manta::Task([base, more] { return base + std::accumulate(more.begin(), more.end(), 0); }));
  ExpectOnAllRanks(3, manta::Task([] { return 3; }));
  ExpectOnAllRanks(41, manta::Task([count = base]() mutable { return ++count; }));
}

TEST(Callable, IsAGenericLambdaThatGetsValues) {
  const auto size = manta::Task([](const auto& values) { return static_cast<int>(values.size()); });

  ExpectOnAllRanks(3, size, std::vector<int>{1, 2, 3});
  ExpectOnAllRanks(4, size, "four");
  ExpectOnAllRanks(2, size, manta::Put(std::vector<std::string>{"a", "b"}));
}

TEST(Callable, IsAMemberFunctionWhoseObjectIsTheFirstArgument) {
  ExpectOnAllRanks(6.0, manta::Task(&Circle::Scaled), Circle{2}, 3.0);
  ExpectOnAllRanks(6.0, manta::Task(&Circle::Scaled), manta::Put(Circle{2}), 3.0);
  ExpectOnAllRanks(5.0, manta::Task(static_cast<double (Circle::*)(double)>(&Circle::Grown)), Circle{2}, 3.0);
  ExpectOnAllRanks(9.0, manta::Task(static_cast<double (Circle::*)(double, double)>(&Circle::Grown)), Circle{2}, 3.0, 4.0);
  ExpectOnAllRanks(2.0, manta::Task(&Circle::Noexcept), Circle{2});
  ExpectOnAllRanks(1.0, manta::Task(&Circle::Unit));
}

TEST(Callable, IsAVirtualMemberFunction) {
  ExpectOnAllRanks(std::string("square"), manta::Task(&Square4::Name), Square4());
  ExpectOnAllRanks(std::string("shape"), manta::Task(&Shape::Name), Shape());
}

TEST(Callable, LivesInASharedLibrary) {
  task_library::Accumulator three;
  three.start = 3;

  ExpectOnAllRanks(3.5, manta::Task(task_library::Half), 7);
  ExpectOnAllRanks(std::string("hello you"), manta::Task(&task_library::Greet), "you");
  ExpectOnAllRanks(5.0, manta::Task(&task_library::Accumulator::Plus), three, 2.0);
  ExpectOnAllRanks(6.0, manta::Task(&task_library::Accumulator::Times), three, 2.0);
}

TEST(Callable, OfTheStandardLibraryMayBeAFunction) {
  ExpectOnAllRanks(std::string("3"), manta::Task<std::string(int)>(std::to_string), 3);
}

}  // namespace
