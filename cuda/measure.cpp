#include "cuda/measure.hpp"

#include <algorithm>
#include <optional>
#include <string>

#include "cuda/compare.hpp"
#include "cuda/storage.hpp"
#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/digest.hpp"
#include "model/arithmetic/metrics.hpp"

namespace parity::cuda {
namespace {

void require_same_shape(const Value& a, const Value& b, const char* what) {
  if (a.shape() != b.shape())
    throw Error(Fault::internal, std::string(what) +
                                     " was asked for tensors of different shapes, " +
                                     to_string(a.type()) + " and " + to_string(b.type()));
}

bool is_double(const Value& value) { return value.type().type == Type::float64; }

/// A value as its numbers are measured: integers and booleans as doubles.
Value as_real(const Value& value, Session& session) {
  const Type type = value.type().type;
  if (type == Type::float32 || type == Type::float64) return value;
  return elements<double>(value, layout_of(value), session).value;
}

/// N*C*P of a shape as comparisons see it.
struct Extents {
  std::int64_t N = 1, C = 1, P = 1;
};
Extents extents_of(const Shape& shape) {
  if (shape.size() < 2) return {1, 1, element_count(shape)};
  return {shape[0], shape[1], element_count(shape, 2, shape.size())};
}

CompareOperand operand(const Value& value) {
  const Type type = value.type().type;
  if (type != Type::float32 && type != Type::float64)
    throw Error(Fault::internal, "a comparison was asked for a tensor of type " + to_string(type) +
                                     "; only float32 and float64 are compared");
  const Extents e = extents_of(value.shape());
  // With one channel or one point both layouts are the same.
  const bool last = layout_of(value) == Layout::channels_last && e.C > 1 && e.P > 1;
  return {storage_of(value).data(), type == Type::float64, last, e.C, e.P};
}

/// Device memory for a kernel's result, zeroed or not, and its way to the host.
template <class T>
class Results {
 public:
  Results(std::size_t count, Session& session)
      : session_(&session), count_(count), memory_(session.take(count * sizeof(T))) {}
  T* data() const { return static_cast<T*>(memory_.get()); }
  Results& zeroed() {
    session_->check(
        session_->api().fill(memory_.get(), 0, count_ * sizeof(T), session_->queue().stream),
        "clearing a result");
    return *this;
  }
  /// Queues the copy; complete after the next wait.
  void fetch(std::vector<T>& to) const {
    to.resize(count_);
    if (count_ == 0) return;
    session_->check(session_->api().copy_out(to.data(), memory_.get(), count_ * sizeof(T),
                                             session_->queue().stream),
                    "copying a result back");
  }

