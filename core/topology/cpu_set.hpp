#pragma once
// A set of CPUs by the numbers the operating system gives them (hwloc calls these PUs; a core has one or more).
//
//   CpuSet set = *CpuSet::FromString("0-3,8");
//   set.Contains(8);   // true
//   set.ToString();    // "0-3,8"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace manta::topology {

/// A value; grows as needed. Reading one from several threads is safe.
class CpuSet {
 public:
  CpuSet() = default;
  /// CPUs `first` to `last`, both included.
  static CpuSet Range(int first, int last);
  /// Reads the list format of the Linux kernel: "0-3,8", or "" for none. Nothing for any other text.
  static std::optional<CpuSet> FromString(std::string_view text);

  void Add(int cpu);
  void Remove(int cpu);
  bool Contains(int cpu) const;
  bool empty() const { return words_.empty(); }
  int Count() const;
  /// In rising order.
  std::vector<int> Cpus() const;
  /// The kernel's list format, "0-3,8".
  std::string ToString() const;

  bool Intersects(const CpuSet& other) const;
  bool IsSubsetOf(const CpuSet& other) const;
  CpuSet& operator|=(const CpuSet& other);
  CpuSet& operator&=(const CpuSet& other);
  CpuSet& operator-=(const CpuSet& other);
  friend CpuSet operator|(CpuSet a, const CpuSet& b) { return a |= b; }
  friend CpuSet operator&(CpuSet a, const CpuSet& b) { return a &= b; }
  friend CpuSet operator-(CpuSet a, const CpuSet& b) { return a -= b; }
  bool operator==(const CpuSet&) const = default;

  template <class V>
  void Fields(V& v) { v(words_); }

 private:
  void DropEmptyWords();
  std::uint64_t WordAt(std::size_t index) const { return index < words_.size() ? words_[index] : 0; }

  std::vector<std::uint64_t> words_;  // bit i of word w is CPU 64 w + i; the last word is never 0
};

}  // namespace manta::topology
