// What the object plane costs, row by row, beside memcpy and plain MPI in the same process. docs/performance.md says
// what each row is and what is asked of it.
//
//   mpirun -np 2 build/release/bench/objects [--quick]
//   mpirun -np 2 build/release/bench/objects --manta-fake-nodes 2      # the remote rows
//   mpirun -np 4 build/release/bench/objects --manta-fake-nodes 4      # these and one rank to three
//   mpirun -np 2 build/release/bench/objects --room 256 --manta-object-store-bytes 256M [--disk DIR]    # a full store
//
// --room MIB: the rows of a store that holds so much; --disk: where they spill to and where their rival writes.
//
// Prints `name value unit` for each row, and lines that begin with # for spreads and bars. Exits with 0 unless a value
// was wrong; a bar that is missed is no fault.

#include <manta/manta.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bench/objects/room.hpp"
#include "bench/support/harness.hpp"
#include "bench/support/plain_mpi.hpp"

namespace {

constexpr std::size_t kMegabyte = std::size_t{1} << 20;

struct Sizes {
  int blocks = 5;
  std::size_t large = 256 * kMegabyte;
  std::size_t mapped = 1024 * kMegabyte;
  std::size_t broadcast = 64 * kMegabyte;
  std::size_t refs = 10'000;
  int small = 1'000;  // objects of 64 bytes, one after the other
};

struct Bench {
  Sizes sizes;
  bench::Report report;
  void Check(bool good, const std::string& what) {
    if (!good) report.Wrong(what);
  }
};

using Bytes = manta::Array<std::uint8_t>;

/// The elements by which a reader checks an object of mark `mark`: at both ends and in the middle.
bool HasMark(std::span<const std::uint8_t> bytes, std::size_t size, std::uint8_t mark) {
  return bytes.size() == size && bytes.front() == mark && bytes[size / 2] == mark && bytes.back() == mark;
}
void SetMark(std::span<std::uint8_t> bytes, std::uint8_t mark) {
  bytes.front() = bytes[bytes.size() / 2] = bytes.back() = mark;
}

manta::ObjectRef<Bytes> MakeMarked(std::size_t size, std::uint8_t mark) {
  auto made = manta::Create<std::uint8_t>(size);
  std::memset(made.data(), 7, size);
  SetMark(made.span(), mark);
  return made.Seal();
}
int FirstOf(const Bytes& bytes) { return bytes.front(); }

void Nothing() {}
/// The other rank sleeps while this one fills memory: both are awake when the clock starts.
void WakeOther() {
  const auto nothing = manta::Task(Nothing).SetRank(1);
  for (int i = 0; i < 100; ++i) manta::Get(nothing.Remote());
}

/// Get of an object of the other rank, whose store was mapped before.
void GetLocalRows(Bench& bench) {
  std::vector<double> us;
  for (int block = -1; block < bench.sizes.blocks; ++block) {
    const auto mark = static_cast<std::uint8_t>(block + 2);
    const auto ref = *manta::Get(manta::Task(MakeMarked).SetRank(1).Remote(bench.sizes.mapped, mark));
    const double start = bench::Now();
    const auto value = manta::Get(ref);
    const double spent = bench::Now() - start;
    bench.Check(HasMark(*value, bench.sizes.mapped, mark), "an array of the other rank was not what it made");
    if (block >= 0) us.push_back(1e6 * spent);
  }
  bench.report.Add("get_local_1GiB_us", us, "us");
}

void PutRows(Bench& bench) {
  std::vector<std::uint8_t> source(bench.sizes.large, 1), target(bench.sizes.large, 2);
  std::uint8_t mark = 0;
  const auto put = [&] {
    SetMark(source, ++mark);
    const double start = bench::Now();
    const auto ref = manta::Put(source);
    const double spent = bench::Now() - start;
    bench.Check(HasMark(*manta::Get(manta::ObjectRef<Bytes>(ref)), source.size(), mark), "an object was not what was put");
    return 1 / spent;
  };
  const auto copy = [&] {
    const double start = bench::Now();
    std::memcpy(target.data(), source.data(), source.size());
    return 1 / (bench::Now() - start);
  };
  const auto pairs = bench::Alternate(bench.sizes.blocks, put, copy);
  bench.report.Add("put_ratio", pairs.Ratios(), "times");

  std::vector<double> us;
  for (int block = -1; block < bench.sizes.blocks; ++block) {
    double start = bench::Now();
    auto made = manta::Create<std::uint8_t>(bench.sizes.large);
    double spent = bench::Now() - start;
    SetMark(made.span(), static_cast<std::uint8_t>(block + 2));
    start = bench::Now();
    const auto ref = made.Seal();
    spent += bench::Now() - start;
    bench.Check(HasMark(*manta::Get(ref), bench.sizes.large, static_cast<std::uint8_t>(block + 2)),
                "an array that was made in place was not what was written");
    if (block >= 0) us.push_back(1e6 * spent);
  }
  bench.report.Add("create_seal_us", us, "us");
}

void TaskArgumentRows(Bench& bench) {
  const auto first_of = manta::Task(FirstOf).SetRank(1);
  std::vector<double> us;
  for (int block = -1; block < bench.sizes.blocks; ++block) {
    const auto mark = static_cast<std::uint8_t>(block + 2);
    const auto ref = MakeMarked(bench.sizes.large, mark);
    WakeOther();
    const double start = bench::Now();
    const int first = *manta::Get(first_of.Remote(ref));
    const double spent = bench::Now() - start;
    bench.Check(first == mark, "a task read another element than was written");
    if (block >= 0) us.push_back(1e6 * spent);
  }
  bench.report.Add("task_arg_256MiB_us", us, "us");
}

struct Record {
  int number = 0;
  double weight = 0;
  std::string name;
  std::map<std::string, int> counts;
  template <class A>
  void serialize(A& a) {
    a(number, weight, name, counts);
  }
  bool operator==(const Record&) const = default;
};

void SerializeRows(Bench& bench) {
  const Record record{3, 2.5, "a name", {{"one", 1}, {"two", 2}}};
  const auto& ops = manta::detail::OpsOf<Record>();
  std::vector<std::byte> bytes(ops.measure(&record));
  const auto write = [&] {
    return 1e9 * bench::SecondsEach(
                     0.004,
                     [&] {
                       const std::size_t size = ops.measure(&record);
                       ops.write(&record, bytes.data(), size, nullptr);
                     },
                     64);
  };
  bench.report.Add("serialize_struct_ns", bench::Repeat(20 * bench.sizes.blocks, write), "ns");
  const auto read = std::static_pointer_cast<const Record>(ops.load(bytes.data(), bytes.size(), nullptr));
  bench.Check(*read == record, "a struct was not read as it was written");
}

std::size_t CountOf(const std::vector<manta::ObjectRef<int>>& refs) { return refs.size(); }

/// An object that holds refs: made, passed to the other rank, got, dropped.
void RefRows(Bench& bench) {
  std::vector<manta::ObjectRef<int>> refs;
  for (std::size_t i = 0; i < bench.sizes.refs; ++i) refs.push_back(manta::Put(static_cast<int>(i)));
  const auto count = manta::Task(CountOf).SetRank(1);
  std::vector<double> ms;
  for (int block = -1; block < bench.sizes.blocks; ++block) {
    const double start = bench::Now();
    {
      const auto holder = manta::Put(refs);
      bench.Check(*manta::Get(count.Remote(holder)) == refs.size(), "an object lost refs on its way");
      bench.Check(manta::Get(holder)->size() == refs.size(), "an object lost refs");
    }
    if (block >= 0) ms.push_back(1e3 * (bench::Now() - start));
  }
  bench.report.Add("refs_10k_ms", ms, "ms");
}

/// Objects of a rank of another node.
void RemoteRows(Bench& bench) {
  std::uint8_t mark = 0;
  const auto get = [&] {
    const auto ref = *manta::Get(manta::Task(MakeMarked).SetRank(1).Remote(bench.sizes.large, ++mark));
    const double start = bench::Now();
    const auto value = manta::Get(ref);
    const double spent = bench::Now() - start;
    bench.Check(HasMark(*value, bench.sizes.large, mark), "an array of another node was not what it made");
    return 1 / spent;
  };
  const auto receive = [&] { return 1 / plain_mpi::ReceiveSeconds(bench.sizes.large); };
  const auto large = bench::Alternate(bench.sizes.blocks, get, receive);
  bench.report.Add("remote_get_GBps", bench::Median(large.first) * static_cast<double>(bench.sizes.large) * 1e-9, "GB/s");
  bench.report.Add("remote_get_ratio", large.Ratios(), "times");

  constexpr std::size_t kSmall = 64;  // as many bytes as the rival sends
  const auto get_small = [&] {
    std::vector<manta::ObjectRef<Bytes>> refs;
    for (int i = 0; i < bench.sizes.small; ++i)
      refs.push_back(*manta::Get(manta::Task(MakeMarked).SetRank(1).Remote(kSmall, std::uint8_t{5})));
    const double start = bench::Now();
    for (const auto& ref : refs) bench.Check(HasMark(*manta::Get(ref), kSmall, 5), "a small array was not what was made");
    return 1e6 * (bench::Now() - start) / bench.sizes.small;
  };
  const auto small = bench::Alternate(
      bench.sizes.blocks, get_small, [&] { return plain_mpi::PingPongMicroseconds(bench.sizes.small); });
  bench.report.Add("remote_small_us", small.first, "us");
  bench.report.Add("remote_small_ratio", small.Ratios(), "times");
}

constexpr int kReceivers = 3;

/// Every MiB begins with its number, so that no piece can stand for another.
std::uint8_t ByteAt(std::size_t at, std::uint8_t mark) {
  return at % kMegabyte == 0 ? static_cast<std::uint8_t>(at / kMegabyte) : mark;
}
bool IsWhole(const Bytes& bytes, std::size_t size, std::uint8_t mark) {
  std::size_t wrong = bytes.size() == size ? 0 : 1;
  for (std::size_t at = 0; at < bytes.size(); ++at) wrong += bytes[at] != ByteAt(at, mark);
  return wrong == 0;
}
std::size_t SizeOf(const Bytes& bytes) { return bytes.size(); }

/// What `task` returns on the three other ranks, at the same time.
template <class Task, class... Arguments>
auto OnReceivers(Task task, const Arguments&... arguments) {
  std::vector<decltype(manta::Task(task).SetRank(1).Remote(arguments...))> results;
  for (int rank = 1; rank <= kReceivers; ++rank) results.push_back(manta::Task(task).SetRank(rank).Remote(arguments...));
  return results;
}

/// One object of this rank to three other nodes at once, beside three copies of it by this thread.
void BroadcastRows(Bench& bench) {
  const std::size_t size = bench.sizes.broadcast;
  std::uint8_t mark = 100;
  const auto broadcast = [&] {
    auto made = manta::Create<std::uint8_t>(size);
    ++mark;
    for (std::size_t at = 0; at < size; ++at) made.span()[at] = ByteAt(at, mark);
    const auto ref = made.Seal();
    for (const auto& awake : OnReceivers(Nothing)) manta::Get(awake);
    const double start = bench::Now();
    const auto sizes = OnReceivers(SizeOf, ref);
    for (const auto& one : sizes) bench.Check(*manta::Get(one) == size, "an array lost its size on its way");
    const double spent = bench::Now() - start;
    for (const auto& whole : OnReceivers(IsWhole, ref, size, mark))
      bench.Check(*manta::Get(whole), "an array was not what was sent to three nodes");
    return 1 / spent;
  };
  const std::vector<std::uint8_t> source(size, 1);
  std::vector<std::vector<std::uint8_t>> targets(kReceivers, std::vector<std::uint8_t>(size, 2));
  const auto copy = [&] {
    const double start = bench::Now();
    for (auto& target : targets) std::memcpy(target.data(), source.data(), size);
    return 1 / (bench::Now() - start);
  };
  const auto pairs = bench::Alternate(bench.sizes.blocks, broadcast, copy);
  std::printf("# broadcast_ratio: 4 ranks on %u cores; with fewer cores than ranks the copies wait for each other\n",
              std::thread::hardware_concurrency());
  bench.report.Add("broadcast_ratio", pairs.Ratios(), "times");
}

const std::vector<bench::Bar>& Bars() {
  static const std::vector<bench::Bar> bars = {
      {"get_local_1GiB_us", true, 20, 3},     {"put_ratio", false, 0.85, 0.98},
      {"create_seal_us", true, 20, 5},        {"task_arg_256MiB_us", true, 50, 5},
      {"serialize_struct_ns", true, 150, 60}, {"refs_10k_ms", true, 5, 1},
      {"remote_get_ratio", false, 0.85, 0.98}, {"remote_small_ratio", true, 2.0, 1.2},
      {"stream_10x_ratio", false, 0.85, 0.97}, {"spill_ratio", false, 0.6, 0.85},
      {"broadcast_ratio", false, 0.6, 0.9},
  };
  return bars;
}

/// The directory of spilled objects: the one that --disk names, else the one that a job takes by itself.
std::string Disk(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i)
    if (std::string_view(argv[i]) == "--disk") return argv[i + 1];
  const char* temporary = std::getenv("TMPDIR");
  return temporary != nullptr && *temporary != '\0' ? temporary : "/tmp";
}

