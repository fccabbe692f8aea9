#include "model/arithmetic/metrics.hpp"

#include <algorithm>
#include <cmath>

namespace parity {

Judgement judgement_of(const Allowance& allowance, bool mixed) {
  return {allowance.coefficient, allowance.underflow,
          (0x1p127 - allowance.underflow) / (1 + 0x1p-9), mixed};
}

Comparison finish(const ComparisonTotals& total,
                  const std::function<ElementPair(std::int64_t)>& pair_at,
                  const std::function<double(std::int64_t)>& bound_at) {
  Comparison result;
  result.elements = total.elements;
  result.informative = total.informative;
  result.differing = total.differing;
  result.nan_mismatches = total.nan_mismatches;
  result.infinity_mismatches = total.infinity_mismatches;
  result.signed_zero_mismatches = total.signed_zero_mismatches;
  result.ulp_histogram = total.ulp_histogram;
  result.max_abs = std::max(total.worst.value, 0.0);
  result.max_rel = total.max_rel;
  // Means are over the elements that were not excluded.
  const double counted = static_cast<double>(total.elements - total.ulp_histogram[ulp_bins - 1]);
  const ChunkSums& sum = total.sums;
  if (counted > 0) {
    result.mean_abs = sum.abs / counted;
    result.rms = std::sqrt(sum.square / counted);
    result.rms_a = std::sqrt(sum.aa / counted);
    result.rms_b = std::sqrt(sum.bb / counted);
  }
  if (total.differing > 0 && (sum.aa != 0 || sum.bb != 0))
    result.cosine = sum.aa == 0 || sum.bb == 0
                        ? 0
                        : std::clamp(sum.ab / (std::sqrt(sum.aa) * std::sqrt(sum.bb)), -1.0, 1.0);
  if (total.differing > 0) {
    result.first = pair_at(total.first);
    const std::int64_t worst = total.first_mismatch != nowhere ? total.first_mismatch
                               : total.worst.index != nowhere  ? total.worst.index
                                                               : total.first;
    result.worst = pair_at(worst);
  }
  result.judged = total.judged;
  if (total.judged) {
    result.beyond = total.beyond;
    result.uninformative_bounds = total.uninformative_bounds;
    if (total.share.index != nowhere) {
      result.worst_share = total.share.value;
      result.worst_judged = pair_at(total.share.index);
      result.worst_bound = bound_at(total.share.index);
    }
  }
  return result;
}

void ChunkSplit::add(const ChunkSplit& chunk) {
  introduced += chunk.introduced;
  inherited += chunk.inherited;
  accumulated += chunk.accumulated;
  introduced_on_accumulated += chunk.introduced_on_accumulated;
  inherited_on_accumulated += chunk.inherited_on_accumulated;
  aa += chunk.aa;
}

Split finish(const ChunkSplit& sum) {
  return {std::sqrt(sum.introduced),     std::sqrt(sum.inherited),     std::sqrt(sum.accumulated),
          sum.introduced_on_accumulated, sum.inherited_on_accumulated, std::sqrt(sum.aa)};
}

MapAxes map_axes(const Shape& shape) {
  const std::size_t rank = shape.size();
  if (rank == 0) return {1, 1, 1, 1, false};
  if (rank == 1) return {1, 1, 1, shape[0], false};
  if (rank == 2) return {1, shape[1], shape[0], shape[1], true};
  return {shape[0], shape[1], element_count(shape, 2, rank - 1), shape[rank - 1], false};
}

ErrorMap empty_map(const MapAxes& axes) {
  constexpr std::int64_t most_cells = 128, most_channels = 512;
  ErrorMap result;
  result.height = axes.H;
  result.width = axes.W;
  result.rows = std::min(axes.H, most_cells);
  result.columns = std::min(axes.W, most_cells);
  result.channels = axes.C;
  result.heat.assign(static_cast<std::size_t>(result.rows * result.columns), 0.0F);
  result.channel_max.assign(static_cast<std::size_t>(std::min(axes.C, most_channels)), 0.0F);
  return result;
}

}  // namespace parity
