#pragma once
// Amounts of a resource as whole numbers of 1/10,000, so that granting and returning never drifts.
//
//   Amount half = Amount::FromDouble(0.5);   // 5,000 units
//   half + half == Amount::Whole(1)          // exactly
//
// Ray keeps amounts the same way (its fixed_point.h); here no double turns into an Amount unasked.

#include <cmath>
#include <compare>
#include <cstdint>
#include <ostream>

namespace manta {

class Amount {
 public:
  static constexpr std::int64_t kUnitsPerOne = 10'000;

  constexpr Amount() = default;
  static constexpr Amount Whole(std::int64_t count) { return Amount(count * kUnitsPerOne); }
  static constexpr Amount FromUnits(std::int64_t units) { return Amount(units); }
  /// Rounds to the nearest 1/10,000. The caller has checked that `value` is finite and below 9e14.
  static Amount FromDouble(double value) { return Amount(std::llround(value * kUnitsPerOne)); }

  constexpr std::int64_t units() const { return units_; }
  constexpr double value() const { return static_cast<double>(units_) / kUnitsPerOne; }
  constexpr bool IsZero() const { return units_ == 0; }
  constexpr bool IsWhole() const { return units_ % kUnitsPerOne == 0; }
  /// The number of whole ones that cover this amount: 0.5 -> 1, 2 -> 2.
  constexpr std::int64_t RoundedUp() const { return (units_ + kUnitsPerOne - 1) / kUnitsPerOne; }

  constexpr auto operator<=>(const Amount&) const = default;
  constexpr Amount& operator+=(Amount other) {
    units_ += other.units_;
    return *this;
  }
  constexpr Amount& operator-=(Amount other) {
    units_ -= other.units_;
    return *this;
  }
  friend constexpr Amount operator+(Amount a, Amount b) { return a += b; }
  friend constexpr Amount operator-(Amount a, Amount b) { return a -= b; }
  friend std::ostream& operator<<(std::ostream& out, Amount a) { return out << a.value(); }

 private:
  constexpr explicit Amount(std::int64_t units) : units_(units) {}
  std::int64_t units_ = 0;
};

}  // namespace manta
