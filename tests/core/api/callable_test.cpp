#include <manta/detail/callable.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/task/code_address.hpp"
#include "core/task/symbol_name.hpp"
#include "tests/core/api/sample_types.hpp"

namespace sample {

int Twice(int x) { return 2 * x; }
int Thrice(int x) noexcept { return 3 * x; }
template <class T>
T Doubled(T x) { return x + x; }
double Half(double x) { return x / 2; }
int Half(int x) { return x / 2; }

struct Tool {
  static int Make(int x) { return x + 10; }
  int operator()(int x) const { return x + 11; }
};

struct First {
  virtual ~First() = default;
  int a = 1;
  int GetA() const { return a; }
};
struct Second {
  virtual ~Second() = default;
  int b = 2;
  int GetB(int k) { return b + k; }
  virtual int Kind() const { return 2; }
};
struct Both : First, Second {
  int c = 3;
  int GetC() noexcept { return c; }
  int LeftOnly() & { return c + 1; }
  int Kind() const override { return 12; }
  int Over(int x) { return x; }
  double Over(double x) const { return x + 0.5; }
};

/// A functor whose state Cereal serializes.
struct Scorer {
  std::vector<std::string> words;
  std::size_t operator()(const std::string& text) const {
    std::size_t found = 0;
    for (const std::string& word : words) found += text.find(word) != std::string::npos;
    return found;
  }
  template <class A>
  void serialize(A& archive) { archive(words); }
};

}  // namespace sample

