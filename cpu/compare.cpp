#include "cpu/compare.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>

#include "cpu/compare_kernels.hpp"
#include "cpu/storage.hpp"
#include "cpu/threads.hpp"
#include "cpu/transpose.hpp"
#include "model/arithmetic/digest.hpp"
#include "model/arithmetic/metrics.hpp"
#include "model/error.hpp"

namespace parity::cpu {
namespace {

/// A value's memory. Logical index of x[n, c, p]: (n*C + c)*P + p; a channels-last one lies at (n*P
/// + p)*C + c.
struct Operand {
  const void* data = nullptr;
  Type type = Type::float32;
  bool channels_last = false;
  std::int64_t N = 1, C = 1, P = 1;
  std::int64_t size() const { return N * C * P; }
  /// Where logical element i lies.
  std::int64_t offset(std::int64_t i) const {
    if (!channels_last) return i;
    const std::int64_t n = i / (C * P), c = i / P % C, p = i % P;
    return (n * P + p) * C + c;
  }
};

Operand operand(const Value& value) {
  const CpuStorage& storage = storage_of(value);
  const Shape& shape = value.shape();
  Operand o;
  o.data = storage.data();
  o.type = value.type().type;
  if (shape.size() >= 2) {
    o.N = shape[0];
    o.C = shape[1];
    o.P = element_count(shape, 2, shape.size());
  } else {
    o.P = element_count(shape);
  }
  // With one channel or one point both layouts are the same.
  o.channels_last = storage.layout() == Layout::channels_last && o.C > 1 && o.P > 1;
  return o;
}

void require_same_shape(const Value& a, const Value& b, const char* what) {
  if (a.shape() != b.shape())
    throw Error(Fault::internal, std::string(what) +
                                     " was asked for tensors of different shapes, " +
                                     to_string(a.type()) + " and " + to_string(b.type()));
}

bool in_double(const Value& value) { return value.type().type == Type::float64; }

bool is_real(const Value& value) {
  return value.type().type == Type::float32 || value.type().type == Type::float64;
}

/// A value as its numbers are measured: integers and booleans as doubles.
Value as_real(const Value& value, const Execution& execution) {
  return is_real(value) ? value : elements<double>(value, Layout::row_major, execution).value;
}

/// Of a pair that was measured as doubles, the integers that it is.
void name_integers(std::optional<ElementPair>& pair) {
  if (!pair) return;
  pair->a_bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(pair->a));
  pair->b_bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(pair->b));
}

template <class T>
T element(const Operand& o, std::int64_t offset) {
  return o.type == Type::float64 ? static_cast<T>(static_cast<const double*>(o.data)[offset])
                                 : static_cast<T>(static_cast<const float*>(o.data)[offset]);
}

template <class To, class From>
void convert(const From* from, To* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<To>(from[i]);
}

/// Gives chunks of logical order as T. Channels-last operands are transposed in tiles of some
/// channels by some points; the last few tiles stay at hand, because neighbouring chunks read them
/// again.
template <class T>
class ChunkReader {
 public:
  ChunkReader(const Operand& operand, InstructionSet set) : operand_(operand), set_(set) {
    if (operand.channels_last || operand.type != type_of<T>()) chunk_.resize(metric_chunk);
    if (!operand.channels_last) return;
    points_ = std::min<std::int64_t>(operand.P, tile_points);
    channels_ = std::clamp<std::int64_t>(tile_elements / points_ / group * group, group,
                                         (operand.C + group - 1) / group * group);
    // Rows a cache line apart from a power of two, so that they do not share cache sets.
    stride_ = points_ + 16;
  }

  const T* read(std::int64_t first, std::int64_t count) {
    return operand_.type == Type::float64 ? read_as<double>(first, count)
                                          : read_as<float>(first, count);
  }

  static constexpr std::int64_t group = 16;  ///< channels of a tile: one cache line of floats

 private:
  static constexpr std::int64_t tile_points = 1024, tile_elements = 16384;
  /// In the operand's own type; the other vector stays empty.
  struct Tile {
    std::int64_t n = -1, c = -1, p = -1;
    std::vector<float> elements32;
    std::vector<double> elements64;
    template <class From>
    std::vector<From>& elements() {
      if constexpr (std::is_same_v<From, float>)
        return elements32;
      else
        return elements64;
    }
  };

