#include "csv.hpp"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>

namespace housing {
namespace {

constexpr std::size_t kMaxQuoted = 40;

// A piece of the file as it may stand in an error: one line, printable, not too long.
std::string Quote(std::string_view text) {
  std::string quoted = "'";
  for (char c : text.substr(0, kMaxQuoted)) quoted += (c >= ' ' && c <= '~') ? c : '?';
  return quoted + (text.size() > kMaxQuoted ? "...'" : "'");
}

std::string Count(std::size_t n, const std::string& noun) {
  return std::to_string(n) + ' ' + noun + (n == 1 ? "" : "s");
}

std::string ReadFile(const std::string& file) {
  const auto fail = [&file] {
    throw CsvError(file, 1, 1, std::string("a file that cannot be read (") + std::strerror(errno) + ")",
                   "a readable CSV file");
  };
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(file.c_str(), "rb"), &std::fclose);
  if (!stream) fail();

  std::string text;
  char block[1 << 16];
  while (const std::size_t size = std::fread(block, 1, sizeof block, stream.get())) text.append(block, size);
  if (std::ferror(stream.get())) fail();  // a directory opens, but does not read
  return text;
}

struct Line {
  std::size_t number;
  std::string_view text;  // without its end
};

struct Field {
  std::size_t column;  // in bytes from 1, where it begins in its line
  std::string_view text;
};

// Takes the next line off the front of `rest`.
Line TakeLine(std::string_view& rest, std::size_t number) {
  const std::size_t end = rest.find('\n');
  std::string_view text = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return {number, text};
}

void SplitFields(std::string_view text, std::vector<Field>& fields) {
  fields.clear();
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find(',', begin);
    fields.push_back({begin + 1, text.substr(begin, end - begin)});
    if (end == std::string_view::npos) return;
    begin = end + 1;
  }
}

class Parser {
 public:
  Parser(const std::string& file, std::span<const CsvColumn> columns) : file_(file), columns_(columns) {}

  CsvTable Parse(std::string_view text, std::size_t min_rows) {
    if (text.empty()) throw CsvError(file_, 1, 1, "an empty file", "the header line " + Quote(HeaderText()));
    std::size_t number = 1;
    CheckHeader(TakeLine(text, number));

    CsvTable table;
    table.num_columns = columns_.size();
    while (!text.empty()) {
      AppendRow(TakeLine(text, ++number), table.values);
      ++table.num_rows;
    }
    if (table.num_rows < min_rows) {
      throw CsvError(file_, number + 1, 1, "the end of the file after " + Count(table.num_rows, "row"),
                     "at least " + Count(min_rows, "row"));
    }
    return table;
  }

 private:
  std::string HeaderText() const {
    std::string text;
    for (const CsvColumn& column : columns_) (text += text.empty() ? "" : ",") += column.name;
    return text;
  }

  void CheckHeader(const Line& line) {
    SplitLine(line, "column name");
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (fields_[i].text == columns_[i].name) continue;
      throw CsvError(file_, line.number, fields_[i].column, Quote(fields_[i].text) + " in the header",
                     "the column name " + Quote(columns_[i].name));
    }
  }

  void AppendRow(const Line& line, std::vector<double>& values) {
    SplitLine(line, "value");
    for (std::size_t i = 0; i < columns_.size(); ++i) values.push_back(ParseNumber(line, fields_[i], columns_[i]));
  }

  // Fills `fields_`; the line must have one field a column.
  void SplitLine(const Line& line, const std::string& noun) {
    const std::string wanted = Count(columns_.size(), noun);
    if (line.text.empty()) throw CsvError(file_, line.number, 1, "an empty line", wanted);
    SplitFields(line.text, fields_);
    const std::string found = "a line of " + Count(fields_.size(), noun);
    if (fields_.size() < columns_.size()) throw CsvError(file_, line.number, line.text.size() + 1, found, wanted);
    if (fields_.size() > columns_.size()) {
      throw CsvError(file_, line.number, fields_[columns_.size()].column, found, wanted);
    }
  }

  double ParseNumber(const Line& line, const Field& field, const CsvColumn& column) const {
    const auto fail = [&](const std::string& wanted) {
      throw CsvError(file_, line.number, field.column, Quote(field.text) + " in " + std::string(column.name), wanted);
    };
    double value = 0;
    const char* const end = field.text.data() + field.text.size();
    const auto [stop, error] = std::from_chars(field.text.data(), end, value);
    if (stop != end || error == std::errc::invalid_argument) fail("a number");
    if (error == std::errc::result_out_of_range) fail("a number within the range of a double");
    if (!std::isfinite(value)) fail("a finite number");
    if (column.sign == CsvSign::kPositive && value <= 0) fail("a number above 0");
    return value;
  }

  const std::string& file_;
  std::span<const CsvColumn> columns_;
  std::vector<Field> fields_;  // of the line at hand; kept to reuse its memory
};

}  // namespace

CsvError::CsvError(const std::string& file, std::size_t line, std::size_t column, const std::string& found,
                   const std::string& wanted)
    : std::runtime_error(file + ':' + std::to_string(line) + ':' + std::to_string(column) + ": found " + found +
                         ", wanted " + wanted),
      line_(line),
      column_(column) {}

CsvTable ReadCsv(const std::string& file, std::span<const CsvColumn> columns, std::size_t min_rows) {
  return ParseCsv(file, ReadFile(file), columns, min_rows);
}

CsvTable ParseCsv(const std::string& file, std::string_view text, std::span<const CsvColumn> columns,
                  std::size_t min_rows) {
  return Parser(file, columns).Parse(text, min_rows);
}

}  // namespace housing
