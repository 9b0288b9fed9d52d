#include "features.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "data_file.hpp"

namespace housing {
namespace {

double MeanOfFeature(const Dataset& data, std::size_t feature) {
  double sum = 0;
  for (std::size_t row = 0; row < data.num_rows(); ++row) sum += data.features[row * kNumFeatures + feature];
  return sum / static_cast<double>(data.num_rows());
}

TEST(Features, HaveTheMeansThatScikitLearnPublishes) {
  const Dataset data = LoadHousing(FindDataFile());

  ASSERT_EQ(data.num_rows(), 20640u);
  ASSERT_EQ(data.features.size(), 20640u * kNumFeatures);
  EXPECT_NEAR(MeanOfFeature(data, 0), 3.870671, 5e-7);  // MedInc
  double sum = 0;
  for (const double label : data.labels) sum += label;
  EXPECT_NEAR(sum / 20640, 2.068558, 5e-7);  // MedHouseVal
}

TEST(Features, AreDerivedAsScikitLearnDoes) {
  const CsvTable table = {
      .num_rows = 1, .num_columns = 9, .values = {-122.23, 37.88, 41, 880, 129, 322, 126, 8.3252, 452600}};

  const Dataset data = DeriveFeatures(table);

  EXPECT_EQ(data.features,
            (std::vector<double>{8.3252, 41, 880.0 / 126, 129.0 / 126, 322, 322.0 / 126, 37.88, -122.23}));
  EXPECT_EQ(data.labels, std::vector<double>{4.526});
}

TEST(Features, TakesRowsInTheOrderAsked) {
  Dataset data;
  for (int i = 0; i < 3; ++i) {
    data.features.insert(data.features.end(), kNumFeatures, i);
    data.labels.push_back(10 * i);
  }

  const std::vector<std::size_t> rows = {2, 0};
  const Dataset taken = TakeRows(data, rows);

  ASSERT_EQ(taken.num_rows(), 2u);
  EXPECT_EQ(taken.features[0], 2);
  EXPECT_EQ(taken.features[kNumFeatures], 0);
  EXPECT_EQ(taken.labels, (std::vector<double>{20, 0}));
}

TEST(Features, RefusesABlockGroupWithoutHouseholds) {
  const std::span<const CsvColumn> columns = HousingColumns();

  EXPECT_THROW(
      ParseCsv("t.csv",
               "longitude,latitude,housing_median_age,total_rooms,total_bedrooms,population,households,median_income,"
               "median_house_value\n1,2,3,4,5,6,0,8,9\n",
               columns),
      CsvError);
}

}  // namespace
}  // namespace housing