  template <class From>
  const T* read_as(std::int64_t first, std::int64_t count) {
    const auto* const data = static_cast<const From*>(operand_.data);
    if (!operand_.channels_last) {
      if constexpr (std::is_same_v<From, T>) return data + first;
      convert(data + first, chunk_.data(), count);
      return chunk_.data();
    }
    const std::int64_t P = operand_.P, C = operand_.C;
    for (std::int64_t i = 0; i < count;) {
      const std::int64_t row = (first + i) / P, p = (first + i) % P;
      const std::int64_t n = row / C, c = row % C;
      const std::int64_t tile_p = p / points_ * points_, tile_c = c / channels_ * channels_;
      const std::int64_t run = std::min({count - i, P - p, tile_p + points_ - p});
      const From* tile = this->tile<From>(n, tile_c, tile_p);
      convert(tile + (c - tile_c) * stride_ + (p - tile_p), chunk_.data() + i, run);
      i += run;
    }
    return chunk_.data();
  }

  template <class From>
  const From* tile(std::int64_t n, std::int64_t c, std::int64_t p) {
    for (Tile& t : tiles_)
      if (t.p == p && t.c == c && t.n == n) return t.template elements<From>().data();
    Tile& t = tiles_[next_++ % tiles_.size()];
    t.n = n, t.c = c, t.p = p;
    const std::int64_t rows = std::min(points_, operand_.P - p);
    const std::int64_t columns = std::min(channels_, operand_.C - c);
    std::vector<From>& elements = t.template elements<From>();
    elements.resize(static_cast<std::size_t>(channels_ * stride_));
    transpose(static_cast<const From*>(operand_.data) + (n * operand_.P + p) * operand_.C + c,
              operand_.C, elements.data(), stride_, rows, columns, Into::cache, set_);
    return elements.data();
  }

  const Operand& operand_;
  InstructionSet set_;
  std::int64_t points_ = 0, channels_ = 0, stride_ = 0;
  std::vector<T> chunk_;
  std::array<Tile, 12> tiles_;
  std::size_t next_ = 0;
};

/// Chunks that one thread takes after another: those that start in rows [row, row + rows) of N*C
/// rows and points [p, p + points). In row-major order this is just a run of chunks.
struct Region {
  std::int64_t row, rows, p, points;
};

std::vector<Region> regions(const Operand& shape, bool tiled) {
  std::vector<Region> all;
  if (!tiled) {
    constexpr std::int64_t run = 32 * metric_chunk;
    const std::int64_t size = shape.size();
    for (std::int64_t p = 0; p < size; p += run) all.push_back({0, 1, p, std::min(run, size - p)});
    return all;
  }
  constexpr std::int64_t points = 8 * metric_chunk;
  // Small images: enough channels that a region holds a few chunks.
  const std::int64_t group = ChunkReader<float>::group;
  const std::int64_t rows =
      std::min(shape.C, std::max(group, (16 * metric_chunk / shape.P + group - 1) / group * group));
  for (std::int64_t n = 0; n < shape.N; ++n)
    for (std::int64_t c = 0; c < shape.C; c += rows)
      for (std::int64_t p = 0; p < shape.P; p += points)
        all.push_back(
            {n * shape.C + c, std::min(rows, shape.C - c), p, std::min(points, shape.P - p)});
  return all;
}

/// The chunks of a region as logical start indices, ordered so that neighbours read the same tiles.
std::vector<std::int64_t> chunks_of(const Region& region, std::int64_t row_length) {
  std::vector<std::pair<std::int64_t, std::int64_t>> found;  // point, start
  for (std::int64_t r = region.row; r < region.row + region.rows; ++r) {
    const std::int64_t first = r * row_length + region.p, last = first + region.points;
    for (std::int64_t start = (first + metric_chunk - 1) / metric_chunk * metric_chunk;
         start < last; start += metric_chunk)
      found.emplace_back(start - r * row_length, start);
  }
  if (row_length >= metric_chunk) std::sort(found.begin(), found.end());
  std::vector<std::int64_t> starts;
  for (const auto& [point, start] : found) starts.push_back(start);
  return starts;
}

