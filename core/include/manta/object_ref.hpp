#pragma once
// Objects: values that live in the job. Put makes one, every task returns one, Get reads one, Wait and AsCompleted
// wait for several.
//
//   manta::ObjectRef<Table> table = manta::Put(LoadTable());
//   auto value = manta::Get(table);                              // Value<Table>: keeps the object while it lives
//   for (double x : value->column("age")) ...
//
// Refs are counted over the whole job, like shared_ptr: when the last one goes, the object is freed. Distinct copies
// may be used from any thread; one ref may not be used by two threads at once.

#include <manta/detail/core_api.hpp>
#include <manta/detail/type_ops.hpp>
#include <manta/error.hpp>
#include <manta/serialize.hpp>

#include <chrono>
#include <compare>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <ostream>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace manta {

/// Names an object of type T somewhere in the job; may not be ready yet. Made by Put, Remote, or by copying.
/// `ObjectRef{}` is empty: using it throws UsageError. Compared, ordered, hashed and printed by id. Can be stored in
/// values, passed to tasks and returned: it keeps its object alive wherever it is.
template <class T>
class ObjectRef {
 public:
  using value_type = T;
  ObjectRef() = default;
  explicit ObjectRef(detail::Handle handle) : handle_(std::move(handle)) {}
  /// The same object, read as an Array instead of a std::vector or the other way round.
  template <class U>
    requires(!std::is_same_v<T, U> && detail::kReadsAs<T, U>)
  ObjectRef(const ObjectRef<U>& other) : handle_(other.handle()) {}

  explicit operator bool() const { return static_cast<bool>(handle_); }
  /// "owner:slot.generation"; empty for an empty ref.
  std::string ID() const { return detail::IdText(handle_); }
  const detail::Handle& handle() const& { return handle_; }
  detail::Handle&& handle() && { return std::move(handle_); }

  friend bool operator==(const ObjectRef& a, const ObjectRef& b) {
    return detail::CompareIds(a.handle_, b.handle_) == std::strong_ordering::equal;
  }
  friend std::strong_ordering operator<=>(const ObjectRef& a, const ObjectRef& b) {
    return detail::CompareIds(a.handle_, b.handle_);
  }
  friend std::ostream& operator<<(std::ostream& out, const ObjectRef& ref) {
    return out << "ObjectRef(" << ref.ID() << ')';
  }

  template <class Archive>
  void save(Archive& archive) const {
    static_assert(detail::kIsMantaArchive<Archive>, "manta: a ref has a meaning inside the job only, not in files");
    if constexpr (detail::kIsMantaArchive<Archive>) archive.AddRef(handle_);
  }
  template <class Archive>
  void load(Archive& archive) {
    static_assert(detail::kIsMantaArchive<Archive>, "manta: a ref has a meaning inside the job only, not in files");
    if constexpr (detail::kIsMantaArchive<Archive>) handle_ = archive.ReadRef();
  }

 private:
  detail::Handle handle_;
};

namespace detail {
template <class T>
struct RefValue {
  using type = void;
};
template <class T>
struct RefValue<ObjectRef<T>> {
  using type = T;
};
template <class T>
inline constexpr bool kIsRef = false;
template <class T>
inline constexpr bool kIsRef<ObjectRef<T>> = true;

/// The handles of refs in place: a ref is its handle and nothing else.
template <class T>
HandleView Handles(const std::vector<ObjectRef<T>>& refs) {
  static_assert(std::is_standard_layout_v<ObjectRef<T>> && sizeof(ObjectRef<T>) == sizeof(Handle));
  return refs.empty() ? HandleView() : HandleView(&refs.front().handle(), refs.size(), sizeof(ObjectRef<T>));
}
/// Waits for all; the number of those that are done when the time is up.
inline std::size_t WaitForAll(const HandleView& refs, std::int64_t timeout_ns) {
  std::vector<std::uint32_t> done;
  WaitObjects(refs, refs.size(), timeout_ns, done);
  return done.size();
}

/// Values that are copied out rather than shared: a pointer to them would cost more than they do.
template <class T>
inline constexpr bool kCopiedOut = kPlainData<T> && sizeof(T) <= 32;

template <class T>
inline constexpr bool kIsView = false;
template <class T, std::size_t N>
inline constexpr bool kIsView<std::span<T, N>> = true;
template <class C, class Tr>
inline constexpr bool kIsView<std::basic_string_view<C, Tr>> = true;

template <class T>
constexpr void CheckPutType() {
  static_assert(
      !std::is_pointer_v<T> && !std::is_array_v<T> && !kIsView<T>,
      "manta: pointers, C arrays and views can't be put: put the values (std::vector, std::string) themselves");
  static_assert(std::is_pointer_v<T> || std::is_array_v<T> || kIsView<T> || kIsSerializable<T>,
                "manta: this type can't be put: give it a Cereal serialize function (for all its members too)");
}
}  // namespace detail

