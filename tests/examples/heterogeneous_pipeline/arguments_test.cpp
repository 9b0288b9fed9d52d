#include "arguments.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pipeline {
namespace {

Arguments Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "heterogeneous_pipeline");
  return ParseArguments(static_cast<int>(arguments.size()), arguments.data());
}

std::string ErrorOf(const std::vector<const char*>& arguments) {
  try {
    Parse(arguments);
  } catch (const ArgumentError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Arguments, HaveDefaults) {
  const Arguments arguments = Parse({});

  EXPECT_FALSE(arguments.help);
  EXPECT_EQ(arguments.batches, 200);
  EXPECT_EQ(arguments.cpu_ms, 20);
  EXPECT_EQ(arguments.gpu_ms, 40);
  EXPECT_EQ(arguments.ahead, 4);
  EXPECT_EQ(arguments.svg, "heterogeneous_pipeline.svg");
}

TEST(Arguments, AreReadAfterAFlagOrAnEqualsSign) {
  const Arguments arguments =
      Parse({"--batches", "7", "--cpu-ms=0.5", "--gpu-ms", "12.5", "--ahead=9", "--svg", "a=b.svg", "--help"});

  EXPECT_TRUE(arguments.help);
  EXPECT_EQ(arguments.batches, 7);
  EXPECT_EQ(arguments.cpu_ms, 0.5);
  EXPECT_EQ(arguments.gpu_ms, 12.5);
  EXPECT_EQ(arguments.ahead, 9);
  EXPECT_EQ(arguments.svg, "a=b.svg");
}

TEST(Arguments, RefuseNumbersThatAreNoneOrOutOfRange) {
  for (const char* bad : {"0", "-1", "100001", "x", "3x", "2.5", ""})
    EXPECT_EQ(ErrorOf({"--batches", bad}),
              "--batches: found '" + std::string(bad) + "', wanted a whole number from 1 to 100000");
  EXPECT_EQ(ErrorOf({"--ahead=1001"}), "--ahead: found '1001', wanted a whole number from 1 to 1000");
  for (const std::string flag : {"--cpu-ms", "--gpu-ms"})
    for (const char* bad : {"0", "0.05", "-1", "10001", "nan", "inf", "4 ", ""})
      EXPECT_EQ(ErrorOf({flag.c_str(), bad}),
                flag + ": found '" + std::string(bad) + "', wanted milliseconds from 0.1 to 10000");
}

TEST(Arguments, RefuseAMissingValue) {
  EXPECT_EQ(ErrorOf({"--batches"}), "--batches: found no value, wanted a whole number from 1 to 100000");
  EXPECT_EQ(ErrorOf({"--cpu-ms"}), "--cpu-ms: found no value, wanted milliseconds from 0.1 to 10000");
  EXPECT_EQ(ErrorOf({"--svg"}), "--svg: found no value, wanted a file");
  EXPECT_EQ(ErrorOf({"--svg="}), "--svg: found an empty name, wanted a file");
}

TEST(Arguments, RefuseUnknownOnes) {
  const std::string allowed = ", wanted one of --batches, --cpu-ms, --gpu-ms, --ahead, --svg, --help";
  EXPECT_EQ(ErrorOf({"--batch", "3"}), "found the unknown argument '--batch'" + allowed);
  EXPECT_EQ(ErrorOf({"--help=yes"}), "found the unknown argument '--help=yes'" + allowed);
}

TEST(Arguments, AreAllInTheHelpText) {
  for (const char* flag : {"--batches", "--cpu-ms", "--gpu-ms", "--ahead", "--svg", "--help"})
    EXPECT_NE(HelpText().find(std::string("\n  ") + flag), std::string::npos) << flag;
}

}  // namespace
}  // namespace pipeline
