#pragma once
// How much of a mapping has been touched.

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace manta::testing {

/// Pages of 4,096 bytes behind `bytes`, which begin at a page, that are in memory: of a shared file those that any
/// process has touched.
inline std::size_t ResidentPages(std::span<std::byte> bytes) {
  std::vector<unsigned char> pages((bytes.size() + 4095) / 4096);
  if (mincore(bytes.data(), bytes.size(), pages.data()) != 0) return pages.size();
  return static_cast<std::size_t>(std::ranges::count_if(pages, [](unsigned char page) { return (page & 1) != 0; }));
}

}  // namespace manta::testing
