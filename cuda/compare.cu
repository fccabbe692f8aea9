#include "cuda/arithmetic.hpp"
#include "cuda/compare.hpp"
#include "cuda/grid.hpp"
#include "model/arithmetic/digest_term.hpp"
#include "model/arithmetic/nan_bits.hpp"

// A warp takes a chunk of 4096 logical indices; lane l sums the elements i = l mod 32, which is lanes32 in
// double (CONTRACTS section 6), so the sums have the processor's bits. Everything else commutes: counts,
// maxima with the lowest index, a histogram in integers.

namespace parity::cuda {
namespace {

constexpr int lanes = 32;
constexpr int warps = 4;
constexpr int nan_bin = ulp_bin_count - 1;

__device__ __forceinline__ std::int64_t offset(const CompareOperand& o, std::int64_t i) {
  if (!o.channels_last) return i;
  const std::int64_t n = i / (o.C * o.P), c = i / o.P % o.C, p = i % o.P;
  return (n * o.P + p) * o.C + c;
}
template <class T>
__device__ __forceinline__ T element(const CompareOperand& o, std::int64_t i) {
  const std::int64_t at = offset(o, i);
  return o.wide ? static_cast<T>(static_cast<const double*>(o.data)[at])
                : static_cast<T>(static_cast<const float*>(o.data)[at]);
}

template <class T>
__device__ __forceinline__ T absolute(T x) {
  return x < 0 ? -x : x;
}
template <class T>
__device__ __forceinline__ bool infinite(T x) {
  return x == x && device::sub_rn(x, x) != device::sub_rn(x, x);
}

/// Significant bits of a ULP distance; distances of more than 32 bits (float64) count as 32.
__device__ __forceinline__ int distance_bin(std::uint64_t distance) {
  int bits = 0;
  for (; distance != 0 && bits < 32; distance >>= 1) ++bits;
  return bits;
}
template <class Bits>
__device__ __forceinline__ Bits distance(Bits a, Bits b) {
  // Sign and magnitude to two's complement, so that neighbours differ by one; -0 and +0 are one number.
  constexpr Bits sign = Bits{1} << (8 * sizeof(Bits) - 1);
  const Bits ka = (a & sign) != 0 ? sign - (a & ~sign) : sign + a;
  const Bits kb = (b & sign) != 0 ? sign - (b & ~sign) : sign + b;
  return ka > kb ? ka - kb : kb - ka;
}
__device__ __forceinline__ int ulp_bin(float a, float b, bool) {
  if (a != a || b != b) return nan_bin;
  return distance_bin(distance(device::bits_of(a), device::bits_of(b)));
}
__device__ __forceinline__ int ulp_bin(double a, double b, bool of_float32) {
  if (of_float32) return ulp_bin(device::narrow_rn(a), device::narrow_rn(b), false);
  if (a != a || b != b) return nan_bin;
  return distance_bin(distance(device::bits_of(a), device::bits_of(b)));
}

/// lanes32's tree over the warp.
__device__ __forceinline__ double tree(double acc) {
  for (int d = lanes / 2; d > 0; d /= 2) acc = device::add_rn(acc, device::shuffle_xor(acc, d));
  return acc;
}
__device__ __forceinline__ std::int32_t total(std::int32_t count) {
  for (int d = lanes / 2; d > 0; d /= 2) count += device::shuffle_xor(count, d);
  return count;
}
__device__ __forceinline__ std::int32_t lowest(std::int32_t at) {
  for (int d = lanes / 2; d > 0; d /= 2) {
    const std::int32_t other = device::shuffle_xor(at, d);
    at = other < at ? other : at;
  }
  return at;
}
struct Peak {
  double value;
  std::int32_t at;
  __device__ __forceinline__ void take(double other, std::int32_t other_at) {
    if (other > value || (other == value && other_at < at)) {
      value = other;
      at = other_at;
    }
  }
};
__device__ __forceinline__ Peak highest(Peak peak) {
  for (int d = lanes / 2; d > 0; d /= 2) {
    const double other = device::shuffle_xor(peak.value, d);
    peak.take(other, device::shuffle_xor(peak.at, d));
  }
  return peak;
}

struct Histograms {
  std::uint32_t bins[warps][ulp_bin_count];
};

template <class T>
__global__ void __launch_bounds__(lanes* warps) compare(CompareArgument a) {
  Histograms& shared = device::static_shared<Histograms>();
  const int lane = static_cast<int>(device::thread_index().x % lanes);
  const int warp = static_cast<int>(device::thread_index().x / lanes);
  std::uint32_t* const histogram = shared.bins[warp];
  for (int bin = lane; bin < ulp_bin_count; bin += lanes) histogram[bin] = 0;
  device::warp_barrier();

  const std::int64_t chunks = (a.count + metric_chunk - 1) / metric_chunk;
  const bool judged = a.magnitude.data != nullptr;
  for (std::int64_t chunk = device::block_index().x * std::int64_t{warps} + warp; chunk < chunks;
       chunk += device::grid_extent().x * std::int64_t{warps}) {
    const std::int64_t start = chunk * metric_chunk;
    const auto count =
        static_cast<std::int32_t>(start + metric_chunk < a.count ? metric_chunk : a.count - start);
    double sum_abs = 0, sum_square = 0, sum_aa = 0, sum_bb = 0, sum_ab = 0, max_rel = 0;
    Peak worst{0, nowhere_in_chunk}, share{-1, nowhere_in_chunk};
    std::int32_t first = nowhere_in_chunk, first_mismatch = nowhere_in_chunk;
    std::int32_t informative = 0, differing = 0, nan_mismatches = 0, infinity_mismatches = 0,
                 signed_zero_mismatches = 0, beyond = 0, uninformative_bounds = 0;
    for (std::int32_t i = lane; i < count; i += lanes) {
      const T x = element<T>(a.a, start + i), y = element<T>(a.b, start + i);
      const bool nan_x = x != x, nan_y = y != y, nan = nan_x || nan_y, equal = x == y;
      const bool wild = infinite(x) || infinite(y);
      const bool other_bits = device::bits_of(x) != device::bits_of(y);
      const bool differs = other_bits && !(nan_x && nan_y);
      const bool infinity_mismatch = wild && !nan && !equal;
      const T d = nan || equal ? T{0} : absolute(device::sub_rn(y, x));
      informative += !nan && !wild && x != 0 && y != 0;
      differing += differs;
      nan_mismatches += nan_x != nan_y;
      infinity_mismatches += infinity_mismatch;
      signed_zero_mismatches += equal && other_bits;
      if (differs && first == nowhere_in_chunk) first = i;
      if ((nan_x != nan_y || infinity_mismatch) && first_mismatch == nowhere_in_chunk)
        first_mismatch = i;

      const double wide_d = static_cast<double>(d);
      if (wide_d > 0) {
        worst.take(wide_d, i);
        const double magnitude = absolute(static_cast<double>(x));
        const double relative = device::div_rn(wide_d, magnitude > 0x1p-126 ? magnitude : 0x1p-126);
        if (relative > max_rel) max_rel = relative;
      }
      const double wide_x = nan ? 0.0 : static_cast<double>(x);
      const double wide_y = nan ? 0.0 : static_cast<double>(y);
      sum_abs = device::add_rn(sum_abs, wide_d);
      sum_square = device::fma_rn(wide_d, wide_d, sum_square);
      sum_aa = device::fma_rn(wide_x, wide_x, sum_aa);
      sum_bb = device::fma_rn(wide_y, wide_y, sum_bb);
      sum_ab = device::fma_rn(wide_x, wide_y, sum_ab);
      device::atomic_add(&histogram[ulp_bin(x, y, a.judgement.ulp_of_float32)], 1U);

      if (judged) {
        const double m = static_cast<double>(element<T>(a.magnitude, start + i));
        if (!(m < a.judgement.limit)) {
          ++uninformative_bounds;
        } else {
          const double infinity = device::double_of(0x7ff0000000000000ULL);
          const double judged_distance = nan_x != nan_y ? infinity : wide_d;
          const double bound =
              device::add_rn(device::mul_rn(a.judgement.coefficient, m), a.judgement.underflow);
          beyond += judged_distance > bound;
          if (judged_distance > 0 && bound < infinity)
            share.take(bound > 0 ? device::div_rn(judged_distance, bound) : infinity, i);
        }
      }
    }
    worst = highest(worst);
    share = highest(share);
    const Peak relative = highest({max_rel, 0});
    const DeviceChunk result{tree(sum_abs),
                             tree(sum_square),
                             tree(sum_aa),
                             tree(sum_bb),
                             tree(sum_ab),
                             worst.value,
                             relative.value,
                             share.value,
                             worst.at,
                             share.at,
                             lowest(first),
                             lowest(first_mismatch),
                             total(informative),
                             total(differing),
                             total(nan_mismatches),
                             total(infinity_mismatches),
                             total(signed_zero_mismatches),
                             total(beyond),
                             total(uninformative_bounds)};
    if (lane == 0) a.chunks[chunk] = result;
  }
  device::warp_barrier();
  for (int bin = lane; bin < ulp_bin_count; bin += lanes)
    device::atomic_add(&a.histogram[bin], std::uint64_t{histogram[bin]});
}

__global__ void __launch_bounds__(lanes* warps) split(SplitArgument a) {
  const int lane = static_cast<int>(device::thread_index().x % lanes);
  const int warp = static_cast<int>(device::thread_index().x / lanes);
  const std::int64_t chunks = (a.count + metric_chunk - 1) / metric_chunk;
  for (std::int64_t chunk = device::block_index().x * std::int64_t{warps} + warp; chunk < chunks;
       chunk += device::grid_extent().x * std::int64_t{warps}) {
    const std::int64_t start = chunk * metric_chunk;
    const std::int64_t count = start + metric_chunk < a.count ? metric_chunk : a.count - start;
    DeviceSplit sum{};
    const auto add_product = [](double& to, double x, double y) {
      to = device::add_rn(to, device::mul_rn(x, y));
    };
    for (std::int64_t i = lane; i < count; i += lanes) {
      double x = element<double>(a.a, start + i), l = element<double>(a.local, start + i),
             y = element<double>(a.b, start + i);
      const bool finite =
          x == x && l == l && y == y && !infinite(x) && !infinite(l) && !infinite(y);
      if (!finite) x = l = y = 0;
      const double introduced = device::sub_rn(l, x), inherited = device::sub_rn(y, l),
                   all = device::sub_rn(y, x);
      add_product(sum.introduced, introduced, introduced);
      add_product(sum.inherited, inherited, inherited);
      add_product(sum.accumulated, all, all);
      add_product(sum.introduced_on_accumulated, introduced, all);
      add_product(sum.inherited_on_accumulated, inherited, all);
      add_product(sum.aa, x, x);
    }
    const DeviceSplit result{tree(sum.introduced),
                             tree(sum.inherited),
                             tree(sum.accumulated),
                             tree(sum.introduced_on_accumulated),
                             tree(sum.inherited_on_accumulated),
                             tree(sum.aa)};
    if (lane == 0) a.chunks[chunk] = result;
  }
}

/// |b - a| as float: 0 where equal or both NaN, infinity where one is not finite.
template <class T>
__device__ __forceinline__ float map_distance(T a, T b) {
  if (a == b || (a != a && b != b)) return 0;
  const T d = absolute(device::sub_rn(b, a));
  if (d != d) return device::float_of(0x7f800000U);
  return static_cast<float>(d);
}

/// Maxima of numbers that are not negative are those of their bits.
__device__ __forceinline__ void raise(std::uint32_t* at, float value) {
  const std::uint32_t bits = device::bits_of(value);
  if (*at < bits) device::atomic_max(at, bits);
}

template <class T>
__global__ void __launch_bounds__(threads_per_block) map(MapArgument a) {
  const std::int64_t space = a.H * a.W;
  for (std::int64_t i = first_index(); i < a.count; i += index_step()) {
    const float d = map_distance(element<T>(a.a, i), element<T>(a.b, i));
    if (d == 0) continue;
    const std::int64_t p = i % space;
    const std::int64_t channel = a.column_is_channel ? p % a.W : i / space % a.C;
    raise(&a.heat[p / a.W * a.rows / a.H * a.columns + p % a.W * a.columns / a.W], d);
    raise(&a.channel_max[channel * a.bars / a.C], d);
  }
}

__device__ __forceinline__ std::uint64_t read_word(const DigestArgument& a, std::int64_t at) {
  if (a.word_bytes == 1) return static_cast<const std::uint8_t*>(a.data)[at];
  if (a.word_bytes == 4) {
    const std::uint32_t bits = static_cast<const std::uint32_t*>(a.data)[at];
    return a.floating && (bits & 0x7fffffffU) > 0x7f800000U ? nan_bits32 : bits;
  }
  const std::uint64_t bits = static_cast<const std::uint64_t*>(a.data)[at];
  constexpr std::uint64_t magnitude = 0x7fffffffffffffffULL;
  return a.floating && (bits & magnitude) > 0x7ff0000000000000ULL ? nan_bits64 : bits;
}

/// The digest term of element i of an item, i in the order of memory; a channels-last element p*C + c has the
/// logical index c*P + p.
__device__ __forceinline__ DigestTerm term_at(const DigestArgument& a, std::int64_t item,
                                              std::int64_t i) {
  const std::int64_t logical = a.channels_last ? i % a.C * a.P + i / a.C : i;
  return digest_term(read_word(a, item * a.per_item + i), static_cast<std::uint64_t>(logical));
}

/// Elements of one item that a block takes, and up to how many one thread takes.
constexpr std::int64_t digest_run = 16384, digest_by_thread = 64;

__global__ void __launch_bounds__(threads_per_block) digest(DigestArgument a) {
  const std::int64_t runs = (a.per_item + digest_run - 1) / digest_run;
  for (std::int64_t number = device::block_index().x; number < a.items * runs;
       number += device::grid_extent().x) {
    const std::int64_t item = number / runs, from = number % runs * digest_run;
    const std::int64_t to = from + digest_run < a.per_item ? from + digest_run : a.per_item;
    std::uint64_t sum0 = 0, sum1 = 0;
    for (std::int64_t i = from + device::thread_index().x; i < to; i += threads_per_block) {
      const DigestTerm term = term_at(a, item, i);
      sum0 += term.lane0;
      sum1 += term.lane1;
    }
    for (int d = lanes / 2; d > 0; d /= 2) {
      sum0 += device::shuffle_xor(sum0, d);
      sum1 += device::shuffle_xor(sum1, d);
    }
    if (device::thread_index().x % lanes == 0) {
      device::atomic_add(&a.sums[2 * item], sum0);
      device::atomic_add(&a.sums[2 * item + 1], sum1);
    }
  }
}

/// Many small items: a thread each.
__global__ void __launch_bounds__(threads_per_block) digest_items(DigestArgument a) {
  for (std::int64_t item = first_index(); item < a.items; item += index_step()) {
    std::uint64_t sum0 = 0, sum1 = 0;
    for (std::int64_t i = 0; i < a.per_item; ++i) {
      const DigestTerm term = term_at(a, item, i);
      sum0 += term.lane0;
      sum1 += term.lane1;
    }
    a.sums[2 * item] = sum0;
    a.sums[2 * item + 1] = sum1;
  }
}

__global__ void __launch_bounds__(threads_per_block) gather(GatherArgument a) {
  for (std::int64_t i = first_index(); i < a.count; i += index_step())
    a.to[i] = element<double>(a.from, a.indices[i]);
}

Extent blocks_for_chunks(std::int64_t count) {
  const std::int64_t blocks = (count + metric_chunk * warps - 1) / (metric_chunk * warps);
  return {static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks)};
}

}  // namespace

