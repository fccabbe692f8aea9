#include "model/arithmetic/rounding_noise.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/arithmetic/tf32.hpp"

namespace parity {
namespace {

constexpr double spacing32 = 0x1p-23, spacing_tf32 = 0x1p-10, smallest32 = 0x1p-149;
constexpr std::uint64_t mixing = 0x9e3779b97f4a7c15ULL;

double tf32(float x, Rounding rounding) {
  return static_cast<double>(float_of(round_to_tf32(bits_of(x), rounding)));
}

}  // namespace

void ExactSum::add(const float* x, const float* w, std::int64_t stride, std::int64_t count) {
  if (keep_ == Keep::sum) {
    for (std::int64_t i = 0; i < count; ++i)
      sum_ += (x != nullptr ? static_cast<double>(x[i]) : 0.0) * static_cast<double>(w[i * stride]);
    return;
  }
  if (x == nullptr) {
    for (std::int64_t i = 0; i < count; ++i) {
      sum_ += 0.0 * static_cast<double>(w[i * stride]);  // a weight that is not finite acts
      end_term();
    }
    window_ = (window_ + static_cast<std::uint64_t>(count)) * mixing;
    return;
  }
  for (std::int64_t first = 0; first < count; first += group) {
    const int terms = static_cast<int>(std::min<std::int64_t>(group, count - first));
    float xs[group] = {}, ws[group] = {};
    for (int i = 0; i < terms; ++i) {
      xs[i] = x[first + i];
      ws[i] = w[(first + i) * stride];
    }
    add_group(xs, ws, terms);
  }
}

/// Loops over all 8 lanes, zeros behind the last term, so that they become vector instructions;
/// only the running sums are taken one by one.
void ExactSum::add_group(const float* x, const float* w, int count) {
  double products[group], largest = std::fabs(binade(sum_));
  for (int i = 0; i < group; ++i) {
    const auto a = static_cast<double>(x[i]), b = static_cast<double>(w[i]);
    const auto lane = static_cast<std::size_t>(i);
    products[i] = a * b;  // of two floats exact in double
    const double by_a = binade(a) * b, by_b = a * binade(b);
    activations_[lane] += by_a * by_a;
    weights_[lane] += by_b * by_b;
    nearest_[lane] += tf32(x[i], Rounding::rna) * tf32(w[i], Rounding::rna) - products[i];
    truncated_[lane] +=
        tf32(x[i], Rounding::truncate) * tf32(w[i], Rounding::truncate) - products[i];
  }
  int signs = 0, nonzero = 0;
  for (int i = 0; i < count; ++i) {
    sum_ += products[i];
    part_ += products[i];
    window_ = (window_ ^ bits_of(x[i])) * mixing;
    if (products[i] != 0) {
      const double es = binade(sum_), ep = binade(part_);
      chain_ += es * es;
      chunk256_ += ep * ep;
      largest = std::max(largest, std::fabs(binade(products[i])));
      signs += products[i] > 0 ? 1 : -1;
      ++nonzero;
    }
    end_term();
  }
  rounded_ += nonzero;
  if (nonzero == 0) return;
  cut_products_ += largest * signs;
  cut_results_ += binade(sum_);
}

void ExactSum::end_term() {
  if (++terms_ % 256 != 0) return;
  // The chunk's sum is added to those before it: one rounding of the total so far.
  if (chunks_++ > 0) {
    const double e = binade(sum_);
    chunk256_ += e * e;
  }
  part_ = 0;
}

MacNoise ExactSum::noise() const {
  const auto total = [](const Lanes& lanes) {
    return std::accumulate(lanes.begin(), lanes.end(), 0.0);
  };
  const double floor = static_cast<double>(rounded_) * smallest32 * smallest32 / 12;
  MacNoise noise;
  noise.chain = chain_ * spacing32 * spacing32 / 12 + floor;
  noise.chunk256 = chunk256_ * spacing32 * spacing32 / 12 + floor;
  if (chunks_ > 0) noise.chunk256 += rounding_variance(sum_);
  noise.activations = total(activations_) * spacing_tf32 * spacing_tf32 / 12;
  noise.weights = total(weights_) * spacing_tf32 * spacing_tf32 / 12;
  noise.nearest = total(nearest_);
  noise.truncated = total(truncated_);
  noise.cut_products = cut_products_;
  noise.cut_results = cut_results_;
  return noise;
}

}  // namespace parity
