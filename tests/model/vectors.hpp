#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace parity {

using Row = std::map<std::string, std::string>;

inline std::vector<std::string> cells(const std::string& line, char separator) {
  std::vector<std::string> all;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, separator);) all.push_back(cell);
  return all;
}

/// A file of tests/data/tensor_core by its header; lines that start with # are comments.
inline std::vector<Row> rows_of(const std::string& file) {
  std::ifstream stream(std::string(PARITYLAB_SOURCE) + "/tests/data/tensor_core/" + file);
  std::vector<std::string> header;
  std::vector<Row> rows;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with('#')) continue;
    const std::vector<std::string> values = cells(line, ',');
    if (header.empty()) {
      header = values;
      continue;
    }
    Row row;
    for (std::size_t i = 0; i < header.size(); ++i) row[header[i]] = values.at(i);
    rows.push_back(row);
  }
  return rows;
}

inline std::uint32_t hex(const std::string& text) {
  return static_cast<std::uint32_t>(std::stoul(text, nullptr, 16));
}

}  // namespace parity
