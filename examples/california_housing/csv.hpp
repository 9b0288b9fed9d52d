#pragma once

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// Reads a table of numbers from a CSV file: a header line, then one row of finite numbers a line, separated by commas
// (no quotes, no blanks around values; lines may end in CR LF). Whatever else is found is refused with its place.
//
//   const CsvColumn columns[] = {{"rooms"}, {"households", CsvSign::kPositive}};
//   CsvTable table = ReadCsv("houses.csv", columns);
//   double rooms = table.At(0, 0);

namespace housing {

/// What is wrong with a CSV file. `what()` is one line, `FILE:LINE:COLUMN: found ..., wanted ...`; both numbers count
/// from 1, the column in bytes, so that editors jump to it. A file that cannot be read is reported at 1:1.
class CsvError : public std::runtime_error {
 public:
  CsvError(const std::string& file, std::size_t line, std::size_t column, const std::string& found,
           const std::string& wanted);

  std::size_t line() const { return line_; }
  std::size_t column() const { return column_; }

 private:
  std::size_t line_;
  std::size_t column_;
};

enum class CsvSign { kAny, kPositive };

/// A column the file must have at this place: its name in the header, and which numbers are meaningful in it.
struct CsvColumn {
  std::string_view name;
  CsvSign sign = CsvSign::kAny;
};

/// The numbers of a file, shape [num_rows, num_columns], row-major.
struct CsvTable {
  std::size_t num_rows = 0;
  std::size_t num_columns = 0;
  std::vector<double> values;

  double At(std::size_t row, std::size_t column) const { return values[row * num_columns + column]; }
};

/// Reads the whole of `file`, which must have exactly `columns`, in this order, and at least `min_rows` rows.
/// Throws CsvError at the first thing that is not as it should be.
CsvTable ReadCsv(const std::string& file, std::span<const CsvColumn> columns, std::size_t min_rows = 1);

/// The same for text already in memory; `file` is the name that errors give.
CsvTable ParseCsv(const std::string& file, std::string_view text, std::span<const CsvColumn> columns,
                  std::size_t min_rows = 1);

}  // namespace housing
