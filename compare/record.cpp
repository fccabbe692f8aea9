#include "compare/record.hpp"

#include <algorithm>
#include <array>

namespace parity {
namespace {

constexpr std::array<std::string_view, 5> verdict_names = {"same_bits", "within_bound", "diverged",
                                                           "untrusted", "not_run"};
constexpr std::array<std::string_view, 4> blame_names = {"nobody", "a", "b", "pair"};
constexpr std::array<std::string_view, 3> proof_names = {"bits", "bound", "pattern"};

template <class E, std::size_t count>
std::optional<E> named(const std::array<std::string_view, count>& names, std::string_view text) {
  for (std::size_t i = 0; i < count; ++i)
    if (names[i] == text) return static_cast<E>(i);
  return std::nullopt;
}

}  // namespace

std::optional<double> largest_share_of_bound(const StageResult& stage) {
  if (stage.verdict == Verdict::untrusted || stage.verdict == Verdict::not_run) return std::nullopt;
  const bool differs = stage.introduced && stage.introduced->differing > 0;
  if (!differs && stage.verdict != Verdict::diverged) return 0;
  std::optional<double> largest;
  const auto take = [&](double share) { largest = std::max(largest.value_or(0), share); };
  if (stage.introduced && stage.introduced->judged) take(stage.introduced->worst_share);
  if (stage.exact_a) take(stage.exact_a->worst_share);
  if (stage.exact_b) take(stage.exact_b->worst_share);
  return largest;
}

std::string_view name(Verdict verdict) { return verdict_names[static_cast<std::size_t>(verdict)]; }
std::optional<Verdict> verdict_named(std::string_view text) {
  return named<Verdict>(verdict_names, text);
}
std::string_view name(Blame blame) { return blame_names[static_cast<std::size_t>(blame)]; }
std::optional<Blame> blame_named(std::string_view text) { return named<Blame>(blame_names, text); }

std::string_view name(Proof proof) { return proof_names[static_cast<std::size_t>(proof)]; }
std::optional<Proof> proof_named(std::string_view text) { return named<Proof>(proof_names, text); }

}  // namespace parity
