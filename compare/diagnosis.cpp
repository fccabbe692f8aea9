#include "compare/diagnosis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "compare/misread.hpp"
#include "compare/recurrence.hpp"
#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/arithmetic/half.hpp"
#include "model/ops.hpp"
#include "model/plan.hpp"

namespace parity {
namespace {

/// A stage above this is looked at by elements before it is computed whole.
constexpr std::int64_t large_macs = 50'000'000;
/// A counterfactual explains a difference when at most this part of its energy is left.
constexpr double left_of_explained = 0.01;
constexpr std::size_t most_diagnoses = 3;
/// What roundings alone move an element by: the sum's and one each of bias, scale and activation. A
/// change of weights is seldom as small.
constexpr std::int64_t few_ulp = 4;

bool same(double x, double y) { return canonical_bits(x) == canonical_bits(y); }

std::string percent_of(double part, double whole) {
  return fmt::format("{:.3g} %", whole > 0 ? 100 * part / whole : 0.0);
}

/// The two tensors and where they differ.
class Picture {
 public:
  explicit Picture(const Suspicion& of)
      : shape(of.reference.shape()),
        r(widened(of.reference)),
        s(widened(of.suspect)),
        tolerance(of.tolerance) {
    differs.resize(r.size());
    for (std::size_t i = 0; i < r.size(); ++i) {
      const bool alike =
          same(r[i], s[i]) || (!of.tolerance.empty() && std::fabs(s[i] - r[i]) <= of.tolerance[i]);
      differs[i] = !alike;
      count += !alike;
      if (alike) continue;
      if (std::isfinite(r[i]) && std::isfinite(s[i]))
        energy += (s[i] - r[i]) * (s[i] - r[i]);
      else
        ++not_finite;
    }
  }

  std::int64_t size() const { return static_cast<std::int64_t>(r.size()); }
  std::int64_t channels() const { return shape.size() >= 2 ? shape[1] : 1; }
  std::int64_t space() const {
    return shape.size() >= 2 ? element_count(shape, 2, shape.size()) : size();
  }
  std::int64_t channel_of(std::int64_t i) const { return i / space() % channels(); }
  std::int64_t width() const { return shape.empty() ? 1 : shape.back(); }
  std::int64_t height() const { return shape.size() >= 2 ? shape[shape.size() - 2] : 1; }

  /// What is left of the difference's energy beside `predicted`: 0 all explained, 1 or more nothing.
  double left(std::span<const double> predicted) const {
    double rest = 0;
    for (std::size_t i = 0; i < s.size(); ++i) {
      if (!differs[i] || same(predicted[i], s[i])) continue;
      const double d = s[i] - predicted[i];
      if (!std::isfinite(d)) return 1;
      rest += d * d;
    }
    if (not_finite > 0) return energy > 0 ? rest / energy : rest > 0 ? 1 : 0;
    return energy > 0 ? rest / energy : 1;
  }
  /// Whether an element of the suspect is the reference's at `from`, as far as correct arithmetic can
  /// tell.
  bool holds(std::size_t to, std::size_t from) const {
    return same(s[to], r[from]) ||
           (!tolerance.empty() && std::fabs(s[to] - r[from]) <= tolerance[from]);
  }
  /// Whether every element of the suspect is the reference's element at source(i), as far as correct
  /// arithmetic can tell; then that must explain the difference too, for a tolerance as wide as the
  /// values lets any element have come from anywhere.
  template <class Source>
  bool came_from(Source source) const {
    double rest = 0;
    for (std::int64_t i = 0; i < size(); ++i) {
      const auto from = static_cast<std::size_t>(source(i));
      const auto to = static_cast<std::size_t>(i);
      if (!holds(to, from)) return false;
      if (!same(s[to], r[from])) rest += (s[to] - r[from]) * (s[to] - r[from]);
    }
    return rest <= left_of_explained * energy;
  }
  bool reproduced(std::span<const double> predicted) const {
    for (std::size_t i = 0; i < s.size(); ++i)
      if (!same(predicted[i], s[i])) return false;
    return true;
  }

  Shape shape;
  std::vector<double> r, s;
  std::span<const double> tolerance;
  std::vector<std::uint8_t> differs;
  std::int64_t count = 0, not_finite = 0;
  double energy = 0;
};

std::vector<std::int64_t> index_in(std::int64_t flat, const Shape& shape) {
  std::vector<std::int64_t> at(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    at[axis] = flat % shape[axis];
    flat /= shape[axis];
  }
  return at;
}

/// The corners of the box around the worst elements.
void add_box(const Picture& p, Diagnosis& diagnosis) {
  const auto size_at = [&](std::size_t i) {
    const double d = std::fabs(p.s[i] - p.r[i]);
    return std::isfinite(d) ? d : std::numeric_limits<double>::infinity();
  };
  double largest = 0;
  for (std::size_t i = 0; i < p.r.size(); ++i)
    if (p.differs[i]) largest = std::max(largest, size_at(i));
  for (std::int64_t i = 0; i < p.size(); ++i) {
    const auto u = static_cast<std::size_t>(i);
    if (!p.differs[u] || size_at(u) < largest / 2) continue;
    const std::vector<std::int64_t> at = index_in(i, p.shape);
    if (diagnosis.box_first.empty()) diagnosis.box_first = diagnosis.box_last = at;
    for (std::size_t axis = 0; axis < at.size(); ++axis) {
      diagnosis.box_first[axis] = std::min(diagnosis.box_first[axis], at[axis]);
      diagnosis.box_last[axis] = std::max(diagnosis.box_last[axis], at[axis]);
    }
  }
}

Diagnosis named_as(Bug bug, Proof proof, double confidence, std::string evidence) {
  Diagnosis diagnosis;
  diagnosis.label = name(bug);
  diagnosis.proof = proof;
  diagnosis.confidence = confidence;
  diagnosis.evidence = std::move(evidence);
  return diagnosis;
}
Diagnosis shaped_as(std::string label, double confidence, std::string evidence) {
  Diagnosis diagnosis;
  diagnosis.label = std::move(label);
  diagnosis.confidence = confidence;
  diagnosis.evidence = std::move(evidence);
  return diagnosis;
}

class Examination {
 public:
  explicit Examination(const Suspicion& of)
      : of_(of), p_(of), seat_{of.planned, of.runner, of.inputs, of.execution} {}