/// Calls visit(state, start, count, pointers) for every chunk of logical order, each thread with a
/// State of its own, and merge(state) under a lock when a thread is done.
template <class T, class State, std::size_t operands, class Visit, class Merge>
void for_each_chunk(const std::array<Operand, operands>& all, const Execution& execution,
                    Visit visit, Merge merge) {
  const std::int64_t size = all[0].size();
  if (size == 0) return;
  const CompareKernels& kernels = compare_kernels(execution.instruction_set);
  const auto tiled =
      std::find_if(all.begin(), all.end(), [](const Operand& o) { return o.channels_last; });
  const Operand& shape = tiled == all.end() ? all[0] : *tiled;
  const std::vector<Region> work = regions(shape, tiled != all.end());
  const std::int64_t row_length = tiled == all.end() ? size : shape.P;
  std::mutex lock;
  parallel_for(static_cast<std::int64_t>(work.size()), 1, execution.threads,
               [&](std::int64_t first, std::int64_t last) {
                 State state;
                 std::vector<ChunkReader<T>> readers;
                 readers.reserve(operands);
                 for (const Operand& o : all) readers.emplace_back(o, execution.instruction_set);
                 for (std::int64_t region = first; region < last; ++region) {
                   const Region& part = work[static_cast<std::size_t>(region)];
                   for (const std::int64_t start : chunks_of(part, row_length)) {
                     const std::int64_t count = std::min(metric_chunk, size - start);
                     std::array<const T*, operands> at;
                     for (std::size_t o = 0; o < operands; ++o)
                       at[o] = readers[o].read(start, count);
                     visit(kernels, state, start, count, at);
                   }
                 }
                 const std::lock_guard<std::mutex> hold(lock);
                 merge(state);
               });
}

template <class T>
bool other_bits(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(a) != std::bit_cast<Bits>(b) && !(a != a && b != b);
}
template <class T>
bool mismatched(T a, T b) {
  if ((a != a) != (b != b)) return true;
  return a == a && a != b && (std::isinf(a) || std::isinf(b));
}

struct CompareState {
  RunningComparison running;
  std::int64_t informative = 0, differing = 0;
  std::int64_t nan_mismatches = 0, infinity_mismatches = 0, signed_zero_mismatches = 0;
  std::int64_t beyond = 0, uninformative_bounds = 0;
  std::int64_t first = nowhere, first_mismatch = nowhere;
  Largest worst, share;
};

/// The lowest index in [0, count) where `is`.
template <class Is>
std::int64_t lowest(std::int64_t count, Is is) {
  std::int64_t i = 0;
  while (i < count && !is(i)) ++i;
  return i;
}

ElementPair pair_at(const Operand& a, const Operand& b, std::int64_t index) {
  const auto bits = [](const Operand& o, std::int64_t offset) -> std::uint64_t {
    if (o.type == Type::float64) {
      const double v = static_cast<const double*>(o.data)[offset];
      return v != v ? 0x7fffffffffffffffULL : std::bit_cast<std::uint64_t>(v);
    }
    const float v = static_cast<const float*>(o.data)[offset];
    return v != v ? 0x7fffffffU : std::bit_cast<std::uint32_t>(v);
  };
  const std::int64_t in_a = a.offset(index), in_b = b.offset(index);
  return {index, element<double>(a, in_a), element<double>(b, in_b), bits(a, in_a), bits(b, in_b)};
}

ChunkSplit split_chunk(const CompareKernels& kernels, const float* a, const float* local,
                       const float* b, std::int64_t count) {
  return kernels.split32(a, local, b, count);
}
ChunkSplit split_chunk(const CompareKernels& kernels, const double* a, const double* local,
                       const double* b, std::int64_t count) {
  return kernels.split64(a, local, b, count);
}

