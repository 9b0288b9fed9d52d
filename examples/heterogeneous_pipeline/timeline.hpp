#pragma once

#include <string>
#include <vector>

#include "figures.hpp"

// Traces as a picture.

namespace pipeline {

/// One row of the picture: a GPU, or one CPU of a rank. Seconds from the begin of the trace.
struct Lane {
  struct Bar {
    int batch = 0;
    Interval at;
  };
  std::string label;
  std::vector<Bar> working = {};  // in order of their begins
  std::vector<Bar> idle = {};     // held by a batch that works elsewhere
};

/// The GPUs by node and index, then the CPUs by rank. Which CPU of its rank preprocessed a batch is not recorded: each
/// takes the first lane of its rank that is free, so that there are as many as were in use at once.
std::vector<Lane> LanesOf(const Trace& trace);

/// A panel of the picture: a trace, and what stands above it (plain text without &, < and >).
struct Panel {
  std::string title;
  Trace trace;
};

/// An SVG document: all panels whole, on one scale; then the first `detail_seconds` of each, with batch numbers.
std::string DrawTimeline(const std::vector<Panel>& panels, double detail_seconds);

}  // namespace pipeline
