#include "core/worker/stack_overflow.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <mutex>

#include "core/worker/stack_pool.hpp"

namespace manta::worker {
namespace {

static_assert(StackPool::kStackBytes == 8u << 20 && StackPool::kTaskStackBytes == 5u << 20, "the text says so");
constexpr char kText[] =
    "manta: stack overflow: a task or an actor's call needs more stack than there is. A stack has 8 MiB, of which each "
    "task finds at least 5 MiB. Keep large arrays on the heap (std::vector), and make deep recursion a loop, or tasks "
    "(Remote and Get have no such limit).\n";

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizerTells = true;
#else
constexpr bool kSanitizerTells = false;
#endif

constexpr std::size_t kHandlerStackBytes = 64u << 10;  // a handler from before may print a backtrace

bool (*is_red_zone)(const void*) = nullptr;  // written once, before the handler is there
struct sigaction before;                     // the same, by sigaction itself

void OnFault(int signal, siginfo_t* info, void* context) {
  if (is_red_zone(info->si_addr)) SayStackOverflow();
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) {
    // The faulting instruction runs again, and ends the process as if nobody had listened. A signal that was sent
    // (si_code <= 0) does not come again by itself.
    struct sigaction end {};
    end.sa_handler = SIG_DFL;
    ::sigaction(signal, &end, nullptr);
    if (info->si_code <= 0) ::raise(signal);
  } else {
    before.sa_handler(signal);
  }
}

}  // namespace

void SayStackOverflow() {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kText, sizeof(kText) - 1);
}

OverflowWatch::OverflowWatch(bool (*asked)(const void*)) {
  if (kSanitizerTells) return;
  stack_t now{};
  if (::sigaltstack(nullptr, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) return;
  void* at = ::mmap(nullptr, kHandlerStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return;
  stack_t mine{};
  mine.ss_sp = at;
  mine.ss_size = kHandlerStackBytes;
  ::sigaltstack(&mine, nullptr);
  handler_stack_ = at;
  static std::once_flag once;
  std::call_once(once, [asked] {
    is_red_zone = asked;
    struct sigaction action {};
    action.sa_sigaction = OnFault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    // Asked for first: the handler may run before a call that does both has written it.
    ::sigaction(SIGSEGV, nullptr, &before);
    ::sigaction(SIGSEGV, &action, nullptr);
  });
}

OverflowWatch::~OverflowWatch() {
  if (handler_stack_ == nullptr) return;
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
  ::munmap(handler_stack_, kHandlerStackBytes);
}

}  // namespace manta::worker
