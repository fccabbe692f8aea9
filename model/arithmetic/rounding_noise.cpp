#include "model/arithmetic/rounding_noise.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/arithmetic/tf32.hpp"

namespace parity {
namespace {

constexpr double spacing32 = 0x1p-23, spacing_tf32 = 0x1p-10, smallest32 = 0x1p-149;
constexpr std::int64_t chunk = 256;  // of the contract `chunk256`
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
  const auto add_terms = [&](const float* xs, const float* ws, std::int64_t step, int terms) {
    if (keep_ == Keep::noise)
      add_group<Keep::noise>(xs, ws, step, terms);
    else
      add_group<Keep::chains>(xs, ws, step, terms);
  };
  for (std::int64_t first = 0; first < count; first += group) {
    const int terms = static_cast<int>(std::min<std::int64_t>(group, count - first));
    if (x != nullptr && terms == group) {
      // Read where they lie: a copy's short stores would hold up the wide loads after them.
      add_terms(x + first, w + first * stride, stride, group);
      continue;
    }
    float xs[group] = {}, ws[group] = {};
    for (int i = 0; i < terms; ++i) {
      if (x != nullptr) xs[i] = x[first + i];
      ws[i] = w[(first + i) * stride];  // a weight that is not finite acts outside the image too
    }
    add_terms(xs, ws, 1, terms);
  }
}

/// Terms x[i] w[i * stride]. Loops over all 8 lanes, zeros behind the last term, so that they become vector instructions
/// without branches (half of the activations behind a ReLU are zero); only the running sums are taken
/// one by one.
template <ExactSum::Keep keep>
void ExactSum::add_group(const float* x, const float* w, std::int64_t stride, int count) {
  const double before = sum_;
  double products[group], sums[group], parts[group];
  for (int i = 0; i < group; ++i)
    products[i] =
        static_cast<double>(x[i]) * static_cast<double>(w[i * stride]);  // exact in double

  const auto to_end = static_cast<int>(chunk - 1 - terms_ % chunk);  // a chunk ends behind it
  double sum = sum_, part = part_;
  for (int i = 0; i < group; ++i) {
    sum += products[i];
    part += products[i];
    sums[i] = sum;
    parts[i] = part;
    if (i == to_end && i < count) {
      end_chunk(sum);
      part = 0;
    }
  }
  sum_ = sum;
  part_ = part;
  terms_ += count;
  for (int i = 0; i < group; i += 2)
    window_ = (window_ ^ bits_of(x[i]) ^ std::uint64_t{bits_of(x[i + 1])} << 32) * mixing;

  // A product that is zero rounds nothing.
  std::uint64_t acts[group];
  for (int i = 0; i < group; ++i) {
    const auto lane = static_cast<std::size_t>(i);
    acts[i] = products[i] != 0 ? ~std::uint64_t{0} : 0;
    const double es = double_of(bits_of(binade(sums[i])) & acts[i]),
                 ep = double_of(bits_of(binade(parts[i])) & acts[i]);
    chain_[lane] += es * es;
    chunk256_[lane] += ep * ep;
    rounded_[lane] -= static_cast<std::int64_t>(acts[i]);
  }
  if constexpr (keep == Keep::noise) {
    double largest = std::fabs(binade(before)), signs = 0;
    for (int i = 0; i < group; ++i) {
      const float weight = w[i * stride];
      const auto a = static_cast<double>(x[i]), b = static_cast<double>(weight);
      const auto lane = static_cast<std::size_t>(i);
      const double by_a = binade(a) * b, by_b = a * binade(b);
      activations_[lane] += by_a * by_a;
      weights_[lane] += by_b * by_b;
      nearest_[lane] += tf32(x[i], Rounding::rna) * tf32(weight, Rounding::rna) - products[i];
      truncated_[lane] +=
          tf32(x[i], Rounding::truncate) * tf32(weight, Rounding::truncate) - products[i];
    }
    bool any = false;
    for (int i = 0; i < group; ++i) {
      largest = std::max(largest, std::fabs(double_of(bits_of(binade(products[i])) & acts[i])));
      signs += static_cast<double>(products[i] > 0) - static_cast<double>(products[i] < 0);
      any |= acts[i] != 0;
    }
    if (!any) return;
    cut_products_ += largest * signs;
    cut_results_ += binade(sum_);
  }
}

void ExactSum::end_chunk(double sum) {
  // The chunk's sum is added to those before it: one rounding of the total so far.
  if (chunks_++ == 0) return;
  const double e = binade(sum);
  joins_ += e * e;
}

MacNoise ExactSum::noise() const {
  const auto total = [](const Lanes& lanes) {
    return std::accumulate(lanes.begin(), lanes.end(), 0.0);
  };
  const auto rounded = std::accumulate(rounded_.begin(), rounded_.end(), std::int64_t{0});
  const double floor = static_cast<double>(rounded) * smallest32 * smallest32 / 12;
  MacNoise noise;
  noise.chain = total(chain_) * spacing32 * spacing32 / 12 + floor;
  noise.chunk256 = (total(chunk256_) + joins_) * spacing32 * spacing32 / 12 + floor;
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