/// One energy sum per chunk.
std::vector<ChunkSplit> no_chunks(const Operand& of) {
  return std::vector<ChunkSplit>(
      static_cast<std::size_t>((of.size() + metric_chunk - 1) / metric_chunk));
}
Split finish_chunks(std::span<const ChunkSplit> chunks) {
  ChunkSplit sum;
  for (const ChunkSplit& chunk : chunks) sum.add(chunk);
  return finish(sum);
}

/// Of a, b and maybe a third: the magnitude, or with `splits` the local value, whose chunks are then
/// split beside.
template <class T, std::size_t operands>
Comparison compare_as(const std::array<Operand, operands>& all, const Allowance& allowance,
                      const Execution& execution, std::vector<ChunkSplit>* splits = nullptr) {
  const bool judged = operands == 3 && splits == nullptr;
  const std::int64_t size = all[0].size();
  const Judgement judgement = judgement_of(allowance, all[0].type != all[1].type);
  std::vector<ChunkSums> sums(static_cast<std::size_t>((size + metric_chunk - 1) / metric_chunk));
  ComparisonTotals total;
  total.elements = size;
  total.judged = judged;

  for_each_chunk<T, CompareState>(
      all, execution,
      [&](const CompareKernels& kernels, CompareState& state, std::int64_t start,
          std::int64_t count, const std::array<const T*, operands>& at) {
        const T* m = nullptr;
        if constexpr (operands == 3) {
          if (splits != nullptr)
            (*splits)[static_cast<std::size_t>(start / metric_chunk)] =
                split_chunk(kernels, at[0], at[2], at[1], count);
          else
            m = at[2];
        }
        ChunkComparison chunk;
        if constexpr (std::is_same_v<T, float>)
          chunk = kernels.compare32(at[0], at[1], m, count, judgement, state.running);
        else
          chunk = kernels.compare64(at[0], at[1], m, count, judgement, state.running);
        sums[static_cast<std::size_t>(start / metric_chunk)] = {
            chunk.sum_abs, chunk.sum_square, chunk.sum_aa, chunk.sum_bb, chunk.sum_ab};
        state.informative += chunk.informative;
        state.differing += chunk.differing;
        state.nan_mismatches += chunk.nan_mismatches;
        state.infinity_mismatches += chunk.infinity_mismatches;
        state.signed_zero_mismatches += chunk.signed_zero_mismatches;
        state.beyond += chunk.beyond;
        state.uninformative_bounds += chunk.uninformative_bounds;
        const T *a = at[0], *b = at[1];
        if (chunk.differing > 0 && start < state.first)
          state.first =
              start + lowest(count, [&](std::int64_t i) { return other_bits(a[i], b[i]); });
        if (chunk.nan_mismatches + chunk.infinity_mismatches > 0 && start < state.first_mismatch)
          state.first_mismatch =
              start + lowest(count, [&](std::int64_t i) { return mismatched(a[i], b[i]); });
        if (chunk.max_abs > 0 &&
            (chunk.max_abs > state.worst.value ||
             (chunk.max_abs == state.worst.value && start < state.worst.index)))
          state.worst.take(chunk.max_abs,
                           start + lowest(count, [&](std::int64_t i) {
                             return a[i] != b[i] &&
                                    std::fabs(static_cast<double>(static_cast<T>(b[i] - a[i]))) ==
                                        chunk.max_abs;
                           }));
        if (chunk.share >= 0) state.share.take(chunk.share, start + chunk.share_at);
      },
      [&](const CompareState& state) {
        total.informative += state.informative;
        total.differing += state.differing;
        total.nan_mismatches += state.nan_mismatches;
        total.infinity_mismatches += state.infinity_mismatches;
        total.signed_zero_mismatches += state.signed_zero_mismatches;
        total.beyond += state.beyond;
        total.uninformative_bounds += state.uninformative_bounds;
        total.first = std::min(total.first, state.first);
        total.first_mismatch = std::min(total.first_mismatch, state.first_mismatch);
        if (state.worst.index != nowhere) total.worst.take(state.worst.value, state.worst.index);
        if (state.share.index != nowhere) total.share.take(state.share.value, state.share.index);
        total.max_rel = std::max(total.max_rel, state.running.max_rel);
        for (int t = 0; t < histogram_tables; ++t)
          for (std::size_t bin = 0; bin < ulp_bins; ++bin)
            total.ulp_histogram[bin] += state.running.histogram[t][bin];
      });

  for (const ChunkSums& chunk : sums) {
    total.sums.abs += chunk.abs;
    total.sums.square += chunk.square;
    total.sums.aa += chunk.aa;
    total.sums.bb += chunk.bb;
    total.sums.ab += chunk.ab;
  }
  return finish(
      total, [&](std::int64_t index) { return pair_at(all[0], all[1], index); },
      [&](std::int64_t index) {
        const Operand& m = all[operands - 1];
        return allowance.coefficient * element<double>(m, m.offset(index)) + allowance.underflow;
      });
}