  std::vector<Diagnosis> run() {
    if (p_.count == 0 || p_.size() == 0) return {};
    if (!repeats()) return finished();
    if (whole_output() || one_element() || stale_row() || repeated_item() || overflow())
      return finished();
    if (counterfactuals()) {
      // Another order for this batch only is more than another order.
      if (found_.back().label == name(Bug::order_changed)) batch();
      return finished();
    }
    if (proved() || begins_elsewhere() || moved_channels()) return finished();
    fits();
    regions();
    if (!likely()) batch();
    if (!likely()) shapes();
    return finished();
  }

 private:
  std::vector<Diagnosis> finished() {
    std::stable_sort(found_.begin(), found_.end(), [](const Diagnosis& x, const Diagnosis& y) {
      const bool pattern_x = x.proof == Proof::pattern, pattern_y = y.proof == Proof::pattern;
      if ((x.proof == Proof::bits) != (y.proof == Proof::bits)) return x.proof == Proof::bits;
      if (pattern_x != pattern_y) return pattern_y;
      return x.confidence > y.confidence;
    });
    std::set<std::string> told;  // a fault with another amount is the same fault
    std::erase_if(found_, [&](const Diagnosis& each) { return !told.insert(each.label).second; });
    if (found_.size() > most_diagnoses) found_.resize(most_diagnoses);
    for (Diagnosis& diagnosis : found_) add_box(p_, diagnosis);
    return std::move(found_);
  }

  bool proved() const {
    return std::any_of(found_.begin(), found_.end(),
                       [](const Diagnosis& each) { return each.proof != Proof::pattern; });
  }
  bool likely() const {
    return std::any_of(found_.begin(), found_.end(),
                       [](const Diagnosis& each) { return each.confidence > 0.5; });
  }

  std::string elements(std::int64_t count) const {
    return fmt::format("{} of {} elements", count, p_.size());
  }

  // ---- What the suspect does when it is asked again.

  /// False when it gives other bits than before.
  bool repeats() {
    if (!of_.again) return true;
    const std::vector<double> second = widened(of_.again(of_.planned, of_.inputs));
    std::int64_t changed = 0;
    for (std::size_t i = 0; i < second.size(); ++i) changed += !same(second[i], p_.s[i]);
    if (changed == 0) return true;
    found_.push_back(named_as(
        Bug::run_to_run, Proof::bits, 1,
        fmt::format("run again on the same input, {} has other bits at {}, so what it computes "
                    "depends on more than its input: atomics, a race, or an algorithm chosen anew",
                    of_.who, elements(changed))));
    return false;
  }

  /// The first item alone.
  void batch() {
    const Stage& stage = of_.planned.stage;
    const std::int64_t N = batch_items(stage);
    if (!of_.again || stage.inputs.size() != 1 || N < 2) return;
    PlannedStage single = of_.planned;
    single.stage.input_types[0].shape[0] = single.stage.output_types[0].shape[0] = 1;
    const std::vector<OperandTypes> types = step_operand_types(single.stage);
    const Tensor x = of_.runner.download(of_.inputs[0], of_.execution);
    const std::vector<double> all = widened(x);
    TensorType one = x.type();
    one.shape[0] = 1;
    const Value item = of_.runner.upload(
        narrowed(one, std::span(all).first(static_cast<std::size_t>(element_count(one.shape)))),
        of_.execution);
    const std::vector<double> alone = widened(of_.again(single, {&item, 1}));
    std::int64_t changed = 0, right = 0;
    for (std::size_t i = 0; i < alone.size(); ++i) {
      changed += !same(alone[i], p_.s[i]);
      right += same(alone[i], p_.r[i]);
    }
    if (changed == 0 || right < static_cast<std::int64_t>(alone.size())) return;
    found_.insert(found_.begin(),
                  named_as(Bug::batch_dependent, Proof::bits, 1,
                           fmt::format("given the first of {} items alone, {} agrees with the "
                                       "reference bit for bit; among the others {} of the item's "
                                       "{} elements have other bits",
                                       N, of_.who, changed, alone.size())));
  }

  // ---- What can be read off the output.

  bool whole_output() {
    for (std::size_t i = 0; i < of_.inputs.size(); ++i) {
      if (of_.inputs[i].shape() != p_.shape) continue;
      if (!p_.reproduced(widened(of_.runner.download(of_.inputs[i], of_.execution)))) continue;
      // Of two operands, the other one was left out.
      if (of_.inputs.size() > 1) break;
      found_.push_back(named_as(Bug::input_returned, Proof::bits, 1,
                                fmt::format("{} has the bits of its input '{}'", of_.who,
                                            of_.planned.stage.input_names[i])));
      return true;
    }
    std::int64_t lost = 0, others = 0;
    for (std::size_t i = 0; i < p_.r.size(); ++i)
      if (p_.differs[i]) (std::isnan(p_.r[i]) && !std::isnan(p_.s[i]) ? lost : others) += 1;
    if (lost > 0 && others == 0) {
      found_.push_back(named_as(
          Bug::nan_swallowed, Proof::bits, 1,
          fmt::format("{} is a number at all {} that are NaN in the reference and has its bits "
                      "elsewhere: a comparison took the other operand",
                      of_.who, elements(lost))));
      return true;
    }
    const bool flat =
        std::all_of(p_.s.begin(), p_.s.end(), [&](double y) { return same(y, p_.s[0]); });
    if (flat && p_.size() > 1) {
      const bool zero = p_.s[0] == 0;
      // A bound that cuts off everything, or a softmax of one element, leaves one value, too; but
      // zeros are what many misreadings give, and rather nothing at all.
      const Misreading& flush = *misreading_of(Bug::subnormals_flushed);
      if (!zero && counterfactuals()) return true;
      if (zero && !large() && flush.applies(of_.planned) && consider(flush, 1, seat_)) return true;
      if (zero) reproduces(*misreading_of(Bug::constants_misread));
      found_.push_back(named_as(
          zero ? Bug::output_zeroed : Bug::output_constant, Proof::bits, 1,
          zero ? fmt::format("all {} elements of {} are zero: nothing was written", p_.size(),
                             of_.who)
               : fmt::format("all {} elements of {} are {}", p_.size(), of_.who, p_.s[0])));
      return true;
    }
    return false;
  }

