#pragma once
// Why an object failed, as data that crosses processes and is thrown again at every Get.

#include <manta/error.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "core/wire/messages.hpp"

namespace manta::object {

enum class ErrorKind : std::uint8_t {
  kTask = 0,
  kCancelled,
  kActorDied,
  kObjectLost,
  kOutOfMemory,
  kInfeasible,
  kRankFailed,
  kUsage,
};

/// Which standard exception a TaskError is thrown as, besides itself. On the wire: append only.
enum class StandardType : std::uint8_t {
  kNone = 0,
  kRuntimeError,
  kLogicError,
  kInvalidArgument,
  kOutOfRange,
  kLengthError,
  kDomainError,
  kRangeError,
  kOverflowError,
  kUnderflowError,
  kBadAlloc,
  kSystemError,
  kIosFailure,
  kBadCast,
  kBadFunctionCall,
  kBadOptionalAccess,
  kBadVariantAccess,
};

struct ErrorRecord {
  ErrorKind kind = ErrorKind::kTask;
  std::string message;      // of all kinds but kTask, where it is the exception's own
  TaskError::Details task;  // kTask
  StandardType standard = StandardType::kNone;
  std::int32_t system_code = 0;   // kSystemError: the code, of the generic category
  std::uint64_t asked_bytes = 0;  // kOutOfMemory
  std::uint64_t free_bytes = 0;
};

using ErrorPtr = std::shared_ptr<const ErrorRecord>;

ErrorPtr MakeError(ErrorKind kind, std::string message);
/// The record of an exception that left a task. Errors of the family that only pass through (a nested Get) keep their
/// kind: TaskError (with the function and rank that threw first), cancelled, died, lost, failed, out of memory. Others
/// become a TaskError.
ErrorPtr FromException(std::exception_ptr thrown, const std::string& function, int rank);
[[noreturn]] void Throw(const ErrorRecord& record);
wire::WireError ToWire(const ErrorRecord& record);
ErrorPtr FromWire(const wire::WireError& error);
/// One line, for failures that nobody reads.
std::string Describe(const ErrorRecord& record);

}  // namespace manta::object
