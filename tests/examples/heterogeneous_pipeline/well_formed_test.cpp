#include "well_formed.hpp"

#include <gtest/gtest.h>

namespace pipeline {
namespace {

TEST(WellFormed, AcceptsElementsAttributesTextAndEntities) {
  EXPECT_EQ(WhyNotWellFormed("<svg/>"), "");
  EXPECT_EQ(WhyNotWellFormed("<svg a=\"1\" b-c=\"x &lt; y\">\n <g>text &amp; more</g><g/>\n</svg >\n"), "");
}

TEST(WellFormed, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(WhyNotWellFormed(""), "no tag at byte 0");
  EXPECT_EQ(WhyNotWellFormed("text"), "no tag at byte 0");
  EXPECT_EQ(WhyNotWellFormed("<svg>"), "no end of 'svg' at byte 5");
  EXPECT_EQ(WhyNotWellFormed("<svg><g></svg></g>"), "an end of 'svg' that is not open at byte 13");
  EXPECT_EQ(WhyNotWellFormed("</svg>"), "an end of 'svg' that is not open at byte 5");
  EXPECT_EQ(WhyNotWellFormed("<svg/><svg/>"), "something after the root element at byte 6");
  EXPECT_EQ(WhyNotWellFormed("<svg></svg x>"), "an end tag that goes on at byte 11");
  EXPECT_EQ(WhyNotWellFormed("<svg>a & b</svg>"), "an unknown entity at byte 7");
  EXPECT_EQ(WhyNotWellFormed("<svg a=\"b & c\"/>"), "an unknown entity at byte 10");
  EXPECT_EQ(WhyNotWellFormed("<svg a=1/>"), "an attribute without a quoted value at byte 7");
  EXPECT_EQ(WhyNotWellFormed("<svg a=\"1/>"), "a value without an end at byte 11");
  EXPECT_EQ(WhyNotWellFormed("<svg a=\"1\"b=\"2\"/>"), "no space before an attribute at byte 10");
  EXPECT_EQ(WhyNotWellFormed("<svg a=\"1\" a=\"2\"/>"), "an attribute given twice at byte 12");
  EXPECT_EQ(WhyNotWellFormed("<svg =\"1\"/>"), "an attribute without a name at byte 5");
  EXPECT_EQ(WhyNotWellFormed("< svg/>"), "a tag without a name at byte 1");
  EXPECT_EQ(WhyNotWellFormed("<svg / >"), "a '/' within a tag at byte 6");
}

}  // namespace
}  // namespace pipeline
