#pragma once
// Remote functions: any function, functor, lambda or member function runs as a task, with no registration.
//
//   double Score(const Table& train, int trees);
//   auto score = manta::Task(Score).SetCpus(1).Remote(train_ref, 84);    // ObjectRef<double>; refs resolve to values
//
// Remote returns at once. The task runs when its refs are ready and its resources are free, on any rank. Arguments are
// converted to the declared types at the caller, as in a plain call. `const T&` parameters see the stored object
// itself; `T` gets a copy; std::span<const T> and std::string_view read in place.
//
// Tasks of a rank share its process: globals are shared. Retries are at least once: files may be written twice.

#include <manta/detail/callable.hpp>
#include <manta/detail/core_api.hpp>
#include <manta/detail/params.hpp>
#include <manta/object_ref.hpp>
#include <manta/resources.hpp>

#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace manta {
namespace detail {

template <class F, class R, class... P>
struct TaskThunk {
  static void Run(Invocation& invocation) {
    const auto bytes = invocation.bytes();
    CallReader archive(bytes.data(), bytes.size());
    typename CallableCodec<F>::Holder callable(archive, invocation.callable());
    Call(invocation, archive, callable, std::index_sequence_for<P...>{});
  }

 private:
  template <class Holder, std::size_t... I>
  static void Call(Invocation& invocation, [[maybe_unused]] CallReader& archive, Holder& callable,
                   std::index_sequence<I...>) {
    // Braces: the arguments are read in order.
    std::tuple<Incoming<P>...> values{Incoming<P>(invocation, static_cast<std::uint32_t>(I), archive)...};
    if constexpr (std::is_void_v<R>) {
      std::invoke(callable.get(), std::get<I>(values).get()...);
      invocation.ReturnNothing();
    } else {
      ReturnValue(invocation, std::invoke(callable.get(), std::get<I>(values).get()...));
    }
  }
};

/// Fills a call from a callable and its arguments; the rest of CallSpec is the submitter's.
template <class... P, class F, class... A>
void FillCall(CallSpec& call, const F& callable, A&&... arguments) {
  std::tuple<Outgoing<P, A>...> outgoing{Outgoing<P, A>(std::forward<A>(arguments))...};
  call.callable = CallableCodec<F>::Words(callable);
  call.function = NameAddress(call.callable);
  std::size_t size = CallableCodec<F>::Measure(callable);
  std::apply(
      [&](auto&... one) {
        std::uint32_t param = 0;
        ((size += one.Measure(call, param++)), ...);
      },
      outgoing);
  call.bytes.Reset(size);
  CallWriter archive(call.bytes.data(), size, &call.carried);
  CallableCodec<F>::Write(archive, callable);
  std::apply([&](auto&... one) { (one.Write(archive), ...); }, outgoing);
}

/// What a generic lambda takes for an argument of type A: the value.
template <class A>
struct GenericParam {
  using type = std::remove_cvref_t<A>;
};
template <class T>
struct GenericParam<ObjectRef<T>> {
  using type = T;
};
template <>
struct GenericParam<const char*> {
  using type = std::string;
};
template <class A>
using GenericParamOf = typename GenericParam<std::decay_t<A>>::type;

template <class T>
using RefOf = ObjectRef<std::remove_cvref_t<T>>;

/// Checks and submits; every refusal is one static_assert, and nothing else is compiled then.
template <class F, class R, class... P, class... A>
RefOf<R> SubmitChecked(const TaskOptions& options, const F& callable, TypeList<P...>, A&&... arguments) {
  constexpr bool arity = sizeof...(P) == sizeof...(A);
  static_assert(arity, "manta: wrong number of arguments for this function");
  constexpr bool accepted = CallableCodec<F>::kAccepted;
  static_assert(accepted,
                "manta: a lambda's captures must be plain data (no references, pointers, this, views or containers): "
                "pass it as an argument");
  if constexpr (arity && accepted) {
    constexpr bool params_ok = []<std::size_t... I>(std::index_sequence<I...>) {
      return (CheckParameter<F, I, P>() && ... && true);
    }
    (std::index_sequence_for<P...>{});
    if constexpr (params_ok && CheckResult<F, R>()) {
      constexpr bool arguments_ok = []<std::size_t... I>(std::index_sequence<I...>) {
        return (CheckArgument<F, I, P, A>() && ... && true);
      }
      (std::index_sequence_for<P...>{});
      if constexpr (arguments_ok) {
        CallSpec call;
        call.thunk = &TaskThunk<F, R, P...>::Run;
        FillCall<P...>(call, callable, std::forward<A>(arguments)...);
        return RefOf<R>(SubmitTask(options, std::move(call)));
      }
    }
  }
  return {};
}

/// What a refused Task returns, so that what follows is no second error.
struct RefusedTask {
  template <class... A>
  RefusedTask Remote(A&&...) const {
    return {};
  }
};

/// The setters that tasks and actors share. `Self` is the builder; each comes for kept builders and for chains.
#define MANTA_DETAIL_SETTER(Name, Parameter, statement) \
  Self& Name(Parameter)& {                              \
    statement;                                          \
    return static_cast<Self&>(*this);                   \
  }                                                     \
  Self&& Name(Parameter)&& {                            \
    statement;                                          \
    return static_cast<Self&&>(*this);                  \
  }

template <class Self, class Options>
class OptionSetters {
 public:
  /// Shown in errors and listings; default: the function's own name.
  MANTA_DETAIL_SETTER(SetName, std::string name, options_.name = std::move(name))
  /// CPUs of one node, in steps of 1/10,000. Tasks: 1 by default; 0 runs in the rank's own lane, never behind CPU
  /// tasks.
  MANTA_DETAIL_SETTER(SetCpus, double cpus, CheckAmount("CPU", cpus, false); options_.cpus = cpus)
  /// Below 1 a share of one device, above 1 whole devices.
  MANTA_DETAIL_SETTER(SetGpus, double gpus, CheckAmount("GPU", gpus, true); options_.gpus = gpus)
  /// Bytes of the node's memory, for accounting.
  MANTA_DETAIL_SETTER(SetMemory, std::uint64_t bytes, options_.memory_bytes = bytes)
  /// Runs on that rank or waits for it. Throws UsageError at Remote when there is no such rank.
  MANTA_DETAIL_SETTER(SetRank, int rank, options_.rank = rank)
  /// An amount of a resource by name; "CPU", "GPU" and "memory" are those of the setters above.
  Self& SetResource(const std::string& name, double amount) & {
    Set(name, amount);
    return static_cast<Self&>(*this);
  }
  Self&& SetResource(const std::string& name, double amount) && {
    Set(name, amount);
    return static_cast<Self&&>(*this);
  }
  MANTA_DETAIL_SETTER(SetResources, const ResourceMap& amounts,
                      for (const auto& [name, amount]
                           : amounts) Set(name, amount))

