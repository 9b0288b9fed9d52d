#pragma once
// The compiled runtime as the templates see it: bytes, holds and type tables, no user types. Users need nothing here.

#include <manta/detail/handle.hpp>
#include <manta/detail/type_ops.hpp>
#include <manta/resources.hpp>

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace manta::detail {

inline constexpr std::int64_t kForever = -1;

/// A timeout in nanoseconds; negative ones count as 0, and what does not fit as for ever.
template <class Rep, class Period>
std::int64_t ToNanoseconds(std::chrono::duration<Rep, Period> timeout) {
  const double ns = std::chrono::duration<double, std::nano>(timeout).count();
  if (!(ns > 0)) return 0;
  return ns < 9e18 ? static_cast<std::int64_t>(ns) : kForever;
}

// ---- calls ----
class Invocation;
using Thunk = void (*)(Invocation&);

/// Bytes with room for small ones inside, so that a call with few arguments takes no allocation. Move-only.
class SmallBytes {
 public:
  static constexpr std::size_t kInside = 256;
  SmallBytes() = default;
  explicit SmallBytes(std::size_t size) { Reset(size); }
  /// Makes it `size` bytes, not set.
  void Reset(std::size_t size) {
    size_ = size;
    outside_ = size > kInside ? std::make_unique_for_overwrite<std::byte[]>(size) : nullptr;
  }
  SmallBytes(SmallBytes&& other) noexcept { *this = std::move(other); }
  SmallBytes& operator=(SmallBytes&& other) noexcept {
    size_ = other.size_;
    outside_ = std::move(other.outside_);
    if (!outside_ && size_ != 0) std::memcpy(inside_, other.inside_, size_);
    return *this;
  }
  std::byte* data() { return outside_ ? outside_.get() : inside_; }
  const std::byte* data() const { return outside_ ? outside_.get() : inside_; }
  std::size_t size() const { return size_; }
  std::span<const std::byte> view() const { return {data(), size_}; }

 private:
  std::size_t size_ = 0;
  alignas(16) std::byte inside_[kInside];
  std::unique_ptr<std::byte[]> outside_;
};

/// A ref that was passed where the function wants a value: `object` takes the place of parameter `param` (or of its
/// element `element`, where the parameter is a vector; kWhole otherwise).
struct ArgumentRef {
  static constexpr std::uint32_t kWhole = 0xffffffff;
  std::uint32_t param = 0;
  std::uint32_t element = kWhole;
  Handle object;
};

/// The refs of one call, with room for a few inside. Move-only.
class ArgumentList {
 public:
  ArgumentList() = default;
  ArgumentList(ArgumentList&&) = default;
  ArgumentList& operator=(ArgumentList&&) = default;

  void Add(std::uint32_t param, std::uint32_t element, Handle object) {
    if (count_ < kInside) {
      inside_[count_] = {param, element, std::move(object)};
    } else {
      if (count_ == kInside) {
        outside_.reserve(4 * kInside);
        for (ArgumentRef& one : inside_) outside_.push_back(std::move(one));
      }
      outside_.push_back({param, element, std::move(object)});
    }
    ++count_;
  }
  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  std::span<ArgumentRef> view() {
    return count_ <= kInside ? std::span<ArgumentRef>(inside_, count_) : std::span<ArgumentRef>(outside_);
  }

 private:
  static constexpr std::size_t kInside = 2;
  std::size_t count_ = 0;
  ArgumentRef inside_[kInside];
  std::vector<ArgumentRef> outside_;  // all of them, where they are more
};

/// A function or member function as the bits of its pointer. Word 0 is a code address, which differs from process to
/// process and is translated on its way unless it is an offset into a vtable (is_code false), or there is none.
struct CodeWords {
  std::uint64_t words[2] = {0, 0};
  bool is_code = false;
  bool operator==(const CodeWords&) const = default;
};

/// One call, ready to be run here or elsewhere.
struct CallSpec {
  Thunk thunk = nullptr;
  const void* function = nullptr;       // for its name in errors; null: the thunk's
  CodeWords callable;                   // what is called, where that is a pointer
  SmallBytes bytes;                     // what is called, where that is an object; then the arguments that travel by value
  ArgumentList arguments;               // by param, then element
  std::vector<Handle> carried;          // refs inside `bytes`, in order
};

Handle SubmitTask(const TaskOptions& options, CallSpec&& call);
Handle SubmitActorCall(Handle actor, const TaskOptions& options, CallSpec&& call);
Handle CreateActor(const ActorOptions& options, CallSpec&& call);
void CancelTask(const Handle& result);
void KillActor(const Handle& actor, bool no_restart);
std::optional<Handle> FindActor(const std::string& name);

// ---- objects ----
Handle PutOwned(const TypeOps& ops, std::shared_ptr<const void> object);
Handle PutCopied(const TypeOps& ops, const void* object);
/// The bytes of an object that is being made in place: `data`, in what `block` keeps.
struct RawObject {
  std::shared_ptr<void> block;
  std::byte* data = nullptr;
};
/// Not set. Throws OutOfMemoryError.
RawObject CreateRaw(std::size_t size_bytes);
/// An object of all of its bytes, which are what `ops` would write. Throws UsageError where there is none.
Handle SealRaw(RawObject&& raw, const TypeOps& ops);
void CheckUsable(const Handle& ref);
/// Waits, then throws the object's error or returns the value, materialized at most once in this process.
std::shared_ptr<const void> GetObject(const Handle& ref, const TypeOps& ops, std::int64_t timeout_ns);
/// The same for small plain data: copies the value to `to`.
void GetPlain(const Handle& ref, const TypeOps& ops, void* to, std::int64_t timeout_ns);
/// Waits, then throws the object's error; for results without a value.
void GetNothing(const Handle& ref, std::int64_t timeout_ns);
/// Like GetObject; true where `value` is the only hold on it, so that it may be moved from.
std::shared_ptr<const void> TakeObject(Handle&& ref, const TypeOps& ops, bool* sole);
/// Blocks until `count` of `refs` are ready or failed, or the time is up. Fills `done` with the positions of those that
/// are, in order and at most `count` of them; a `count` of 0 asks for all that are done now.
void WaitObjects(const HandleView& refs, std::size_t count, std::int64_t timeout_ns, std::vector<std::uint32_t>& done);
std::strong_ordering CompareIds(const Handle& a, const Handle& b);
std::size_t HashId(const Handle& a);
std::string IdText(const Handle& a);

/// Hands out the positions of refs in the order in which they become ready. One reader. The refs must be kept.
class CompletionQueue {
 public:
  explicit CompletionQueue(const HandleView& refs);
  ~CompletionQueue();
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;
  /// Waits for the next; nullopt when all were handed out or the time is up (then `timed_out` is set).
  std::optional<std::size_t> Next(std::int64_t timeout_ns, bool* timed_out = nullptr);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// ---- the call being run, as its thunk sees it ----
class Invocation {
 public:
  virtual std::span<const std::byte> bytes() const = 0;
  /// CallSpec::callable, as it is in this process.
  virtual const CodeWords& callable() const = 0;
  /// The actor's instance; null in a task.
  virtual void* self() const = 0;
  /// The refs given for parameter `param`: none (it travels by value), one, or one an element.
  virtual std::span<const ArgumentRef> Given(std::uint32_t param) const = 0;
  virtual std::shared_ptr<const void> Value(const ArgumentRef& argument, const TypeOps& ops) = 0;
  /// A value of its own, for parameters by value of types that can't be copied.
  virtual std::shared_ptr<const void> FreshValue(const ArgumentRef& argument, const TypeOps& ops) = 0;
  /// The same for plain data: its bytes, copied to `to`.
  virtual void CopyPlain(const ArgumentRef& argument, const TypeOps& ops, void* to) = 0;
  /// The elements in place, where the object's bytes are an array; empty pointer otherwise.
  virtual const std::byte* ArrayInPlace(const ArgumentRef& argument, std::size_t* size_bytes) = 0;
  virtual void ReturnNothing() = 0;
  virtual void ReturnPlain(const TypeOps& ops, const void* value) = 0;
  virtual void ReturnObject(const TypeOps& ops, std::shared_ptr<const void> object) = 0;
  virtual void ReturnActor(std::shared_ptr<void> instance) = 0;

 protected:
  ~Invocation() = default;
};

}  // namespace manta::detail