/// What Get returns: a read-only value that stays while this (or the shared_ptr made of it) lives, also when the last
/// ref is gone. `for (double x : *Get(r))` is safe. A large value of plain data lies in the node's object store and is
/// read there: such a Value must not be used after Shutdown.
template <class T>
class Value {
 public:
  explicit Value(std::shared_ptr<const T> value) : value_(std::move(value)) {}
  const T& operator*() const& { return *value_; }
  /// A copy, so that it may outlive a temporary Value; a type that can't be copied is seen in place.
  T operator*() && requires std::is_copy_constructible_v<T> { return *value_; }
  const T* operator->() const { return value_.get(); }
  const T* get() const { return value_.get(); }
  operator std::shared_ptr<const T>() const& { return value_; }
  operator std::shared_ptr<const T>() && { return std::move(value_); }

 private:
  std::shared_ptr<const T> value_;
};

/// Small plain data lies in the Value itself.
template <class T>
requires detail::kCopiedOut<T>
class Value<T> {
 public:
  explicit Value(const T& value) : value_(value) {}
  const T& operator*() const& { return value_; }
  T operator*() && { return value_; }
  const T* operator->() const { return &value_; }
  const T* get() const { return &value_; }
  operator std::shared_ptr<const T>() const { return std::make_shared<const T>(value_); }

 private:
  T value_;
};

namespace detail {
template <class T>
auto GetOne(const ObjectRef<T>& ref, std::int64_t timeout_ns) {
  if constexpr (std::is_void_v<T>) {
    GetNothing(ref.handle(), timeout_ns);
  } else if constexpr (kCopiedOut<T>) {
    struct Raw {
      alignas(T) std::byte bytes[sizeof(T)];
    } raw;
    GetPlain(ref.handle(), OpsOf<T>(), raw.bytes, timeout_ns);
    return Value<T>(*std::launder(reinterpret_cast<const T*>(raw.bytes)));
  } else {
    return Value<T>(std::static_pointer_cast<const T>(GetObject(ref.handle(), OpsOf<T>(), timeout_ns)));
  }
}
}  // namespace detail

/// Makes an object of a copy of `value` (a move, where it is given by `std::move`) and returns its ref. Blocks for as
/// long as the copy takes. Throws OutOfMemoryError (bytes asked, bytes free) where the node's store can't hold it;
/// nothing else is lost then. Any thread.
template <class T>
[[nodiscard]] ObjectRef<std::remove_cvref_t<T>> Put(T&& value) {
  using Stored = std::remove_cvref_t<T>;
  detail::CheckPutType<Stored>();
  if constexpr (!std::is_pointer_v<Stored> && !std::is_array_v<Stored> && !detail::kIsView<Stored> &&
                detail::kIsSerializable<Stored>) {
    if constexpr (std::is_lvalue_reference_v<T> || detail::kCopiedOut<Stored>) {
      return ObjectRef<Stored>(detail::PutCopied(detail::OpsOf<Stored>(), std::addressof(value)));
    } else {
      return ObjectRef<Stored>(
          detail::PutOwned(detail::OpsOf<Stored>(), std::make_shared<const Stored>(std::move(value))));
    }
  } else {
    return {};
  }
}

/// Adopts the pointed-to value, which nobody may change from now on.
template <class T>
[[nodiscard]] ObjectRef<T> Put(std::shared_ptr<const T> value) {
  detail::CheckPutType<T>();
  if (!value) throw UsageError("Put was given a null shared_ptr; put a value");
  return ObjectRef<T>(detail::PutOwned(detail::OpsOf<T>(), std::move(value)));
}