  /// The one bit whose flip turns the suspect's element into the reference's; 0: none above the
  /// lowest, whose flip is a bump of one ULP. Where arithmetic may differ, the highest that does.
  int flipped_bit(std::size_t i, std::uint64_t r, std::uint64_t s, bool wide) const {
    // A flipped exponent bit makes any value tiny: beside a zero that shows nothing.
    if (of_.tolerance.empty() || p_.r[i] == 0)
      return std::has_single_bit(r ^ s) ? std::countr_zero(r ^ s) : 0;
    for (int bit = wide ? 63 : 31; bit > 0; --bit) {
      const std::uint64_t back = s ^ (std::uint64_t{1} << bit);
      const double y =
          wide ? double_of(back) : static_cast<double>(float_of(static_cast<std::uint32_t>(back)));
      if (std::fabs(y - p_.r[i]) <= of_.tolerance[i]) return bit;
    }
    return 0;
  }

  /// The axes along which a stage has weights, a scale or a bias of its own per index: the features
  /// of a product stand last, channels second.
  std::vector<std::size_t> channel_axes() const {
    const std::size_t rank = p_.shape.size();
    std::vector<std::size_t> axes;
    const bool product = std::holds_alternative<MatMul>(*of_.planned.stage.steps.front().op);
    if (product && rank > 0 && rank != 2) axes.push_back(rank - 1);
    if (rank >= 2) axes.push_back(1);
    return axes;
  }
  std::int64_t index_along(std::size_t axis, std::int64_t i) const {
    return i / element_count(p_.shape, axis + 1, p_.shape.size()) % p_.shape[axis];
  }
  bool has_parameters() const {
    const std::vector<Step>& steps = of_.planned.stage.steps;
    return std::any_of(steps.begin(), steps.end(), [](const Step& step) {
      return std::any_of(step.parameters.begin(), step.parameters.end(),
                         [](const auto& parameter) { return parameter != nullptr; });
    });
  }

  /// Where one element alone differs: notes that its channel has another scale, when all that the
  /// channel holds besides would be as it is.
  bool whole_channel(std::size_t at) {
    if (!has_parameters() || p_.r[at] == 0) return false;
    const double factor = p_.s[at] / p_.r[at];
    for (const std::size_t axis : channel_axes()) {
      if (p_.shape[axis] < 2) continue;
      const std::int64_t c = index_along(axis, static_cast<std::int64_t>(at));
      bool consistent = true;
      for (std::int64_t i = 0; i < p_.size() && consistent; ++i) {
        const auto u = static_cast<std::size_t>(i);
        if (u == at || index_along(axis, i) != c) continue;
        consistent =
            (p_.r[u] == 0 && p_.s[u] == 0) ||
            (!of_.tolerance.empty() && std::fabs(factor * p_.r[u] - p_.s[u]) <= of_.tolerance[u]);
      }
      if (!consistent) continue;
      found_.push_back(named_as(
          Bug::channel_scaled, Proof::pattern, 1,
          fmt::format("one of {} elements differs, and it is all by which channel {} of {} shows "
                      "itself: by the factor {:.8g}, as other weights, another scale or bias of "
                      "that channel make it",
                      p_.size(), c, p_.shape[axis], factor)));
      return true;
    }
    return false;
  }

  bool one_element() {
    if (p_.count != 1) return false;
    const std::size_t i = static_cast<std::size_t>(
        std::find(p_.differs.begin(), p_.differs.end(), 1) - p_.differs.begin());
    const bool wide = of_.suspect.type().type == Type::float64;
    const auto stored = [&](double value) -> std::uint64_t {
      return wide ? bits_of(value) : bits_of(static_cast<float>(value));
    };
    const std::uint64_t r = stored(p_.r[i]), s = stored(p_.s[i]);
    const int bit = flipped_bit(i, r, s, wide);
    if (bit > 0) {
      const int width = wide ? 64 : 32, exponent = wide ? 52 : 23;
      found_.push_back(
          named_as(Bug::bit_flipped, moved(), 1,
                   fmt::format("one of {} elements differs, in bit {} ({}): {:#x} became {:#x}",
                               p_.size(), bit,
                               bit == width - 1  ? "the sign"
                               : bit >= exponent ? "of the exponent"
                                                 : "of the significand",
                               r, s)));
      return true;
    }
    // Another channel's very bits are no chance; among many within a tolerance one is soon near.
    if (of_.tolerance.empty() && moved_channels()) return true;
    if (!std::isfinite(p_.r[i]) || !std::isfinite(p_.s[i])) return false;  // no distance to name
    const auto ulp = static_cast<std::int64_t>(s - r);
    const bool far = ulp > few_ulp || ulp < -few_ulp;
    const bool channel = far && whole_channel(i);
    // What another fault explains as well is not proved.
    const bool certain = of_.tolerance.empty() && !channel;
    found_.push_back(named_as(
        far ? Bug::element_moved : Bug::ulp_bumped, certain ? Proof::bits : Proof::pattern, 1,
        fmt::format("one of {} elements differs, by {} ULP{}: {} became {}", p_.size(), ulp,
                    far ? ", more than roundings make" : "", p_.r[i], p_.s[i])));
    return true;
  }

  // ---- Elements that stand where others should.

  Proof moved() const { return of_.tolerance.empty() ? Proof::bits : Proof::bound; }

