// Rows of objects: small ones on their owner's rank, large ones, and those of an owner that computes.

#include <manta/manta.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "bench/micro/micro.hpp"
#include "bench/micro/ranks.hpp"

namespace micro {
namespace {

constexpr std::size_t kLargeBytes = std::size_t{256} << 20;
constexpr std::size_t kMegabyte = std::size_t{1} << 20;
constexpr int kBusyObjects = 21;

using Block = std::array<char, kMegabyte>;
using Bytes = std::vector<char>;

/// Reads two elements where they lie, in the store: nothing is copied.
int Ends(std::span<const char> bytes) { return bytes.front() + bytes.back(); }

manta::ObjectRef<Block> MakeBlock(int mark) {
  auto block = std::make_shared<Block>();
  block->fill(static_cast<char>(mark));
  return manta::Put(std::shared_ptr<const Block>(std::move(block)));
}
manta::ObjectRef<Bytes> MakeBytes(int mark) { return manta::Put(Bytes(kMegabyte, static_cast<char>(mark))); }

std::atomic<int> g_computing{0};  // of this process
int Computing() { return g_computing.load(); }
/// Computes for so long, without a call into Manta, and returns when it ended.
double Compute(double seconds) {
  g_computing.fetch_add(1);
  const double end = bench::Now() + seconds;
  volatile double sum = 0;
  while (bench::Now() < end) {
    for (int i = 0; i < 1000; ++i) sum = sum + 1.0 / (1 + i);
  }
  g_computing.fetch_sub(1);
  return end;
}

/// Microseconds of the first Get of each of `refs`, and whether each was what its maker put.
template <class T>
std::vector<double> GetEach(Micro& micro, const std::vector<manta::ObjectRef<T>>& refs) {
  std::vector<double> us;
  std::vector<manta::Value<T>> values;
  values.reserve(refs.size());
  for (const auto& ref : refs) {
    const double start = bench::Now();
    values.push_back(manta::Get(ref));
    us.push_back(1e6 * (bench::Now() - start));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto mark = static_cast<char>(i + 1);
    micro.Check(values[i]->size() == kMegabyte && values[i]->front() == mark && values[i]->back() == mark,
                "an object of the busy owner was not what it put");
  }
  return us;
}

}  // namespace

void SmallObjectRows(Micro& micro) {
  const std::size_t count = micro.settings.objects;
  std::vector<manta::ObjectRef<std::uint64_t>> refs;
  std::vector<double> put, get;
  for (int block = -1; block < 3 * micro.settings.repeats; ++block) {
    refs.clear();
    refs.reserve(count);
    const double start = bench::Now();
    for (std::uint64_t i = 0; i < count; ++i) refs.push_back(manta::Put(i));
    const double middle = bench::Now();
    std::uint64_t sum = 0;
    for (const auto& ref : refs) sum += *manta::Get(ref);
    const double end = bench::Now();
    micro.Check(sum == count * (count - 1) / 2, "a small object was not what was put");
    if (block < 0) continue;
    put.push_back(static_cast<double>(count) / (middle - start));
    get.push_back(static_cast<double>(count) / (end - middle));
  }
  micro.report.Add("put_small_per_s", put, "1/s");
  micro.report.Add("get_small_per_s", get, "1/s");
}

void LargeObjectRows(Micro& micro) {
  Bytes source(kLargeBytes, 1), target(kLargeBytes, 2);
  std::vector<double> get_us, get_vector_us;
  const auto memcpy_gbps = [&] {
    const double start = bench::Now();
    std::memcpy(target.data(), source.data(), kLargeBytes);
    return static_cast<double>(kLargeBytes) / (bench::Now() - start) * 1e-9;
  };
  // A Put of an lvalue copies once; then the first Get of it here.
  const auto put_gbps = [&] {
    ++source[kLargeBytes / 2];
    double start = bench::Now();
    const auto ref = manta::Put(source);
    const double gbps = static_cast<double>(kLargeBytes) / (bench::Now() - start) * 1e-9;
    // The other rank reads it in place, after the first look that maps its pages.
    const auto ends = manta::Task(Ends).SetRank(1);
    manta::Get(ends.Remote(ref));
    start = bench::Now();
    manta::Get(ends.Remote(ref));
    get_us.push_back((bench::Now() - start) * 1e6);
    start = bench::Now();
    const auto value = manta::Get(ref);
    get_vector_us.push_back((bench::Now() - start) * 1e6);
    micro.Check((*value)[kLargeBytes / 2] == source[kLargeBytes / 2], "a large object was not what was put");
    return gbps;
  };
  const auto pairs = bench::Alternate(micro.settings.large_blocks, put_gbps, memcpy_gbps);
  get_us.erase(get_us.begin());  // of the round that does not count
  get_vector_us.erase(get_vector_us.begin());
  micro.report.Add("memcpy_GBps", pairs.second, "GB/s");
  micro.report.Add("put_256MiB_GBps", pairs.first, "GB/s");
  micro.report.Add("get_256MiB_us", get_us, "us");
  micro.report.Add("get_256MiB_vector_us", get_vector_us, "us");  // a std::vector must be copied into fresh pages
}

void BusyOwnerRows(Micro& micro) {
  std::vector<manta::ObjectRef<Block>> blocks;
  std::vector<manta::ObjectRef<Bytes>> bytes;
  for (int i = 1; i <= kBusyObjects; ++i) {
    blocks.push_back(*manta::Get(manta::Task(MakeBlock).SetRank(1).Remote(i)));
    bytes.push_back(*manta::Get(manta::Task(MakeBytes).SetRank(1).Remote(i)));
  }
  const int executors = ExecutorsOf(1);
  std::vector<manta::ObjectRef<double>> computing;
  for (int i = 0; i < executors; ++i) computing.push_back(manta::Task(Compute).SetRank(1).Remote(micro.settings.busy));
  AwaitCount(1, Computing, executors);
  // Rank 1 served the question just now: let its other threads go to sleep again.
  std::this_thread::sleep_for(std::chrono::duration<double>(micro.settings.busy / 10));

  const std::vector<double> block_us = GetEach(micro, blocks);
  const double in_time = bench::Now();
  const std::vector<double> bytes_us = GetEach(micro, bytes);

  bool busy = true;
  for (const auto& one : computing) busy = *manta::Get(one) > in_time && busy;
  micro.report.Add("busy_owner_get_us", block_us, "us", busy ? "" : "the owner was done before the last Get");
  micro.report.Add("busy_owner_get_vector_us", bytes_us, "us");
}

}  // namespace micro
