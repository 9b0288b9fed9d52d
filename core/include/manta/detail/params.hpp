#pragma once
// The parameters of a task: which are refused, how an argument becomes bytes or a ref at the caller, and how it becomes
// what the function wants at the executing rank.

#include <manta/detail/callable.hpp>
#include <manta/detail/core_api.hpp>
#include <manta/object_ref.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace manta::detail {

// ---- what a parameter is stored as ----
template <class P>
struct StoredAs { using type = std::remove_cvref_t<P>; };
template <class T>
struct StoredAs<std::span<const T>> { using type = std::vector<T>; };
template <class C>
struct StoredAs<std::basic_string_view<C>> { using type = std::basic_string<C>; };
template <class P>
using Stored = typename StoredAs<std::remove_cv_t<std::conditional_t<kIsView<std::remove_cvref_t<P>>, std::remove_cvref_t<P>, P>>>::type;

template <class P>
constexpr bool kMutableReference = std::is_lvalue_reference_v<P> && !std::is_const_v<std::remove_reference_t<P>>;
template <class P>
constexpr bool kRefusedView = kIsView<std::remove_cvref_t<P>> && kIsView<Stored<P>>;  // span<T>, fixed spans

/// One line for the first thing that is wrong with parameter `Position` of type P of callable F.
template <class F, std::size_t Position, class P>
constexpr bool CheckParameter() {
  constexpr bool pointer = std::is_pointer_v<std::remove_cvref_t<P>> || std::is_member_pointer_v<std::remove_cvref_t<P>>;
  constexpr bool array = std::is_array_v<std::remove_reference_t<P>>;
  constexpr bool ok_kind = !pointer && !array && !kMutableReference<P> && !kRefusedView<P>;
  static_assert(!pointer, "manta: a task can't take a pointer (T*): take the value, const T&, or a ref");
  static_assert(!array, "manta: a task can't take a C array: take a std::array or std::vector");
  static_assert(!kMutableReference<P> || pointer || array,
                "manta: a task can't take a mutable reference (T&): it would change a copy; return the new value");
  static_assert(!kRefusedView<P>, "manta: a task can take std::span<const T> and std::string_view, no mutable or fixed views");
  if constexpr (ok_kind) {
    static_assert(kIsSerializable<Stored<P>>,
                  "manta: a parameter's type can't be serialized: give it a Cereal serialize function (for all its members too)");
    return kIsSerializable<Stored<P>>;
  } else {
    return false;
  }
}

template <class F, class R>
constexpr bool CheckResult() {
  constexpr bool view = std::is_pointer_v<std::remove_cvref_t<R>> || kIsView<std::remove_cvref_t<R>>;
  static_assert(!view, "manta: a task can't return a pointer or a view: return the values (std::vector, std::string)");
  if constexpr (!view && !std::is_void_v<R>) {
    static_assert(kIsSerializable<std::remove_cvref_t<R>>,
                  "manta: the result's type can't be serialized: give it a Cereal serialize function (for all its members too)");
    return kIsSerializable<std::remove_cvref_t<R>>;
  } else {
    return !view;
  }
}

// ---- the caller's side ----
/// A value above this many bytes is put as an object of its own and travels as a ref.
inline constexpr std::size_t kLargeArgument = 64 * 1024;

template <class S, class A>
inline constexpr bool kIsRefFor = false;  // a ref given for its value
template <class S, class T>
inline constexpr bool kIsRefFor<S, ObjectRef<T>> = !kIsRef<S> || std::is_same_v<S, T>;
template <class S, class A>
inline constexpr bool kIsRefListFor = false;  // refs given for a vector of values
template <class U, class Al, class T, class Al2>
inline constexpr bool kIsRefListFor<std::vector<U, Al>, std::vector<ObjectRef<T>, Al2>> = !kIsRef<U> || std::is_same_v<U, T>;

template <class F, std::size_t Position, class P, class A>
constexpr bool CheckArgument() {
  using S = Stored<P>;
  using Given = std::remove_cvref_t<A>;
  if constexpr (kIsRefFor<S, Given>) {
    constexpr bool same = kReadsAs<S, typename RefValue<Given>::type>;
    static_assert(same, "manta: the ref's type is not the parameter's: a ref is not converted; pass an ObjectRef of that type");
    return same;
  } else if constexpr (kIsRefListFor<S, Given>) {
    constexpr bool same = kReadsAs<typename S::value_type, typename RefValue<typename Given::value_type>::type>;
    static_assert(same, "manta: the refs' type is not that of the parameter's elements: refs are not converted");
    return same;
  } else if constexpr (kIsView<std::remove_cvref_t<P>>) {
    constexpr bool ok = std::is_convertible_v<A, std::remove_cvref_t<P>> || std::is_convertible_v<A, S>;
    static_assert(ok, "manta: an argument does not convert to the parameter's type");
    return ok;
  } else {
    constexpr bool ok = std::is_convertible_v<A, S>;
    static_assert(ok, "manta: an argument does not convert to the parameter's type");
    return ok;
  }
}

