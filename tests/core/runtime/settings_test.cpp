#include "core/runtime/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include <manta/error.hpp>

#include "core/runtime/setting_table.hpp"
#include "tests/core/runtime/settings_sources.hpp"

namespace manta {
namespace {

using testing::HasSubstr;

TEST(Settings, HoldTheDefaultsWhenNothingIsGiven) {
  Sources sources;

  const ParsedSettings parsed = sources.Parse();

  EXPECT_EQ(parsed.settings, Settings());
  EXPECT_TRUE(parsed.warnings.empty());
  EXPECT_EQ(parsed.settings.gpus, -1);
  EXPECT_EQ(parsed.settings.inline_bytes, 2048u);
  EXPECT_TRUE(parsed.settings.binding);
  EXPECT_FALSE(parsed.settings.use_hyperthreads);
  EXPECT_EQ(parsed.settings.log_level, base::LogLevel::kWarning);
}

TEST(Settings, TakeNoCommandLineAndNoEnvironment) {
  int argc = 0;

  const ParsedSettings parsed = ParseSettings(argc, nullptr, nullptr, Config());

  EXPECT_EQ(parsed.settings, Settings());
}

TEST(Settings, ReadAFlagWithASpaceAndWithAnEqualsSign) {
  EXPECT_EQ(FromFlags({"--manta-fake-nodes", "2"}).fake_nodes, 2);
  EXPECT_EQ(FromFlags({"--manta-fake-nodes=2"}).fake_nodes, 2);
  EXPECT_EQ(FromFlags({"--manta-gpus", "-1"}).gpus, -1);
  EXPECT_EQ(FromFlags({"--manta-resources=a=1,b=0.5"}).resources,
            (std::map<std::string, double>{{"a", 1}, {"b", 0.5}}));
}

TEST(Settings, ReadEverySettingFromAFlag) {
  const Settings s = FromFlags({"--manta-cpus=1.5",
                                "--manta-gpus=4",
                                "--manta-resources=license=2",
                                "--manta-memory=3G",
                                "--manta-executors=5",
                                "--manta-binding=off",
                                "--manta-use-hyperthreads",
                                "--manta-gpu-home-ranks=2",
                                "--manta-device=fake",
                                "--manta-isolation=quota",
                                "--manta-object-store-bytes=64M",
                                "--manta-segment=memfd",
                                "--manta-spill-dir=/scratch",
                                "--manta-spill-compression=zstd",
                                "--manta-store-wait-seconds=0.5",
                                "--manta-inline-bytes=1K",
                                "--manta-transport=mpi",
                                "--manta-rma=off",
                                "--manta-check-serialize",
                                "--manta-scheduler=central",
                                "--manta-seed=18446744073709551615",
                                "--manta-hang-seconds=30",
                                "--manta-hang-abort",
                                "--manta-events",
                                "--manta-cancel-grace-seconds=0.25",
                                "--manta-credits=7",
                                "--manta-queue-bytes=16M",
                                "--manta-fake-nodes=2",
                                "--manta-log-level=debug",
                                "--manta-tag-output",
                                "--manta-quiet"});

  Settings expected;
  expected.cpus = 1.5;
  expected.gpus = 4;
  expected.resources = {{"license", 2}};
  expected.memory = std::uint64_t{3} << 30;
  expected.executors = 5;
  expected.binding = false;
  expected.use_hyperthreads = true;
  expected.gpu_home_ranks = 2;
  expected.device = DeviceMode::kFake;
  expected.isolation = IsolationMode::kQuota;
  expected.object_store_bytes = std::uint64_t{64} << 20;
  expected.segment = SegmentMode::kMemfd;
  expected.spill_dir = "/scratch";
  expected.spill_compression = SpillCompression::kZstd;
  expected.store_wait_seconds = 0.5;
  expected.inline_bytes = 1024;
  expected.transport = NodeTransport::kMpi;
  expected.rma = RmaMode::kOff;
  expected.check_serialize = true;
  expected.scheduler = SchedulerMode::kCentral;
  expected.seed = std::numeric_limits<std::uint64_t>::max();
  expected.hang_seconds = 30;
  expected.hang_abort = true;
  expected.events = true;
  expected.cancel_grace_seconds = 0.25;
  expected.credits = 7;
  expected.queue_bytes = std::uint64_t{16} << 20;
  expected.fake_nodes = 2;
  expected.log_level = base::LogLevel::kDebug;
  expected.tag_output = true;
  expected.quiet = true;
  EXPECT_EQ(s, expected);
}

TEST(Settings, ReadEverySettingFromItsVariableAsFromItsFlag) {
  const std::vector<std::pair<std::string, std::string>> values = {{"cpus", "7"},
                                                                   {"gpus", "3"},
                                                                   {"resources", "x=1"},
                                                                   {"memory", "5"},
                                                                   {"executors", "2"},
                                                                   {"binding", "off"},
                                                                   {"use-hyperthreads", "on"},
                                                                   {"gpu-home-ranks", "3"},
                                                                   {"device", "none"},
                                                                   {"isolation", "quota"},
                                                                   {"object-store-bytes", "9"},
                                                                   {"segment", "mpi"},
                                                                   {"inline-bytes", "7"},
                                                                   {"spill-dir", "off"},
                                                                   {"spill-compression", "zstd"},
                                                                   {"store-wait-seconds", "2"},
                                                                   {"transport", "ring"},
                                                                   {"rma", "on"},
                                                                   {"check-serialize", "1"},
                                                                   {"scheduler", "central"},
                                                                   {"seed", "4"},
                                                                   {"hang-seconds", "1.5"},
                                                                   {"hang-abort", "on"},
                                                                   {"events", "on"},
                                                                   {"cancel-grace-seconds", "1"},
                                                                   {"credits", "2"},
                                                                   {"queue-bytes", "1000"},
                                                                   {"fake-nodes", "3"},
                                                                   {"log-level", "info"},
                                                                   {"tag-output", "yes"},
                                                                   {"quiet", "true"}};
  ASSERT_EQ(values.size(), SettingTable().size());

  for (const auto& [name, value] : values) {
    const Settings from_variable = FromVariables({VariableOf(name) + "=" + value});
    const Settings from_flag = FromFlags({"--manta-" + name + "=" + value});
    EXPECT_EQ(from_variable, from_flag) << name;
    EXPECT_NE(from_variable, Settings()) << name;
  }
}

TEST(Settings, ReadEverySettingFromConfig) {
  Config config;
  config.cpus = 1.5;
  config.gpus = 4;
  config.resources = {{"license", 2}, {"ssd", 0.1}};
  config.memory = 123;
  config.executors = 5;
  config.binding = false;
  config.use_hyperthreads = true;
  config.gpu_home_ranks = 2;
  config.device = "fake";
  config.isolation = "quota";
  config.object_store_bytes = 1 << 20;
  config.segment = "memfd";
  config.spill_dir = "/tmp";
  config.spill_compression = "zstd";
  config.store_wait_seconds = 0;
  config.inline_bytes = 0;
  config.transport = "mpi";
  config.rma = "off";
  config.check_serialize = true;
  config.scheduler = "central";
  config.seed = 7;
  config.hang_seconds = 0.1;
  config.hang_abort = true;
  config.events = true;
  config.cancel_grace_seconds = 3;
  config.fake_nodes = 2;
  config.log_level = "error";
  config.tag_output = true;
  config.quiet = true;

  const Settings s = Sources{.config = config}.Parse().settings;

  EXPECT_EQ(s.cpus, 1.5);
  EXPECT_EQ(s.gpus, 4);
  EXPECT_EQ(s.resources, *config.resources);
  EXPECT_EQ(s.memory, 123u);
  EXPECT_EQ(s.executors, 5);
  EXPECT_FALSE(s.binding);
  EXPECT_TRUE(s.use_hyperthreads);
  EXPECT_EQ(s.gpu_home_ranks, 2);
  EXPECT_EQ(s.device, DeviceMode::kFake);
  EXPECT_EQ(s.isolation, IsolationMode::kQuota);
  EXPECT_EQ(s.object_store_bytes, 1u << 20);
  EXPECT_EQ(s.segment, SegmentMode::kMemfd);
  EXPECT_EQ(s.spill_dir, "/tmp");
  EXPECT_EQ(s.spill_compression, SpillCompression::kZstd);
  EXPECT_EQ(s.store_wait_seconds, 0);
  EXPECT_EQ(s.inline_bytes, 0u);
  EXPECT_EQ(s.transport, NodeTransport::kMpi);
  EXPECT_EQ(s.rma, RmaMode::kOff);
  EXPECT_TRUE(s.check_serialize);
  EXPECT_EQ(s.scheduler, SchedulerMode::kCentral);
  EXPECT_EQ(s.seed, 7u);
  EXPECT_EQ(s.hang_seconds, 0.1);
  EXPECT_TRUE(s.hang_abort);
  EXPECT_TRUE(s.events);
  EXPECT_EQ(s.cancel_grace_seconds, 3);
  EXPECT_EQ(s.fake_nodes, 2);
  EXPECT_EQ(s.log_level, base::LogLevel::kError);
  EXPECT_TRUE(s.tag_output);
  EXPECT_TRUE(s.quiet);
}

TEST(Settings, PreferFlagOverVariableOverConfigOverDefault) {
  Config config;
  config.gpus = 1;
  config.seed = 1;
  config.executors = 1;
  Sources sources{.words = {"--manta-gpus", "3"}, .variables = {"MANTA_GPUS=2", "MANTA_SEED=2"}, .config = config};

  const Settings s = sources.Parse().settings;

  EXPECT_EQ(s.gpus, 3);
  EXPECT_EQ(s.seed, 2u);
  EXPECT_EQ(s.executors, 1);
  EXPECT_EQ(s.fake_nodes, 0);
}

TEST(Settings, LetAVariableTurnOffWhatConfigTurnedOn) {
  Config config;
  config.quiet = true;

  const Settings s = Sources{.variables = {"MANTA_QUIET=0"}, .config = config}.Parse().settings;

  EXPECT_FALSE(s.quiet);
}

TEST(Settings, LetTheLastOfTwoEqualFlagsRule) {
  EXPECT_EQ(FromFlags({"--manta-gpus", "1", "--manta-gpus=2"}).gpus, 2);
  EXPECT_TRUE(FromFlags({"--manta-resources=a=1", "--manta-resources="}).resources.empty());
}

// --- argc and argv ---------------------------------------------------------------------------------------------------

TEST(Settings, RemoveTheirFlagsAndLeaveTheRestInOrder) {
  Sources sources{.words = {"input.txt", "--manta-gpus", "2", "-v", "--manta-quiet", "--manta-rma=off", "--mantas"}};

  sources.Parse();

  EXPECT_EQ(sources.Left(), (Words{"app", "input.txt", "-v", "--mantas"}));
  EXPECT_EQ(sources.argv[static_cast<std::size_t>(sources.argc)], nullptr);
}

TEST(Settings, StopAtTheDoubleDashAndLeaveIt) {
  Sources sources{.words = {"--manta-gpus=2", "--", "--manta-gpus=3", "--manta-bogus"}};

  const Settings s = sources.Parse().settings;

  EXPECT_EQ(s.gpus, 2);
  EXPECT_EQ(sources.Left(), (Words{"app", "--", "--manta-gpus=3", "--manta-bogus"}));
}

TEST(Settings, LetABooleanFlagStandAlone) {
  Sources sources{.words = {"--manta-quiet", "100"}};

  const Settings s = sources.Parse().settings;

  EXPECT_TRUE(s.quiet);
  EXPECT_EQ(sources.Left(), (Words{"app", "100"}));
}

TEST(Settings, TakeABooleanWordAfterABooleanFlagButNoNumber) {
  Sources word{.words = {"--manta-binding", "off", "x"}};
  Sources number{.words = {"--manta-binding", "0", "x"}};

  EXPECT_FALSE(word.Parse().settings.binding);
  EXPECT_EQ(word.Left(), (Words{"app", "x"}));
  EXPECT_TRUE(number.Parse().settings.binding);
  EXPECT_EQ(number.Left(), (Words{"app", "0", "x"}));
  EXPECT_FALSE(FromFlags({"--manta-binding=0"}).binding);
}

TEST(Settings, LeaveTheCommandLineAloneOnAnError) {
  Sources sources{.words = {"--manta-gpus=2", "--manta-bogus"}};

  EXPECT_THROW(sources.Parse(), UsageError);

  EXPECT_EQ(sources.Left(), (Words{"app", "--manta-gpus=2", "--manta-bogus"}));
}

// --- to other ranks --------------------------------------------------------------------------------------------------

TEST(Settings, ComeBackFromBytesAsTheyWere) {
  const Settings settings =
      FromFlags({"--manta-cpus=0.1", "--manta-resources=a=0.3,b=2", "--manta-binding=off", "--manta-log-level=info",
                 "--manta-seed=18446744073709551615", "--manta-device=none", "--manta-memory=1T", "--manta-rma=on"});

  EXPECT_EQ(DeserializeSettings(SerializeSettings(settings)), settings);
  EXPECT_EQ(DeserializeSettings(SerializeSettings(Settings())), Settings());
}

TEST(Settings, RefuseBytesOfAnotherBuild) {
  const std::string text = SerializeSettings(Settings());

  EXPECT_THROW(DeserializeSettings(""), UsageError);
  EXPECT_THROW(DeserializeSettings(text.substr(0, text.size() - 3)), UsageError);
  EXPECT_THROW(DeserializeSettings(text + "new-setting=1\n"), UsageError);
  EXPECT_THROW(DeserializeSettings("gpus=" + text), UsageError);
  EXPECT_THROW(DeserializeSettings("cpus=x\n" + text.substr(text.find('\n') + 1)), UsageError);
}

// --- help and docs ---------------------------------------------------------------------------------------------------

TEST(Settings, AreAllListedInTheHelp) {
  const std::string help = SettingsHelp();

  for (const SettingRow& row : SettingTable()) {
    EXPECT_THAT(help, HasSubstr("--manta-" + std::string(row.name) + "  (default "));
    EXPECT_THAT(help, HasSubstr(row.allowed));
  }
}

TEST(Settings, AreAllListedInTheDocumentationWithTheirDefaults) {
  std::ifstream file(std::filesystem::path(__FILE__).parent_path() / "../../../docs/configuration.md");
  ASSERT_TRUE(file) << "docs/configuration.md not found from " << __FILE__;
  std::stringstream text;
  text << file.rdbuf();

  for (const SettingRow& row : SettingTable()) {
    const std::string value = row.write(Settings());
    EXPECT_THAT(text.str(),
                HasSubstr("| `" + std::string(row.name) + "` | " + (value.empty() ? "none" : value) + " |"));
  }
}

}  // namespace
}  // namespace manta
