// Writes the sample records' reports: `report_samples golden DIR` the files under
// tests/data/reports, `report_samples pages DIR` one page per sample for the browser test.
#include <cstdio>
#include <fstream>
#include <iostream>

#include "reports/reports.hpp"
#include "tests/reports/sample_record.hpp"

namespace {

void write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string kind = argc == 3 ? argv[1] : "";
  if (kind != "golden" && kind != "pages") {
    std::cerr << "usage: report_samples golden|pages DIR\n";
    return 2;
  }
  const std::string folder = std::string(argv[2]) + "/";
  const std::pair<const char*, parity::RunRecord> records[] = {
      {"clean_tf32", parity::samples::clean_tf32()},
      {"identical", parity::samples::identical()},
      {"diverged", parity::samples::diverged()},
      {"untrusted", parity::samples::untrusted()},
      {"single", parity::samples::single()}};
  for (const auto& [name, record] : records) {
    if (kind == "pages") {
      write(folder + name + ".html", write_html(record));
      continue;
    }
    write(folder + name + ".txt", write_text(record));
    write(folder + name + ".xml", write_junit(record));
  }
  if (kind == "pages") write(folder + "large.html", write_html(parity::samples::large()));
  return 0;
} catch (const std::exception& failure) {
  std::cerr << failure.what() << "\n";
  return 1;
}
