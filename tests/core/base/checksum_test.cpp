#include "core/base/checksum.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace manta::base {
namespace {

std::uint32_t Sum(std::string_view text) {
  return Crc32(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

TEST(Checksum, IsThatOfTheStandard) {
  EXPECT_EQ(Sum("123456789"), 0xcbf43926u);  // the check value of CRC-32/ISO-HDLC
  EXPECT_EQ(Sum(""), 0u);
  EXPECT_EQ(Crc32(nullptr, 0), 0u);
  EXPECT_EQ(Sum("The quick brown fox jumps over the lazy dog"), 0x414fa339u);
  EXPECT_EQ(Sum(std::string(32, '\0')), 0x190a55adu);
}

TEST(Checksum, SeesEveryBitThatWasChanged) {
  std::string text(1000, 'a');
  const std::uint32_t sum = Sum(text);
  for (std::size_t at : {std::size_t{0}, std::size_t{499}, std::size_t{999}}) {
    text[at] ^= 1;
    EXPECT_NE(Sum(text), sum) << at;
    text[at] ^= 1;
  }
  EXPECT_EQ(Sum(text), sum);
}

}  // namespace
}  // namespace manta::base
