#include "compare/sweep_record.hpp"

#include <charconv>
#include <iterator>
#include <numeric>

#include "compare/record.hpp"

namespace parity {

std::int64_t stages_of(const SweepPoint& point) {
  return std::accumulate(std::begin(point.counts), std::end(point.counts), std::int64_t{0});
}

std::int64_t unjudged_of(const SweepPoint& point) {
  return point.counts[static_cast<std::size_t>(Verdict::untrusted)] +
         point.counts[static_cast<std::size_t>(Verdict::not_run)];
}

bool is_size(const SweepAxis& axis) {
  long long last = -1;
  for (const std::string& value : axis.values) {
    long long size = 0;
    const char* const end = value.data() + value.size();
    const auto [stopped, fault] = std::from_chars(value.data(), end, size);
    if (fault != std::errc() || stopped != end || size <= last) return false;
    last = size;
  }
  return true;
}

std::string setting_text(const std::vector<SweepAxis>& axes, const std::vector<std::size_t>& at,
                         std::size_t without) {
  std::string text;
  for (std::size_t k = 0; k < axes.size(); ++k)
    if (k != without)
      text += (text.empty() ? "" : " ") + axes[k].name + "=" + axes[k].values[at[k]];
  return text;
}

std::vector<std::vector<std::size_t>> combinations(const std::vector<SweepAxis>& axes) {
  std::vector<std::vector<std::size_t>> all = {{}};
  for (const SweepAxis& axis : axes) {
    std::vector<std::vector<std::size_t>> longer;
    for (const auto& each : all)
      for (std::size_t value = 0; value < axis.values.size(); ++value) {
        longer.push_back(each);
        longer.back().push_back(value);
      }
    all = std::move(longer);
  }
  return all;
}

}  // namespace parity