namespace manta::detail {
namespace {

int Hidden(int x) { return x - 1; }

/// Holds a callable as it arrives at another process (which has the same modules).
template <class F>
class Arrived {
 public:
  explicit Arrived(const F& f) : bytes_(CallableCodec<F>::Measure(f)) {
    CallWriter writer(bytes_.data(), bytes_.size(), nullptr);
    CallableCodec<F>::Write(writer, f);
    EXPECT_EQ(writer.position(), bytes_.data() + bytes_.size()) << "Measure says what Write takes";
    CallReader reader(bytes_.data(), bytes_.size());
    holder_ = std::make_unique<typename CallableCodec<F>::Holder>(reader, CallableCodec<F>::Words(f));
    EXPECT_EQ(reader.left(), 0u);
  }
  decltype(auto) get() { return holder_->get(); }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
  std::unique_ptr<typename CallableCodec<F>::Holder> holder_;
};

/// GCC's check of the object's type takes `this` of a member of a second base for the whole object.
template <class T, class M, class... A>
__attribute__((no_sanitize("vptr"))) auto Call(T& object, M member, A... arguments) { return (object.*member)(arguments...); }

struct Callables : ::testing::Test {
  static void SetUpTestSuite() { task::ScanModules(); }
};

TEST_F(Callables, AreFunctionsOfAllKinds) {
  EXPECT_EQ(Arrived(&sample::Twice).get()(4), 8);
  EXPECT_EQ(Arrived(&sample::Thrice).get()(4), 12);
  EXPECT_EQ(Arrived(&sample::Doubled<std::string>).get()("ab"), "abab");
  EXPECT_EQ(Arrived(static_cast<double (*)(double)>(sample::Half)).get()(5), 2.5);
  EXPECT_EQ(Arrived(static_cast<int (*)(int)>(sample::Half)).get()(5), 2);
  EXPECT_EQ(Arrived(&sample::Tool::Make).get()(4), 14);
  EXPECT_EQ(Arrived(&Hidden).get()(4), 3);
  EXPECT_EQ(Arrived(&sample::Twice).size(), 0u) << "a function is of the task's class";
}

TEST_F(Callables, AreLambdasWithPlainCaptures) {
  const int factor = 3;
  const double row[2] = {0.5, 1.5};
  const sample::Point point{1, 2};
  Arrived plain([factor, row, point](int x) { return x * factor + row[1] + point.y; });
  EXPECT_EQ(plain.get()(2), 9.5);

  Arrived empty([](int x) { return x + 1; });
  EXPECT_EQ(empty.get()(2), 3);
  EXPECT_EQ(empty.size(), 0u) << "a closure without captures takes no bytes";

  Arrived counting([count = 0]() mutable { return ++count; });
  EXPECT_EQ(counting.get()(), 1);
  EXPECT_EQ(counting.get()(), 2);

  Arrived generic([factor](auto x) { return x + x * factor; });
  EXPECT_EQ(generic.get()(2.5), 10);
}

TEST_F(Callables, AreFunctorsWithStateThatCerealSerializes) {
  Arrived stateless(sample::Tool{});
  EXPECT_EQ(stateless.get()(1), 12);

  Arrived scorer(sample::Scorer{{"a", "b", "zz"}});
  EXPECT_EQ(scorer.get()("abc"), 2u);
}

TEST_F(Callables, AreMemberFunctions) {
  sample::Both both;
  EXPECT_EQ((both.*Arrived(&sample::Both::GetC).get())(), 3);
  EXPECT_EQ((both.*Arrived(&sample::Both::GetA).get())(), 1);
  EXPECT_EQ((both.*Arrived(&sample::Both::LeftOnly).get())(), 4);
  EXPECT_EQ((both.*Arrived(static_cast<int (sample::Both::*)(int)>(&sample::Both::Over)).get())(5), 5);
  EXPECT_EQ((both.*Arrived(static_cast<double (sample::Both::*)(double) const>(&sample::Both::Over)).get())(5), 5.5);
}

TEST_F(Callables, AreMemberFunctionsOfABaseThatLiesWithinTheObject) {
  sample::Both both;
  int (sample::Both::*adjusted)(int) = &sample::Second::GetB;

  EXPECT_EQ(Call(both, Arrived(adjusted).get(), 5), 7) << "`this` is moved to the second base";
}

TEST_F(Callables, AreVirtualMembersThatFindTheOverride) {
  sample::Both both;
  sample::Second plain;
  auto virtual_member = &sample::Second::Kind;
  int (sample::Both::*adjusted)() const = &sample::Second::Kind;

  EXPECT_EQ((plain.*Arrived(virtual_member).get())(), 2);
  EXPECT_EQ((static_cast<sample::Second&>(both).*Arrived(virtual_member).get())(), 12);
  EXPECT_EQ(Call(both, Arrived(adjusted).get()), 12);
}

template <class F>
constexpr bool Accepted(const F&) { return CallableCodec<F>::kAccepted; }

TEST_F(Callables, AreRefusedWhereTheirStateLiesInTheCallersMemory) {
  int number = 1;
  std::string text = "text";
  std::span<const char> span = text;

  EXPECT_TRUE(Accepted([number] { return number; }));
  EXPECT_TRUE(Accepted(sample::Scorer{}));
  EXPECT_TRUE(Accepted(&sample::Twice));
  EXPECT_FALSE(Accepted([&number] { return number; }));
  EXPECT_FALSE(Accepted([p = &number] { return *p; }));
  EXPECT_FALSE(Accepted([text] { return text; }));
  EXPECT_FALSE(Accepted([span] { return span.size(); }));
}

TEST_F(Callables, ThrowUsageErrorWhenTheirBytesEndEarly) {
  auto expect_safe = []<class F>(const F& f) {
    std::vector<std::byte> bytes(CallableCodec<F>::Measure(f));
    CallWriter writer(bytes.data(), bytes.size(), nullptr);
    CallableCodec<F>::Write(writer, f);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      CallReader reader(cut.data(), cut.size());
      EXPECT_THROW(typename CallableCodec<F>::Holder holder(reader, CallableCodec<F>::Words(f)), UsageError) << size;
    }
  };
  expect_safe([x = 1.5] { return x; });
  expect_safe(sample::Scorer{{"a", "b"}});
}

template <class F>
struct Parts;
template <class... P>
struct Parts<TypeList<P...>> { template <class... Q> static constexpr bool kAre = std::is_same_v<TypeList<P...>, TypeList<Q...>>; };
template <class F>
using ResultOf = typename Signature<F>::result;
template <class F>
using ParamsOf = Parts<typename Signature<F>::params>;

TEST_F(Callables, HaveASignature) {
  using Plain = decltype(&sample::Twice);
  using Silent = decltype(&sample::Thrice);
  using Const = decltype(&sample::First::GetA);
  using Left = decltype(&sample::Both::LeftOnly);
  const auto lambda = [](const std::string&, double) noexcept -> long { return 1; };
  const auto generic = [](auto x) { return x; };

  EXPECT_TRUE((std::is_same_v<ResultOf<Plain>, int> && ParamsOf<Plain>::kAre<int>));
  EXPECT_TRUE((std::is_same_v<ResultOf<Silent>, int> && ParamsOf<Silent>::kAre<int>));
  EXPECT_TRUE((std::is_same_v<ResultOf<std::remove_const_t<decltype(lambda)>>, long>));
  EXPECT_TRUE((ParamsOf<std::remove_const_t<decltype(lambda)>>::kAre<const std::string&, double>));
  EXPECT_TRUE((std::is_same_v<Signature<Const>::object_param, const sample::First&>));
  EXPECT_TRUE((std::is_same_v<Signature<Left>::object_param, sample::Both>));
  EXPECT_TRUE((ParamsOf<Const>::kAre<>));
  EXPECT_FALSE(Signature<std::remove_const_t<decltype(generic)>>::known);
  EXPECT_FALSE(Signature<int>::known);
}

TEST_F(Callables, AreNamedByTheirCodeAddress) {
  auto address = []<class F>(F f) { return NameAddress(CallableCodec<F>::Words(f)); };
  EXPECT_EQ(task::FunctionName(address(&sample::Twice)), "sample::Twice");
  EXPECT_EQ(task::FunctionName(address(&sample::Both::GetC)), "sample::Both::GetC");
  EXPECT_EQ(address(&sample::Second::Kind), nullptr) << "a virtual member has no address of its own";
  EXPECT_EQ(address([] {}), nullptr) << "its thunk names it";
}

}  // namespace
}  // namespace manta::detail