/// Waits until `ref` is ready and returns its value (nothing for ObjectRef<void>), or throws what made it fail:
/// TaskError, CancelledError, ActorDiedError, ObjectLostError, OutOfMemoryError. In a task it gives the task's CPU back
/// while it waits (may park); in other threads it blocks. Any thread between Init and Shutdown.
template <class T>
auto Get(const ObjectRef<T>& ref) {
  return detail::GetOne(ref, detail::kForever);
}

/// The same, or TimeoutError when `timeout` has passed; the ref is as good as before.
template <class T, class Rep, class Period>
auto Get(const ObjectRef<T>& ref, std::chrono::duration<Rep, Period> timeout) {
  return detail::GetOne(ref, detail::ToNanoseconds(timeout));
}

/// All values, in order. Waits for all; throws the first error in input order.
template <class T>
auto Get(const std::vector<ObjectRef<T>>& refs) {
  detail::WaitForAll(detail::Handles(refs), detail::kForever);
  if constexpr (std::is_void_v<T>) {
    for (const auto& ref : refs) Get(ref);
  } else {
    std::vector<Value<T>> values;
    values.reserve(refs.size());
    for (const auto& ref : refs) values.push_back(Get(ref));
    return values;
  }
}

/// The same within `timeout` for all of them together, else TimeoutError.
template <class T, class Rep, class Period>
auto Get(const std::vector<ObjectRef<T>>& refs, std::chrono::duration<Rep, Period> timeout) {
  const std::size_t ready = detail::WaitForAll(detail::Handles(refs), detail::ToNanoseconds(timeout));
  if (ready != refs.size())
    throw TimeoutError("Get: " + std::to_string(refs.size() - ready) + " of " + std::to_string(refs.size()) +
                       " refs were not ready in time; they can be waited for again");
  return Get(refs);
}

/// Several refs of any types: a tuple of their values.
template <class A, class B, class... More>
std::tuple<Value<A>, Value<B>, Value<More>...> Get(const ObjectRef<A>& a, const ObjectRef<B>& b,
                                                   const ObjectRef<More>&... more) {
  const detail::Handle handles[] = {a.handle(), b.handle(), more.handle()...};
  detail::WaitForAll({handles, std::size(handles)}, detail::kForever);
  return {Get(a), Get(b), Get(more)...};
}

/// The value itself: moved out when `ref` was the last hold on the object (so move-only results can be taken), else
/// copied; a type that can't be copied throws UsageError then.
template <class T>
T Take(ObjectRef<T>&& ref) {
  bool sole = false;
  auto value =
      std::static_pointer_cast<const T>(detail::TakeObject(std::move(ref).handle(), detail::OpsOf<T>(), &sole));
  if (sole) return std::move(const_cast<T&>(*value));
  if constexpr (std::is_copy_constructible_v<T>) {
    return *value;
  } else {
    throw UsageError("Take: another ref or Value still holds this object, and its type can't be copied");
  }
}

/// Refs in their input order, those that are done (ready or failed) and the rest.
template <class T>
struct WaitResult {
  std::vector<ObjectRef<T>> ready;
  std::vector<ObjectRef<T>> unready;
};

namespace detail {
/// `Refs` is a vector of refs, moved from where it is given as an rvalue.
template <class T, class Refs>
WaitResult<T> WaitFor(Refs&& refs, std::size_t count, std::int64_t timeout_ns) {
  if (count > refs.size())
    throw UsageError("Wait: asked for " + std::to_string(count) + " of " + std::to_string(refs.size()) + " refs");
  std::vector<std::uint32_t> done;
  WaitObjects(Handles(refs), count, timeout_ns, done);
  WaitResult<T> result;
  result.ready.reserve(done.size());
  auto begin = refs.begin();
  if constexpr (std::is_rvalue_reference_v<Refs&&>) {
    // In place: the rest moves together.
    for (const std::uint32_t i : done) result.ready.push_back(std::move(refs[i]));
    std::erase_if(refs, [](const ObjectRef<T>& ref) { return !ref; });
    result.unready = std::move(refs);
  } else {
    result.unready.reserve(refs.size() - done.size());
    for (const std::uint32_t i : done) {
      result.unready.insert(result.unready.end(), begin, refs.begin() + i);
      result.ready.push_back(refs[i]);
      begin = refs.begin() + i + 1;
    }
    result.unready.insert(result.unready.end(), begin, refs.end());
  }
  return result;
}
}  // namespace detail

