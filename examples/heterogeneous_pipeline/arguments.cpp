#include "arguments.hpp"

#include <charconv>
#include <string_view>
#include <system_error>

namespace pipeline {
namespace {

template <class Number>
Number ParseNumber(std::string_view flag, std::string_view text, Number least, Number most, const char* wanted) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  // Written so that "nan" is refused too.
  if (error == std::errc() && stop == end && number >= least && number <= most) return number;
  throw ArgumentError(std::string(flag) + ": found '" + std::string(text) + "', wanted " + wanted);
}

}  // namespace

Arguments ParseArguments(int argc, const char* const* argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string_view flag = argument.substr(0, equals);

    const auto take_value = [&](const char* wanted) -> std::string_view {
      if (equals != std::string_view::npos) return argument.substr(equals + 1);
      if (i + 1 == argc) throw ArgumentError(std::string(flag) + ": found no value, wanted " + wanted);
      return argv[++i];
    };
    const auto take_count = [&](int most, const char* wanted) {
      return ParseNumber(flag, take_value(wanted), 1, most, wanted);
    };
    const auto take_milliseconds = [&] {
      constexpr const char* kWanted = "milliseconds from 0.1 to 10000";
      return ParseNumber(flag, take_value(kWanted), 0.1, 10'000.0, kWanted);
    };
    if (flag == "--batches") {
      arguments.batches = take_count(100'000, "a whole number from 1 to 100000");
    } else if (flag == "--cpu-ms") {
      arguments.cpu_ms = take_milliseconds();
    } else if (flag == "--gpu-ms") {
      arguments.gpu_ms = take_milliseconds();
    } else if (flag == "--ahead") {
      arguments.ahead = take_count(1000, "a whole number from 1 to 1000");
    } else if (flag == "--svg") {
      arguments.svg = take_value("a file");
      if (arguments.svg.empty()) throw ArgumentError("--svg: found an empty name, wanted a file");
    } else if (argument == "--help") {
      arguments.help = true;
    } else {
      throw ArgumentError("found the unknown argument '" + std::string(argument) +
                          "', wanted one of --batches, --cpu-ms, --gpu-ms, --ahead, --svg, --help");
    }
  }
  return arguments;
}

std::string HelpText() {
  return R"(Usage: heterogeneous_pipeline [--batches N] [--cpu-ms MS] [--gpu-ms MS] [--ahead N] [--svg FILE] [--help]

Brings the same batches through CPU preprocessing and a simulated GPU stage twice: as one pool of tasks
that do both, and as two stages. Says how busy the GPUs were, and draws it.
GPUs are declared with --manta-gpus N; their work is simulated by waiting.

  --batches N    how many, 1 to 100000 (default: 200)
  --cpu-ms MS    computing to preprocess one batch, 0.1 to 10000 (default: 20)
  --gpu-ms MS    how long one batch keeps a GPU busy, 0.1 to 10000 (default: 40)
  --ahead N      batches of the two stages in flight for each GPU, 1 to 1000 (default: 4)
  --svg FILE     where the timeline goes (default: heterogeneous_pipeline.svg)
  --help         this text
)";
}

}  // namespace pipeline
