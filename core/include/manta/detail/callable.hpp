#pragma once
// What can be called, and how it crosses to another process: a function by its code address, a member function by its
// two words, a closure or functor by its bytes.

#include <manta/detail/core_api.hpp>
#include <manta/detail/plain.hpp>
#include <manta/detail/type_ops.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>
#include <utility>

namespace manta::detail {

template <class... P>
struct TypeList { static constexpr std::size_t size = sizeof...(P); };

/// The parameters of a callable, its result, and the pointer kind. `known` is false for generic lambdas.
template <class F>
struct Signature { static constexpr bool known = false; };

template <class R, class... P>
struct FunctionSignature {
  static constexpr bool known = true;
  using result = R;
  using params = TypeList<P...>;
};
template <class R, class... P>
struct Signature<R (*)(P...)> : FunctionSignature<R, P...> {};
template <class R, class... P>
struct Signature<R (*)(P...) noexcept> : FunctionSignature<R, P...> {};

/// Members: `object_param` is what the first argument of a Task on them is; `params` leaves it out.
#define MANTA_DETAIL_MEMBER(qualifiers, object)                                            \
  template <class C, class R, class... P>                                                  \
  struct Signature<R (C::*)(P...) qualifiers> : FunctionSignature<R, P...> {               \
    using owner = C;                                                                       \
    using object_param = object;                                                           \
  };
MANTA_DETAIL_MEMBER(, C)
MANTA_DETAIL_MEMBER(noexcept, C)
MANTA_DETAIL_MEMBER(const, const C&)
MANTA_DETAIL_MEMBER(const noexcept, const C&)
MANTA_DETAIL_MEMBER(&, C)
MANTA_DETAIL_MEMBER(& noexcept, C)
MANTA_DETAIL_MEMBER(const&, const C&)
MANTA_DETAIL_MEMBER(const& noexcept, const C&)
#undef MANTA_DETAIL_MEMBER

template <class F>
concept HasOneCallOperator = requires { &F::operator(); };
template <class F>
  requires(std::is_class_v<F> && HasOneCallOperator<F>)
struct Signature<F> : Signature<decltype(&F::operator())> {};

/// How a callable of type F is written into and read from a call's bytes.
template <class F>
struct CallableCodec {  // closures and functors
  static constexpr bool kPlain = std::is_empty_v<F> || kPlainData<F>;
  static constexpr bool kAccepted = kPlain || (std::is_class_v<F> && !std::is_trivially_copyable_v<F> && kIsSerializable<F>);
  static std::size_t Measure(const F& f) {
    if constexpr (std::is_empty_v<F>) return 0;
    else if constexpr (kPlain) return sizeof(F);
    else return MeasureItem(f);
  }
  static void Write(CallWriter& archive, const F& f) {
    if constexpr (std::is_empty_v<F>) return;
    else WriteItem(archive, f);
  }
  static CodeWords Words(const F&) { return {}; }
  struct Holder {
    Holder(CallReader& archive, const CodeWords&) {
      if constexpr (kPlain) {
        if constexpr (!std::is_empty_v<F>) archive.Bytes(bytes, sizeof(F));
      } else {
        value = ReadItem<F>(archive);
      }
    }
    F& get() {
      if constexpr (kPlain) return *std::launder(reinterpret_cast<F*>(bytes));
      else return *value;
    }
    alignas(F) std::byte bytes[sizeof(F)];
    std::conditional_t<kPlain, std::nullptr_t, std::unique_ptr<F>> value{};
  };
};

/// Functions and member functions travel as CallSpec::callable, and take no bytes.
template <class F>
  requires(std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>)
struct CallableCodec<F> {
  static constexpr bool kAccepted = true;
  static std::size_t Measure(const F&) { return 0; }
  static void Write(CallWriter&, const F&) {}
  static CodeWords Words(const F& f) { return {{reinterpret_cast<std::uint64_t>(f), 0}, true}; }
  struct Holder {
    Holder(CallReader&, const CodeWords& code) : function(reinterpret_cast<F>(code.words[0])) {}
    F get() { return function; }
    F function;
  };
};

/// A member pointer of the Itanium C++ ABI (section 2.3) is two words: a code address, or a vtable offset, which is the same
/// in all processes and goes as it is; and an adjustment of `this`. What marks an offset differs: an odd first word,
/// but on AArch64 an odd second one.
template <class F>
  requires std::is_member_function_pointer_v<F>
struct CallableCodec<F> {
  static constexpr bool kAccepted = true;
  static_assert(sizeof(F) == 2 * sizeof(std::uint64_t), "manta: member pointers of the Itanium C++ ABI are two words");
  static std::size_t Measure(const F&) { return 0; }
  static void Write(CallWriter&, const F&) {}
  static CodeWords Words(const F& f) {
    CodeWords code;
    std::memcpy(code.words, &f, sizeof(f));
#if defined(__aarch64__)
    code.is_code = (code.words[1] & 1) == 0;
#else
    code.is_code = (code.words[0] & 1) == 0;
#endif
    return code;
  }
  struct Holder {
    Holder(CallReader&, const CodeWords& code) { std::memcpy(&function, code.words, sizeof(function)); }
    F get() { return function; }
    F function;
  };
};

/// The address that names a callable in errors; null where only its type has a name.
inline const void* NameAddress(const CodeWords& code) {
  return code.is_code ? reinterpret_cast<const void*>(code.words[0]) : nullptr;
}

}  // namespace manta::detail