  /// Whole items of the batch that hold what another, right one holds.
  bool repeated_item() {
    const std::int64_t N = batch_items(of_.planned.stage);
    if (N < 2) return false;
    const std::int64_t each = p_.size() / N;
    if (each < 4) return false;
    std::set<std::int64_t> wrong;
    for (std::int64_t i = 0; i < p_.size(); ++i)
      if (p_.differs[static_cast<std::size_t>(i)]) wrong.insert(i / each);
    const auto has_values_of = [&](std::int64_t to, std::int64_t from) {
      for (std::int64_t i = 0; i < each; ++i)
        if (!p_.holds(static_cast<std::size_t>(to * each + i),
                      static_cast<std::size_t>(from * each + i)))
          return false;
      return true;
    };
    std::map<std::int64_t, std::int64_t> from;
    for (const std::int64_t item : wrong) {
      std::int64_t other = 0;
      while (other < N && (wrong.contains(other) || !has_values_of(item, other))) ++other;
      if (other == N) return false;
      from[item] = other;
    }
    // Several from the first on, at the end: an index that wrapped.
    const auto& [first, its_source] = *from.begin();
    const bool wrapped = std::all_of(
        from.begin(), from.end(),
        [&, begin = first](const auto& pair) { return pair.second == pair.first - begin; });
    if (from.size() > 1 && wrapped && from.rbegin()->first == N - 1) return false;
    const auto source = [&](std::int64_t i) {
      const auto found = from.find(i / each);
      return found == from.end() ? i : found->second * each + i % each;
    };
    if (!p_.came_from(source)) return false;
    found_.push_back(
        named_as(Bug::batch_item_repeated, moved(), 1,
                 fmt::format("{} of {} items of the batch {} another one's values{}: item {} of {} "
                             "is item {}",
                             from.size(), N, from.size() == 1 ? "holds" : "hold",
                             of_.tolerance.empty() ? ", bit for bit" : " within the bound", first,
                             of_.who, its_source)));
    return true;
  }

  bool overflow() {
    const auto first = static_cast<std::int64_t>(
        std::find(p_.differs.begin(), p_.differs.end(), 1) - p_.differs.begin());
    // The suffix begins at or shortly before the first difference, where elements may agree by chance.
    for (std::int64_t limit = first; limit > std::max<std::int64_t>(first - 64, p_.size() / 4);
         --limit) {
      const std::int64_t rest = p_.size() - limit;
      if (rest < 4 || rest > limit) continue;
      if (!p_.came_from([&](std::int64_t i) { return i < limit ? i : i - limit; })) continue;
      // The last channel holding the first one is called so by moved_channels().
      if (rest == p_.space() && p_.size() == p_.channels() * p_.space()) return false;
      found_.push_back(named_as(
          Bug::index_overflow, moved(), 1,
          fmt::format("from element {} on, {} holds its own beginning again: an index wrapped",
                      limit, of_.who)));
      return true;
    }
    return false;
  }

  bool stale_row() {
    const std::int64_t H = p_.height(), W = p_.width();
    if (H < 2) return false;
    std::set<std::int64_t> rows;
    for (std::int64_t i = 0; i < p_.size(); ++i)
      if (p_.differs[static_cast<std::size_t>(i)]) rows.insert(i / W % H);
    if (rows.empty() || static_cast<std::int64_t>(rows.size()) > H / 2) return false;
    // The nearest row above that was written.
    const auto source = [&](std::int64_t i) {
      while (i / W % H > 0 && rows.contains(i / W % H)) i -= W;
      return i;
    };
    if (!p_.came_from(source)) return false;
    found_.push_back(
        named_as(Bug::stale_buffer, moved(), 1,
                 fmt::format("row {} of {} has the bits of the row before it: it was not written",
                             *rows.begin(), of_.who)));
    // Of rank 2 a row may be an item of the batch: then nothing tells the two apart.
    if (p_.shape.size() == 2) repeated_item();
    return true;
  }

  /// Each wrong channel that has the bits of another channel of the reference.
  bool moved_channels() {
    const std::int64_t C = p_.channels(), P = p_.space(),
                       N = p_.size() / std::max<std::int64_t>(1, C * P);
    if (C < 2) return false;
    const auto equal = [&](std::int64_t to, std::int64_t from) {
      for (std::int64_t n = 0; n < N; ++n)
        for (std::int64_t i = 0; i < P; ++i) {
          const auto at = static_cast<std::size_t>((n * C + to) * P + i);
          const auto source = static_cast<std::size_t>((n * C + from) * P + i);
          if (!p_.holds(at, source)) return false;
        }
      return true;
    };
    std::map<std::int64_t, std::int64_t> from;
    for (std::int64_t c = 0; c < C; ++c) {
      if (equal(c, c)) continue;
      std::int64_t other = 0;
      while (other < C && (other == c || !equal(c, other))) ++other;
      if (other == C) return false;
      from[c] = other;
    }
    if (from.empty()) return false;
    const auto moved_from = [&](std::int64_t i) {
      const auto found = from.find(i / P % C);
      return found == from.end() ? i : i + (found->second - found->first) * P;
    };
    if (!p_.came_from(moved_from)) return false;
    const char* const how = of_.tolerance.empty() ? "bit for bit" : "within the bound";
    const auto& [to, source] = *from.begin();
    if (from.size() == 1) {
      found_.push_back(named_as(
          Bug::channel_replaced, moved(), 1,
          of_.tolerance.empty()
              ? fmt::format("channel {} of {} has the bits of channel {}", to, of_.who, source)
              : fmt::format("channel {} of {} is channel {} within the bound", to, of_.who,
                            source)));
    } else {
      found_.push_back(named_as(
          Bug::channels_permuted, moved(), 1,
          fmt::format("{} of {} channels stand in another place, {}: channel {} of {} is the "
                      "reference's channel {}",
                      from.size(), C, how, to, of_.who, source)));
    }
    return true;
  }

  // ---- The stage as a faulty backend would compute it.

  std::vector<double> predicted(const Misread& misread) const {
    std::vector<double> y = widened(
        of_.runner.download(run_misread(seat_, misread, Reading::values)[0], of_.execution));
    if (of_.recorded_in_half)
      for (double& value : y) value = static_cast<double>(round_to_half(static_cast<float>(value)));
    return y;
  }

  /// Whether what differs lies within what the suspect's arithmetic allows around `predicted`.
  bool within_bound(const Misread& misread, std::span<const double> predicted) const {
    if (of_.allowance.coefficient == 0) return false;
    const std::vector<double> m = widened(
        of_.runner.download(run_misread(seat_, misread, Reading::magnitudes)[0], of_.execution));
    for (std::size_t i = 0; i < predicted.size(); ++i) {
      if (same(predicted[i], p_.s[i])) continue;
      if (!(std::fabs(p_.s[i] - predicted[i]) <=
            of_.allowance.coefficient * m[i] + of_.allowance.underflow))
        return false;
    }
    return true;
  }

