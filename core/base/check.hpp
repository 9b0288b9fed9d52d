#pragma once
// Three kinds of errors, three spellings: our bug (MANTA_ASSERT), the caller's misuse (MANTA_EXPECT), and what the
// outside refused (MANTA_MPI_TRY and MANTA_CUDA_TRY, in their own rooms).

#include <manta/error.hpp>

#include <sstream>

namespace manta::base {
[[noreturn]] void AssertFailed(const char* condition, const char* file, int line);
}

/// Our bug: says where and aborts, in all builds. Not for the path of each task.
#define MANTA_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::manta::base::AssertFailed(#condition, __FILE__, __LINE__))

/// The caller's misuse: throws UsageError with the streamed text (what was wanted, found, and what to do). In a function
/// of its own, so that who only checks has no stream on its stack.
#define MANTA_EXPECT(condition, stream)                       \
  do {                                                        \
    if (!(condition)) [[unlikely]]                            \
      [&]() __attribute__((noinline, cold)) {                 \
        std::ostringstream manta_expect_stream;               \
        manta_expect_stream << stream;                        \
        throw ::manta::UsageError(manta_expect_stream.str()); \
      }();                                                    \
  } while (false)