template <class S, class P, class A>
S ConvertArgument(A&& argument) {
  if constexpr (kIsView<std::remove_cvref_t<P>> && !std::is_convertible_v<A, S>) {
    std::remove_cvref_t<P> view(std::forward<A>(argument));
    return S(view.begin(), view.end());
  } else {
    return static_cast<S>(std::forward<A>(argument));
  }
}

/// One argument on its way into a call: the caller's own where it is of the right type (it outlives this), else its
/// value, converted; or where it is a ref nothing but that.
template <class P, class A>
class Outgoing {
 public:
  using S = Stored<P>;
  using Given = std::remove_cvref_t<A>;
  static constexpr bool kRef = kIsRefFor<S, Given>;
  static constexpr bool kList = kIsRefListFor<S, Given>;
  static constexpr bool kAsGiven =
      kRef || kList || (std::is_same_v<S, Given> && !std::is_volatile_v<std::remove_reference_t<A>>);
  using Kept = std::conditional_t<kAsGiven, A&&, S>;

  explicit Outgoing(A&& argument) : value_(Convert(std::forward<A>(argument))) {}

  /// Bytes it takes in the call; 0 where it travels as a ref.
  std::size_t Measure(CallSpec& call, std::uint32_t param) {
    if constexpr (kRef) {
      CheckUsable(value_.handle());
      call.arguments.Add(param, ArgumentRef::kWhole, std::forward<A>(value_).handle());
      return 0;
    } else if constexpr (kList) {
      for (std::size_t i = 0; i < value_.size(); ++i) {
        CheckUsable(value_[i].handle());
        call.arguments.Add(param, static_cast<std::uint32_t>(i), value_[i].handle());
      }
      as_ref_ = !value_.empty();
      return as_ref_ ? 0 : sizeof(std::uint64_t);
    } else if constexpr (kPlainData<S>) {
      return sizeof(S);
    } else {
      const std::size_t size = MeasureItem<S>(value_);
      if (size > kLargeArgument) {
        call.arguments.Add(param, ArgumentRef::kWhole,
                           PutOwned(OpsOf<S>(), std::make_shared<const S>(std::forward<Kept>(value_))));
        as_ref_ = true;
        return 0;
      }
      return size;
    }
  }

  void Write(CallWriter& archive) {
    if constexpr (kRef) {
    } else if constexpr (kList) {
      // An empty list is an empty vector: in every format that is a zero length (Cereal's SizeTag is 64 bits too).
      const std::uint64_t none = 0;
      if (!as_ref_) archive.Bytes(&none, sizeof(none));
    } else {
      if (!as_ref_) WriteItem(archive, value_);
    }
  }

 private:
  static Kept Convert(A&& argument) {
    if constexpr (kAsGiven) return std::forward<A>(argument);
    else return ConvertArgument<S, P>(std::forward<A>(argument));
  }
  Kept value_;
  bool as_ref_ = false;
};

// ---- the executing side ----
/// Holds what parameter P needs during the call.
template <class P>
class Incoming {
 public:
  using S = Stored<P>;
  static constexpr bool kView = kIsView<std::remove_cvref_t<P>>;
  static constexpr bool kByReference = std::is_lvalue_reference_v<P>;

  Incoming(Invocation& invocation, std::uint32_t param, CallReader& archive) {
    const std::span<const ArgumentRef> given = invocation.Given(param);
    if (given.empty()) {
      ReadOwn(archive);
    } else if (given.front().element != ArgumentRef::kWhole) {
      if constexpr (ListElement<S>::kYes) {
        MakeOwn(S());
        for (const ArgumentRef& one : given) own().push_back(OwnValue<typename S::value_type>(invocation, one));
      }
    } else if constexpr (kView) {
      std::size_t size = 0;
      in_place_ = invocation.ArrayInPlace(given.front(), &size);
      in_place_count_ = size / sizeof(typename S::value_type);
      if (in_place_ == nullptr) shared_ = invocation.Value(given.front(), OpsOf<S>());
    } else if constexpr (kByReference) {
      shared_ = invocation.Value(given.front(), OpsOf<S>());
    } else {
      MakeOwn(OwnValue<S>(invocation, given.front()));
    }
  }