  /// Notes the misreading when it explains the suspect; true when it does so to the bit.
  bool consider(const Misreading& row, double amount, const Seat& seat) {
    const Misread misread = row.make(seat, amount);
    if (large() && !plausible(misread)) return false;
    const std::vector<double> y = predicted(misread);
    if (y.size() != p_.s.size()) return false;
    const std::string head = fmt::format("computed so that {}{}, the stage ", row.means,
                                         row.says ? row.says(seat.planned, amount) : std::string());
    if (p_.reproduced(y)) {
      found_.push_back(named_as(
          row.bug, Proof::bits, 1,
          head + fmt::format("gives {} bit for bit ({} differed)", of_.who, elements(p_.count))));
      return true;
    }
    const double left = p_.left(y);
    if (left > left_of_explained) return false;
    const double explained = 1 - left;
    if (within_bound(misread, y)) {
      found_.push_back(
          named_as(row.bug, Proof::bound, explained,
                   head + fmt::format("gives {} within the bound of its arithmetic, and {} of the "
                                      "difference's energy vanishes",
                                      of_.who, percent_of(explained, 1))));
    } else {
      found_.push_back(named_as(row.bug, Proof::pattern, explained,
                                head + fmt::format("takes away {} of the difference's energy",
                                                   percent_of(explained, 1))));
    }
    return false;
  }

  /// A GRU that goes on as it should, but from another state than it was given: what it made of its first
  /// step, taken as the state, gives all the other steps, in each direction.
  bool begins_elsewhere() {
    const Stage& stage = of_.planned.stage;
    const auto* layer = std::get_if<Recurrent>(stage.steps.front().op.get());
    if (layer == nullptr || layer->cell != Recurrent::Cell::gru || layer->outputs.front() != 0 ||
        !layer->lengths.empty() || of_.recorded_in_half || of_.suspect.type().type != Type::float32)
      return false;
    const Shape& x_shape = stage.input_types[0].shape;
    const Step& head = stage.steps.front();
    const RecurrentExtents all =
        extents(*layer, x_shape, head.parameters[recurrent_parameter::recurrence]->shape());
    if (all.T < 2) return false;
    const auto places =
        places_in_output(of_.runner, of_.execution, of_.planned,
                         layer->infer(step_operand_types(stage).front()).front().shape);
    if (!places || static_cast<std::int64_t>(places->size()) != p_.size()) return false;
    // Where each element of Y stands in the output.
    std::vector<std::size_t> at(places->size());
    for (std::size_t k = 0; k < at.size(); ++k) at[(*places)[k]] = k;

    const Tensor x = of_.runner.download(of_.inputs[0], of_.execution);
    const std::vector<double> steps = widened(x);
    TensorType later = x.type();
    later.shape[layer->axes == Recurrent::Axes::time_first ? 0 : 1] = all.T - 1;
    RecurrentExtents rest = all;
    rest.T = all.T - 1;
    rest.D = 1;
    bool bits = true, bound = of_.allowance.coefficient > 0, elsewhere = false;
    double left = 0, energy = 0;
    for (std::int64_t d = 0; d < all.D; ++d) {
      const std::int64_t begun = step_of(*layer, all, d, 0, 0), skipped = begun == 0 ? 1 : 0;
      std::vector<double> state(static_cast<std::size_t>(all.N * all.H));
      std::vector<double> later_steps(static_cast<std::size_t>(element_count(later.shape)));
      for (std::int64_t n = 0; n < all.N; ++n) {
        for (std::int64_t i = 0; i < all.H; ++i) {
          const std::size_t k = at[static_cast<std::size_t>(all.y_row(begun, d, n) * all.H + i)];
          state[static_cast<std::size_t>(n * all.H + i)] = p_.s[k];
          elsewhere = elsewhere || p_.differs[k] != 0;
        }
        for (std::int64_t t = 0; t < rest.T; ++t)
          for (std::int64_t i = 0; i < all.I; ++i)
            later_steps[static_cast<std::size_t>(rest.x_row(t, n) * all.I + i)] =
                steps[static_cast<std::size_t>(all.x_row(t + skipped, n) * all.I + i)];
      }
      const Shape of_state = layer->axes == Recurrent::Axes::time_first ? Shape{1, all.N, all.H}
                                                                        : Shape{all.N, 1, all.H};
      const PlannedStage from_there =
          one_direction(of_.planned, d, later, narrowed({Type::float32, of_state}, state));
      const Value given = of_.runner.upload(narrowed(later, later_steps), of_.execution);
      const auto run = [&](Reading reading) {
        return widened(of_.runner.download(
            of_.runner.run(from_there, {&given, 1}, reading, of_.execution).front(),
            of_.execution));
      };
      const std::vector<double> y = run(Reading::values), m = run(Reading::magnitudes);
      of_.runner.forget(from_there);
      for (std::int64_t t = 0; t < rest.T; ++t)
        for (std::int64_t n = 0; n < all.N; ++n)
          for (std::int64_t i = 0; i < all.H; ++i) {
            const auto mine = static_cast<std::size_t>(rest.y_row(t, 0, n) * all.H + i);
            const std::size_t k =
                at[static_cast<std::size_t>(all.y_row(t + skipped, d, n) * all.H + i)];
            const double distance = p_.s[k] - y[mine], off = p_.s[k] - p_.r[k];
            bits = bits && same(p_.s[k], y[mine]);
            bound = bound && std::fabs(distance) <=
                                 of_.allowance.coefficient * m[mine] + of_.allowance.underflow;
            left += distance * distance;
            energy += off * off;
          }
    }
    if (!elsewhere || !(energy > 0) || !(left <= left_of_explained * energy)) return false;
    Diagnosis diagnosis = shaped_as(
        "other_initial_state", 1 - left / energy,
        fmt::format(
            "from what {} made of its first step on, all other steps follow as they should{}: "
            "it began in another state than it was given",
            of_.who, bits ? ", bit for bit" : ""));
    diagnosis.proof = bits ? Proof::bits : bound ? Proof::bound : Proof::pattern;
    found_.push_back(std::move(diagnosis));
    return true;
  }