/// Calls f(item, first index, step, elements, offset) for contiguous runs, on `threads`; f adds to
/// sums.
template <class Run>
Digest digest_with(const Operand& o, std::int64_t items, Type type, const Execution& execution,
                   Run run) {
  const std::int64_t per_item = items == 0 ? 0 : o.size() / items;
  std::vector<Digest> sums(static_cast<std::size_t>(items));
  constexpr std::int64_t grain = std::int64_t{1} << 16;
  // Points of a channels-last item, or elements of a row-major one.
  const std::int64_t units = o.channels_last ? o.P : per_item;
  const std::int64_t block = o.channels_last ? std::max<std::int64_t>(1, grain / o.C) : grain;
  const std::int64_t blocks = (units + block - 1) / block;
  std::mutex lock;
  parallel_for(items * blocks, 1, execution.threads, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t at = first; at < last; ++at) {
      const std::int64_t item = at / blocks, from = at % blocks * block;
      const std::int64_t to = std::min(units, from + block);
      std::uint64_t lane[2] = {0, 0};
      if (o.channels_last) {
        for (std::int64_t p = from; p < to; ++p)
          run((item * o.P + p) * o.C, o.C, static_cast<std::uint64_t>(p),
              static_cast<std::uint64_t>(o.P), lane);
      } else {
        run(item * per_item + from, to - from, static_cast<std::uint64_t>(from), 1, lane);
      }
      const std::lock_guard<std::mutex> hold(lock);
      sums[static_cast<std::size_t>(item)].lane[0] += lane[0];
      sums[static_cast<std::size_t>(item)].lane[1] += lane[1];
    }
  });
  for (Digest& sum : sums) sum = close_item(sum, per_item, type);
  return combine_items(sums, type);
}

template <class T>
void distance(const CompareKernels& kernels, const T* a, const T* b, float* out, std::int64_t n) {
  if constexpr (std::is_same_v<T, float>)
    kernels.distance32(a, b, out, n);
  else
    kernels.distance64(a, b, out, n);
}