  decltype(auto) get() {
    if constexpr (kView) {
      using View = std::remove_cvref_t<P>;
      if (in_place_ != nullptr) return View(reinterpret_cast<const typename S::value_type*>(in_place_), in_place_count_);
      const S& whole = shared_ == nullptr ? own() : *static_cast<const S*>(shared_.get());
      return View(whole.data(), whole.size());
    } else if constexpr (kByReference) {
      return shared_ == nullptr ? static_cast<const S&>(own()) : *static_cast<const S*>(shared_.get());
    } else {
      return std::move(own());
    }
  }

 private:
  template <class V>
  struct ListElement { static constexpr bool kYes = false; };
  template <class U, class Al>
  struct ListElement<std::vector<U, Al>> { static constexpr bool kYes = kIsSerializable<U>; };

  void MakeOwn(S&& value) {
    if constexpr (kIsArray<S>) own_ = std::move(value);
    else own_ = std::make_unique<S>(std::move(value));
  }
  /// The value that came with the call.
  void ReadOwn(CallReader& archive) {
    if constexpr (!kIsArray<S>) {
      own_ = ReadItem<S>(archive);
    } else {
      using Item = typename ArrayElement<S>::type;
      const std::size_t count = ReadCount<Item>(archive);
      const std::byte* const from = archive.position();
      archive.Skip(count * sizeof(Item));
      if (kView && reinterpret_cast<std::uintptr_t>(from) % alignof(Item) == 0) {
        in_place_ = from;  // the call's bytes stay until it returns
        in_place_count_ = count;
      } else {
        own_ = ArrayFrom<S>(from, count);
      }
    }
  }

  template <class V>
  static V OwnValue(Invocation& invocation, const ArgumentRef& given) {
    if constexpr (kPlainData<V>) {
      struct Raw { alignas(V) std::byte bytes[sizeof(V)]; };
      Raw raw;
      invocation.CopyPlain(given, OpsOf<V>(), raw.bytes);
      return *std::launder(reinterpret_cast<const V*>(raw.bytes));
    } else if constexpr (std::is_copy_constructible_v<V>) {
      return *static_cast<const V*>(invocation.Value(given, OpsOf<V>()).get());
    } else {
      auto fresh = std::static_pointer_cast<const V>(invocation.FreshValue(given, OpsOf<V>()));
      return std::move(const_cast<V&>(*fresh));
    }
  }

  S& own() {
    if constexpr (kIsArray<S>) return own_;
    else return *own_;
  }

  /// The value unless it is shared or read in place. What is only elements needs no memory beside theirs.
  std::conditional_t<kIsArray<S>, S, std::unique_ptr<S>> own_{};
  std::shared_ptr<const void> shared_;
  const std::byte* in_place_ = nullptr;
  std::size_t in_place_count_ = 0;
};

/// Plain data by value needs no allocation.
template <class P>
  requires(kPlainData<Stored<P>> && !kIsView<std::remove_cvref_t<P>>)
class Incoming<P> {
 public:
  using S = Stored<P>;
  Incoming(Invocation& invocation, std::uint32_t param, CallReader& archive) {
    const std::span<const ArgumentRef> given = invocation.Given(param);
    if (given.empty()) archive.Bytes(bytes_, sizeof(S));
    else invocation.CopyPlain(given.front(), OpsOf<S>(), bytes_);
  }
  decltype(auto) get() {
    S& value = *std::launder(reinterpret_cast<S*>(bytes_));
    if constexpr (std::is_lvalue_reference_v<P>) return static_cast<const S&>(value);
    else return std::move(value);
  }

 private:
  alignas(S) std::byte bytes_[sizeof(S)];
};

template <class R>
void ReturnValue(Invocation& invocation, R&& result) {
  using S = std::remove_cvref_t<R>;
  if constexpr (kPlainData<S> && sizeof(S) <= 32) {
    invocation.ReturnPlain(OpsOf<S>(), std::addressof(result));
  } else {
    invocation.ReturnObject(OpsOf<S>(), std::make_shared<const S>(std::forward<R>(result)));
  }
}

}  // namespace manta::detail
