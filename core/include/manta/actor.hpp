#pragma once
// Remote objects with state. An actor lives on one rank; its methods run there one at a time, and the calls of one
// thread or task arrive in the order in which they were made.
//
//   struct Counter { int n = 0; int Add(int k) { return n += k; } };
//   auto hits = manta::Actor<Counter>().SetName("hits").Remote();
//   manta::ObjectRef<int> sum = hits.Task(&Counter::Add).Remote(1);
//
// An actor lives until its last handle is gone and its queue is done, or until Kill or ExitActor; a detached one until
// the job ends. Handles may be copied, passed to tasks, kept in actors and returned.

#include <manta/detail/core_api.hpp>
#include <manta/task.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace manta {

template <class T>
class ActorHandle;

namespace detail {

template <class T, class F, class R, class... P>
struct MethodThunk {
  static void Run(Invocation& invocation) {
    const auto bytes = invocation.bytes();
    CallReader archive(bytes.data(), bytes.size());
    typename CallableCodec<F>::Holder method(archive, invocation.callable());
    Call(invocation, archive, method, std::index_sequence_for<P...>{});
  }

 private:
  template <class Holder, std::size_t... I>
  static void Call(Invocation& invocation, [[maybe_unused]] CallReader& archive, Holder& method,
                   std::index_sequence<I...>) {
    T& self = *static_cast<T*>(invocation.self());
    std::tuple<Incoming<P>...> values{Incoming<P>(invocation, static_cast<std::uint32_t>(I), archive)...};
    if constexpr (std::is_void_v<R>) {
      std::invoke(method.get(), self, std::get<I>(values).get()...);
      invocation.ReturnNothing();
    } else {
      ReturnValue(invocation, std::invoke(method.get(), self, std::get<I>(values).get()...));
    }
  }
};

/// The callable that makes an actor: `Make` stands for T's constructor.
template <class T, class... P>
struct Make {
  std::shared_ptr<T> operator()(P... arguments) const {
    return std::shared_ptr<T>(new T(static_cast<P&&>(arguments)...));
  }
};

template <class F, class... P>
struct ActorThunk {
  static void Run(Invocation& invocation) {
    const auto bytes = invocation.bytes();
    CallReader archive(bytes.data(), bytes.size());
    typename CallableCodec<F>::Holder factory(archive, invocation.callable());
    Call(invocation, archive, factory, std::index_sequence_for<P...>{});
  }

 private:
  template <class Holder, std::size_t... I>
  static void Call(Invocation& invocation, [[maybe_unused]] CallReader& archive, Holder& factory,
                   std::index_sequence<I...>) {
    std::tuple<Incoming<P>...> values{Incoming<P>(invocation, static_cast<std::uint32_t>(I), archive)...};
    invocation.ReturnActor(Own(std::invoke(factory.get(), std::get<I>(values).get()...)));
  }
  template <class T>
  static std::shared_ptr<void> Own(std::shared_ptr<T> made) {
    return made;
  }
  template <class T, class D>
  static std::shared_ptr<void> Own(std::unique_ptr<T, D> made) {
    return std::shared_ptr<T>(std::move(made));
  }
  template <class T>
  static std::shared_ptr<void> Own(T* made) {
    return std::shared_ptr<T>(made);
  }
  template <class T>
  requires(!std::is_pointer_v<T>) static std::shared_ptr<void> Own(T&& made) {
    return std::make_shared<std::remove_cvref_t<T>>(std::forward<T>(made));
  }
};

template <class T>
struct Made {
  using type = T;
};
template <class T>
struct Made<T*> {
  using type = T;
};
template <class T>
struct Made<std::shared_ptr<T>> {
  using type = T;
};
template <class T, class D>
struct Made<std::unique_ptr<T, D>> {
  using type = T;
};

template <class F, class... P, class... A>
Handle CreateChecked(const ActorOptions& options, const F& factory, TypeList<P...>, A&&... arguments) {
  constexpr bool arity = sizeof...(P) == sizeof...(A);
  static_assert(arity, "manta: wrong number of arguments for this actor's factory");
  static_assert(CallableCodec<F>::kAccepted, "manta: a factory's captures must be plain data: pass it as an argument");
  if constexpr (arity && CallableCodec<F>::kAccepted) {
    constexpr bool params_ok = []<std::size_t... I>(std::index_sequence<I...>) {
      return (CheckParameter<F, I, P>() && ... && true);
    }
    (std::index_sequence_for<P...>{});
    if constexpr (params_ok) {
      constexpr bool arguments_ok = []<std::size_t... I>(std::index_sequence<I...>) {
        return (CheckArgument<F, I, P, A>() && ... && true);
      }
      (std::index_sequence_for<P...>{});
      if constexpr (arguments_ok) {
        CallSpec call;
        call.thunk = &ActorThunk<F, P...>::Run;
        FillCall<P...>(call, factory, std::forward<A>(arguments)...);
        return CreateActor(options, std::move(call));
      }
    }
  }
  return {};
}

}  // namespace detail