template <class T>
ErrorMap map_as(const Operand& a, const Operand& b, const Shape& shape,
                const Execution& execution) {
  const MapAxes axes = map_axes(shape);
  ErrorMap result = empty_map(axes);
  const auto bars = static_cast<std::int64_t>(result.channel_max.size());
  if (a.size() == 0) return result;

  struct Part {
    std::vector<float> heat, channel;
  };
  const CompareKernels& kernels = compare_kernels(execution.instruction_set);
  std::mutex lock;
  const auto merge = [&](const Part& part) {
    const std::lock_guard<std::mutex> hold(lock);
    kernels.max_into(part.heat.data(), result.heat.data(),
                     static_cast<std::int64_t>(part.heat.size()));
    for (std::int64_t c = 0; c < axes.C && !part.channel.empty(); ++c) {
      float& bar = result.channel_max[static_cast<std::size_t>(c * bars / axes.C)];
      bar = std::max(bar, part.channel[static_cast<std::size_t>(c)]);
    }
  };
  const std::int64_t space = axes.H * axes.W;
  std::vector<std::int32_t> cell_of(static_cast<std::size_t>(space));
  for (std::int64_t p = 0; p < space; ++p)
    cell_of[static_cast<std::size_t>(p)] = static_cast<std::int32_t>(
        p / axes.W * result.rows / axes.H * result.columns + p % axes.W * result.columns / axes.W);
  const auto heat_at = [&](std::int64_t p) {
    return static_cast<std::size_t>(cell_of[static_cast<std::size_t>(p)]);
  };
  const bool together = a.channels_last && b.channels_last;
  if (together) {
    // Points in memory order, all channels of each at once.
    parallel_for(a.N * a.P, 512, execution.threads, [&](std::int64_t first, std::int64_t last) {
      Part part{std::vector<float>(result.heat.size()),
                std::vector<float>(static_cast<std::size_t>(a.C))};
      std::vector<float> row(static_cast<std::size_t>(a.C));
      std::vector<T> of_a(static_cast<std::size_t>(a.C)), of_b(of_a.size());
      const auto channels = [&](const Operand& o, std::int64_t point,
                                std::vector<T>& buffer) -> const T* {
        if (o.type == type_of<T>()) return static_cast<const T*>(o.data) + point * o.C;
        convert(static_cast<const float*>(o.data) + point * o.C, buffer.data(), o.C);
        return buffer.data();
      };
      for (std::int64_t point = first; point < last; ++point) {
        distance(kernels, channels(a, point, of_a), channels(b, point, of_b), row.data(), a.C);
        float& cell = part.heat[heat_at(point % a.P)];
        cell = std::max(cell, kernels.max_into(row.data(), part.channel.data(), a.C));
      }
      merge(part);
    });
    return result;
  }
  struct State {
    Part part;
    std::vector<float> row;
  };
  for_each_chunk<T, State>(
      std::array<Operand, 2>{a, b}, execution,
      [&](const CompareKernels&, State& state, std::int64_t start, std::int64_t count,
          const std::array<const T*, 2>& at) {
        if (state.row.empty()) {
          state.part = {std::vector<float>(result.heat.size()),
                        std::vector<float>(static_cast<std::size_t>(axes.C))};
          state.row.resize(metric_chunk);
        }
        distance(kernels, at[0], at[1], state.row.data(), count);
        std::int64_t p = start % space, c = start / space % axes.C;
        for (std::int64_t i = 0; i < count; ++i) {
          const float d = state.row[static_cast<std::size_t>(i)];
          if (d != 0) {
            const std::int64_t channel = axes.column_is_channel ? p % axes.W : c;
            float& cell = state.part.heat[heat_at(p)];
            float& bar = state.part.channel[static_cast<std::size_t>(channel)];
            cell = std::max(cell, d);
            bar = std::max(bar, d);
          }
          if (++p == space) {
            p = 0;
            if (++c == axes.C) c = 0;
          }
        }
      },
      [&](const State& state) {
        if (!state.row.empty()) merge(state.part);
      });
  return result;
}

}  // namespace

Digest digest(const Value& value, const Execution& execution) {
  const Operand o = operand(value);
  const std::int64_t items = value.shape().empty() ? 1 : value.shape()[0];
  const CompareKernels& kernels = compare_kernels(execution.instruction_set);
  const Type type = value.type().type;
  const auto plain = [&](auto zero) {
    return digest_with(o, items, type, execution,
                       [&](std::int64_t at, std::int64_t n, std::uint64_t first, std::uint64_t step,
                           std::uint64_t* lane) {
                         for (std::int64_t i = 0; i < n; ++i) {
                           const auto bits = static_cast<const decltype(zero)*>(o.data)[at + i];
                           const DigestTerm term =
                               digest_term(static_cast<std::uint64_t>(bits),
                                           first + static_cast<std::uint64_t>(i) * step);
                           lane[0] += term.lane0;
                           lane[1] += term.lane1;
                         }
                       });
  };
  switch (type) {
    case Type::float32:
      return digest_with(o, items, type, execution,
                         [&](std::int64_t at, std::int64_t n, std::uint64_t first,
                             std::uint64_t step, std::uint64_t* lane) {
                           kernels.digest32(static_cast<const std::uint32_t*>(o.data) + at, n,
                                            first, step, lane);
                         });
    case Type::float64:
      return digest_with(o, items, type, execution,
                         [&](std::int64_t at, std::int64_t n, std::uint64_t first,
                             std::uint64_t step, std::uint64_t* lane) {
                           kernels.digest64(static_cast<const std::uint64_t*>(o.data) + at, n,
                                            first, step, lane);
                         });
    case Type::int64:
      return plain(std::int64_t{});
    case Type::boolean:
      break;
  }
  return plain(std::uint8_t{});
}

