#include "timeline.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <map>
#include <utility>

namespace pipeline {
namespace {

constexpr std::array kColours = {"#4e79a7", "#f28e2b", "#59a14f", "#e15759",
                                 "#76b7b2", "#edc948", "#b07aa1", "#9c755f"};
constexpr const char* kIdleColour = "#d4d4d4";

// In pixels.
constexpr double kWidth = 1200, kLeft = 100, kRight = 20, kPlot = kWidth - kLeft - kRight;
constexpr double kLaneHeight = 20, kLaneStep = 24, kTitleHeight = 30, kAxisHeight = 44;
constexpr double kHeaderHeight = 84;
constexpr double kNumberWidth = 7;  // of one digit in a bar, at the most

[[gnu::format(printf, 2, 3)]] void Append(std::string& text, const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  text += buffer;
}

// 1, 2 or 5 times a power of ten, so that at most a dozen fit in.
double TickStep(double seconds) {
  double step = std::pow(10, std::floor(std::log10(seconds / 12)));
  for (const double factor : {2.0, 2.5, 2.0}) {
    if (seconds / step <= 12) break;
    step *= factor;
  }
  return step;
}

class Picture {
 public:
  explicit Picture(double height) {
    Append(svg_,
           "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" "
           "font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
           kWidth, height, kWidth, height);
  }
  void Legend();
  // `end`: of the trace, on the scale on which the panel ends at `seconds`.
  void Draw(const std::string& title, const std::vector<Lane>& lanes, double end, double seconds, bool numbers);
  std::string Finish() && { return std::move(svg_) + "</svg>\n"; }

 private:
  void DrawBars(const std::vector<Lane>& lanes, std::vector<Lane::Bar> Lane::*bars, int colour, double seconds);
  void DrawNumbers(const std::vector<Lane>& lanes, double seconds);
  void DrawAxis(double y, double seconds);
  double LaneTop(std::size_t lane) const { return y_ + kTitleHeight + static_cast<double>(lane) * kLaneStep; }

  std::string svg_;
  double y_ = kHeaderHeight;
};

void Picture::Legend() {
  Append(svg_, "<text x=\"%.0f\" y=\"28\" font-size=\"18\">%s</text>\n", kLeft,
         "CPU preprocessing and GPU work, batch by batch (GPU work is simulated by waiting)");
  Append(svg_, "<text x=\"%.0f\" y=\"60\">batch number modulo %zu:</text>\n", kLeft, kColours.size());
  double x = kLeft + 180;
  for (std::size_t i = 0; i < kColours.size(); ++i, x += 44) {
    Append(svg_, "<rect x=\"%.0f\" y=\"48\" width=\"16\" height=\"16\" fill=\"%s\"/>", x, kColours[i]);
    Append(svg_, "<text x=\"%.0f\" y=\"60\">%zu</text>\n", x + 20, i);
  }
  Append(svg_, "<rect x=\"%.0f\" y=\"48\" width=\"16\" height=\"16\" fill=\"%s\"/>", x + 12, kIdleColour);
  Append(svg_, "<text x=\"%.0f\" y=\"60\">held by a batch that works elsewhere</text>\n", x + 34);
  Append(svg_, "<rect x=\"%.0f\" y=\"48\" width=\"16\" height=\"16\" fill=\"white\" stroke=\"#888\"/>", x + 290);
  Append(svg_, "<text x=\"%.0f\" y=\"60\">free</text>\n", x + 312);
}

void Picture::Draw(const std::string& title, const std::vector<Lane>& lanes, double end, double seconds, bool numbers) {
  Append(svg_, "<text x=\"%.0f\" y=\"%.0f\" font-size=\"15\">%s</text>\n", kLeft, y_ + 18, title.c_str());
  for (std::size_t i = 0; i < lanes.size(); ++i)
    Append(svg_, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%s</text>\n", kLeft - 8, LaneTop(i) + 15,
           lanes[i].label.c_str());
  DrawBars(lanes, &Lane::idle, -1, seconds);
  for (std::size_t colour = 0; colour < kColours.size(); ++colour)
    DrawBars(lanes, &Lane::working, static_cast<int>(colour), seconds);
  for (std::size_t i = 0; i < lanes.size(); ++i)
    Append(svg_, "<rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" fill=\"none\" stroke=\"#888\"/>\n", kLeft,
           LaneTop(i), std::min(end / seconds, 1.0) * kPlot, kLaneHeight);
  if (numbers) DrawNumbers(lanes, seconds);
  DrawAxis(LaneTop(lanes.size()), seconds);
  y_ = LaneTop(lanes.size()) + kAxisHeight;
}

// All bars of one colour are one path, which keeps the file small. Colour -1: all bars, as idle ones.
void Picture::DrawBars(const std::vector<Lane>& lanes, std::vector<Lane::Bar> Lane::*bars, int colour, double seconds) {
  std::string path;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    for (const Lane::Bar& bar : lanes[i].*bars) {
      if (colour >= 0 && bar.batch % static_cast<int>(kColours.size()) != colour) continue;
      const double begin = std::clamp(bar.at.begin, 0.0, seconds), end = std::clamp(bar.at.end, 0.0, seconds);
      if (begin >= end) continue;
      const double width = (end - begin) / seconds * kPlot;
      Append(path, "M%.2f %.0fh%.2fv%.0fh-%.2fz", kLeft + begin / seconds * kPlot, LaneTop(i), width, kLaneHeight,
             width);
    }
  }
  if (path.empty()) return;
  Append(svg_, "<path fill=\"%s\" d=\"", colour < 0 ? kIdleColour : kColours[static_cast<std::size_t>(colour)]);
  svg_ += path + "\"/>\n";
}

void Picture::DrawNumbers(const std::vector<Lane>& lanes, double seconds) {
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    for (const Lane::Bar& bar : lanes[i].working) {
      const std::string number = std::to_string(bar.batch);
      const double width = bar.at.seconds() / seconds * kPlot;
      if (bar.at.end > seconds || width < kNumberWidth * static_cast<double>(number.size()) + 2) continue;
      Append(svg_, "<text x=\"%.1f\" y=\"%.0f\" font-size=\"11\" text-anchor=\"middle\">%s</text>\n",
             kLeft + bar.at.begin / seconds * kPlot + width / 2, LaneTop(i) + 14, number.c_str());
    }
  }
}