 private:
  Session* session_;
  std::size_t count_;
  std::shared_ptr<void> memory_;
};

std::size_t chunk_count(std::int64_t elements) {
  return static_cast<std::size_t>((elements + metric_chunk - 1) / metric_chunk);
}

ElementPair pair_at(const Value& a, const Value& b, std::int64_t index, Session& session) {
  const auto read = [&](const Value& v) { return elements_at(v, {&index, 1}, session).front(); };
  const double va = read(a), vb = read(b);
  const auto bits = [](const Value& v, double value) -> std::uint64_t {
    const Type type = v.type().type;
    if (type == Type::int64 || type == Type::boolean)
      return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
    return is_double(v) ? canonical_bits(value) : canonical_bits(static_cast<float>(value));
  };
  return {index, va, vb, bits(a, va), bits(b, vb)};
}

}  // namespace

Digest digest(const Value& value, Session& session) {
  const Type type = value.type().type;
  const Shape& shape = value.shape();
  const std::int64_t items = shape.empty() ? 1 : shape[0];
  const std::int64_t per_item = items == 0 ? 0 : element_count(shape) / items;
  const Extents e = extents_of(shape);
  const bool last = layout_of(value) == Layout::channels_last && e.C > 1 && e.P > 1;
  Results<std::uint64_t> sums(static_cast<std::size_t>(2 * items), session);
  std::vector<std::uint64_t> found;
  session.check(
      launch_digest(session.queue(), {storage_of(value).data(), static_cast<int>(byte_width(type)),
                                      type == Type::float32 || type == Type::float64, last, items,
                                      per_item, e.C, e.P, sums.zeroed().data()}),
      "launching a digest");
  sums.fetch(found);
  session.wait("computing a digest");
  std::vector<Digest> closed;
  for (std::size_t i = 0; i < static_cast<std::size_t>(items); ++i)
    closed.push_back(close_item({{found[2 * i], found[2 * i + 1]}}, per_item, type));
  return combine_items(closed, type);
}

Comparison compare(const Value& given_a, const Value& given_b, const Value* given_magnitude,
                   const Allowance& allowance, Session& session) {
  const Value a = as_real(given_a, session), b = as_real(given_b, session);
  const std::optional<Value> measured =
      given_magnitude ? std::optional(as_real(*given_magnitude, session)) : std::nullopt;
  const Value* const magnitude = measured ? &*measured : nullptr;
  require_same_shape(a, b, "a comparison");
  if (magnitude != nullptr) require_same_shape(a, *magnitude, "a judgement");
  ComparisonTotals total;
  total.elements = element_count(a.shape());
  total.judged = magnitude != nullptr;

  Results<DeviceChunk> chunks(chunk_count(total.elements), session);
  Results<std::uint64_t> histogram(ulp_bins, session);
  static_assert(ulp_bins == ulp_bin_count);
  CompareArgument argument{};
  argument.a = operand(a);
  argument.b = operand(b);
  if (magnitude != nullptr) argument.magnitude = operand(*magnitude);
  argument.count = total.elements;
  argument.judgement = judgement_of(allowance, is_double(a) != is_double(b));
  argument.in_double = is_double(a) || is_double(b) || (magnitude && is_double(*magnitude));
  argument.chunks = chunks.data();
  argument.histogram = histogram.zeroed().data();
  session.check(launch_compare(session.queue(), argument), "launching a comparison");
  std::vector<DeviceChunk> parts;
  std::vector<std::uint64_t> bins;
  chunks.fetch(parts);
  histogram.fetch(bins);
  session.wait("comparing two tensors");

  std::copy(bins.begin(), bins.end(), total.ulp_histogram.begin());
  for (std::size_t c = 0; c < parts.size(); ++c) {
    const DeviceChunk& part = parts[c];
    const std::int64_t start = static_cast<std::int64_t>(c) * metric_chunk;
    total.informative += part.informative;
    total.differing += part.differing;
    total.nan_mismatches += part.nan_mismatches;
    total.infinity_mismatches += part.infinity_mismatches;
    total.signed_zero_mismatches += part.signed_zero_mismatches;
    total.beyond += part.beyond;
    total.uninformative_bounds += part.uninformative_bounds;
    const auto earliest = [&](std::int64_t& known, std::int32_t at) {
      if (at != nowhere_in_chunk) known = std::min(known, start + at);
    };
    earliest(total.first, part.first);
    earliest(total.first_mismatch, part.first_mismatch);
    if (part.max_abs > 0) total.worst.take(part.max_abs, start + part.max_abs_at);
    if (part.share >= 0) total.share.take(part.share, start + part.share_at);
    total.max_rel = std::max(total.max_rel, part.max_rel);
    total.sums.abs += part.sum_abs;
    total.sums.square += part.sum_square;
    total.sums.aa += part.sum_aa;
    total.sums.bb += part.sum_bb;
    total.sums.ab += part.sum_ab;
  }
  return finish(
      total, [&](std::int64_t index) { return pair_at(given_a, given_b, index, session); },
      [&](std::int64_t index) {
        return allowance.coefficient * elements_at(*magnitude, {&index, 1}, session).front() +
               allowance.underflow;
      });
}

Split split(const Value& given_a, const Value& given_local, const Value& given_b,
            Session& session) {
  const Value a = as_real(given_a, session), local = as_real(given_local, session),
              b = as_real(given_b, session);
  require_same_shape(a, local, "a split");
  require_same_shape(a, b, "a split");
  const std::int64_t count = element_count(a.shape());
  Results<DeviceSplit> chunks(chunk_count(count), session);
  session.check(
      launch_split(session.queue(), {operand(a), operand(local), operand(b), count, chunks.data()}),
      "launching a split");
  std::vector<DeviceSplit> parts;
  chunks.fetch(parts);
  session.wait("splitting an error");
  ChunkSplit sum;
  for (const DeviceSplit& part : parts)
    sum.add({part.introduced, part.inherited, part.accumulated, part.introduced_on_accumulated,
             part.inherited_on_accumulated, part.aa});
  return finish(sum);
}

ErrorMap map(const Value& given_a, const Value& given_b, Session& session) {
  const Value a = as_real(given_a, session), b = as_real(given_b, session);
  require_same_shape(a, b, "an error map");
  const MapAxes axes = map_axes(a.shape());
  ErrorMap result = empty_map(axes);
  if (element_count(a.shape()) == 0) return result;
  Results<std::uint32_t> heat(result.heat.size(), session),
      channels(result.channel_max.size(), session);
  session.check(launch_map(session.queue(), {operand(a), operand(b), element_count(a.shape()),
                                             axes.C, axes.H, axes.W, result.rows, result.columns,
                                             static_cast<std::int64_t>(result.channel_max.size()),
                                             axes.column_is_channel, is_double(a) || is_double(b),
                                             heat.zeroed().data(), channels.zeroed().data()}),
                "launching an error map");
  std::vector<std::uint32_t> heat_bits, channel_bits;
  heat.fetch(heat_bits);
  channels.fetch(channel_bits);
  session.wait("mapping an error");
  const auto as_float = [](std::uint32_t bits) { return float_of(bits); };
  std::transform(heat_bits.begin(), heat_bits.end(), result.heat.begin(), as_float);
  std::transform(channel_bits.begin(), channel_bits.end(), result.channel_max.begin(), as_float);
  return result;
}

std::vector<double> elements_at(const Value& given, std::span<const std::int64_t> indices,
                                Session& session) {
  const Value value = as_real(given, session);
  Results<std::int64_t> at(indices.size(), session);
  Results<double> found(indices.size(), session);
  if (!indices.empty())
    session.check(session.api().copy_in(at.data(), indices.data(), indices.size_bytes(),
                                        session.queue().stream),
                  "uploading indices");
  session.check(
      launch_gather(session.queue(), {operand(value), at.data(),
                                      static_cast<std::int64_t>(indices.size()), found.data()}),
      "launching a gather");
  std::vector<double> result;
  found.fetch(result);
  session.wait("reading elements");
  return result;
}

}  // namespace parity::cuda
