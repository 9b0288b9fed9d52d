#include "tests/fuzz/archive_cases.hpp"

#include <manta/detail/type_ops.hpp>
#include <manta/object_ref.hpp>
#include <manta/serialize.hpp>

#include <array>
#include <chrono>
#include <complex>
#include <cstring>
#include <deque>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>

#include "tests/core/api/sample_types.hpp"

namespace manta::fuzz {
namespace {

using detail::Handle;
using detail::OpsOf;
using sample::Node;
using sample::Shape;
using Bytes = std::vector<std::byte>;

/// A copy that ends where its memory ends, at the alignment of the store, for the address sanitizer to guard.
class Exact {
 public:
  explicit Exact(std::span<const std::byte> bytes)
      : data_(new (std::align_val_t(64)) std::byte[bytes.size()]), size_(bytes.size()) {
    if (size_ != 0) std::memcpy(data_, bytes.data(), size_);
  }
  Exact(const Exact&) = delete;
  Exact& operator=(const Exact&) = delete;
  ~Exact() { ::operator delete[](data_, std::align_val_t(64)); }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  std::byte* data_;
  std::size_t size_;
};

template <class T>
Bytes Written(const T& value) {
  Bytes bytes(OpsOf<T>().measure(&value));
  std::vector<Handle> refs;
  OpsOf<T>().write(&value, bytes.data(), bytes.size(), &refs);
  return bytes;
}

template <class T>
bool ReadObject(std::span<const std::byte> bytes) {
  const detail::TypeOps& ops = OpsOf<T>();
  // Plain data has a size of its own, which the runtime compares before it loads.
  if (ops.format == detail::Format::kPlain && bytes.size() != ops.item_bytes) return false;
  const auto copy = std::make_shared<Exact>(bytes);
  try {
    static_cast<void>(Written(*static_cast<const T*>(ops.load(copy->data(), copy->size(), nullptr).get())));
    static_cast<void>(Written(*static_cast<const T*>(ops.load(copy->data(), copy->size(), copy).get())));
  } catch (const std::bad_alloc&) {
    throw;  // a length that was believed
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

template <class... T>
bool ReadCall(std::span<const std::byte> bytes) {
  const Exact copy(bytes);
  try {
    detail::CallReader reader(copy.data(), copy.size());
    (static_cast<void>(Written(*detail::ReadItem<T>(reader))), ...);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

template <class... T>
Bytes WrittenCall(const T&... values) {
  Bytes bytes(1024);
  std::vector<Handle> refs;
  detail::CallWriter writer(bytes.data(), bytes.size(), &refs);
  (detail::WriteItem(writer, values), ...);
  bytes.resize(bytes.size() - writer.left());
  return bytes;
}

// ---- values to begin with ----
template <class T>
struct SeedsOf;
#define MANTA_FUZZ_SEEDS(Type, ...)                           \
  template <>                                                 \
  struct SeedsOf<Type> {                                      \
    static std::vector<Type> Make() { return {__VA_ARGS__}; } \
  };

using Strings = std::vector<std::string>;
using Numbers = std::vector<double>;
using Nested = std::vector<std::vector<std::vector<int>>>;
using StringMap = std::map<std::string, Strings>;
using HashMap = std::unordered_map<int, std::string>;
using MultiMap = std::multimap<std::string, int>;
using HashSet = std::unordered_set<std::string>;
using Choice = std::variant<int, std::string, Strings, std::monostate>;
using Mixed = std::tuple<int, std::string, Numbers, std::pair<bool, std::u16string>>;
using Sparse = std::vector<std::optional<std::array<double, 100>>>;
using Graph = std::shared_ptr<Node>;
using Pointers = std::tuple<std::shared_ptr<std::string>, std::shared_ptr<Numbers>, std::shared_ptr<std::string>,
                            std::weak_ptr<std::string>>;
using Shapes = std::vector<std::shared_ptr<Shape>>;
using Points = std::pair<int, std::vector<sample::Point>>;
using Arrays = std::pair<std::string, Array<double>>;
using Text = std::array<std::string, 4>;
using Time = std::pair<std::chrono::nanoseconds, std::complex<float>>;

MANTA_FUZZ_SEEDS(int, 42)
MANTA_FUZZ_SEEDS(sample::Point, {1.5, 2.5})
MANTA_FUZZ_SEEDS(Numbers, {}, {1, 2, 3})
MANTA_FUZZ_SEEDS(std::string, "", "text")
MANTA_FUZZ_SEEDS(Strings, {}, {"a", "", "ccc"})
MANTA_FUZZ_SEEDS(Nested, {}, {{{1}, {}}, {}, {{2, 3}}})
MANTA_FUZZ_SEEDS(StringMap, {}, {{"a", {"1", "2"}}, {"b", {}}})
MANTA_FUZZ_SEEDS(HashMap, {{1, "a"}, {2, "b"}})
MANTA_FUZZ_SEEDS(MultiMap, {{"a", 1}, {"a", 2}})
MANTA_FUZZ_SEEDS(HashSet, {"x", "y"})
using Set = std::set<std::string>;
MANTA_FUZZ_SEEDS(Set, {"x", "y"})
using Deque = std::deque<std::string>;
MANTA_FUZZ_SEEDS(Deque, {"x", "y"})
using List = std::list<Numbers>;
MANTA_FUZZ_SEEDS(List, {{1, 2}, {}})
using MaybeStrings = std::optional<Strings>;
MANTA_FUZZ_SEEDS(MaybeStrings, {}, Strings{"a"})
MANTA_FUZZ_SEEDS(Choice, 7, "text", Strings{"a"}, std::monostate())
MANTA_FUZZ_SEEDS(Mixed, {1, "a", {2, 3}, {true, u"wide"}})
using Flags = std::vector<bool>;
MANTA_FUZZ_SEEDS(Flags, {true, false, true})
MANTA_FUZZ_SEEDS(Sparse, Sparse(20), {std::nullopt, std::array<double, 100>{1}})
MANTA_FUZZ_SEEDS(Points, {1, {{1, 2}, {3, 4}}})
MANTA_FUZZ_SEEDS(Arrays, {"a", Array<double>(Numbers{1, 2, 3})})
MANTA_FUZZ_SEEDS(Text, {"a", "b", "", "d"})
MANTA_FUZZ_SEEDS(Time, {std::chrono::nanoseconds(5), {1, 2}})
using Empties = std::vector<sample::Empty>;
MANTA_FUZZ_SEEDS(Empties, {}, Empties(9))
MANTA_FUZZ_SEEDS(sample::Versioned, {"seven"})
using ManyVersioned = std::vector<sample::Versioned>;
MANTA_FUZZ_SEEDS(ManyVersioned, {{"a"}, {"b"}})
MANTA_FUZZ_SEEDS(sample::Hidden, sample::Hidden(8))
MANTA_FUZZ_SEEDS(sample::NoDefault, sample::NoDefault(4))
MANTA_FUZZ_SEEDS(sample::Inherits, sample::Inherits(3, "base"))
MANTA_FUZZ_SEEDS(sample::SavesAndLoads, {"in"})
using Refs = std::vector<ObjectRef<int>>;
MANTA_FUZZ_SEEDS(Refs, {}, Refs(2))

template <>
struct SeedsOf<Graph> {
  static std::vector<Graph> Make() {
    auto leaf = std::make_shared<Node>(Node{"leaf", {}});
    auto middle = std::make_shared<Node>(Node{"middle", {leaf, nullptr}});
    return {nullptr, std::make_shared<Node>(Node{"root", {leaf, leaf, middle}})};
  }
};
template <>
struct SeedsOf<Pointers> {
  static std::vector<Pointers> Make() {
    auto text = std::make_shared<std::string>("text");
    return {{}, {text, std::make_shared<Numbers>(3, 1.5), text, text}};
  }
};
template <>
struct SeedsOf<Shapes> {
  static std::vector<Shapes> Make() {
    auto circle = std::make_shared<sample::Circle>(2.0);
    return {{}, {circle, std::make_shared<sample::Square>(3.0), circle, nullptr}};
  }
};
using SoleShapes = std::vector<std::unique_ptr<Shape>>;
template <>
struct SeedsOf<SoleShapes> {
  static std::vector<SoleShapes> Make() {
    std::vector<SoleShapes> made(1);
    made[0].push_back(std::make_unique<sample::Circle>(2.0));
    made[0].push_back(nullptr);
    made[0].push_back(std::make_unique<sample::Circle>(1.0));
    return made;
  }
};
using SoleStrings = std::vector<std::unique_ptr<std::string>>;
template <>
struct SeedsOf<SoleStrings> {
  static std::vector<SoleStrings> Make() {
    std::vector<SoleStrings> made(1);
    made[0].push_back(std::make_unique<std::string>("a"));
    made[0].push_back(nullptr);
    return made;
  }
};
using SharedNoDefaults = std::vector<std::shared_ptr<sample::NoDefault>>;
template <>
struct SeedsOf<SharedNoDefaults> {
  static std::vector<SharedNoDefaults> Make() {
    auto one = std::make_shared<sample::NoDefault>(4);
    return {{one, one}};
  }
};

template <class T>
Case Object(std::string name) {
  return {std::move(name), &ReadObject<T>, [] {
            std::vector<Bytes> seeds;
            for (const T& value : SeedsOf<T>::Make()) seeds.push_back(Written(value));
            return seeds;
          }};
}
template <class... T>
Case Call(std::string name) {
  return {std::move(name), &ReadCall<T...>,
          [] { return std::vector<Bytes>{WrittenCall(SeedsOf<T>::Make().back()...)}; }};
}

std::vector<Case> MakeCases() {
  return {
      Object<int>("number"),
      Object<sample::Point>("point"),
      Object<Numbers>("numbers"),
      Object<std::string>("string"),
      Object<Strings>("strings"),
      Object<Nested>("nested"),
      Object<StringMap>("map"),
      Object<HashMap>("unordered_map"),
      Object<MultiMap>("multimap"),
      Object<HashSet>("unordered_set"),
      Object<Set>("set"),
      Object<Deque>("deque"),
      Object<List>("list"),
      Object<MaybeStrings>("optional"),
      Object<Choice>("variant"),
      Object<Mixed>("tuple"),
      Object<Flags>("flags"),
      Object<Sparse>("sparse"),
      Object<Points>("points"),
      Object<Arrays>("array_inside"),
      Object<Text>("text"),
      Object<Time>("time"),
      Object<Empties>("empties"),
      Object<sample::Versioned>("versioned"),
      Object<ManyVersioned>("many_versioned"),
      Object<sample::Hidden>("hidden"),
      Object<sample::NoDefault>("no_default"),
      Object<sample::Inherits>("inherits"),
      Object<sample::SavesAndLoads>("saves_and_loads"),
      Object<Refs>("refs"),
      Object<Graph>("graph"),
      Object<Pointers>("pointers"),
      Object<Shapes>("shapes"),
      Object<SoleShapes>("sole_shapes"),
      Object<SoleStrings>("sole_strings"),
      Object<SharedNoDefaults>("shared_no_defaults"),
      Call<int, std::string, Numbers>("call_of_arrays"),
      Call<Strings, sample::Point, Mixed, int>("call_of_both"),
      Call<Graph, std::string, Pointers, sample::NoDefault>("call_of_pointers"),
  };
}

}  // namespace

std::span<const Case> Cases() {
  static const std::vector<Case> cases = MakeCases();
  return cases;
}

bool RunInput(std::span<const std::byte> input) {
  if (input.empty()) return false;
  const auto number = static_cast<std::size_t>(input[0]);
  return number < Cases().size() && Cases()[number].run(input.subspan(1));
}

}  // namespace manta::fuzz
