#include "core/task/code_address.hpp"

#include <manta/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <set>
#include <sstream>
#include <string>

#include "core/task/symbol_name.hpp"
#include "tests/core/task/linked_library.hpp"

namespace sample {
int Exported(int x) { return x + 1; }
template <class T>
__attribute__((noinline)) T Instance(T x) { return x + x; }
struct Adder {
  int operator()(int x) const;
  int Method(int x);
};
__attribute__((noinline)) int Adder::operator()(int x) const { return x + 2; }
__attribute__((noinline)) int Adder::Method(int x) { return x + 3; }
}  // namespace sample

static int StaticFunction(int x) { return x * 3; }
static int cooperator(int x) { return x * 5; }

// Stands in for the thunk that each callable gets.
namespace manta::detail {
class Invocation;
template <class F, class R, class... P>
struct TaskThunk {
  static void Run(Invocation&) {}
};
}  // namespace manta::detail

namespace manta::task {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

int Hidden(int x) { return x * 4; }

struct CodeAddress : ::testing::Test {
  static void SetUpTestSuite() { ScanModules(); }
};

template <class F>
const void* Address(F* function) { return reinterpret_cast<const void*>(function); }

TEST_F(CodeAddress, ComesBackTheSameForFunctionsOfTheProgram) {
  for (const void* address : {Address(&sample::Exported), Address(&StaticFunction), Address(&Hidden),
                              Address(&sample::Instance<double>)})
    EXPECT_EQ(DecodeCode(EncodeCode(address)), address);
}

TEST_F(CodeAddress, ComesBackTheSameForFunctionsOfLibraries) {
  for (const void* address : {Address(&linked::Twice), Address(linked::GiveHidden()), Address(&std::abort),
                              Address(&std::terminate)})
    EXPECT_EQ(DecodeCode(EncodeCode(address)), address);
}

TEST_F(CodeAddress, IsCallableAfterTheWayBack) {
  auto* function = reinterpret_cast<linked::Function>(const_cast<void*>(DecodeCode(EncodeCode(Address(linked::GiveHidden())))));

  EXPECT_EQ(function(5), 4);
}

TEST_F(CodeAddress, HasTheModuleAboveAndTheOffsetBelow) {
  const std::uint64_t program = EncodeCode(Address(&Hidden));
  const std::uint64_t library = EncodeCode(Address(linked::GiveHidden()));

  EXPECT_EQ(program >> 48, 0u) << "the program is number 0";
  EXPECT_NE(library >> 48, 0u);
  EXPECT_LT(program & 0xffffffffffffull, 1u << 30);
}

TEST_F(CodeAddress, IsTheSameAfterAnotherScan) {
  const std::uint64_t before = EncodeCode(Address(linked::GiveHidden()));

  ScanModules();

  EXPECT_EQ(EncodeCode(Address(linked::GiveHidden())), before);
}

TEST_F(CodeAddress, OfMemoryOutsideOfModulesIsRefused) {
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  EXPECT_THROW(EncodeCode(page), UsageError);
  EXPECT_THROW(EncodeCode(nullptr), UsageError);
  ::munmap(page, 4096);
}

TEST_F(CodeAddress, OfAModuleThatIsNotThereIsRefused) {
  EXPECT_THROW(DecodeCode(std::uint64_t{60'000} << 48), UsageError);
  EXPECT_THROW(DecodeCode(0xffffffffffull), UsageError) << "an offset beyond the program";
}

TEST_F(CodeAddress, NamesTheProgramFirstInTheFingerprint) {
  const std::string fingerprint = ModuleFingerprint();

  EXPECT_THAT(fingerprint.substr(0, fingerprint.find('\n')), HasSubstr("core.task"));
  EXPECT_THAT(fingerprint, HasSubstr("linked_library"));
  EXPECT_THAT(fingerprint, ::testing::Not(HasSubstr("vdso")));
  EXPECT_EQ(fingerprint, ModuleFingerprint());
  EXPECT_THAT(ProgramName(), HasSubstr("core.task"));
}

TEST_F(CodeAddress, FingerprintHoldsEachModuleOnce) {
  std::istringstream lines(ModuleFingerprint());
  std::set<std::string> seen;
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(seen.insert(line).second) << line;
  EXPECT_GE(seen.size(), 4u);
}

TEST_F(CodeAddress, KnowsTheNamesOfFunctions) {
  EXPECT_EQ(FunctionName(Address(&sample::Exported)), "sample::Exported");
  EXPECT_EQ(FunctionName(Address(&StaticFunction)), "StaticFunction");
  EXPECT_EQ(FunctionName(Address(&cooperator)), "cooperator");
  EXPECT_EQ(FunctionName(Address(&Hidden)), "manta::task::(anonymous namespace)::Hidden");
  EXPECT_EQ(FunctionName(Address(&sample::Instance<double>)), "sample::Instance<double>");
  EXPECT_EQ(FunctionName(Address(&linked::Twice)), "linked::Twice");
  EXPECT_EQ(FunctionName(Address(linked::GiveHidden())), "linked::(anonymous namespace)::Hidden");
}

TEST_F(CodeAddress, KnowsTheNamesOfMembers) {
  const void* words[2];
  auto method = &sample::Adder::Method;
  static_assert(sizeof(words) == sizeof(method));
  std::memcpy(words, &method, sizeof(words));
  EXPECT_EQ(FunctionName(words[0]), "sample::Adder::Method");
  auto call = &sample::Adder::operator();
  std::memcpy(words, &call, sizeof(words));
  EXPECT_EQ(FunctionName(words[0]), "sample::Adder::operator()");
}

template <class F>
std::string ThunkName(const F&) { return FunctionName(Address(&detail::TaskThunk<F, int, int>::Run)); }

TEST_F(CodeAddress, NamesTheThunkOfALambdaByWhereItStands) {
  auto lambda = [](int x) { return x; };

  EXPECT_THAT(ThunkName(lambda), HasSubstr("CodeAddress_NamesTheThunkOfALambdaByWhereItStands_Test::TestBody()::{lambda(int)#1}"));
  EXPECT_EQ(ThunkName(sample::Adder{}), "sample::Adder");
}

TEST_F(CodeAddress, HasNoNameWhereThereIsNone) {
  int local = 0;

  EXPECT_EQ(FunctionName(&local), "");
  EXPECT_EQ(FunctionName(nullptr), "");
  EXPECT_EQ(SymbolName("/no/such/file", 1), "");
  EXPECT_EQ(SymbolName("/proc/self/cmdline", 1), "") << "no ELF file";
}

}  // namespace
}  // namespace manta::task