void Picture::DrawAxis(double y, double seconds) {
  const double step = TickStep(seconds);
  for (int tick = 0; tick * step <= seconds * (1 + 1e-9); ++tick) {
    const double x = kLeft + tick * step / seconds * kPlot;
    Append(svg_, "<path stroke=\"#888\" d=\"M%.1f %.0fv5\"/>", x, y);
    Append(svg_, "<text x=\"%.1f\" y=\"%.0f\" font-size=\"12\" text-anchor=\"middle\">%.6g s</text>\n", x, y + 18,
           tick * step);
  }
}

}  // namespace

std::vector<Lane> LanesOf(const Trace& trace) {
  std::vector<BatchRecord> batches = trace.batches;
  std::ranges::sort(batches, {}, [](const BatchRecord& batch) { return batch.preprocess.begin; });
  const auto from_begin = [&](double begin, double end) {
    return Interval{begin - trace.whole.begin, end - trace.whole.begin};
  };
  bool one_node = true;
  for (const BatchRecord& batch : batches) one_node = one_node && batch.node == batches.front().node;

  std::map<std::pair<int, int>, Lane> gpus;
  std::map<int, std::vector<Lane>> cpus;
  std::map<int, std::vector<double>> free_from;  // of the lanes in `cpus`
  for (const BatchRecord& batch : batches) {
    Lane& gpu = gpus[{batch.node, batch.gpu}];
    gpu.label = (one_node ? "" : "node " + std::to_string(batch.node) + " ") + "GPU " + std::to_string(batch.gpu);
    gpu.working.push_back({batch.batch, from_begin(batch.train.begin, batch.train.end)});

    std::vector<Lane>& lanes = cpus[batch.rank];
    std::vector<double>& ends = free_from[batch.rank];
    const auto is_free = [&](double end) { return end <= batch.preprocess.begin; };
    const auto index = static_cast<std::size_t>(std::ranges::find_if(ends, is_free) - ends.begin());
    if (index == lanes.size()) {
      lanes.push_back({.label = "rank " + std::to_string(batch.rank) + " CPU"});
      ends.push_back(0);
    }
    ends[index] = trace.held_throughout ? batch.train.end : batch.preprocess.end;
    lanes[index].working.push_back({batch.batch, from_begin(batch.preprocess.begin, batch.preprocess.end)});
    if (trace.held_throughout) {
      lanes[index].idle.push_back({batch.batch, from_begin(batch.preprocess.end, batch.train.end)});
      gpu.idle.push_back({batch.batch, from_begin(batch.preprocess.begin, batch.train.begin)});
    }
  }

  std::vector<Lane> all;
  for (auto& [place, lane] : gpus) {
    std::ranges::sort(lane.working, {}, [](const Lane::Bar& bar) { return bar.at.begin; });
    all.push_back(std::move(lane));
  }
  for (auto& [rank, lanes] : cpus)
    for (Lane& lane : lanes) all.push_back(std::move(lane));
  return all;
}

std::string DrawTimeline(const std::vector<Panel>& panels, double detail_seconds) {
  std::vector<std::vector<Lane>> lanes;
  double seconds = 0, height = kHeaderHeight;
  for (const Panel& panel : panels) {
    lanes.push_back(LanesOf(panel.trace));
    seconds = std::max(seconds, panel.trace.whole.seconds());
    height += 2 * (kTitleHeight + kLaneStep * static_cast<double>(lanes.back().size()) + kAxisHeight);
  }
  detail_seconds = std::min(detail_seconds, seconds);

  Picture picture(height);
  picture.Legend();
  for (std::size_t i = 0; i < panels.size(); ++i)
    picture.Draw(panels[i].title, lanes[i], panels[i].trace.whole.seconds(), seconds, false);
  for (std::size_t i = 0; i < panels.size(); ++i)
    picture.Draw("The beginning of " + panels[i].trace.name, lanes[i], panels[i].trace.whole.seconds(), detail_seconds,
                 true);
  return std::move(picture).Finish();
}

}  // namespace pipeline