 protected:
  void Set(const std::string& name, double amount) {
    CheckAmount(name, amount, name == "GPU");
    if (name == "CPU")
      options_.cpus = amount;
    else if (name == "GPU")
      options_.gpus = amount;
    else if (name == "memory")
      options_.memory_bytes = static_cast<std::uint64_t>(amount);
    else
      options_.custom[name] = amount;
  }
  Options options_;
};

}  // namespace detail

/// Collects the options of a task; may be kept and used for many. Made by Task(f).
template <class F>
class [[nodiscard]] TaskBuilder : public detail::OptionSetters<TaskBuilder<F>, detail::TaskOptions> {
  using Self = TaskBuilder;

 public:
  explicit TaskBuilder(F callable) : callable_(std::move(callable)) {}

  /// How often the task is tried again after the loss of its rank, or after a chosen exception (SetRetryExceptions).
  /// Below 0 counts as 0, above 65,535 as that.
  MANTA_DETAIL_SETTER(SetMaxRetries, int retries, this->options_.max_retries = retries)
  /// Exceptions of these types (or derived from them) are retried too, within SetMaxRetries.
  template <class... E>
  Self& SetRetryExceptions() & {
    this->options_.retry_matcher = &detail::MatchesAny<E...>;
    return *this;
  }
  template <class... E>
  Self&& SetRetryExceptions() && {
    this->options_.retry_matcher = &detail::MatchesAny<E...>;
    return std::move(*this);
  }

  /// Submits the task and returns its result's ref at once. Throws InfeasibleError when no node has the resources asked
  /// for (what was asked, what the largest node has), UsageError for a rank that does not exist or an empty ref. Any
  /// thread.
  template <class... A>
  auto Remote(A&&... arguments) const {
    using Signature = detail::Signature<F>;
    if constexpr (!Signature::known && !std::is_invocable_v<F&, detail::GenericParamOf<A>...>) {
      constexpr bool invocable = std::is_invocable_v<F&, detail::GenericParamOf<A>...>;
      static_assert(invocable, "manta: this generic lambda can't be called with these arguments");
      return ObjectRef<void>();
    } else if constexpr (!Signature::known) {
      using R = std::invoke_result_t<F&, detail::GenericParamOf<A>...>;
      return detail::SubmitChecked<F, R>(this->options_, callable_, detail::TypeList<detail::GenericParamOf<A>...>{},
                                         std::forward<A>(arguments)...);
    } else if constexpr (std::is_member_function_pointer_v<F>) {
      return RemoteMember(typename Signature::params{}, std::forward<A>(arguments)...);
    } else {
      return detail::SubmitChecked<F, typename Signature::result>(
          this->options_, callable_, typename Signature::params{}, std::forward<A>(arguments)...);
    }
  }

 private:
  template <class... P, class... A>
  auto RemoteMember(detail::TypeList<P...>, A&&... arguments) const {
    using Signature = detail::Signature<F>;
    return detail::SubmitChecked<F, typename Signature::result>(
        this->options_, callable_, detail::TypeList<typename Signature::object_param, P...>{},
        std::forward<A>(arguments)...);
  }
  F callable_;
};

/// A task of any callable: a function, a template's instance, an overload chosen by a cast or by
/// `Task<double(double)>(f)`, a functor, a lambda whose captures are plain data, a member function (its object is the
/// first argument).
template <class F>
auto Task(F callable) {
  constexpr bool callable_kind =
      std::is_class_v<F> || std::is_function_v<std::remove_pointer_t<F>> || std::is_member_function_pointer_v<F>;
  static_assert(callable_kind, "manta: Task takes something that can be called");
  if constexpr (callable_kind)
    return TaskBuilder<F>(std::move(callable));
  else
    return detail::RefusedTask();
}
template <class Sig>
requires std::is_function_v<Sig>
auto Task(Sig* callable) { return TaskBuilder<Sig*>(callable); }

}  // namespace manta
