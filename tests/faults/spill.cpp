// A job whose objects are more than its store of 64 MiB holds: `spill MODE [ARGUMENT...]`, with the directory of spilled
// objects in the variable MANTA_SPILL_DIR. Its modes are the functions in kModes, below.

#include <manta/manta.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;
using Words = std::vector<std::uint64_t>;
using WordArray = manta::Array<std::uint64_t>;
using Ref = manta::ObjectRef<WordArray>;

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kPiece = 4 * kMiB;
constexpr std::size_t kPieces = 64;  // four times the store

int Last() { return manta::NumRanks() - 1; }
std::string Directory() {
  const char* directory = std::getenv("MANTA_SPILL_DIR");
  return directory == nullptr ? "" : directory;
}
void Expect(bool good, const std::string& what) {
  if (!good) throw std::logic_error("not as expected: " + what);
}

Words Make(std::uint64_t seed) {
  Words words(kPiece / sizeof(std::uint64_t));
  std::iota(words.begin(), words.end(), seed << 32);
  return words;
}
bool IsMade(const WordArray& words, std::uint64_t seed) {
  std::uint64_t expected = seed << 32;
  return words.size() == kPiece / sizeof(std::uint64_t) &&
         std::all_of(words.begin(), words.end(), [&](std::uint64_t word) { return word == expected++; });
}
bool IsMadeThere(const Ref& ref, std::uint64_t seed) {
  return *manta::Get(manta::Task(IsMade).SetRank(Last()).Remote(ref, seed));
}

std::vector<Ref> Keep(std::size_t count = kPieces) {
  std::vector<Ref> kept;
  for (std::size_t i = 0; i < count; ++i) kept.emplace_back(manta::Put(Make(i)));
  return kept;
}
void ReadAll(const std::vector<Ref>& kept) {
  for (std::size_t i = 0; i < kept.size(); ++i) {
    Expect(IsMade(*manta::Get(kept[i]), i), "object " + std::to_string(i) + " as it was put");
    Expect(IsMadeThere(kept[i], i), "object " + std::to_string(i) + " as it was put, on the last rank");
  }
}

/// Of spilled objects, in the order of their names.
std::vector<fs::path> Files() {
  std::vector<fs::path> files;
  for (const auto& part : fs::directory_iterator(Directory())) {
    if (!part.path().filename().string().starts_with("manta-spill-")) continue;
    std::error_code gone;
    for (auto entry = fs::recursive_directory_iterator(part.path(), gone);
         !gone && entry != fs::recursive_directory_iterator(); entry.increment(gone))
      if (std::error_code unknown; entry->is_regular_file(unknown)) files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}
/// Those that are there when none comes or goes any more.
std::vector<fs::path> SettledFiles() {
  for (auto files = Files();;) {
    std::this_thread::sleep_for(300ms);
    auto again = Files();
    if (again == files) return files;
    files = std::move(again);
  }
}
void ExpectNoFileSoon() {
  for (int i = 0; i < 200 && !Files().empty(); ++i) std::this_thread::sleep_for(50ms);
  Expect(Files().empty(), "no file once the objects are dropped");
}

/// What the error says that `act` throws.
template <class Error, class Act>
std::string TextOf(const std::string& what, Act act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  throw std::logic_error("not as expected: nothing was thrown by " + what);
}
void ExpectIn(const std::string& text, const std::string& part) {
  Expect(text.find(part) != std::string::npos, "'" + part + "' in: " + text);
}

int Return(const Arguments&) {
  const auto kept = Keep();
  Expect(!Files().empty(), "files");
  return 0;
}
int Throw(const Arguments&) {
  const auto kept = Keep();
  throw std::out_of_range("left the driver");
}
int Exit(const Arguments&) {
  const auto kept = Keep();
  std::exit(5);
}
int ThrowElsewhere(const Arguments&) {
  const auto kept = Keep();
  const auto fail = [] { std::thread([] { throw std::out_of_range("left a thread"); }).join(); };
  manta::Get(manta::Task(fail).SetRank(Last()).Remote());
  return 0;
}

void NotePid(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const std::string line = std::to_string(::getpid()) + '\n';
  if (::write(file, line.data(), line.size()) < 0) std::abort();
  ::close(file);
}
/// `wait PIDS`: writes the pids of all ranks there, rank 0 first, waits until that file is gone, and reads everything.
int Wait(const Arguments& arguments) {
  const auto kept = Keep();
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    manta::Get(manta::Task(NotePid).SetRank(rank).Remote(arguments.at(0)));
  while (fs::exists(arguments.at(0))) std::this_thread::sleep_for(20ms);
  ReadAll(kept);
  std::cout << "all was read" << std::endl;
  return 0;
}

void Write(const fs::path& path, ::off_t at) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  char byte = 0;
  const bool good = ::pread(file, &byte, 1, at) == 1 && (byte ^= 0x10, ::pwrite(file, &byte, 1, at) == 1);
  ::close(file);
  Expect(good, "a file that can be changed: " + path.string());
}

