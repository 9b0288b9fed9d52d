#pragma once
// Objects in files: one file an object, in a directory of this rank, which goes with its process, however that ends.
//
//   SpillFiles files({.parent = "/scratch", .rank = 3});
//   auto file = files.Write(id, bytes, size);     // makes /scratch/manta-spill-<user>-<host>-<pid>-r3/ once
//   files.Read(file, id, to, size);
//   files.Discard(file);                          // ~SpillFiles removes the rest, and the directory
//
// A file is a header and the bytes in chunks of 1 MiB, each with its CRC-32 (zlib's), so that a chunk is summed while it is
// in the cache. After a crash the directory is removed by a shell that waits for this process's end of a socket to close; where
// that was killed too, by the next job that is given the same parent: the owner holds a lock on the directory (flock), so whoever
// gets it knows that the owner is gone.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/base/ids.hpp"

namespace manta::node {

/// A file could not be written: the text says which, and the system's reason.
class SpillWriteError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// What was read is not what was written: the text names the object and the file.
class SpillReadError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Any thread. Write and Read block on the disk.
class SpillFiles {
 public:
  using File = std::uint64_t;  // 0: none
  struct Options {
    std::string parent;  // empty: nothing is ever written
    int rank = 0;
    bool compress = false;  // by zstd; without effect where CanCompress() is false
  };
  explicit SpillFiles(Options options) : options_(std::move(options)) {}
  ~SpillFiles();
  SpillFiles(const SpillFiles&) = delete;
  SpillFiles& operator=(const SpillFiles&) = delete;

  bool enabled() const { return !options_.parent.empty(); }
  const std::string& parent() const { return options_.parent; }
  static bool CanCompress();

  /// Throws SpillWriteError; then nothing of it is left.
  File Write(ObjectId id, const std::byte* bytes, std::uint64_t size_bytes);
  /// Fills `to`. Throws SpillReadError.
  void Read(File file, ObjectId id, std::byte* to, std::uint64_t size_bytes);
  /// Whether Write and Read, also those on their way, throw instead of going on: nobody waits for them. At first they don't.
  void GiveUp(bool gives_up) { gives_up_.store(gives_up, std::memory_order_relaxed); }
  /// Why so many bytes (64 MiB at most) can't be written there now; empty: they can. Tries it.
  std::string WhyUnusable(std::uint64_t size_bytes);
  /// Its object is gone. Costs nothing: RemoveDiscarded removes it.
  void Discard(File file);
  void RemoveDiscarded();
  bool HasDiscarded() const { return any_discarded_.load(std::memory_order_relaxed); }

  /// Removes what jobs have left there that are no more. Says nothing where it may not.
  static void RemoveStale(const std::string& parent);

 private:
  void MakeDirectory();
  bool Compresses() const { return options_.compress && CanCompress(); }
  std::string PathOf(File file) const { return directory_ + "/object-" + std::to_string(file) + ".bin"; }
  void WriteAll(int fd, const std::string& path, ObjectId id, const std::byte* bytes, std::uint64_t size_bytes) const;

  const Options options_;
  std::atomic<bool> gives_up_{false};  // relaxed: looked at with each chunk
  std::mutex mutex_;
  std::string directory_;         // guarded by mutex_ until it is made, then fixed
  int lock_fd_ = -1;              // the same
  int watch_fd_ = -1;             // the end of a socket whose closing tells the watcher; the same
  File last_ = 0;                 // guarded by mutex_
  std::vector<File> discarded_;   // guarded by mutex_
  std::atomic<bool> any_discarded_{false};  // relaxed: a hint
};

}  // namespace manta::node