/// Waits until `count` of `refs` are ready or failed, at most `count` of which are returned as ready. `count` 0 polls:
/// all that is done now is returned. Moves no data. May park. Refs that are moved in cost a fifth of those that are
/// copied: `auto [ready, rest] = Wait(std::move(refs))`.
template <class T>
[[nodiscard]] WaitResult<T> Wait(const std::vector<ObjectRef<T>>& refs, std::size_t count = 1) {
  return detail::WaitFor<T>(refs, count, count == 0 ? 0 : detail::kForever);
}
template <class T>
[[nodiscard]] WaitResult<T> Wait(std::vector<ObjectRef<T>>&& refs, std::size_t count = 1) {
  return detail::WaitFor<T>(std::move(refs), count, count == 0 ? 0 : detail::kForever);
}
template <class T, class Rep, class Period>
[[nodiscard]] WaitResult<T> Wait(const std::vector<ObjectRef<T>>& refs, std::size_t count,
                                 std::chrono::duration<Rep, Period> timeout) {
  return detail::WaitFor<T>(refs, count, detail::ToNanoseconds(timeout));
}
template <class T, class Rep, class Period>
[[nodiscard]] WaitResult<T> Wait(std::vector<ObjectRef<T>>&& refs, std::size_t count,
                                 std::chrono::duration<Rep, Period> timeout) {
  return detail::WaitFor<T>(std::move(refs), count, detail::ToNanoseconds(timeout));
}

/// One ref that is done, and its place in the list.
template <class T>
struct Completed {
  std::size_t index;
  ObjectRef<T> ref;
};

/// What AsCompleted returns: an input range, to be read once. Its end with a timeout means "none came in time" or "all
/// were given".
template <class T>
class CompletionRange {
 public:
  CompletionRange(std::vector<ObjectRef<T>> refs, std::int64_t timeout_ns)
      : refs_(std::move(refs)), timeout_ns_(timeout_ns) {
    queue_ = std::make_unique<detail::CompletionQueue>(detail::Handles(refs_));
  }
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Completed<T>;
    using difference_type = std::ptrdiff_t;
    using pointer = const Completed<T>*;
    using reference = Completed<T>;
    iterator() = default;
    explicit iterator(CompletionRange* range) : range_(range) { ++*this; }
    Completed<T> operator*() const { return {index_, range_->refs_[index_]}; }
    iterator& operator++() {
      const auto next = range_->queue_->Next(range_->timeout_ns_);
      if (next)
        index_ = *next;
      else
        range_ = nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& a, const iterator& b) { return a.range_ == b.range_; }

   private:
    CompletionRange* range_ = nullptr;
    std::size_t index_ = 0;
  };
  iterator begin() { return iterator(this); }
  iterator end() { return {}; }

 private:
  std::vector<ObjectRef<T>> refs_;
  std::int64_t timeout_ns_;
  std::unique_ptr<detail::CompletionQueue> queue_;
};

/// Yields `{index, ref}` in the order in which the refs are done, failed ones too; never throws for a failed ref (Get
/// does). With a timeout the range ends early when the next one is not done in time. May park.
template <class T>
[[nodiscard]] CompletionRange<T> AsCompleted(std::vector<ObjectRef<T>> refs) {
  return CompletionRange<T>(std::move(refs), detail::kForever);
}
template <class T, class Rep, class Period>
[[nodiscard]] CompletionRange<T> AsCompleted(std::vector<ObjectRef<T>> refs,
                                             std::chrono::duration<Rep, Period> timeout) {
  return CompletionRange<T>(std::move(refs), detail::ToNanoseconds(timeout));
}

/// The task of this result will not run if it has not started; if it runs, its Context().IsCancelled() turns true. Get
/// throws CancelledError at once. Its children are cancelled too, and it is never retried. Done already: nothing.
template <class T>
void Cancel(const ObjectRef<T>& ref) {
  detail::CancelTask(ref.handle());
}

}  // namespace manta

template <class T>
struct std::hash<manta::ObjectRef<T>> {
  std::size_t operator()(const manta::ObjectRef<T>& ref) const { return manta::detail::HashId(ref.handle()); }
};
