#pragma once
// What Manta throws. Every error is a `manta::Error` and a `std::exception`; catch the family or one kind:
//
//   try { manta::Get(ref); }
//   catch (const manta::TaskError& e) { e.function(); e.rank(); e.Is<MyError>(); }
//   catch (const manta::Error& e)     { e.what(); }
//
// Error itself is no std::exception: a TaskError that carries a std::out_of_range is caught as both, which needs
// std::exception to be a base only once. Each class that is thrown adds it.

#include <cstddef>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>

namespace manta {

/// The family. Copies share nothing; all members may be read from any thread.
class Error {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}
  virtual ~Error() = default;
  virtual const char* what() const noexcept { return message_.c_str(); }

 private:
  std::string message_;
};

namespace detail {
/// An Error that is a std::exception too; `Kind` tells the kinds apart.
template <class Kind>
class ErrorOf : public std::runtime_error, public Error {
 public:
  explicit ErrorOf(const std::string& message) : std::runtime_error(message), Error(message) {}
  const char* what() const noexcept override { return Error::what(); }
};
}  // namespace detail

/// The caller asked for something that has no meaning: Init twice, Get after Shutdown, an empty ref.
class UsageError : public detail::ErrorOf<UsageError> {
  using ErrorOf::ErrorOf;
};
/// The resources asked for can never be had in this job.
class InfeasibleError : public detail::ErrorOf<InfeasibleError> {
  using ErrorOf::ErrorOf;
};
/// A Get or Wait outlived its timeout; the ref is as good as before.
class TimeoutError : public detail::ErrorOf<TimeoutError> {
  using ErrorOf::ErrorOf;
};
/// The task was cancelled before it gave a result.
class CancelledError : public detail::ErrorOf<CancelledError> {
  using ErrorOf::ErrorOf;
};
/// The actor has ended (killed, exited, its constructor failed, or its rank was lost); the text says which.
class ActorDiedError : public detail::ErrorOf<ActorDiedError> {
  using ErrorOf::ErrorOf;
};
/// No copy of the object is left and it can't be made again.
class ObjectLostError : public detail::ErrorOf<ObjectLostError> {
  using ErrorOf::ErrorOf;
};
/// A rank of the job was lost.
class RankFailedError : public detail::ErrorOf<RankFailedError> {
  using ErrorOf::ErrorOf;
};
/// An MPI call failed: its name, code, text, place and rank.
class MpiError : public detail::ErrorOf<MpiError> {
  using ErrorOf::ErrorOf;
};
/// A CUDA call failed: its name, code, text, place and rank.
class CudaError : public detail::ErrorOf<CudaError> {
  using ErrorOf::ErrorOf;
};

/// A store could not hold the bytes. Nothing that was stored before is lost.
class OutOfMemoryError : public detail::ErrorOf<OutOfMemoryError> {
 public:
  OutOfMemoryError(const std::string& message, std::size_t asked_bytes, std::size_t free_bytes)
      : ErrorOf(message), asked_bytes_(asked_bytes), free_bytes_(free_bytes) {}
  std::size_t asked_bytes() const { return asked_bytes_; }
  std::size_t free_bytes() const { return free_bytes_; }

 private:
  std::size_t asked_bytes_;
  std::size_t free_bytes_;
};

/// A task or actor call threw. Where it threw a standard exception, Get throws an object that is that exception and
/// a TaskError at once (with the plain TaskError nested in it); else a plain one.
class TaskError : public Error {
 public:
  struct Details {
    std::string type;                     // demangled name of what was thrown
    std::string message;                  // its what(), or a placeholder for what is no std::exception
    std::string function;                 // the task's name
    int rank = -1;                        // where it ran
    std::vector<std::string> type_chain;  // mangled names of the type and its public bases
  };
  explicit TaskError(Details details)
      : Error("task '" + details.function + "' on rank " + std::to_string(details.rank) + " threw " + details.type +
              ": " + details.message),
        details_(std::move(details)) {}

  const std::string& type() const { return details_.type; }
  const std::string& message() const { return details_.message; }
  const std::string& function() const { return details_.function; }
  int rank() const { return details_.rank; }
  const Details& details() const { return details_; }
  /// Whether what was thrown is an E or derives from it.
  template <class E>
  bool Is() const {
    return IsNamed(typeid(E).name());
  }

 private:
  bool IsNamed(const char* mangled) const {
    for (const std::string& name : details_.type_chain)
      if (name == mangled) return true;
    return false;
  }
  Details details_;
};

}  // namespace manta