Comparison compare(const Value& given_a, const Value& given_b, const Value* given_magnitude,
                   const Allowance& allowance, const Execution& execution) {
  const Value a = as_real(given_a, execution), b = as_real(given_b, execution);
  const std::optional<Value> measured =
      given_magnitude ? std::optional(as_real(*given_magnitude, execution)) : std::nullopt;
  const Value* const magnitude = measured ? &*measured : nullptr;
  require_same_shape(a, b, "a comparison");
  if (magnitude) require_same_shape(a, *magnitude, "a judgement");
  const bool wide = in_double(a) || in_double(b) || (magnitude && in_double(*magnitude));
  const auto compared = [&](const auto& all) {
    return wide ? compare_as<double>(all, allowance, execution)
                : compare_as<float>(all, allowance, execution);
  };
  Comparison result =
      magnitude ? compared(std::array<Operand, 3>{operand(a), operand(b), operand(*magnitude)})
                : compared(std::array<Operand, 2>{operand(a), operand(b)});
  if (!is_real(given_a))
    for (std::optional<ElementPair>* pair : {&result.first, &result.worst, &result.worst_judged})
      name_integers(*pair);
  return result;
}

Split split(const Value& given_a, const Value& given_local, const Value& given_b,
            const Execution& execution) {
  const Value a = as_real(given_a, execution), local = as_real(given_local, execution),
              b = as_real(given_b, execution);
  require_same_shape(a, local, "a split");
  require_same_shape(a, b, "a split");
  const std::array<Operand, 3> all = {operand(a), operand(local), operand(b)};
  std::vector<ChunkSplit> chunks = no_chunks(all[0]);
  const auto split_as = [&]<class T>(T) {
    struct Nothing {};
    for_each_chunk<T, Nothing>(
        all, execution,
        [&](const CompareKernels& kernels, Nothing&, std::int64_t start, std::int64_t count,
            const std::array<const T*, 3>& at) {
          chunks[static_cast<std::size_t>(start / metric_chunk)] =
              split_chunk(kernels, at[0], at[1], at[2], count);
        },
        [](const Nothing&) {});
  };
  if (in_double(a) || in_double(local) || in_double(b))
    split_as(double{});
  else
    split_as(float{});
  return finish_chunks(chunks);
}

Accumulation accumulate(const Value& a, const Value& local, const Value& b,
                        const Execution& execution) {
  // A comparison of integers names them, and one of two floats is in float whatever local is.
  if (!is_real(a) || local.type() != b.type())
    return {compare(a, b, nullptr, {}, execution), split(a, local, b, execution)};
  require_same_shape(a, b, "an accumulated error");
  const std::array<Operand, 3> all = {operand(a), operand(b), operand(local)};
  std::vector<ChunkSplit> chunks = no_chunks(all[0]);
  Comparison comparison = in_double(a) || in_double(b)
                              ? compare_as<double>(all, {}, execution, &chunks)
                              : compare_as<float>(all, {}, execution, &chunks);
  return {std::move(comparison), finish_chunks(chunks)};
}

ErrorMap map(const Value& given_a, const Value& given_b, const Execution& execution) {
  const Value a = as_real(given_a, execution), b = as_real(given_b, execution);
  require_same_shape(a, b, "an error map");
  const Operand oa = operand(a), ob = operand(b);
  return in_double(a) || in_double(b) ? map_as<double>(oa, ob, a.shape(), execution)
                                      : map_as<float>(oa, ob, a.shape(), execution);
}

std::vector<double> elements_at(const Value& given, std::span<const std::int64_t> indices) {
  const Value value = as_real(given, Execution{});
  const Operand o = operand(value);
  std::vector<double> result;
  result.reserve(indices.size());
  for (const std::int64_t index : indices) result.push_back(element<double>(o, o.offset(index)));
  return result;
}

}  // namespace parity::cpu