/// Files that somebody changes: their objects are lost, by name, and nothing else.
int Damage(const Arguments&) {
  auto kept = Keep();
  const auto files = SettledFiles();
  Expect(files.size() >= 12, "twelve spilled files or more");
  std::vector<fs::path> damaged;
  const auto damage = [&](auto how) {
    for (int twice = 0; twice < 2; ++twice) {
      damaged.push_back(files[damaged.size()]);
      how(damaged.back(), static_cast<::off_t>(fs::file_size(damaged.back())));
    }
  };
  damage([](const fs::path& path, ::off_t) { Write(path, 0); });
  damage([](const fs::path& path, ::off_t size) { Write(path, size / 2); });
  damage([](const fs::path& path, ::off_t size) { Write(path, size - 1); });
  damage([](const fs::path& path, ::off_t size) { fs::resize_file(path, static_cast<std::uintmax_t>(size / 2)); });
  damage([](const fs::path& path, ::off_t) { fs::resize_file(path, 0); });
  damage([](const fs::path& path, ::off_t) { fs::remove(path); });

  std::vector<fs::path> named;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const auto get = [&] { return IsMade(*manta::Get(kept[i]), i); };
    const auto pass = [&] { return IsMadeThere(kept[i], i); };
    const bool passes_first = i % 2 == 0;
    try {
      Expect(passes_first ? pass() : get(), "object " + std::to_string(i) + " as it was put");
      continue;
    } catch (const manta::ObjectLostError& lost) {
      const std::string text = lost.what();
      ExpectIn(text, kept[i].ID());
      const auto is_named = [&](const fs::path& path) { return text.find(path.string()) != std::string::npos; };
      const auto file = std::find_if(damaged.begin(), damaged.end(), is_named);
      Expect(file != damaged.end(), "the name of a damaged file in: " + text);
      named.push_back(*file);
    }
    // It stays lost, for others too.
    ExpectIn(TextOf<manta::ObjectLostError>("Get", get), kept[i].ID());
    ExpectIn(TextOf<manta::ObjectLostError>("a task", pass), kept[i].ID());
  }
  std::sort(named.begin(), named.end());
  std::sort(damaged.begin(), damaged.end());
  Expect(named == damaged, "each damaged file named once");

  kept.clear();
  ExpectNoFileSoon();
  ReadAll(Keep());
  std::cout << "the others go on" << std::endl;
  return 0;
}

/// `no-disk [TEXT]`: where nothing (more) can be written. The text is what its error is called; without it, what making a
/// directory there gives.
int NoDisk(const Arguments& arguments) {
  std::string reason = arguments.empty() ? "" : arguments[0];
  if (reason.empty()) {
    Expect(::mkdir((Directory() + "/manta-test").c_str(), 0700) != 0, "a directory that can't be written");
    reason = std::generic_category().message(errno);
  }
  std::vector<Ref> kept;
  const auto fill = [&] {
    while (kept.size() < 2 * kPieces) kept.emplace_back(manta::Put(Make(kept.size())));
  };
  const auto start = std::chrono::steady_clock::now();
  const std::string text = TextOf<manta::OutOfMemoryError>("Put", fill);
  std::cout << "after " << kept.size() << " objects: " << text << std::endl;
  Expect(std::chrono::steady_clock::now() - start < 15s, "an end of the waiting for room");
  ExpectIn(text, Directory());
  ExpectIn(text, reason);
  Expect(kept.size() >= 12, "a store that was filled");

  // Tasks fail by their result, and others go on.
  const auto make = manta::Task([](std::uint64_t seed) { return Make(seed); }).SetRank(Last());
  ExpectIn(TextOf<manta::OutOfMemoryError>("a result", [&] { manta::Get(make.Remote(std::uint64_t{1})); }), Directory());
  Expect(*manta::Get(manta::Task([] { return 5; }).SetRank(Last()).Remote()) == 5, "a task that needs no room");
  for (const auto& file : SettledFiles()) Expect(fs::file_size(file) >= kPiece, "no part of an object at " + file.string());

  // With a little room all can be read, and with more put.
  kept.resize(kept.size() - 4);
  ReadAll(kept);
  kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(kept.size() / 2));
  for (std::uint64_t i = 0; i < 4; ++i) {
    const Ref ref(manta::Put(Make(100 + i)));
    Expect(IsMade(*manta::Get(ref), 100 + i) && IsMadeThere(ref, 100 + i), "an object that was put when there was room");
  }
  kept.clear();
  ExpectNoFileSoon();
  std::cout << "the others go on" << std::endl;
  return 0;
}

const std::map<std::string, int (*)(const Arguments&)> kModes{
    {"return", Return}, {"throw", Throw}, {"throw-elsewhere", ThrowElsewhere}, {"exit", Exit},
    {"wait", Wait},     {"damage", Damage}, {"no-disk", NoDisk}};

int Driver(int argc, char** argv) { return kModes.at(argv[1])(Arguments(argv + 2, argv + argc)); }

}  // namespace

int main(int argc, char** argv) { return manta::Run(argc, argv, Driver); }
