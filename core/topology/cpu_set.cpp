#include "core/topology/cpu_set.hpp"

#include <algorithm>
#include <bit>
#include <charconv>

#include "core/base/check.hpp"

namespace manta::topology {
namespace {

constexpr int kMaxCpu = 1 << 20;  // far above any kernel's limit; keeps a mistyped list from filling memory

/// Takes a number from the front of `text`.
bool TakeNumber(std::string_view& text, int& number) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > kMaxCpu) return false;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return true;
}

}  // namespace

CpuSet CpuSet::Range(int first, int last) {
  CpuSet set;
  for (int cpu = first; cpu <= last; ++cpu) set.Add(cpu);
  return set;
}

std::optional<CpuSet> CpuSet::FromString(std::string_view text) {
  CpuSet set;
  while (!text.empty()) {
    int first = 0;
    if (!TakeNumber(text, first)) return std::nullopt;
    int last = first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      if (!TakeNumber(text, last) || last < first) return std::nullopt;
    }
    set |= Range(first, last);
    if (text.empty()) break;
    if (!text.starts_with(',') || text.size() == 1) return std::nullopt;
    text.remove_prefix(1);
  }
  return set;
}

void CpuSet::Add(int cpu) {
  MANTA_ASSERT(cpu >= 0);
  const std::size_t word = static_cast<std::size_t>(cpu) / 64;
  if (word >= words_.size()) words_.resize(word + 1);
  words_[word] |= std::uint64_t{1} << (cpu % 64);
}

void CpuSet::Remove(int cpu) {
  if (!Contains(cpu)) return;
  words_[static_cast<std::size_t>(cpu) / 64] &= ~(std::uint64_t{1} << (cpu % 64));
  DropEmptyWords();
}

bool CpuSet::Contains(int cpu) const {
  return cpu >= 0 && (WordAt(static_cast<std::size_t>(cpu) / 64) >> (cpu % 64) & 1) != 0;
}

int CpuSet::Count() const {
  int count = 0;
  for (std::uint64_t word : words_) count += std::popcount(word);
  return count;
}

std::vector<int> CpuSet::Cpus() const {
  std::vector<int> cpus;
  for (std::size_t word = 0; word < words_.size(); ++word)
    for (std::uint64_t bits = words_[word]; bits != 0; bits &= bits - 1)
      cpus.push_back(static_cast<int>(word * 64) + std::countr_zero(bits));
  return cpus;
}

std::string CpuSet::ToString() const {
  const std::vector<int> cpus = Cpus();
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t end = i + 1;
    while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
    if (!text.empty()) text += ',';
    text += std::to_string(cpus[i]);
    if (end - i > 1) text += '-' + std::to_string(cpus[end - 1]);
    i = end;
  }
  return text;
}

bool CpuSet::Intersects(const CpuSet& other) const { return !(*this & other).empty(); }
bool CpuSet::IsSubsetOf(const CpuSet& other) const { return (*this - other).empty(); }

CpuSet& CpuSet::operator|=(const CpuSet& other) {
  if (other.words_.size() > words_.size()) words_.resize(other.words_.size());
  for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
  return *this;
}

CpuSet& CpuSet::operator&=(const CpuSet& other) {
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.WordAt(i);
  DropEmptyWords();
  return *this;
}

CpuSet& CpuSet::operator-=(const CpuSet& other) {
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.WordAt(i);
  DropEmptyWords();
  return *this;
}

void CpuSet::DropEmptyWords() {
  while (!words_.empty() && words_.back() == 0) words_.pop_back();
}

}  // namespace manta::topology