  bool counterfactuals() {
    // A float16 has as many bits as an operand of TF32, and where the result was rounded to float16
    // too, both often have its bits: the simpler story comes first.
    if (of_.recorded_in_half && reproduces(*misreading_of(Bug::half_operands))) return true;
    return std::any_of(misreadings().begin(), misreadings().end(),
                       [&](const Misreading& row) { return reproduces(row); });
  }
  bool reproduces(const Misreading& row) {
    for (const PlannedStage* planned : {&of_.planned, of_.folded}) {
      if (planned == nullptr || !row.applies(*planned)) continue;
      const Seat seat{*planned, of_.runner, of_.inputs, of_.execution};
      if (row.bug == Bug::operand_truncated) {
        if (truncated_operands(row, seat)) return true;
        continue;
      }
      for (const double amount : row.amounts(*planned))
        if (consider(row, amount, seat)) return true;
    }
    return false;
  }

  /// Only the widths near what the size of the difference suggests: cutting at m bits moves an
  /// operand by about 2^-m of itself.
  bool truncated_operands(const Misreading& row, const Seat& seat) {
    double norm = 0;
    for (std::size_t i = 0; i < p_.r.size(); ++i)
      if (std::isfinite(p_.r[i])) norm += p_.r[i] * p_.r[i];
    if (!(norm > 0) || !(p_.energy > 0) || p_.not_finite > 0) return false;
    const double bits = -0.5 * std::log2(p_.energy / norm);
    for (const double amount : row.amounts(seat.planned))
      if (std::fabs(amount - bits) <= 4 && consider(row, amount, seat)) return true;
    return false;
  }

  /// A recurrent layer's elements cannot be computed alone: a look at a few costs more than the whole.
  bool large() const {
    return of_.planned.stage.macs > large_macs &&
           !std::holds_alternative<Recurrent>(*of_.planned.stage.steps.front().op);
  }

  /// On a few elements, in double: whether the misreading takes the difference away there.
  bool plausible(const Misread& misread) {
    if (misread.result ||
        misread.stage.contracts.front().rounding != of_.planned.contracts.front().rounding)
      return true;
    if (sample_.empty()) sample_ = sampled();
    std::vector<Value> inputs(of_.inputs.begin(), of_.inputs.end());
    if (misread.operand)
      for (std::size_t i = 0; i < inputs.size(); ++i)
        inputs[i] = of_.runner.upload(
            misread.operand(i, to_float32(of_.runner.download(inputs[i], of_.execution))),
            of_.execution);
    const std::vector<double> y =
        of_.oracle.exact_values_at(misread.stage, inputs, sample_, of_.execution);
    double rest = 0, whole = 0;
    for (std::size_t k = 0; k < sample_.size(); ++k) {
      const auto i = static_cast<std::size_t>(sample_[k]);
      const double predicted = misread.element ? misread.element(y[k]) : y[k];
      const double before = p_.s[i] - p_.r[i], after = p_.s[i] - predicted;
      if (!std::isfinite(before) || !std::isfinite(after)) continue;
      whole += before * before;
      rest += after * after;
    }
    // Five times looser than the test on the whole: a sample scatters.
    return rest <= 5 * left_of_explained * whole;
  }

  /// Elements that differ, the largest differences among them, and some others.
  std::vector<std::int64_t> sampled() const {
    std::vector<std::int64_t> differing;
    for (std::int64_t i = 0; i < p_.size(); ++i)
      if (p_.differs[static_cast<std::size_t>(i)]) differing.push_back(i);
    const Counter random(7, "diagnosis.sample");
    std::set<std::int64_t> chosen;
    constexpr std::uint64_t each = 64;
    for (std::uint64_t k = 0; k < each; ++k) {
      chosen.insert(differing[random.bits(2 * k) % differing.size()]);
      chosen.insert(static_cast<std::int64_t>(random.bits(2 * k + 1) %
                                              static_cast<std::uint64_t>(p_.size())));
    }
    const auto worst = std::min<std::size_t>(each, differing.size());
    std::partial_sort(differing.begin(), differing.begin() + static_cast<std::ptrdiff_t>(worst),
                      differing.end(), [&](std::int64_t x, std::int64_t y) {
                        const auto u = static_cast<std::size_t>(x), v = static_cast<std::size_t>(y);
                        return std::fabs(p_.s[u] - p_.r[u]) > std::fabs(p_.s[v] - p_.r[v]);
                      });
    chosen.insert(differing.begin(), differing.begin() + static_cast<std::ptrdiff_t>(worst));
    return {chosen.begin(), chosen.end()};
  }

  /// Amounts that are numbers are fitted by secants: the stage a little off shows the direction.
  void fits() {
    if (p_.not_finite > 0) return;
    for (const Misreading& row : misreadings()) {
      if (row.amount != Amount::real || !row.applies(of_.planned)) continue;
      const std::vector<double> tried = row.amounts(of_.planned);
      double amount = tried.front();
      double left = 1;
      // The first direction reaches from the right amount, which the reference has, to this one.
      std::vector<double> last = p_.r;
      double step = amount;
      if (row.bug == Bug::sigmoid_hardened || row.bug == Bug::relu_capped) continue;
      for (int round = 0; round < 4; ++round) {
        const std::vector<double> y = predicted(row.make(seat_, amount));
        double along = 0, square = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
          const double direction = y[i] - last[i], d = p_.s[i] - y[i];
          if (!std::isfinite(direction) || !std::isfinite(d)) continue;
          along += direction * d;
          square += direction * direction;
        }
        left = p_.left(y);
        if (!(square > 0) || left < 1e-9) break;
        const double next = step * along / square;
        // Slow steps only: eps stays above minus the smallest variance.
        if (!std::isfinite(next) || std::fabs(next) > 1e3 * std::fabs(tried.front())) break;
        last = y;
        step = next;
        amount += next;
        if (step == 0) break;
      }
      if (left > 2 * left_of_explained && left > 0.5) continue;
      // A number that somebody wrote down has few digits.
      for (const int digits : {1, 2, 3}) {
        const double scale = std::pow(10.0, digits - 1 - std::floor(std::log10(std::fabs(amount))));
        const double round = std::round(amount * scale) / scale;
        if (consider(row, round, seat_)) return;
      }
      if (consider(row, amount, seat_)) return;
    }
  }

  // ---- Where the differences lie.

  /// Of the elements that could tell, how many lie in the pattern and differ over how many do either.
  template <class In>
  double overlap(In in) const {
    std::int64_t both = 0, either = 0;
    for (std::int64_t i = 0; i < p_.size(); ++i) {
      const auto u = static_cast<std::size_t>(i);
      const bool differs = p_.differs[u] != 0;
      const bool expected = in(i) && !(p_.r[u] == 0 && p_.s[u] == 0);
      both += differs && expected;
      either += differs || expected;
    }
    return either > 0 ? static_cast<double>(both) / static_cast<double>(either) : 0;
  }

