#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/runtime/settings.hpp"
#include "tests/core/runtime/settings_sources.hpp"

namespace manta {
namespace {

using testing::HasSubstr;

// --- unknown names ---------------------------------------------------------------------------------------------------

TEST(Settings, RefuseAnUnknownFlagAndNameTheNearest) {
  EXPECT_THAT(ErrorOfFlags({"--manta-gpu", "2"}), HasSubstr("unknown flag --manta-gpu; did you mean --manta-gpus?"));
  EXPECT_THAT(ErrorOfFlags({"--manta-fake_nodes=2"}),
              HasSubstr("unknown flag --manta-fake_nodes; did you mean --manta-fake-nodes?"));
  EXPECT_THAT(ErrorOfFlags({"--manta-zzzzzzzzzzzz"}),
              HasSubstr("unknown flag --manta-zzzzzzzzzzzz; did you mean --manta-"));
  EXPECT_THAT(ErrorOfFlags({"--manta-"}), HasSubstr("unknown flag --manta-;"));
}

TEST(Settings, RefuseAVariableNearAKnownName) {
  EXPECT_THAT(ErrorOfVariable("MANTA_GPU=2"),
              HasSubstr("the variable MANTA_GPU is no setting; did you mean MANTA_GPUS?"));
  EXPECT_THAT(ErrorOfVariable("MANTA_HANGSECONDS=2"), HasSubstr("did you mean MANTA_HANG_SECONDS?"));
  EXPECT_THAT(ErrorOfVariable("MANTA_F_A_K_E_NODES=2"), HasSubstr("did you mean MANTA_FAKE_NODES?"));
  EXPECT_THAT(ErrorOfVariable("MANTA_SCEHDULER=auto"), HasSubstr("did you mean MANTA_SCHEDULER?"));
  EXPECT_THAT(ErrorOfVariable("MANTA_EXECUTER=1"), HasSubstr("did you mean MANTA_EXECUTORS?"));
  EXPECT_THAT(ErrorOfVariable("MANTA_gpus=1"), HasSubstr("did you mean MANTA_GPUS?"));
}

TEST(Settings, WarnOfAVariableFarFromAnyName) {
  Sources sources{.variables = {"MANTA_FAVOURITE_COLOUR=blue", "MANTA_RUN=7", "PATH=/bin", "MANTA=1"}};

  const ParsedSettings parsed = sources.Parse();

  ASSERT_EQ(parsed.warnings.size(), 2u);
  EXPECT_THAT(parsed.warnings[0], HasSubstr("MANTA_FAVOURITE_COLOUR"));
  EXPECT_THAT(parsed.warnings[1], HasSubstr("MANTA_RUN"));
}

TEST(Settings, LeaveVariablesOfModuleAndBuildSystemsAlone) {
  Sources sources{.variables = {"MANTA_ROOT=/opt", "MANTA_DIR=/opt", "MANTA_HOME=/opt", "MANTA_VERSION=1",
                                "MANTA_WITH_CUDA=ON", "MANTA_BUILD_TESTS=ON", "MANTA_TEST_NP=4"}};

  const ParsedSettings parsed = sources.Parse();

  EXPECT_TRUE(parsed.warnings.empty());
  EXPECT_EQ(parsed.settings, Settings());
}

// --- bad values ------------------------------------------------------------------------------------------------------

TEST(Settings, NameSettingSourceValueAndWhatIsAllowedInAnError) {
  const std::string from_flag = ErrorOfFlags({"--manta-rma", "maybe"});
  const std::string from_variable = ErrorOfVariable("MANTA_GPUS=many");
  Config config;
  config.log_level = "loud";
  const std::string from_config = ErrorOf({.config = config});

  EXPECT_EQ(from_flag, "setting rma: 'maybe' from the flag --manta-rma is not allowed; it takes one of auto, on, off");
  EXPECT_EQ(from_variable,
            "setting gpus: 'many' from the variable MANTA_GPUS is not allowed; "
            "it takes a whole number from -1 to 1000000");
  EXPECT_EQ(from_config,
            "setting log-level: 'loud' from Config::log_level is not allowed; "
            "it takes one of error, warning, info, debug");
}

TEST(Settings, RefuseAFlagWithoutItsValue) {
  EXPECT_THAT(ErrorOfFlags({"--manta-gpus"}), HasSubstr("setting gpus: the flag --manta-gpus has no value"));
  EXPECT_THAT(ErrorOfFlags({"--manta-gpus", "--manta-quiet"}), HasSubstr("has no value; it takes a whole number"));
  EXPECT_THAT(ErrorOfFlags({"--manta-gpus", "--", "2"}), HasSubstr("has no value"));
  EXPECT_THAT(ErrorOfFlags({"--manta-gpus="}), HasSubstr("'' from the flag --manta-gpus is not allowed"));
  EXPECT_THAT(ErrorOfFlags({"--manta-quiet="}), HasSubstr("'' from the flag --manta-quiet is not allowed"));
}

TEST(Settings, RefuseNumbersOutOfRange) {
  for (const char* flag : {"--manta-cpus=-1",           "--manta-cpus=inf",
                           "--manta-cpus=nan",          "--manta-cpus=1e300",
                           "--manta-cpus=1e10",         "--manta-cpus=two",
                           "--manta-cpus=1x",           "--manta-cpus= 1",
                           "--manta-gpus=-2",           "--manta-gpus=1.5",
                           "--manta-gpus=99999999999",  "--manta-executors=-1",
                           "--manta-fake-nodes=-1",     "--manta-gpu-home-ranks=0",
                           "--manta-hang-seconds=-0.1", "--manta-hang-seconds=inf",
                           "--manta-hang-seconds=-nan", "--manta-cancel-grace-seconds=-1",
                           "--manta-seed=-1",           "--manta-seed=18446744073709551616",
                           "--manta-quiet=maybe",       "--manta-binding=2"}) {
    EXPECT_THAT(ErrorOfFlags({flag}), HasSubstr("is not allowed; it takes"));
  }
}

TEST(Settings, RefuseNumbersInConfigThatAreNoNumbers) {
  for (double bad : {-1.0, std::nan(""), std::numeric_limits<double>::infinity(), -HUGE_VAL, 1e12}) {
    Config config;
    config.hang_seconds = bad;
    EXPECT_THAT(ErrorOf({.config = config}), HasSubstr("from Config::hang_seconds is not allowed"));
  }
}

TEST(Settings, CheckAlsoAValueThatAStrongerSourceOverrides) {
  const std::string error = ErrorOf({.words = {"--manta-gpus=2"}, .variables = {"MANTA_GPUS=x"}});

  EXPECT_THAT(error, HasSubstr("from the variable MANTA_GPUS"));
}

TEST(Settings, ReadBytesWithSuffixes) {
  const std::vector<std::pair<std::string, std::uint64_t>> cases = {{"0", 0},
                                                                    {"17", 17},
                                                                    {"17b", 17},
                                                                    {"2k", 2048},
                                                                    {"2K", 2048},
                                                                    {"3M", 3u << 20},
                                                                    {"3MiB", 3u << 20},
                                                                    {"3MB", 3u << 20},
                                                                    {"1.5G", 3u << 29},
                                                                    {"2T", std::uint64_t{2} << 40},
                                                                    {"1152921504606846976", std::uint64_t{1} << 60}};

  for (const auto& [text, bytes] : cases) EXPECT_EQ(FromFlags({"--manta-memory", text}).memory, bytes) << text;
}

TEST(Settings, RefuseBadBytes) {
  for (const char* text : {"-1", "1.5", "K", "1X", "1KK", "1 K", "inf", "nan", "1e3", "1..5G", "1152921504606846977",
                           "99999999999999999999", "9999999999T", "1kibi", ""}) {
    EXPECT_THAT(ErrorOfFlags({std::string("--manta-object-store-bytes=") + text}),
                HasSubstr("it takes bytes, or a number with"));
  }
}

TEST(Settings, RefuseBadResources) {
  for (const char* text : {"license", "=1", "a=", "a=x", "a=-1", "a=inf", "a=nan", "a=1,", ",a=1", "a=1,,b=1",
                           "a=1,a=2", "CPU=1", "gpus=1", "Memory=1", "a b=1", "1a=1", "-a=1", "a=1=2"}) {
    EXPECT_THAT(ErrorOfFlags({std::string("--manta-resources=") + text}), HasSubstr("it takes name=amount"));
  }
}

TEST(Settings, RefuseAResourceNameInConfigThatHoldsASeparator) {
  for (const char* name : {"a=1,b", "", "GPU"}) {
    Config config;
    config.resources = {{name, 2}};
    EXPECT_THAT(ErrorOf({.config = config}), HasSubstr("from Config::resources is not allowed"));
  }
}

}  // namespace
}  // namespace manta
