#include "well_formed.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <vector>

namespace pipeline {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::string Read() {
    SkipSpace();
    do {
      if (!ReadTag() || !ReadText()) return error_ + " at byte " + std::to_string(at_);
    } while (!open_.empty());
    SkipSpace();
    return at_ == text_.size() ? "" : "something after the root element at byte " + std::to_string(at_);
  }

 private:
  bool Fail(const std::string& error) {
    error_ = error;
    return false;
  }
  bool Take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void SkipSpace() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  std::string_view Name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                  std::string_view("-_:").find(text_[at_]) != std::string_view::npos))
      ++at_;
    return text_.substr(begin, at_ - begin);
  }
  bool Entity() {
    for (const std::string_view known : {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"}) {
      if (!text_.substr(at_).starts_with(known)) continue;
      at_ += known.size();
      return true;
    }
    return Fail("an unknown entity");
  }
  bool ReadTag() {
    if (!Take('<')) return Fail("no tag");
    if (Take('/')) {
      const std::string_view name = Name();
      if (open_.empty() || open_.back() != name) return Fail("an end of '" + std::string(name) + "' that is not open");
      open_.pop_back();
      SkipSpace();
      return Take('>') || Fail("an end tag that goes on");
    }
    const std::string_view name = Name();
    if (name.empty()) return Fail("a tag without a name");
    std::vector<std::string_view> attributes;
    for (;;) {
      const std::size_t before = at_;
      SkipSpace();
      if (Take('>')) {
        open_.push_back(name);
        return true;
      }
      if (Take('/')) return Take('>') || Fail("a '/' within a tag");
      if (before == at_) return Fail("no space before an attribute");
      attributes.push_back(Name());
      if (attributes.back().empty()) return Fail("an attribute without a name");
      if (std::count(attributes.begin(), attributes.end(), attributes.back()) > 1)
        return Fail("an attribute given twice");
      if (!Take('=') || !Take('"')) return Fail("an attribute without a quoted value");
      while (!Take('"')) {
        if (at_ == text_.size() || text_[at_] == '<') return Fail("a value without an end");
        if (text_[at_] != '&')
          ++at_;
        else if (!Entity())
          return false;
      }
    }
  }
  bool ReadText() {
    while (!open_.empty() && (at_ == text_.size() || text_[at_] != '<')) {
      if (at_ == text_.size()) return Fail("no end of '" + std::string(open_.back()) + "'");
      if (text_[at_] != '&')
        ++at_;
      else if (!Entity())
        return false;
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string_view> open_;
  std::string error_;
};

}  // namespace

std::string WhyNotWellFormed(std::string_view text) { return Reader(text).Read(); }

}  // namespace pipeline
