#include "core/task/task_class.hpp"

#include <gtest/gtest.h>

#include "core/task/code_address.hpp"

namespace manta::task {
namespace {

void OneThunk(detail::Invocation&) {}
void OtherThunk(detail::Invocation&) {}
bool Matches(std::exception_ptr) { return true; }

TaskClassKey Key(detail::Thunk thunk, std::uint64_t word = 0) {
  TaskClassKey key;
  key.thunk = thunk;
  key.callable.words[0] = word;
  return key;
}

TEST(TaskClass, IsOneForAllTasksOfTheSameKind) {
  const TaskClass& first = InternTaskClass(Key(&OneThunk));

  EXPECT_EQ(&InternTaskClass(Key(&OneThunk)), &first);
  EXPECT_EQ(&TaskClassAt(first.index), &first);
  EXPECT_NE(&InternTaskClass(Key(&OtherThunk)), &first);
  EXPECT_NE(&InternTaskClass(Key(&OneThunk, 1)), &first) << "another callable";
  TaskClassKey retried = Key(&OneThunk);
  retried.retry_matcher = &Matches;
  EXPECT_NE(&InternTaskClass(retried), &first) << "another choice of what is retried";
}

TEST(TaskClass, IsFoundAgainAmongMany) {
  for (std::uint64_t word = 0; word < 5000; ++word) InternTaskClass(Key(&OneThunk, 2 * word + 1));
  for (std::uint64_t word = 0; word < 5000; ++word) {
    const TaskClass& found = InternTaskClass(Key(&OneThunk, 2 * word + 1));
    ASSERT_EQ(found.callable.words[0], 2 * word + 1);
    ASSERT_EQ(&TaskClassAt(found.index), &found);
  }
}

TEST(TaskClass, ComesBackFromTheWireTheSame) {
  ScanModules();
  TaskClassKey key;
  key.thunk = &OneThunk;
  key.function = reinterpret_cast<const void*>(&OtherThunk);
  key.callable = {{reinterpret_cast<std::uint64_t>(&OtherThunk), 8}, true};
  key.retry_matcher = &Matches;

  const wire::TaskClassNotice notice = InternTaskClass(key).ToWire();

  EXPECT_NE(notice.callable_first, key.callable.words[0]) << "an address means nothing elsewhere";
  EXPECT_EQ(TaskClass::FromWire(notice), key);
}

TEST(TaskClass, WithCodeInNoModuleCanNotTravel) {
  ScanModules();
  TaskClassKey key = Key(&OneThunk);
  key.callable = {{reinterpret_cast<std::uint64_t>(new char[16]), 0}, true};

  EXPECT_THROW(InternTaskClass(key).CheckCanTravel(), UsageError);
  delete[] reinterpret_cast<char*>(key.callable.words[0]);
}

}  // namespace
}  // namespace manta::task
