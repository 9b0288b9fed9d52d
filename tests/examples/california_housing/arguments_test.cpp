#include "arguments.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace housing {
namespace {

Arguments Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "california_housing");
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
  EXPECT_FALSE(arguments.sequential);
  EXPECT_FALSE(arguments.progress);
  EXPECT_EQ(arguments.models, 20);
  EXPECT_EQ(arguments.csv, "");
}

TEST(Arguments, AreReadInAnyOrder) {
  const Arguments arguments = Parse({"--csv", "a.csv", "--progress", "--models", "3", "--sequential", "--help"});

  EXPECT_TRUE(arguments.help);
  EXPECT_TRUE(arguments.sequential);
  EXPECT_TRUE(arguments.progress);
  EXPECT_EQ(arguments.models, 3);
  EXPECT_EQ(arguments.csv, "a.csv");
}

TEST(Arguments, TakeValuesAfterAnEqualsSign) {
  const Arguments arguments = Parse({"--models=3", "--csv=a=b.csv"});

  EXPECT_EQ(arguments.models, 3);
  EXPECT_EQ(arguments.csv, "a=b.csv");
}

TEST(Arguments, NameTheNearestToAnUnknownOne) {
  const std::string allowed = "wanted one of --sequential, --models, --csv, --progress, --help";

  EXPECT_EQ(ErrorOf({"--model"}), "found the unknown argument '--model', " + allowed + " (nearest: --models)");
  EXPECT_EQ(ErrorOf({"--progres"}), "found the unknown argument '--progres', " + allowed + " (nearest: --progress)");
}

TEST(Arguments, RefuseAMissingValue) {
  EXPECT_EQ(ErrorOf({"--models"}), "--models: found no value, wanted a whole number");
  EXPECT_EQ(ErrorOf({"--csv"}), "--csv: found no value, wanted a file");
  EXPECT_EQ(ErrorOf({"--csv="}), "--csv: found an empty name, wanted a file");
}

TEST(Arguments, RefuseAValueWhereNoneBelongs) {
  EXPECT_EQ(ErrorOf({"--sequential=yes"}), "--sequential: found 'yes', wanted no value");
}

TEST(Arguments, RefuseANumberOfModelsThatIsNone) {
  for (const char* bad : {"0", "-1", "1001", "x", "3x", "2.5", "", "99999999999999999999"}) {
    EXPECT_EQ(ErrorOf({"--models", bad}),
              "--models: found '" + std::string(bad) + "', wanted a whole number from 1 to 1000");
  }
}

TEST(Arguments, AreAllInTheHelpText) {
  for (const char* flag : {"--sequential", "--models", "--csv", "--progress", "--help"}) {
    EXPECT_NE(HelpText().find(std::string("\n  ") + flag), std::string::npos) << flag;
  }
}

}  // namespace
}  // namespace housing
