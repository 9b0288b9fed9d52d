#include "core/node/spill_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "tests/core/node/forked_child.hpp"

namespace manta::node {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using manta::testing::ForkedChild;

constexpr ObjectId kId{Rank(3), 17, 2};
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::byte kGuard{0xa5};

using Bytes = std::vector<std::byte>;

/// Half of it packs well, half not at all, MiB by MiB.
Bytes SomeBytes(std::uint64_t size) {
  Bytes bytes(size);
  std::mt19937 random(7);
  for (std::uint64_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>((i / kMiB) % 2 == 0 ? i / 100 : random());
  return bytes;
}

struct SpillFilesTest : ::testing::TestWithParam<bool> {
  SpillFilesTest() {
    std::string name = ::testing::TempDir() + "spillXXXXXX";
    parent = ::mkdtemp(name.data());
  }
  ~SpillFilesTest() override { fs::remove_all(parent); }
  void SetUp() override {
    if (compress() && !SpillFiles::CanCompress()) GTEST_SKIP() << "built without zstd";
  }
  bool compress() const { return GetParam(); }
  SpillFiles::Options options() const { return {.parent = parent, .rank = 3, .compress = compress()}; }

  std::vector<fs::path> Directories() const {
    return {fs::directory_iterator(parent), fs::directory_iterator()};
  }
  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(parent))
      if (entry.is_regular_file()) files.push_back(entry.path());
    return files;
  }
  fs::path TheFile() const {
    const auto files = Files();
    EXPECT_EQ(files.size(), 1u);
    return files.at(0);
  }
  bool NothingLeftSoon() const {
    for (const std::int64_t end = base::NowNanoseconds() + 20'000'000'000; base::NowNanoseconds() < end;) {
      if (fs::is_empty(parent)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  std::string parent;
};

/// "" and the bytes, or what Read says. Nothing beyond the size is ever written.
std::string ReadBack(SpillFiles& files, SpillFiles::File file, ObjectId id, std::uint64_t size, Bytes* bytes = nullptr) {
  Bytes to(size + 64, kGuard);
  std::string error;
  try {
    files.Read(file, id, to.data(), size);
  } catch (const SpillReadError& failed) {
    error = failed.what();
    EXPECT_NE(error, "");
  }
  EXPECT_EQ(Bytes(to.begin() + static_cast<std::ptrdiff_t>(size), to.end()), Bytes(64, kGuard));
  to.resize(size);
  if (bytes != nullptr) *bytes = std::move(to);
  return error;
}
std::string WriteErrorOf(SpillFiles& files, const Bytes& bytes) {
  try {
    files.Write(kId, bytes.data(), bytes.size());
  } catch (const SpillWriteError& failed) {
    return failed.what();
  }
  return "nothing";
}
void FlipByte(const fs::path& path, std::uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char was = static_cast<char>(file.get());
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(was ^ 0x41));
  ASSERT_TRUE(file.good());
}

TEST_P(SpillFilesTest, HaveAWatcherThatIsNoChildAndEndsWithThem) {
  const auto watchers = [this] {
    int count = 0;
    for (const auto& process : fs::directory_iterator("/proc")) {
      std::ifstream file(process.path() / "cmdline", std::ios::binary);
      const std::string line((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      count += line.find(parent) != std::string::npos;
    }
    return count;
  };
  const int before = watchers();
  {
    SpillFiles files(options());
    const Bytes bytes = SomeBytes(1000);
    files.Write(kId, bytes.data(), bytes.size());
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a program that waits for all its children would wait for it";
    EXPECT_EQ(errno, ECHILD);
    EXPECT_EQ(watchers(), before + 1);
  }
  for (const std::int64_t end = base::NowNanoseconds() + 20'000'000'000; watchers() != before && base::NowNanoseconds() < end;)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(watchers(), before);
}

TEST_P(SpillFilesTest, OfOneSessionAfterAnotherAreKeptApart) {
  // All have the same directory: what still watched for the last one must not remove the next one's.
  const Bytes bytes = SomeBytes(1000);
  for (int session = 0; session < 50; ++session) {
    SpillFiles files(options());
    const auto file = files.Write(kId, bytes.data(), bytes.size());
    std::this_thread::sleep_for(std::chrono::milliseconds(session % 5));
    ASSERT_EQ(ReadBack(files, file, kId, bytes.size()), "") << "session " << session;
  }
}

TEST_P(SpillFilesTest, GiveUpInTheMiddle) {
  SpillFiles files(options());
  const Bytes bytes = SomeBytes(3 * kMiB);
  const auto file = files.Write(kId, bytes.data(), bytes.size());
  files.GiveUp(true);
  EXPECT_THAT(WriteErrorOf(files, bytes), HasSubstr("the session ends"));
  EXPECT_THAT(ReadBack(files, file, kId, bytes.size()), HasSubstr("the session ends"));
  EXPECT_EQ(Files().size(), 1u) << "nothing is left of what was not written";
  files.GiveUp(false);
  EXPECT_EQ(ReadBack(files, file, kId, bytes.size()), "");
}

TEST_P(SpillFilesTest, GiveBackWhatWasWritten) {
  SpillFiles files(options());
  std::vector<std::pair<SpillFiles::File, std::uint64_t>> written;
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4097}, kMiB - 1, kMiB, kMiB + 1,
                                   2 * kMiB, 3 * kMiB + 12345}) {
    const Bytes bytes = SomeBytes(size);
    written.emplace_back(files.Write(kId, bytes.data(), size), size);
    EXPECT_NE(written.back().first, 0u);
  }
  for (int time = 0; time < 2; ++time)
    for (const auto& [file, size] : written) {
      Bytes bytes;
      EXPECT_EQ(ReadBack(files, file, kId, size, &bytes), "");
      EXPECT_TRUE(bytes == SomeBytes(size)) << size;
    }
  EXPECT_EQ(Files().size(), written.size());
}

TEST_P(SpillFilesTest, AreSmallerWhereTheyArePacked) {
  SpillFiles files(options());
  const Bytes bytes(4 * kMiB, std::byte{1});
  files.Write(kId, bytes.data(), bytes.size());
  if (compress())
    EXPECT_LT(fs::file_size(TheFile()), kMiB / 16);
  else
    EXPECT_GT(fs::file_size(TheFile()), 4 * kMiB);
}

TEST_P(SpillFilesTest, SayThatAByteWasChangedWhicheverItWas) {
  SpillFiles files(options());
  const Bytes bytes = SomeBytes(2 * kMiB + 1000);
  const SpillFiles::File file = files.Write(kId, bytes.data(), bytes.size());
  const fs::path path = TheFile();
  const std::uint64_t size = fs::file_size(path);
  std::vector<std::uint64_t> places;
  for (std::uint64_t at = 0; at < 48; ++at) places.push_back(at);  // both headers, and the first of the data
  std::mt19937_64 random(11);
  for (int i = 0; i < 150; ++i) places.push_back(random() % size);
  for (std::uint64_t back = 1; back <= 20; ++back) places.push_back(size - back);
  if (!compress())  // the second chunk's header
    for (std::uint64_t at = 0; at < 8; ++at) places.push_back(32 + 8 + kMiB + at);

  for (const std::uint64_t at : places) {
    FlipByte(path, at);
    EXPECT_THAT(ReadBack(files, file, kId, bytes.size()), AllOf(HasSubstr("3:17.2"), HasSubstr(path.string())))
        << "byte " << at << " of " << size;
    FlipByte(path, at);
  }
  EXPECT_EQ(ReadBack(files, file, kId, bytes.size()), "");
}

TEST_P(SpillFilesTest, SayThatAFileWasCutOrRemoved) {
  SpillFiles files(options());
  const Bytes bytes = SomeBytes(2 * kMiB + 1000);
  const SpillFiles::File file = files.Write(kId, bytes.data(), bytes.size());
  const fs::path path = TheFile();
  for (std::uint64_t size = fs::file_size(path); size > 0;) {
    size = size > kMiB / 2 ? size - kMiB / 3 : size > 64 ? 64 : size - 1;
    fs::resize_file(path, size);
    EXPECT_THAT(ReadBack(files, file, kId, bytes.size()),
                AllOf(HasSubstr("3:17.2"), HasSubstr(path.string()), HasSubstr("cut")))
        << size;
  }
  fs::remove(path);
  EXPECT_THAT(ReadBack(files, file, kId, bytes.size()),
              AllOf(HasSubstr("3:17.2"), HasSubstr(path.string()), HasSubstr(std::strerror(ENOENT))));
  EXPECT_NE(ReadBack(files, file + 1, kId, 1), "") << "no such file ever";
}

TEST_P(SpillFilesTest, SayThatAFileIsAnotherObjects) {
  SpillFiles files(options());
  const Bytes bytes = SomeBytes(1000);
  const SpillFiles::File file = files.Write(kId, bytes.data(), bytes.size());
  const ObjectId others[] = {{Rank(4), 17, 2}, {Rank(3), 18, 2}, {Rank(3), 17, 3}};
  for (const ObjectId id : others) EXPECT_THAT(ReadBack(files, file, id, 1000), HasSubstr("header"));
  for (const std::uint64_t size : {0, 1, 999, 1001}) EXPECT_THAT(ReadBack(files, file, kId, size), HasSubstr("header"));
  EXPECT_EQ(ReadBack(files, file, kId, 1000), "");
}

TEST_P(SpillFilesTest, SayWhyADirectoryCantBeMadeAndGoOnOnceItCan) {
  SpillFiles::Options there = options();
  there.parent += "/later";
  SpillFiles files(there);
  const Bytes bytes = SomeBytes(1000);
  for (int time = 0; time < 2; ++time)
    EXPECT_THAT(WriteErrorOf(files, bytes), AllOf(HasSubstr(there.parent + "/"), HasSubstr(std::strerror(ENOENT))));
  std::ofstream(there.parent) << "a file";
  EXPECT_THAT(WriteErrorOf(files, bytes), AllOf(HasSubstr(there.parent + "/"), HasSubstr(std::strerror(ENOTDIR))));
  fs::remove(there.parent);
  EXPECT_TRUE(fs::is_empty(parent));

  fs::create_directory(there.parent);
  const SpillFiles::File file = files.Write(kId, bytes.data(), bytes.size());
  EXPECT_EQ(ReadBack(files, file, kId, bytes.size()), "");
}

TEST_P(SpillFilesTest, LeaveNothingOfWhatWasNotWrittenWhole) {
  SpillFiles files(options());
  Bytes bytes(4 * kMiB);
  std::mt19937 random(7);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit low{2 * kMiB, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
  const std::string error = WriteErrorOf(files, bytes);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);

  EXPECT_THAT(error, AllOf(HasSubstr("3:17.2"), HasSubstr(parent), HasSubstr(std::strerror(EFBIG))));
  EXPECT_TRUE(Files().empty());
  const SpillFiles::File file = files.Write(kId, bytes.data(), bytes.size());
  EXPECT_EQ(ReadBack(files, file, kId, bytes.size()), "");
}

TEST_P(SpillFilesTest, RemoveWhatIsDiscarded) {
  SpillFiles files(options());
  const Bytes bytes = SomeBytes(1000);
  const SpillFiles::File gone = files.Write(kId, bytes.data(), bytes.size());
  const SpillFiles::File stays = files.Write(kId, bytes.data(), bytes.size());
  EXPECT_NE(gone, stays);
  EXPECT_FALSE(files.HasDiscarded());
  files.RemoveDiscarded();
  files.Discard(gone);
  EXPECT_TRUE(files.HasDiscarded());
  EXPECT_EQ(Files().size(), 2u);
  files.RemoveDiscarded();
  EXPECT_FALSE(files.HasDiscarded());
  EXPECT_EQ(Files().size(), 1u);
  EXPECT_NE(ReadBack(files, gone, kId, bytes.size()), "");
  EXPECT_EQ(ReadBack(files, stays, kId, bytes.size()), "");
  EXPECT_NE(files.Write(kId, bytes.data(), bytes.size()), gone) << "numbers are not used again";
}

TEST_P(SpillFilesTest, AreMadeWhenTheyAreNeededAndGoWithTheirObject) {
  {
    SpillFiles files(options());
    EXPECT_TRUE(files.enabled());
    EXPECT_TRUE(fs::is_empty(parent));
    const Bytes bytes = SomeBytes(1000);
    files.Write(kId, bytes.data(), bytes.size());
    files.Discard(files.Write(kId, bytes.data(), bytes.size()));
    ASSERT_EQ(Directories().size(), 1u);
    EXPECT_EQ(fs::status(Directories()[0]).permissions(), fs::perms::owner_all);
    EXPECT_EQ(fs::status(Files().front()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  }
  EXPECT_TRUE(fs::is_empty(parent));
  EXPECT_FALSE(SpillFiles(SpillFiles::Options{}).enabled());
}

TEST_P(SpillFilesTest, DoNotWaitForAProcessThatWasForkedFromTheirs) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::optional<SpillFiles> files(std::in_place, options());
  const Bytes bytes = SomeBytes(1000);
  files->Write(kId, bytes.data(), bytes.size());
  ForkedChild child([&] {
    ::close(ends[1]);
    char none = 0;
    return ::read(ends[0], &none, 1) == 0;  // until the parent is done
  });
  const std::int64_t begin = base::NowNanoseconds();
  files.reset();
  EXPECT_LT(base::NowNanoseconds() - begin, 10'000'000'000);
  EXPECT_TRUE(fs::is_empty(parent));
  ::close(ends[1]);
  EXPECT_TRUE(child.Succeeded());
  ::close(ends[0]);
}

TEST_P(SpillFilesTest, GoWithAProcessThatEndsWithoutAWord) {
  for (const bool is_killed : {false, true}) {
    ForkedChild child([&] {
      SpillFiles files(options());
      const Bytes bytes = SomeBytes(1000);
      files.Write(kId, bytes.data(), bytes.size());
      if (Files().size() != 1) return false;
      if (is_killed) ::kill(::getpid(), SIGKILL);
      _exit(0);
    });
    EXPECT_EQ(child.Succeeded(), !is_killed);
    EXPECT_TRUE(NothingLeftSoon());
  }
}

TEST_P(SpillFilesTest, OfTheDeadAreRemovedByTheNextAndThoseOfTheLivingAreNot) {
  SpillFiles files(options());
  const Bytes bytes = SomeBytes(1000);
  const SpillFiles::File file = files.Write(kId, bytes.data(), bytes.size());
  const fs::path living = Directories().at(0);
  const std::string name = living.filename().string();
  const std::string own = std::to_string(::getpid()) + "-r3";
  ASSERT_TRUE(name.ends_with(own));
  const std::string prefix = name.substr(0, name.size() - own.size());

  const fs::path dead = living.parent_path() / (prefix + "99999999-r0");
  fs::create_directories(dead / "inner");
  std::ofstream(dead / "object-1") << "some";
  const std::vector<fs::path> others{
      living.parent_path() / "manta", living.parent_path() / "manta-spill-123456-host-1-r0",
      // Another host, whose locks may not be seen here.
      living.parent_path() / ("manta-spill-" + std::to_string(::getuid()) + "-no.such.host-1-r0")};
  for (const fs::path& other : others) fs::create_directories(other / "inner");
  const fs::path plain = living.parent_path() / (prefix + "file"), link = living.parent_path() / (prefix + "link");
  std::ofstream(plain) << "some";
  fs::create_directory_symlink(others[0], link);

  SpillFiles::RemoveStale(parent);
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_EQ(ReadBack(files, file, kId, bytes.size()), "");
  for (const fs::path& other : others) EXPECT_TRUE(fs::exists(other / "inner")) << other;
  EXPECT_TRUE(fs::exists(plain));
  EXPECT_TRUE(fs::is_symlink(link));
  SpillFiles::RemoveStale(parent + "/nowhere");
}

INSTANTIATE_TEST_SUITE_P(, SpillFilesTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Packed" : "Plain"; });

}  // namespace
}  // namespace manta::node
