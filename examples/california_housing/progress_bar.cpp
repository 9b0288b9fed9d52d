#include "progress_bar.hpp"

#include <cstddef>
#include <string>

namespace housing {
namespace {

constexpr int kWidth = 40;

}  // namespace

ProgressBar::ProgressBar(std::ostream& out, bool enabled, int num_models, int num_trees)
    : out_(out), enabled_(enabled), num_models_(num_models), num_trees_(num_trees) {}

void ProgressBar::Advance(int trees) {
  ++models_done_;
  trees_done_ += trees;
}

void ProgressBar::Draw() {
  if (!enabled_) return;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start_);
  const auto filled = static_cast<std::size_t>(kWidth * trees_done_ / num_trees_);
  out_ << "\r[" << std::string(filled, '#') << std::string(kWidth - filled, '.') << "] " << models_done_ << '/'
       << num_models_ << " models, " << seconds.count() << " s" << std::flush;
}

void ProgressBar::Clear() {
  if (enabled_) out_ << "\r\033[K" << std::flush;  // ECMA-48 EL: erase to the end of the line
}

}  // namespace housing
