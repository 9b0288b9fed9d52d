#include "core/node/memfd_segment.hpp"

#include <manta/error.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/check.hpp"

namespace manta::node {
namespace {

[[noreturn]] void ThrowNoMemory(const char* what, std::size_t size_bytes) {
  const int error = errno;
  throw OutOfMemoryError("can't " + std::string(what) + " " + std::to_string(size_bytes) +
                             " bytes of memory for the node segment (" + std::strerror(error) +
                             "); ask for a smaller store, or set --manta-segment mpi",
                         size_bytes, 0);
}

int CreateFile() {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  constexpr unsigned kNeverProgram = 0x8;  // MFD_NOEXEC_SEAL: some systems insist on it; unknown before Linux 6.3
  const int file = memfd_create("manta-segment", kFlags | kNeverProgram);
  return file >= 0 || errno != EINVAL ? file : memfd_create("manta-segment", kFlags);
}

std::span<std::byte> Map(int file, std::size_t size_bytes) {
  void* base = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (base == MAP_FAILED) return {};
  return {static_cast<std::byte*>(base), size_bytes};
}

}  // namespace

std::unique_ptr<MemfdSegment> MemfdSegment::Create(std::size_t size_bytes) {
  MANTA_EXPECT(size_bytes > 0, "a node segment of 0 bytes was asked for; it needs at least 1");
  std::unique_ptr<MemfdSegment> segment(new MemfdSegment());
  segment->file_ = CreateFile();
  struct stat info {};
  if (segment->file_ < 0 || ftruncate(segment->file_, static_cast<off_t>(size_bytes)) != 0 ||
      fstat(segment->file_, &info) != 0)
    ThrowNoMemory("make", size_bytes);
  // A file that was cut would be SIGBUS for all who have mapped it. Where seals are refused, it is only less sure.
  static_cast<void>(fcntl(segment->file_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
  segment->bytes_ = Map(segment->file_, size_bytes);
  if (segment->bytes_.empty()) ThrowNoMemory("map", size_bytes);
  segment->address_ = {getpid(), segment->file_, info.st_dev, info.st_ino, size_bytes};
  return segment;
}

std::unique_ptr<MemfdSegment> MemfdSegment::Open(const MemfdAddress& address, std::string* why_not) {
  const std::string path = "/proc/" + std::to_string(address.pid) + "/fd/" + std::to_string(address.file);
  const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) {
    *why_not = "process " + std::to_string(getpid()) + " can't open " + path + " (" + std::strerror(errno) +
               "): the ranks of a node need one user, one PID namespace (one container, or --pid=host) and a /proc "
               "that shows them to each other";
    return nullptr;
  }
  // In another PID namespace that number may be somebody else, who may have a file of that number too.
  struct stat info {};
  const bool is_it = fstat(file, &info) == 0 && info.st_dev == address.device && info.st_ino == address.inode &&
                     static_cast<std::uint64_t>(info.st_size) == address.size_bytes;
  std::unique_ptr<MemfdSegment> segment(new MemfdSegment());
  segment->address_ = address;
  if (is_it) segment->bytes_ = Map(file, address.size_bytes);
  const int error = errno;
  close(file);  // the mapping keeps what it needs
  if (!segment->bytes_.empty()) return segment;
  *why_not = is_it ? "process " + std::to_string(getpid()) + " can't map " + std::to_string(address.size_bytes) +
                         " bytes (" + std::strerror(error) + "); raise ulimit -v, or ask for a smaller store"
                   : "for process " + std::to_string(getpid()) + " " + path +
                         " is another file: the ranks of a node need one PID namespace (one container, or --pid=host)";
  return nullptr;
}

MemfdSegment::~MemfdSegment() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
  if (file_ >= 0) close(file_);
}

}  // namespace manta::node
