#include "mpi/launch/store_size.hpp"

#include <algorithm>
#include <limits>

#include "mpi/rma/shared_segment.hpp"

namespace manta::launch {
namespace {

std::string MiB(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

std::uint64_t DefaultStoreBytes(std::uint64_t memory_bytes) {
  return mpi::StoreBytesThatFit(memory_bytes / 10 * 3, memory_bytes, std::numeric_limits<std::size_t>::max());
}

StoreChoice ChooseStore(const StoreRoom& room) {
  const bool is_asked = room.asked_bytes != 0;
  const std::uint64_t wanted = is_asked ? room.asked_bytes : DefaultStoreBytes(room.memory_bytes);
  const std::uint64_t enough = is_asked ? wanted / 4096 * 4096 : wanted / 4 * 3;
  const std::uint64_t in_memory =
      mpi::StoreBytesThatFit(wanted, room.memory_bytes, std::numeric_limits<std::size_t>::max());
  const std::uint64_t in_window = mpi::StoreBytesThatFit(wanted, room.memory_bytes, room.shared_memory_free);

  StoreChoice choice;
  choice.is_memfd =
      room.has_memfd && (room.mode == SegmentMode::kMemfd ||
                         (room.mode == SegmentMode::kAuto && in_window < enough && in_window < in_memory));
  choice.store_bytes = choice.is_memfd ? in_memory : in_window;
  if (choice.store_bytes >= enough) return choice;
  choice.warning = "gets " + MiB(choice.store_bytes) + " of the " + MiB(wanted) +
                   (is_asked ? " asked for: " : " that are the default: ");
  if (choice.store_bytes < in_memory)
    choice.warning +=
        "/dev/shm has " + MiB(room.shared_memory_free) +
        " free, of which a store takes 60 %; enlarge it (mount -o remount,size=... /dev/shm, or --shm-size in a "
        "container)" +
        (room.has_memfd ? ", or set --manta-segment memfd" : "");
  else
    choice.warning += "a store takes at most 60 % of the memory that the job may have, " + MiB(room.memory_bytes) +
                      "; ask for less, or give the job more memory";
  return choice;
}

}  // namespace manta::launch
