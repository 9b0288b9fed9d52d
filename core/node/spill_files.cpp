#include "core/node/spill_files.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <sstream>
#include <utility>

#include "core/base/checksum.hpp"

#ifdef MANTA_HAVE_ZSTD
#include <zstd.h>
#endif

namespace manta::node {
namespace {

constexpr std::uint64_t kMagic = 0x4d414e5441535031;  // "MANTASP1"
constexpr std::uint64_t kChunkBytes = 1u << 20;

struct FileHeader {
  std::uint64_t magic = kMagic;
  std::uint64_t size_bytes = 0;
  ObjectId id;
  std::uint32_t compressed = 0;
};
struct ChunkHeader {
  std::uint32_t stored_bytes = 0;  // that follow; of compressed ones fewer than the chunk has
  std::uint32_t checksum = 0;      // of those
};

std::string Named(ObjectId id) {
  std::ostringstream text;
  text << id;
  return text.str();
}

/// Closes at its end.
struct OpenFile {
  explicit OpenFile(int fd) : fd(fd) {}
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd;
};

bool WriteFully(int fd, const void* from, std::size_t size) {
  const char* at = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t count = ::write(fd, at, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      if (count == 0) errno = ENOSPC;
      return false;
    }
    at += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

bool ReadFully(int fd, void* to, std::size_t size) {
  char* at = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t count = ::read(fd, at, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    at += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

/// Of this user's directories on this host: another host's locks need not be seen here (NFS).
std::string Prefix() {
  char host[256] = "";
  ::gethostname(host, sizeof(host) - 1);
  return "manta-spill-" + std::to_string(::getuid()) + "-" + host + "-";
}

/// A process that removes `directory` when the returned end of a socket is closed, which the kernel does for the dead too.
/// The line "done" ends it, and nothing is removed: the next session may have made another of that name. Has no other
/// file of ours open, and a session of its own, so that it outlives a launcher's clean-up. No child of this process, which
/// may wait for its own: the shell that starts it ends at once.
int StartWatcher(const std::string& directory) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, ends[0], 3);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 4);
  ::posix_spawn_file_actions_addchdir_np(&actions, "/");
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  char shell[] = "/bin/sh", option[] = "-c", name[] = "manta-spill-cleanup";
  char script[] = "( trap '' HUP INT TERM; read -r line; [ \"$line\" = done ] || exec rm -rf -- \"$1\" ) "
                  "<&3 3<&- &";
  std::string path = directory;
  char* const arguments[] = {shell, option, script, name, path.data(), nullptr};
  char* const environment[] = {nullptr};
  pid_t starter = -1;
  const int failed = ::posix_spawn(&starter, shell, &actions, &attributes, arguments, environment);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(ends[0]);
  if (failed == 0) {
    while (::waitpid(starter, nullptr, 0) < 0 && errno == EINTR) {
    }
    return ends[1];
  }
  ::close(ends[1]);
  return -1;
}

}  // namespace

bool SpillFiles::CanCompress() {
#ifdef MANTA_HAVE_ZSTD
  return true;
#else
  return false;
#endif
}

SpillFiles::~SpillFiles() {
  if (directory_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
  if (lock_fd_ >= 0) ::close(lock_fd_);
  if (watch_fd_ >= 0) {
    // A process that was forked from ours may have this end too, so that closing it may not be enough.
    static_cast<void>(::send(watch_fd_, "done\n", 5, MSG_NOSIGNAL));
    ::close(watch_fd_);
  }
}

/// Under mutex_.
void SpillFiles::MakeDirectory() {
  if (!directory_.empty()) return;
  namespace fs = std::filesystem;
  const std::string name = Prefix() + std::to_string(::getpid()) + "-r" + std::to_string(options_.rank);
  const std::string made = options_.parent + "/." + name;  // hidden until it is locked
  const std::string path = options_.parent + "/" + name;
  const auto fail = [&](const std::string& what) {
    const int why = errno;
    throw SpillWriteError("can't make " + what + ": " + std::strerror(why));
  };
  std::error_code ignored;
  fs::remove_all(made, ignored);
  if (::mkdir(made.c_str(), 0700) != 0) fail(made);
  lock_fd_ = ::open(made.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_fd_ < 0 || ::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0 || ::rename(made.c_str(), path.c_str()) != 0) {
    const int why = errno;
    if (lock_fd_ >= 0) ::close(lock_fd_);
    lock_fd_ = -1;
    fs::remove_all(made, ignored);
    errno = why;
    fail(path);
  }
  directory_ = path;
  watch_fd_ = StartWatcher(path);
}

void SpillFiles::RemoveStale(const std::string& parent) {
  namespace fs = std::filesystem;
  std::error_code error;
  const std::string prefix = Prefix();
  for (fs::directory_iterator it(parent, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.rfind(prefix, 0) != 0) continue;
    const OpenFile lock(::open(it->path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (lock.fd < 0 || ::flock(lock.fd, LOCK_EX | LOCK_NB) != 0) continue;
    std::error_code ignored;
    fs::remove_all(it->path(), ignored);
  }
}

SpillFiles::File SpillFiles::Write(ObjectId id, const std::byte* bytes, std::uint64_t size_bytes) {
  File file = 0;
  {
    std::lock_guard lock(mutex_);
    MakeDirectory();
    file = ++last_;
  }
  const std::string path = PathOf(file);
  OpenFile out(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  if (out.fd < 0) {
    const int why = errno;
    throw SpillWriteError("can't make " + path + ": " + std::strerror(why));
  }
  try {
    WriteAll(out.fd, path, id, bytes, size_bytes);
    // Some file systems say only now that they were full.
    if (::close(std::exchange(out.fd, -1)) != 0) {
      const int why = errno;
      throw SpillWriteError("can't write object " + Named(id) + " to " + path + ": " + std::strerror(why));
    }
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
  return file;
}

void SpillFiles::WriteAll(int fd, const std::string& path, ObjectId id, const std::byte* bytes,
                          std::uint64_t size_bytes) const {
  const auto write = [&](const void* from, std::size_t size) {
    if (WriteFully(fd, from, size)) return;
    const int why = errno;
    throw SpillWriteError("can't write object " + Named(id) + " to " + path + ": " + std::strerror(why));
  };
  FileHeader header;
  header.size_bytes = size_bytes;
  header.id = id;
  header.compressed = Compresses() ? 1 : 0;
  write(&header, sizeof(header));
#ifdef MANTA_HAVE_ZSTD
  std::vector<std::byte> packed(header.compressed != 0 ? ZSTD_compressBound(kChunkBytes) : 0);
#endif
  for (std::uint64_t at = 0; at < size_bytes; at += kChunkBytes) {
    if (gives_up_.load(std::memory_order_relaxed))
      throw SpillWriteError("object " + Named(id) + " was not written to " + path + ": the session ends");
    const std::byte* from = bytes + at;
    std::size_t size = std::min(kChunkBytes, size_bytes - at);
#ifdef MANTA_HAVE_ZSTD
    if (header.compressed != 0) {
      const std::size_t less = ZSTD_compress(packed.data(), packed.size(), from, size, 1);
      if (ZSTD_isError(less) == 0 && less < size) {
        from = packed.data();
        size = less;
      }
    }
#endif
    const ChunkHeader chunk{static_cast<std::uint32_t>(size), base::Crc32(from, size)};
    write(&chunk, sizeof(chunk));
    write(from, size);
  }
}

void SpillFiles::Read(File file, ObjectId id, std::byte* to, std::uint64_t size_bytes) {
  const std::string path = PathOf(file);
  const auto fail = [&](const std::string& why) {
    throw SpillReadError("object " + Named(id) + " was moved to disk and can't be read back: " + path + " " + why);
  };
  const OpenFile in(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (in.fd < 0) {
    const int why = errno;
    fail(std::string("can't be opened: ") + std::strerror(why));
  }
  FileHeader header;
  if (!ReadFully(in.fd, &header, sizeof(header))) fail("was cut, or can't be read");
  if (header.magic != kMagic || header.id != id || header.size_bytes != size_bytes ||
      header.compressed != (Compresses() ? 1 : 0))
    fail("was changed: its header is not that of the object");
  std::vector<std::byte> packed;
  for (std::uint64_t at = 0; at < size_bytes; at += kChunkBytes) {
    if (gives_up_.load(std::memory_order_relaxed)) fail("is not read on: the session ends");
    const std::size_t size = std::min(kChunkBytes, size_bytes - at);
    ChunkHeader chunk;
    if (!ReadFully(in.fd, &chunk, sizeof(chunk))) fail("was cut, or can't be read");
    const bool is_packed = chunk.stored_bytes != size;
    if (is_packed && (header.compressed == 0 || chunk.stored_bytes > size)) fail("was changed: a chunk has another size");
    if (is_packed) packed.resize(kChunkBytes);
    std::byte* const into = is_packed ? packed.data() : to + at;
    if (!ReadFully(in.fd, into, chunk.stored_bytes)) fail("was cut, or can't be read");
    if (base::Crc32(into, chunk.stored_bytes) != chunk.checksum)
      fail("was changed: the checksum of its chunk at byte " + std::to_string(at) + " is another");
#ifdef MANTA_HAVE_ZSTD
    if (is_packed && ZSTD_decompress(to + at, size, packed.data(), chunk.stored_bytes) != size)
      fail("was changed: a chunk does not unpack");
#endif
  }
}

std::string SpillFiles::WhyUnusable(std::uint64_t size_bytes) {
  const std::vector<std::byte> some(std::min<std::uint64_t>(size_bytes, 64u << 20));
  try {
    ::unlink(PathOf(Write({}, some.data(), some.size())).c_str());
  } catch (const SpillWriteError& error) {
    return error.what();
  }
  return {};
}

void SpillFiles::Discard(File file) {
  std::lock_guard lock(mutex_);
  discarded_.push_back(file);
  any_discarded_.store(true, std::memory_order_relaxed);
}

void SpillFiles::RemoveDiscarded() {
  std::vector<File> files;
  {
    std::lock_guard lock(mutex_);
    files.swap(discarded_);
    any_discarded_.store(false, std::memory_order_relaxed);
  }
  for (const File file : files) ::unlink(PathOf(file).c_str());
}

}  // namespace manta::node