int Driver(int argc, char** argv) {
  Bench bench;
  bench.report = bench::Report(Bars());
  room::Options room{.room = 0, .directory = Disk(argc, argv), .blocks = bench.sizes.blocks};
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quick") {
      bench.sizes = {2, 8 * kMegabyte, 16 * kMegabyte, 5 * kMegabyte, 100, 10};
      room.blocks = 1;
    } else if (argument == "--room" && i + 1 < argc && std::atoi(argv[i + 1]) > 0) {
      room.room = static_cast<std::size_t>(std::atoi(argv[++i])) * kMegabyte;
    } else if (argument == "--disk" && i + 1 < argc) {
      ++i;
    } else {
      std::fprintf(stderr, "objects: '%s' is not understood here; it takes --quick, --room MIB and --disk DIR\n", argv[i]);
      return 2;
    }
  }
  if (manta::NumRanks() < 2) {
    std::fprintf(stderr, "objects needs two ranks: mpirun -np 2 %s\n", argv[0]);
    return 2;
  }
  const bool remote = manta::Nodes().size() > 1;
  std::printf("# ranks: %d, nodes: %zu\n", manta::NumRanks(), manta::Nodes().size());
  if (room.room != 0) {
    room::Rows(room, bench.report);
  } else if (remote) {
    RemoteRows(bench);
    if (manta::NumRanks() == kReceivers + 1 && manta::Nodes().size() == kReceivers + 1) BroadcastRows(bench);
  } else {
    GetLocalRows(bench);
    PutRows(bench);
    TaskArgumentRows(bench);
    SerializeRows(bench);
    RefRows(bench);
  }
  if (bench.report.wrong() == 0) return 0;
  std::fprintf(stderr, "objects: %d values were wrong, see the lines with WRONG\n", bench.report.wrong());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  return manta::Run(argc, argv, Driver, {.spill_dir = Disk(argc, argv), .on_start = plain_mpi::CollectiveStart});
}
