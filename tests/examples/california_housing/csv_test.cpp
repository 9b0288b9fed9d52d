#include "csv.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace housing {
namespace {

constexpr CsvColumn kColumns[] = {{"rooms"}, {"people", CsvSign::kPositive}};

CsvTable Parse(std::string_view text, std::size_t min_rows = 1) { return ParseCsv("t.csv", text, kColumns, min_rows); }

// What is said about a text that must be refused.
std::string ErrorOf(std::string_view text, std::size_t min_rows = 1) {
  try {
    Parse(text, min_rows);
  } catch (const CsvError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Csv, ReadsRowsInOrder) {
  const CsvTable table = Parse("rooms,people\n3,2.5\n-1e3,4\n");

  ASSERT_EQ(table.num_rows, 2u);
  ASSERT_EQ(table.num_columns, 2u);
  EXPECT_EQ(table.At(0, 0), 3);
  EXPECT_EQ(table.At(0, 1), 2.5);
  EXPECT_EQ(table.At(1, 0), -1000);
  EXPECT_EQ(table.At(1, 1), 4);
}

TEST(Csv, TakesLinesThatEndInCrLfAndALastLineWithoutEnd) {
  const CsvTable table = Parse("rooms,people\r\n3,2\r\n5,6");

  EXPECT_EQ(table.values, (std::vector<double>{3, 2, 5, 6}));
}

TEST(Csv, RefusesAnEmptyFile) {
  EXPECT_EQ(ErrorOf(""), "t.csv:1:1: found an empty file, wanted the header line 'rooms,people'");
}

TEST(Csv, RefusesAHeaderWithAnotherName) {
  EXPECT_EQ(ErrorOf("rooms,persons\n3,2\n"),
            "t.csv:1:7: found 'persons' in the header, wanted the column name 'people'");
}

TEST(Csv, RefusesAHeaderWithAColumnMissing) {
  EXPECT_EQ(ErrorOf("rooms\n3\n"), "t.csv:1:6: found a line of 1 column name, wanted 2 column names");
}

TEST(Csv, RefusesAFileWithoutRows) {
  EXPECT_EQ(ErrorOf("rooms,people\n"), "t.csv:2:1: found the end of the file after 0 rows, wanted at least 1 row");
}

TEST(Csv, RefusesFewerRowsThanAskedFor) {
  EXPECT_EQ(ErrorOf("rooms,people\n3,2\n", 2),
            "t.csv:3:1: found the end of the file after 1 row, wanted at least 2 rows");
}

TEST(Csv, RefusesAShortRowAtItsEnd) {
  EXPECT_EQ(ErrorOf("rooms,people\n3,2\n41\n"), "t.csv:3:3: found a line of 1 value, wanted 2 values");
}

TEST(Csv, RefusesALongRowAtTheFirstValueTooMany) {
  EXPECT_EQ(ErrorOf("rooms,people\n3,2,1\n"), "t.csv:2:5: found a line of 3 values, wanted 2 values");
}

TEST(Csv, RefusesAnEmptyLineBetweenRows) {
  EXPECT_EQ(ErrorOf("rooms,people\n3,2\n\n5,6\n"), "t.csv:3:1: found an empty line, wanted 2 values");
}

TEST(Csv, RefusesAWordInANumber) {
  EXPECT_EQ(ErrorOf("rooms,people\n3,2\n4,two\n"), "t.csv:3:3: found 'two' in people, wanted a number");
  EXPECT_EQ(ErrorOf("rooms,people\n3.5x,2\n"), "t.csv:2:1: found '3.5x' in rooms, wanted a number");
}

TEST(Csv, RefusesAnEmptyValue) {
  EXPECT_EQ(ErrorOf("rooms,people\n,2\n"), "t.csv:2:1: found '' in rooms, wanted a number");
}

TEST(Csv, RefusesWhatIsNotFinite) {
  EXPECT_EQ(ErrorOf("rooms,people\nnan,2\n"), "t.csv:2:1: found 'nan' in rooms, wanted a finite number");
  EXPECT_EQ(ErrorOf("rooms,people\n3,inf\n"), "t.csv:2:3: found 'inf' in people, wanted a finite number");
  EXPECT_EQ(ErrorOf("rooms,people\n-inf,2\n"), "t.csv:2:1: found '-inf' in rooms, wanted a finite number");
}

TEST(Csv, RefusesANumberBeyondADouble) {
  EXPECT_EQ(ErrorOf("rooms,people\n1e999,2\n"),
            "t.csv:2:1: found '1e999' in rooms, wanted a number within the range of a double");
}

TEST(Csv, RefusesZeroWhereAPositiveNumberIsNeeded) {
  EXPECT_EQ(ErrorOf("rooms,people\n0,2\n3,0\n"), "t.csv:3:3: found '0' in people, wanted a number above 0");
}

TEST(Csv, QuotesOnOneLineAndBriefly) {
  EXPECT_EQ(ErrorOf("rooms,people\n\x1b[1m\t,2\n"), "t.csv:2:1: found '?[1m?' in rooms, wanted a number");
  EXPECT_EQ(ErrorOf("rooms,people\n" + std::string(1000, 'x') + ",2\n"),
            "t.csv:2:1: found '" + std::string(40, 'x') + "...' in rooms, wanted a number");
}

TEST(Csv, SaysLineAndColumnAsNumbersToo) {
  try {
    Parse("rooms,people\n3,x\n");
    FAIL() << "a word was read as a number";
  } catch (const CsvError& error) {
    EXPECT_EQ(error.line(), 2u);
    EXPECT_EQ(error.column(), 3u);
  }
}

TEST(Csv, NamesAMissingFile) {
  try {
    ReadCsv("no/such.csv", kColumns);
    FAIL() << "a missing file was read";
  } catch (const CsvError& error) {
    EXPECT_STREQ(error.what(),
                 "no/such.csv:1:1: found a file that cannot be read (No such file or directory), "
                 "wanted a readable CSV file");
  }
}

TEST(Csv, RefusesAFolder) {
  try {
    ReadCsv("/", kColumns);
    FAIL() << "a folder was read";
  } catch (const CsvError& error) {
    EXPECT_STREQ(error.what(), "/:1:1: found a file that cannot be read (Is a directory), wanted a readable CSV file");
  }
}

TEST(Csv, ReadsAFileLargerThanItsBuffer) {
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "housing_csv_test_large.csv";
  std::string text = "rooms,people\n";
  for (int i = 1; i <= 50000; ++i) text += std::to_string(i) + ",1\n";
  std::ofstream(file) << text;

  const CsvTable table = ReadCsv(file.string(), kColumns);
  std::filesystem::remove(file);

  ASSERT_EQ(table.num_rows, 50000u);
  EXPECT_EQ(table.At(49999, 0), 50000);
}

}  // namespace
}  // namespace housing