  template <class Of>
  std::set<std::int64_t> places(Of of) const {
    std::set<std::int64_t> found;
    for (std::int64_t i = 0; i < p_.size(); ++i)
      if (p_.differs[static_cast<std::size_t>(i)]) found.insert(of(i));
    return found;
  }

  template <class In>
  bool fills_little(In in) const {
    std::int64_t inside = 0;
    for (std::int64_t i = 0; i < p_.size(); ++i) inside += in(i);
    return 2 * inside <= p_.size();
  }

  void regions() {
    one_channel();
    tail_channels();
    border();
    lane();
  }

  /// Least squares s = slope * r + offset over the elements chosen, and what it leaves.
  struct Line {
    double slope = 1, offset = 0, left = 1;
  };
  template <class In>
  Line line_through(In in, bool with_offset, bool with_slope) const {
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    const auto each = [&](auto f) {
      for (std::int64_t i = 0; i < p_.size(); ++i) {
        const auto u = static_cast<std::size_t>(i);
        if (in(i) && std::isfinite(p_.r[u]) && std::isfinite(p_.s[u]) &&
            !(p_.r[u] == 0 && p_.s[u] == 0))
          f(p_.r[u], p_.s[u]);
      }
    };
    each([&](double r, double s) {
      n += 1;
      x += r;
      y += s;
      xx += r * r;
      xy += r * s;
    });
    Line line;
    if (n == 0) return line;
    if (!with_slope) {
      line.offset = (y - x) / n;
    } else if (!with_offset) {
      line.slope = xx > 0 ? xy / xx : 1;
    } else {
      const double determinant = n * xx - x * x;
      line.slope = determinant > 0 ? (n * xy - x * y) / determinant : 1;
      line.offset = (y - line.slope * x) / n;
    }
    double before = 0, after = 0;
    each([&](double r, double s) {
      before += (s - r) * (s - r);
      const double d = s - (line.slope * r + line.offset);
      after += d * d;
    });
    line.left = before > 0 ? after / before : 1;
    return line;
  }

  void one_channel() {
    for (const std::size_t axis : channel_axes()) {
      const std::int64_t C = p_.shape[axis];
      const std::set<std::int64_t> channels =
          places([&](std::int64_t i) { return index_along(axis, i); });
      if (channels.size() != 1 || C < 2) continue;
      const std::int64_t c = *channels.begin();
      const auto in = [&](std::int64_t i) { return index_along(axis, i) == c; };
      const double confidence = overlap(in);
      const Line scaled = line_through(in, false, true), moved = line_through(in, true, false),
                 both = line_through(in, true, true);
      const double simple = std::min(scaled.left, moved.left);
      follows_a_line_ = simple < 0.1 || both.left < left_of_explained;
      if (simple < 0.1) {
        const bool scale = scaled.left <= moved.left;
        found_.push_back(named_as(
            scale ? Bug::channel_scaled : Bug::channel_offset, Proof::pattern,
            confidence * (1 - simple),
            scale ? fmt::format("only channel {} of {} differs, by the factor {:.8g}: its "
                                "weights or its scale",
                                c, C, scaled.slope)
                  : fmt::format("only channel {} of {} differs, by {:+.6g} everywhere: its "
                                "bias",
                                c, C, moved.offset)));
      } else if (follows_a_line_) {
        found_.push_back(named_as(
            Bug::channel_scaled, Proof::pattern, confidence * (1 - both.left),
            fmt::format("only channel {} of {} differs, by the factor {:.8g} and {:+.6g}: its "
                        "weights or its scale, before something is added",
                        c, C, both.slope, both.offset)));
      } else {
        found_.push_back(shaped_as("one_channel", confidence,
                                   fmt::format("only channel {} of {} differs, at {}: what is that "
                                               "channel's own is wrong, its weights or its scale",
                                               c, C, elements(p_.count))));
      }
      return;
    }
  }

  void tail_channels() {
    const std::set<std::int64_t> channels =
        places([&](std::int64_t i) { return p_.channel_of(i); });
    const std::int64_t C = p_.channels();
    for (const std::int64_t tile : {32, 16, 8, 4}) {
      const std::int64_t first = C / tile * tile;
      if (first == 0 || first == C || channels.size() < 2 || *channels.begin() < first) continue;
      const double confidence = overlap([&](std::int64_t i) { return p_.channel_of(i) >= first; });
      found_.push_back(named_as(
          Bug::tile_tail_garbage, Proof::pattern, confidence,
          fmt::format("only channels {} to {} of {} differ, those past the last whole tile of {}",
                      first, C - 1, C, tile)));
      return;
    }
  }

  void lane() {
    if (p_.count < 2 || p_.size() < 64) return;
    // A channel of the last axis lies in the same lanes throughout; a law says more than a place.
    if (follows_a_line_) return;
    const auto of = [&](std::int64_t i) { return i % 32; };
    const std::set<std::int64_t> lanes = places(of);
    if (lanes.size() > 4) return;
    // A channel that is the last axis falls on the same lanes again and again.
    const std::int64_t last = p_.shape.back();
    const std::set<std::int64_t> along = places([&](std::int64_t i) { return i % last; });
    if (along.size() == 1 && last > 1 && 32 % last != 0) {
      const std::int64_t only = *along.begin();
      found_.push_back(
          shaped_as("one_channel", overlap([&](std::int64_t i) { return i % last == only; }),
                    fmt::format("only index {} of {} along the last axis differs, at {}", only,
                                last, elements(p_.count))));
      return;
    }
    const double confidence = overlap([&](std::int64_t i) { return lanes.contains(of(i)); });
    found_.push_back(
        named_as(Bug::lane_corrupted, Proof::pattern, confidence,
                 fmt::format("only elements whose index is {} modulo 32 differ: {} of 32 lanes",
                             fmt::join(lanes, " or "), lanes.size())));
  }