/// Collects the options of one method call. Made by handle.Task(&T::method).
template <class T, class F>
class [[nodiscard]] ActorCallBuilder : public detail::OptionSetters<ActorCallBuilder<T, F>, detail::TaskOptions> {
 public:
  ActorCallBuilder(detail::Handle actor, F method) : actor_(std::move(actor)), method_(method) {}

  /// Sends the call and returns its result's ref at once. A dead actor is an ActorDiedError at Get. Any thread.
  template <class... A>
  auto Remote(A&&... arguments) const& {
    return Submit(actor_, typename detail::Signature<F>::params{}, std::forward<A>(arguments)...);
  }
  template <class... A>
  auto Remote(A&&... arguments) && {
    return Submit(std::move(actor_), typename detail::Signature<F>::params{}, std::forward<A>(arguments)...);
  }

 private:
  template <class... P, class... A>
  auto Submit(detail::Handle actor, detail::TypeList<P...>, A&&... arguments) const {
    using R = typename detail::Signature<F>::result;
    constexpr bool arity = sizeof...(P) == sizeof...(A);
    static_assert(arity, "manta: wrong number of arguments for this method");
    if constexpr (arity) {
      constexpr bool params_ok = []<std::size_t... I>(std::index_sequence<I...>) {
        return (detail::CheckParameter<F, I, P>() && ... && true);
      }
      (std::index_sequence_for<P...>{});
      if constexpr (params_ok && detail::CheckResult<F, R>()) {
        constexpr bool arguments_ok = []<std::size_t... I>(std::index_sequence<I...>) {
          return (detail::CheckArgument<F, I, P, A>() && ... && true);
        }
        (std::index_sequence_for<P...>{});
        if constexpr (arguments_ok) {
          detail::CallSpec call;
          call.thunk = &detail::MethodThunk<T, F, R, P...>::Run;
          detail::FillCall<P...>(call, method_, std::forward<A>(arguments)...);
          return detail::RefOf<R>(detail::SubmitActorCall(std::move(actor), this->options_, std::move(call)));
        }
      }
    }
    return detail::RefOf<R>();
  }

  detail::Handle actor_;
  F method_;
};

/// Names an actor; counted like a ref. An empty one throws UsageError when it is used.
template <class T>
class ActorHandle {
 public:
  ActorHandle() = default;
  explicit ActorHandle(detail::Handle handle) : handle_(std::move(handle)) {}

  explicit operator bool() const { return static_cast<bool>(handle_); }
  std::string ID() const { return detail::IdText(handle_); }

  /// A call of a method of T or of a base of T, virtual ones too; choose among overloads by a cast.
  template <class C, class M>
  auto Task(M C::*method) const {
    constexpr bool is_function = std::is_function_v<M>;
    constexpr bool is_mine = std::is_base_of_v<C, T>;
    static_assert(is_function, "manta: an actor's Task takes a member function");
    static_assert(is_mine || !is_function, "manta: this is no method of the actor's class or of a base of it");
    if constexpr (!is_function) {
      return detail::RefusedTask();
    } else if constexpr (!is_mine) {
      return ActorCallBuilder<C, M C::*>(handle_, method);  // no second error for what follows
    } else {
      detail::CheckUsable(handle_);
      using Method = M T::*;
      return ActorCallBuilder<T, Method>(handle_, static_cast<Method>(method));
    }
  }

  /// Ends the actor now: queued calls fail with ActorDiedError, a running one goes on unheard. With `no_restart` false
  /// it is made anew by its constructor, if SetMaxRestarts allows. Destructors do not run.
  void Kill(bool no_restart = true) const { detail::KillActor(handle_, no_restart); }

  friend bool operator==(const ActorHandle& a, const ActorHandle& b) {
    return detail::CompareIds(a.handle_, b.handle_) == std::strong_ordering::equal;
  }
  const detail::Handle& handle() const { return handle_; }

