#include "features.hpp"

namespace housing {
namespace {

enum Column : std::size_t {
  kLongitude,
  kLatitude,
  kHousingMedianAge,
  kTotalRooms,
  kTotalBedrooms,
  kPopulation,
  kHouseholds,
  kMedianIncome,
  kMedianHouseValue,
};

constexpr CsvColumn kColumns[] = {
    {"longitude"},
    {"latitude"},
    {"housing_median_age"},
    {"total_rooms"},
    {"total_bedrooms"},
    {"population"},
    {"households", CsvSign::kPositive},  // three features are divided by it
    {"median_income"},
    {"median_house_value"},
};

constexpr std::size_t kFewestRows = 2;

}  // namespace

std::span<const CsvColumn> HousingColumns() { return kColumns; }

Dataset LoadHousing(const std::string& file) { return DeriveFeatures(ReadCsv(file, kColumns, kFewestRows)); }

Dataset DeriveFeatures(const CsvTable& table) {
  Dataset data;
  data.features.reserve(table.num_rows * kNumFeatures);
  data.labels.reserve(table.num_rows);
  for (std::size_t row = 0; row < table.num_rows; ++row) {
    const auto raw = [&](Column column) { return table.At(row, column); };
    const double households = raw(kHouseholds);
    data.features.insert(data.features.end(), {
                                                  raw(kMedianIncome),
                                                  raw(kHousingMedianAge),
                                                  raw(kTotalRooms) / households,
                                                  raw(kTotalBedrooms) / households,
                                                  raw(kPopulation),
                                                  raw(kPopulation) / households,
                                                  raw(kLatitude),
                                                  raw(kLongitude),
                                              });
    data.labels.push_back(raw(kMedianHouseValue) / 100000.0);
  }
  return data;
}

Dataset TakeRows(const Dataset& data, std::span<const std::size_t> rows) {
  Dataset taken;
  taken.features.reserve(rows.size() * kNumFeatures);
  taken.labels.reserve(rows.size());
  for (const std::size_t row : rows) {
    const auto first = data.features.begin() + static_cast<std::ptrdiff_t>(row * kNumFeatures);
    taken.features.insert(taken.features.end(), first, first + kNumFeatures);
    taken.labels.push_back(data.labels[row]);
  }
  return taken;
}

}  // namespace housing
