#include <manta/detail/plain.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <complex>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace manta::detail {
namespace {

enum Old { kOne };
enum class New : std::uint8_t { kTwo };
struct Empty {};
struct Point { double x, y; };
struct Padded { char c; double d; bool b; };
struct Nested { Point points[3]; std::array<Padded, 2> more; New kind; };
struct Derived : Point { int z; };
class Private {
 public:
  int x() const { return x_; }
 private:
  int x_ = 0;
  double more_[4] = {};
};
struct Bits { unsigned a : 3, b : 5; };
struct Long { long double value; bool flag; };

TEST(PlainData, IsWhatHasNoPointersAtAnyDepth) {
  EXPECT_TRUE((kPlainData<int>));
  EXPECT_TRUE((kPlainData<bool>));
  EXPECT_TRUE((kPlainData<char32_t>));
  EXPECT_TRUE((kPlainData<long double>));
  EXPECT_TRUE((kPlainData<Old>));
  EXPECT_TRUE((kPlainData<New>));
  EXPECT_TRUE((kPlainData<std::byte>));
  EXPECT_TRUE((kPlainData<Empty>));
  EXPECT_TRUE((kPlainData<Point>));
  EXPECT_TRUE((kPlainData<Padded>));
  EXPECT_TRUE((kPlainData<Nested>));
  EXPECT_TRUE((kPlainData<Derived>));
  EXPECT_TRUE((kPlainData<Private>));
  EXPECT_TRUE((kPlainData<Long>));
  EXPECT_TRUE((kPlainData<std::array<int, 5>>));
  EXPECT_TRUE((kPlainData<std::array<std::array<Point, 2>, 3>>));
  EXPECT_TRUE((kPlainData<std::complex<double>>));
  EXPECT_TRUE((kPlainData<std::chrono::nanoseconds>));
  EXPECT_TRUE((kPlainData<std::array<double, 100'000>>)) << "too large to ask, so taken at its word";
}

struct HasPointer { int a; const char* text; };
struct HasArrayOfPointers { int a; const char* texts[2]; };
struct HasArrayOfStructs { HasPointer items[2]; };
struct HasStdArrayOfPointers { std::array<int*, 2> items; };
struct HasReference { int& a; };
struct HasView { std::string_view text; };
struct HasSpan { int a; std::span<const int> items; };
struct HasFunction { int (*call)(int); };
union Either { int a; float b; };
struct HasUnion { Either either; };
struct HasVirtual { virtual ~HasVirtual() = default; int a = 0; };
struct HasVirtualCall { virtual int Call() { return 1; } };

TEST(PlainData, IsNothingThatPointsSomewhere) {
  EXPECT_FALSE((kPlainData<int*>));
  EXPECT_FALSE((kPlainData<const char*>));
  EXPECT_FALSE((kPlainData<std::nullptr_t>));
  EXPECT_FALSE((kPlainData<int Point::*>));
  EXPECT_FALSE((kPlainData<std::array<int*, 3>>));
  EXPECT_FALSE((kPlainData<std::array<std::array<const char*, 1>, 3>>));
  EXPECT_FALSE((kPlainData<HasPointer>));
  EXPECT_FALSE((kPlainData<HasArrayOfPointers>));
  EXPECT_FALSE((kPlainData<HasArrayOfStructs>));
  EXPECT_FALSE((kPlainData<HasStdArrayOfPointers>));
  EXPECT_FALSE((kPlainData<HasReference>));
  EXPECT_FALSE((kPlainData<HasView>));
  EXPECT_FALSE((kPlainData<HasSpan>));
  EXPECT_FALSE((kPlainData<HasFunction>));
  EXPECT_FALSE((kPlainData<HasUnion>));
  EXPECT_FALSE((kPlainData<HasVirtual>));
  EXPECT_FALSE((kPlainData<HasVirtualCall>));
  EXPECT_FALSE((kPlainData<std::reference_wrapper<int>>));
}

TEST(PlainData, IsNothingThatIsNotCopiedAsItsBytes) {
  EXPECT_FALSE((kPlainData<std::pair<int, int>>)) << "Cereal takes it";
  EXPECT_FALSE((kPlainData<std::tuple<int>>));
  EXPECT_FALSE((kPlainData<std::string>));
  EXPECT_FALSE((kPlainData<std::vector<int>>));
  EXPECT_FALSE((kPlainData<std::unique_ptr<int>>));
  EXPECT_FALSE((kPlainData<int[3]>)) << "an array is no value of its own";
}

template <class F>
bool IsPlainClosure(const F&) { return kPlainData<F>; }

TEST(PlainData, TellsClosuresByTheirCaptures) {
  int number = 1;
  double row[2] = {1, 2};
  const Point point{1, 2};
  const char* text = "text";
  const char* texts[2] = {text, text};
  const std::string string = "string";
  const std::span<double> span = row;

  EXPECT_TRUE(IsPlainClosure([] { return 1; }));
  EXPECT_TRUE(IsPlainClosure([number] { return number; }));
  EXPECT_TRUE(IsPlainClosure([row] { return row[1]; }));
  EXPECT_TRUE(IsPlainClosure([number, point]() mutable { return number++ + point.x; }));
  EXPECT_TRUE(IsPlainClosure([inner = [number] { return number; }] { return inner(); }));
  EXPECT_FALSE(IsPlainClosure([&number] { return number; }));
  EXPECT_FALSE(IsPlainClosure([&] { return number + row[0]; }));
  EXPECT_FALSE(IsPlainClosure([text] { return text; }));
  EXPECT_FALSE(IsPlainClosure([texts] { return texts[0]; }));
  EXPECT_FALSE(IsPlainClosure([string] { return string; }));
  EXPECT_FALSE(IsPlainClosure([span] { return span[0]; }));
  EXPECT_FALSE(IsPlainClosure([inner = [&number] { return number; }] { return inner(); }));
}

}  // namespace
}  // namespace manta::detail