  template <class Archive>
  void save(Archive& archive) const {
    static_assert(detail::kIsMantaArchive<Archive>,
                  "manta: an actor handle has a meaning inside the job only, not in files");
    if constexpr (detail::kIsMantaArchive<Archive>) archive.AddRef(handle_);
  }
  template <class Archive>
  void load(Archive& archive) {
    static_assert(detail::kIsMantaArchive<Archive>,
                  "manta: an actor handle has a meaning inside the job only, not in files");
    if constexpr (detail::kIsMantaArchive<Archive>) handle_ = archive.ReadRef();
  }

 private:
  detail::Handle handle_;
};

/// Collects the options of an actor. Made by Actor<T>() or Actor(factory).
template <class T, class F>
class [[nodiscard]] ActorBuilder : public detail::OptionSetters<ActorBuilder<T, F>, detail::ActorOptions> {
  using Self = ActorBuilder;

 public:
  explicit ActorBuilder(F factory = {}) : factory_(std::move(factory)) {}

  /// How often the actor is made anew after its end; -1: always. State is lost, unless it keeps its own.
  MANTA_DETAIL_SETTER(SetMaxRestarts, int restarts, this->options_.max_restarts = restarts)
  /// How often a call is sent again when the actor was restarted under it.
  MANTA_DETAIL_SETTER(SetMaxTaskRetries, int retries, this->options_.max_task_retries = retries)
  /// How many calls may run at once; above 1 their order is not kept.
  MANTA_DETAIL_SETTER(SetMaxConcurrency, int calls, this->options_.max_concurrency = calls)
  /// Lives until the job ends, whether or not a handle is left.
  Self& SetDetached() & {
    this->options_.detached = true;
    return *this;
  }
  Self&& SetDetached() && {
    this->options_.detached = true;
    return std::move(*this);
  }

  /// Starts to make the actor and returns its handle at once; an exception of its constructor is an ActorDiedError of
  /// the calls. Throws InfeasibleError, and UsageError for a name that is taken.
  template <class... A>
  ActorHandle<T> Remote(A&&... arguments) const {
    if constexpr (std::is_same_v<F, std::nullptr_t>) {
      if constexpr (std::is_constructible_v<T, A...>) {
        return RemoteMake<std::decay_t<A>...>(std::forward<A>(arguments)...);
      } else {
        constexpr bool constructible = std::is_constructible_v<T, detail::GenericParamOf<A>...>;
        static_assert(constructible, "manta: the actor's class has no constructor for these arguments");
        if constexpr (constructible)
          return RemoteMake<detail::GenericParamOf<A>...>(std::forward<A>(arguments)...);
        else
          return {};
      }
    } else {
      return ActorHandle<T>(detail::CreateChecked<F>(this->options_, factory_, typename detail::Signature<F>::params{},
                                                     std::forward<A>(arguments)...));
    }
  }

 private:
  template <class... P, class... A>
  ActorHandle<T> RemoteMake(A&&... arguments) const {
    // A string literal is kept as a string; other arguments as their decayed types.
    using Params = detail::TypeList<std::conditional_t<std::is_same_v<P, const char*>, std::string, P>...>;
    return RemoteMakeParams(Params{}, std::forward<A>(arguments)...);
  }
  template <class... P, class... A>
  ActorHandle<T> RemoteMakeParams(detail::TypeList<P...>, A&&... arguments) const {
    return ActorHandle<T>(detail::CreateChecked<detail::Make<T, P...>>(
        this->options_, detail::Make<T, P...>{}, detail::TypeList<P...>{}, std::forward<A>(arguments)...));
  }
  F factory_;
};

/// An actor of class T, made by its constructor from Remote's arguments.
template <class T>
auto Actor() {
  return ActorBuilder<T, std::nullptr_t>();
}

/// An actor made by a function (or plain lambda) that returns a T*, a unique_ptr, a shared_ptr or a T.
template <class F>
requires(detail::Signature<std::decay_t<F>>::known) auto Actor(F factory) {
  using T = typename detail::Made<std::remove_cvref_t<typename detail::Signature<F>::result>>::type;
  return ActorBuilder<T, F>(std::move(factory));
}

/// The living actor of that name, or nothing. Asks rank 0; may park.
template <class T>
std::optional<ActorHandle<T>> GetActor(const std::string& name) {
  if (auto handle = detail::FindActor(name)) return ActorHandle<T>(std::move(*handle));
  return std::nullopt;
}

/// Ends the actor whose method calls it, after this method; its destructor runs. Never returns. Throws UsageError
/// outside an actor's method.
[[noreturn]] void ExitActor();

/// Whether the actor of the running method was made anew after an end.
bool WasCurrentActorRestarted();

#undef MANTA_DETAIL_SETTER
}  // namespace manta
