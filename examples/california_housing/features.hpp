#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "csv.hpp"

// The California housing table as scikit-learn's fetch_california_housing gives it: eight features and one target a
// block group, derived from the nine columns of the census file.

namespace housing {

/// MedInc, HouseAge, AveRooms, AveBedrms, Population, AveOccup, Latitude, Longitude: in scikit-learn's order.
inline constexpr std::size_t kNumFeatures = 8;

/// Samples and their targets. Flat vectors of doubles: they serialize as one block of bytes, and a task reads them
/// where they lie.
struct Dataset {
  std::vector<double> features;  // [rows, kNumFeatures], row-major
  std::vector<double> labels;    // [rows], MedHouseVal in 100,000 USD

  std::size_t num_rows() const { return labels.size(); }
};

/// The columns that the file must have, in order.
std::span<const CsvColumn> HousingColumns();

/// Reads `file` and derives features and target. Throws CsvError; two rows are the fewest that can be split.
Dataset LoadHousing(const std::string& file);

/// Derives features and target from a table of HousingColumns().
Dataset DeriveFeatures(const CsvTable& table);

/// The rows of `data` named by `rows`, in that order.
Dataset TakeRows(const Dataset& data, std::span<const std::size_t> rows);

}  // namespace housing
