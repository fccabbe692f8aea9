#include "cli/mma.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <istream>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "model/arithmetic/tensor_core.hpp"
#include "model/arithmetic/tf32.hpp"
#include "model/error.hpp"

namespace parity::cli {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// Where the operands stand in a row.
struct Columns {
  std::vector<std::string> names;
  std::size_t c = 0;
  std::vector<std::size_t> a, b;
};

/// Where a cell ends: at its comma, or at the end. A comma between quotes is none; a quote inside
/// them is written twice, which opens and closes them in place.
std::size_t end_of_cell(std::string_view line) {
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') quoted = !quoted;
    if (line[i] == ',' && !quoted) return i;
  }
  return std::string_view::npos;
}

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  for (;;) {
    const std::size_t comma = end_of_cell(line);
    cells.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// A cell's text without blanks around it and without the quotes around that.
std::string_view bare(std::string_view cell) {
  const std::string_view text = trimmed(cell);
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return quoted ? text.substr(1, text.size() - 2) : text;
}

std::string at_line(std::int64_t line) {
  return "line " + std::to_string(line) + " of the vectors";
}

/// The columns prefix0, prefix1, … as far as they go.
std::vector<std::size_t> numbered(const std::map<std::string, std::size_t>& position, char prefix) {
  std::vector<std::size_t> found;
  for (;;) {
    const auto column = position.find(prefix + std::to_string(found.size()));
    if (column == position.end()) return found;
    found.push_back(column->second);
  }
}

Columns columns_of(std::string_view header, std::int64_t line) {
  Columns columns;
  std::map<std::string, std::size_t> position;
  for (const std::string_view cell : cells_of(header)) {
    columns.names.emplace_back(bare(cell));
    const std::string& column = columns.names.back();
    if (column == "d") {
      throw Error(Fault::bad_request,
                  "the header in " + at_line(line) +
                      " already has a column 'd', where the results are to be written; rename it");
    }
    if (!position.emplace(column, columns.names.size() - 1).second && !column.empty()) {
      throw Error(Fault::bad_input, "the header in " + at_line(line) + " names the column '" +
                                        column +
                                        "' twice, so its values are ambiguous; rename one");
    }
  }
  columns.a = numbered(position, 'a');
  columns.b = numbered(position, 'b');
  const std::string wanted = "; expected are c, a0, a1, … and as many b0, b1, …";
  if (!position.contains("c")) {
    throw Error(Fault::bad_input, "the header in " + at_line(line) + " has no column 'c'" + wanted);
  }
  if (columns.a.empty() || columns.a.size() != columns.b.size()) {
    throw Error(Fault::bad_input, "the header in " + at_line(line) + " has " +
                                      std::to_string(columns.a.size()) + " columns a0, a1, … and " +
                                      std::to_string(columns.b.size()) +
                                      " columns b0, b1, … without a gap" + wanted);
  }
  columns.c = position.at("c");
  // A column a9 after a gap would be an operand that silently takes no part.
  for (const auto& [column, index] : position) {
    const bool operand = column.size() > 1 && (column[0] == 'a' || column[0] == 'b') &&
                         column.find_first_not_of("0123456789", 1) == std::string::npos;
    if (!operand) continue;
    const std::vector<std::size_t>& used = column[0] == 'a' ? columns.a : columns.b;
    if (std::find(used.begin(), used.end(), index) == used.end()) {
      throw Error(Fault::bad_input, "the header in " + at_line(line) + " has a column '" + column +
                                        "' but not all of those before it" + wanted);
    }
  }
  return columns;
}

std::uint32_t bits_of(std::string_view cell, std::int64_t line, const std::string& column) {
  std::string_view digits = bare(cell);
  if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2);
  std::uint32_t bits = 0;
  const auto [end, failure] =
      std::from_chars(digits.data(), digits.data() + digits.size(), bits, 16);
  if (digits.size() != 8 || failure != std::errc() || end != digits.data() + digits.size()) {
    throw Error(Fault::bad_input,
                at_line(line) + ", column '" + column + "': '" + std::string(cell) +
                    "' is no float32 bit pattern; write exactly eight hex digits, such as "
                    "3f800000 for 1");
  }
  return bits;
}

std::string hex(std::uint32_t bits) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 28; shift >= 0; shift -= 4) text.push_back(digits[bits >> shift & 0xfU]);
  return text;
}

std::uint32_t result(std::string_view row, std::int64_t line, const Columns& columns,
                     const TensorCore& core, std::optional<Rounding> rounding) {
  const std::vector<std::string_view> cells = cells_of(row);
  if (cells.size() != columns.names.size()) {
    throw Error(Fault::bad_input, at_line(line) + " has " + std::to_string(cells.size()) +
                                      " cells where the header names " +
                                      std::to_string(columns.names.size()) + " columns");
  }
  const auto operands = [&](const std::vector<std::size_t>& of) {
    std::vector<std::uint32_t> all;
    for (const std::size_t i : of) {
      const std::uint32_t bits = bits_of(cells[i], line, columns.names[i]);
      all.push_back(rounding ? round_to_tf32(bits, *rounding) : bits);
    }
    return all;
  };
  return tensor_core_dot(core, operands(columns.a), operands(columns.b),
                         bits_of(cells[columns.c], line, columns.names[columns.c]));
}

}  // namespace

void run_mma(std::istream& in, std::ostream& out, Arch arch, std::optional<Rounding> rounding) {
  const std::optional<Algorithm> algorithm = tensor_algorithm(arch);
  if (!algorithm) {
    throw Error(Fault::bad_request,
                "the tensor-core model was asked for arch '" + std::string(name(arch)) +
                    "', which has no TF32 tensor core; choose one of " + tensor_core_archs());
  }
  const TensorCore& core = tensor_core(*algorithm);
  std::optional<Columns> columns;
  std::int64_t number = 0;
  for (std::string text; std::getline(in, text);) {
    ++number;
    std::string_view line = text;
    const std::string_view end = line.ends_with('\r') ? "\r\n" : "\n";
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == 1 && line.starts_with(byte_order_mark)) {
      line.remove_prefix(byte_order_mark.size());
      out << byte_order_mark;
    }
    if (line.empty() || line.starts_with('#')) {
      out << line << end;
    } else if (!columns) {
      columns = columns_of(line, number);
      out << line << ",d" << end;
    } else {
      out << line << ',' << hex(result(line, number, *columns, core, rounding)) << end;
    }
  }
  if (!columns) {
    throw Error(Fault::bad_input,
                "the vectors have no header line; expected is one that names c, a0, a1, … "
                "and as many b0, b1, …");
  }
}

}  // namespace parity::cli
