#include "model/nearest.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>

#include "model/text.hpp"

namespace parity {
namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

/// Optimal string alignment distance, upper and lower case alike.
std::size_t edits(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  // distance[i * width + j]: edits between the first i characters of a and the first j of b
  std::vector<std::size_t> distance((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i) distance[i * width] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) distance[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      std::size_t best =
          std::min({distance[(i - 1) * width + j] + 1, distance[i * width + j - 1] + 1,
                    distance[(i - 1) * width + j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1]))
        best = std::min(best, distance[(i - 2) * width + j - 2] + 1);
      distance[i * width + j] = best;
    }
  return distance.back();
}

}  // namespace

std::string nearest(std::string_view text, std::span<const std::string> candidates) {
  // Names from a file can be long; nobody mistypes beyond this, and the table stays small.
  constexpr std::size_t longest = 256;
  if (text.size() > longest) return {};
  const std::string* best = nullptr;
  std::size_t fewest = 0;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > longest) continue;
    const std::size_t count = edits(text, candidate);
    if (count > std::max<std::size_t>(1, candidate.size() / 3)) continue;
    if (best == nullptr || count < fewest) {
      best = &candidate;
      fewest = count;
    }
  }
  return best == nullptr ? std::string() : *best;
}

std::string did_you_mean(std::string_view text, std::span<const std::string> candidates) {
  const std::string name = nearest(text, candidates);
  return name.empty() ? std::string() : "; did you mean " + shown(name) + "?";
}

std::string listed(std::span<const std::string> names, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) {
    if (i > 0) text += ", ";
    text += shown(names[i]);
  }
  if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
  return text;
}

}  // namespace parity
