#include "core/object/error_record.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <functional>
#include <ios>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

namespace manta::object {
namespace {

/// A TaskError that is the standard exception E too. The plain TaskError is nested in it.
template <class E>
class TaskErrorAs : public E, public TaskError, public std::nested_exception {
 public:
  template <class... A>
  explicit TaskErrorAs(const TaskError& plain, A&&... arguments) : E(std::forward<A>(arguments)...), TaskError(plain) {}
  const char* what() const noexcept override { return TaskError::what(); }
};

/// What is thrown for types that are none of the standard's: no base that the original had not.
class PlainTaskError : public std::exception, public TaskError {
 public:
  explicit PlainTaskError(const TaskError& plain) : TaskError(plain) {}
  const char* what() const noexcept override { return TaskError::what(); }
};

template <class E, class... A>
[[noreturn]] void ThrowAs(const TaskError& plain, A&&... arguments) {
  try {
    throw PlainTaskError(plain);
  } catch (...) {
    // Made inside the handler, so that nested_exception keeps the plain one.
    throw TaskErrorAs<E>(plain, std::forward<A>(arguments)...);
  }
}

std::string Demangled(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 && text != nullptr ? text : name;
  std::free(text);
  return result;
}

/// The type and its public bases, by the ABI's own tables (Itanium C++ ABI, section 2.9.5).
void CollectBases(const std::type_info* type, std::vector<std::string>& names) {
  names.emplace_back(type->name());
  if (const auto* single = dynamic_cast<const abi::__si_class_type_info*>(type)) {
    CollectBases(single->__base_type, names);
  } else if (const auto* several = dynamic_cast<const abi::__vmi_class_type_info*>(type)) {
    for (unsigned i = 0; i < several->__base_count; ++i)
      if (several->__base_info[i].__is_public_p()) CollectBases(several->__base_info[i].__base_type, names);
  }
}

StandardType StandardTypeOf(const std::vector<std::string>& chain) {
  static const std::pair<const char*, StandardType> kTypes[] = {
      {typeid(std::invalid_argument).name(), StandardType::kInvalidArgument},
      {typeid(std::out_of_range).name(), StandardType::kOutOfRange},
      {typeid(std::length_error).name(), StandardType::kLengthError},
      {typeid(std::domain_error).name(), StandardType::kDomainError},
      {typeid(std::range_error).name(), StandardType::kRangeError},
      {typeid(std::overflow_error).name(), StandardType::kOverflowError},
      {typeid(std::underflow_error).name(), StandardType::kUnderflowError},
      {typeid(std::ios_base::failure).name(), StandardType::kIosFailure},
      {typeid(std::system_error).name(), StandardType::kSystemError},
      {typeid(std::bad_alloc).name(), StandardType::kBadAlloc},
      {typeid(std::bad_cast).name(), StandardType::kBadCast},
      {typeid(std::bad_function_call).name(), StandardType::kBadFunctionCall},
      {typeid(std::bad_optional_access).name(), StandardType::kBadOptionalAccess},
      {typeid(std::bad_variant_access).name(), StandardType::kBadVariantAccess},
      {typeid(std::runtime_error).name(), StandardType::kRuntimeError},
      {typeid(std::logic_error).name(), StandardType::kLogicError},
  };
  for (const std::string& name : chain)
    for (const auto& [known, type] : kTypes)
      if (name == known) return type;
  return StandardType::kNone;
}

ErrorPtr OfFamily(ErrorKind kind, const Error& error) { return MakeError(kind, error.what()); }

std::string TextOf(const char* text) { return text != nullptr ? text : "(no text)"; }

}  // namespace

ErrorPtr MakeError(ErrorKind kind, std::string message) {
  auto record = std::make_shared<ErrorRecord>();
  record->kind = kind;
  record->message = std::move(message);
  return record;
}

ErrorPtr FromException(std::exception_ptr thrown, const std::string& function, int rank) {
  auto record = std::make_shared<ErrorRecord>();
  record->task.function = function;
  record->task.rank = rank;
  try {
    std::rethrow_exception(thrown);
  } catch (const CancelledError& error) {
    return OfFamily(ErrorKind::kCancelled, error);
  } catch (const ActorDiedError& error) {
    return OfFamily(ErrorKind::kActorDied, error);
  } catch (const ObjectLostError& error) {
    return OfFamily(ErrorKind::kObjectLost, error);
  } catch (const RankFailedError& error) {
    return OfFamily(ErrorKind::kRankFailed, error);
  } catch (const OutOfMemoryError& error) {
    record->kind = ErrorKind::kOutOfMemory;
    record->message = error.what();
    record->asked_bytes = error.asked_bytes();
    record->free_bytes = error.free_bytes();
    return record;
  } catch (const std::exception& error) {
    record->task.message = TextOf(error.what());
    if (const auto* system = dynamic_cast<const std::system_error*>(&error))
      record->system_code = system->code().value();
    // A TaskError that passes through keeps what was thrown first, and where.
    if (const auto* task = dynamic_cast<const TaskError*>(&error)) {
      record->task = task->details();
      record->standard = StandardTypeOf(record->task.type_chain);
      return record;
    }
  } catch (const std::string& text) {
    record->task.message = text;
  } catch (const char* text) {
    record->task.message = TextOf(text);
  } catch (int number) {
    record->task.message = std::to_string(number);
  } catch (...) {
    record->task.message = "(not a std::exception)";
  }
  if (const std::type_info* type = thrown.__cxa_exception_type()) {
    record->task.type = Demangled(type->name());
    CollectBases(type, record->task.type_chain);
    record->standard = StandardTypeOf(record->task.type_chain);
  }
  return record;
}

void Throw(const ErrorRecord& record) {
  switch (record.kind) {
    case ErrorKind::kCancelled:
      throw CancelledError(record.message);
    case ErrorKind::kActorDied:
      throw ActorDiedError(record.message);
    case ErrorKind::kObjectLost:
      throw ObjectLostError(record.message);
    case ErrorKind::kOutOfMemory:
      throw OutOfMemoryError(record.message, record.asked_bytes, record.free_bytes);
    case ErrorKind::kInfeasible:
      throw InfeasibleError(record.message);
    case ErrorKind::kRankFailed:
      throw RankFailedError(record.message);
    case ErrorKind::kUsage:
      throw UsageError(record.message);
    case ErrorKind::kTask:
      break;
  }
  const TaskError plain(record.task);
  const std::string& text = record.task.message;
  switch (record.standard) {
    case StandardType::kRuntimeError:
      ThrowAs<std::runtime_error>(plain, text);
    case StandardType::kLogicError:
      ThrowAs<std::logic_error>(plain, text);
    case StandardType::kInvalidArgument:
      ThrowAs<std::invalid_argument>(plain, text);
    case StandardType::kOutOfRange:
      ThrowAs<std::out_of_range>(plain, text);
    case StandardType::kLengthError:
      ThrowAs<std::length_error>(plain, text);
    case StandardType::kDomainError:
      ThrowAs<std::domain_error>(plain, text);
    case StandardType::kRangeError:
      ThrowAs<std::range_error>(plain, text);
    case StandardType::kOverflowError:
      ThrowAs<std::overflow_error>(plain, text);
    case StandardType::kUnderflowError:
      ThrowAs<std::underflow_error>(plain, text);
    case StandardType::kSystemError:
      ThrowAs<std::system_error>(plain, std::error_code(record.system_code, std::generic_category()), text);
    case StandardType::kBadAlloc:
      ThrowAs<std::bad_alloc>(plain);
    case StandardType::kIosFailure:
      ThrowAs<std::ios_base::failure>(plain, text);
    case StandardType::kBadCast:
      ThrowAs<std::bad_cast>(plain);
    case StandardType::kBadFunctionCall:
      ThrowAs<std::bad_function_call>(plain);
    case StandardType::kBadOptionalAccess:
      ThrowAs<std::bad_optional_access>(plain);
    case StandardType::kBadVariantAccess:
      ThrowAs<std::bad_variant_access>(plain);
    case StandardType::kNone:
      break;
  }
  throw PlainTaskError(plain);
}

wire::WireError ToWire(const ErrorRecord& record) {
  return {static_cast<std::uint8_t>(record.kind),
          record.message,
          record.task.type,
          record.task.message,
          record.task.function,
          record.task.rank,
          record.task.type_chain,
          static_cast<std::uint8_t>(record.standard),
          record.system_code,
          record.asked_bytes,
          record.free_bytes};
}

ErrorPtr FromWire(const wire::WireError& error) {
  auto record = std::make_shared<ErrorRecord>();
  record->kind = static_cast<ErrorKind>(error.kind);
  record->message = error.message;
  record->task = {error.type, error.text, error.function, error.rank, error.type_chain};
  record->standard = static_cast<StandardType>(error.standard);
  record->system_code = error.system_code;
  record->asked_bytes = error.asked_bytes;
  record->free_bytes = error.free_bytes;
  return record;
}

std::string Describe(const ErrorRecord& record) {
  return record.kind == ErrorKind::kTask ? TaskError(record.task).what() : record.message;
}

}  // namespace manta::object