  void border() {
    const std::int64_t H = p_.height(), W = p_.width();
    if (p_.shape.size() < 3) return;
    const auto row = [&](std::int64_t i) { return i / W % H; };
    const auto column = [&](std::int64_t i) { return i % W; };
    struct Part {
      const char* text;
      std::function<bool(std::int64_t)> in;
    };
    const bool flat = p_.shape.size() < 4;
    std::vector<Part> parts = {{"first column", [&](std::int64_t i) { return column(i) == 0; }},
                               {"last column", [&](std::int64_t i) { return column(i) == W - 1; }}};
    if (!flat) {
      parts.push_back({"first row", [&](std::int64_t i) { return row(i) == 0; }});
      parts.push_back({"last row", [&](std::int64_t i) { return row(i) == H - 1; }});
      parts.push_back({"border ring", [&](std::int64_t i) {
                         return column(i) == 0 || column(i) == W - 1 || row(i) == 0 ||
                                row(i) == H - 1;
                       }});
    }
    if (W < 3) return;
    const Part* best = nullptr;
    double confidence = 0.5;
    for (const Part& part : parts)
      // A ring that is most of a small image says nothing.
      if (const double with = overlap(part.in); with > confidence && fills_little(part.in)) {
        confidence = with;
        best = &part;
      }
    if (!best) return;
    found_.push_back(named_as(Bug::border_garbage, Proof::pattern, confidence,
                              fmt::format("{} differ, nearly all in the {} of the image",
                                          elements(p_.count), best->text)));
  }

  /// What is left to say when no fault is recognised.
  void shapes() {
    if (p_.not_finite > 0) return;
    const auto all = [](std::int64_t) { return true; };
    if (const Line line = line_through(all, true, true); line.left < left_of_explained) {
      // A slope that float32 cannot tell from 1.
      const bool shifted = std::fabs(line.slope - 1) < 0x1p-22;
      found_.push_back(
          shifted ? shaped_as(
                        "shifted", 1 - line.left,
                        fmt::format("{} is the reference {:+.6g} everywhere", of_.who, line.offset))
                  : shaped_as("scaled", 1 - line.left,
                              fmt::format("{} is {:.8g} times the reference {:+.3g}: the whole "
                                          "tensor is scaled",
                                          of_.who, line.slope, line.offset)));
      return;
    }
    per_channel();
    curve();
    small();
  }

  void per_channel() {
    if (p_.channels() < 2 || p_.space() < 4) return;
    double left_scale = 0, left_offset = 0, sum = 0;
    double low = std::numeric_limits<double>::infinity(), high = -low;
    double down = low, up = -low;
    for (std::int64_t c = 0; c < p_.channels(); ++c) {
      const auto in = [&](std::int64_t i) { return p_.channel_of(i) == c; };
      double energy = 0;
      for (std::int64_t i = 0; i < p_.size(); ++i) {
        const auto u = static_cast<std::size_t>(i);
        if (in(i) && p_.differs[u]) energy += (p_.s[u] - p_.r[u]) * (p_.s[u] - p_.r[u]);
      }
      const Line scaled = line_through(in, true, true), moved = line_through(in, true, false);
      sum += energy;
      left_scale += energy * scaled.left;
      left_offset += energy * moved.left;
      low = std::min(low, scaled.slope);
      high = std::max(high, scaled.slope);
      down = std::min(down, moved.offset);
      up = std::max(up, moved.offset);
    }
    if (!(sum > 0)) return;
    if (left_offset < 0.05 * sum)
      found_.push_back(shaped_as(
          "per_channel_offset", 1 - left_offset / sum,
          fmt::format("each channel is off by a constant of its own, {:+.3g} to {:+.3g}: a bias or "
                      "a mean",
                      down, up)));
    else if (left_scale < 0.05 * sum)
      found_.push_back(shaped_as(
          "per_channel_scale", 1 - left_scale / sum,
          fmt::format("each channel has a scale of its own, {:.6g} to {:.6g}: constants of a "
                      "normalisation",
                      low, high)));
  }

  /// Whether the difference is a function of the reference's value: elements sorted by it, the
  /// difference varies little between neighbours.
  void curve() {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < p_.r.size(); ++i)
      if (std::isfinite(p_.r[i]) && std::isfinite(p_.s[i])) order.push_back(i);
    if (order.size() < 64) return;
    std::sort(order.begin(), order.end(),
              [&](std::size_t x, std::size_t y) { return p_.r[x] < p_.r[y]; });
    double mean = 0, whole = 0, neighbours = 0;
    for (const std::size_t i : order) mean += p_.s[i] - p_.r[i];
    mean /= static_cast<double>(order.size());
    for (std::size_t k = 0; k < order.size(); ++k) {
      const double d = p_.s[order[k]] - p_.r[order[k]];
      whole += (d - mean) * (d - mean);
      if (k == 0) continue;
      const double step = d - (p_.s[order[k - 1]] - p_.r[order[k - 1]]);
      neighbours += step * step / 2;
    }
    if (!(whole > 0) || neighbours > 0.02 * whole) return;
    found_.push_back(shaped_as(
        "other_function", 1 - neighbours / whole,
        fmt::format("the difference is a function of the value: between elements of neighbouring "
                    "values it varies by {} of its variance",
                    percent_of(neighbours, whole))));
  }

  /// Differences of a few ULP of the tensor's largest elements: another order, another algorithm.
  void small() {
    double largest = 0, peak = 0;
    for (std::size_t i = 0; i < p_.r.size(); ++i) {
      peak = std::max(peak, std::fabs(p_.r[i]));
      if (p_.differs[i]) largest = std::max(largest, std::fabs(p_.s[i] - p_.r[i]));
    }
    if (!(largest <= 0x1p-18 * peak)) return;
    const double share = static_cast<double>(p_.count) / static_cast<double>(p_.size());
    found_.push_back(shaped_as(
        "rounding_sized", share,
        fmt::format("{} differ, by at most {:.3g} of the largest element: another order of "
                    "summation or another algorithm",
                    elements(p_.count), largest / peak)));
  }

  const Suspicion& of_;
  Picture p_;
  Seat seat_;
  std::vector<Diagnosis> found_;
  std::vector<std::int64_t> sample_;
  bool follows_a_line_ = false;  ///< one channel's values, of the reference's
};

}  // namespace

std::vector<Diagnosis> diagnose(const Suspicion& suspicion) { return Examination(suspicion).run(); }

}  // namespace parity