Status launch_compare(const Queue& queue, const CompareArgument& argument) {
  return launch(queue, "compare", argument.in_double ? compare<double> : compare<float>,
                blocks_for_chunks(argument.count), {lanes * warps}, 0, argument);
}

Status launch_split(const Queue& queue, const SplitArgument& argument) {
  return launch(queue, "split", split, blocks_for_chunks(argument.count), {lanes * warps}, 0,
                argument);
}

Status launch_map(const Queue& queue, const MapArgument& argument) {
  return launch(queue, "map", argument.in_double ? map<double> : map<float>,
                blocks_for(argument.count), {threads_per_block}, 0, argument);
}

Status launch_digest(const Queue& queue, const DigestArgument& a) {
  if (a.per_item <= digest_by_thread)
    return launch(queue, "digest of small items", digest_items, blocks_for(a.items),
                  {threads_per_block}, 0, a);
  const std::int64_t blocks = a.items * ((a.per_item + digest_run - 1) / digest_run);
  return launch(queue, "digest", digest,
                {static_cast<unsigned>(blocks < most_blocks ? blocks : most_blocks)},
                {threads_per_block}, 0, a);
}

Status launch_gather(const Queue& queue, const GatherArgument& argument) {
  return launch(queue, "gather", gather, blocks_for(argument.count), {threads_per_block}, 0,
                argument);
}

}  // namespace parity::cuda
