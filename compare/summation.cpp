#include "compare/summation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "compare/misread.hpp"
#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

/// An order that is wrong hits a telling element's bits by chance once in three (the neighbours
/// above and below): 3^-20 times the 1,500 that are tried is below 10^-6.
constexpr std::int64_t fewest_telling = 20;
constexpr std::int64_t most_channels = 64, most_positions = 128, positions_kept = 6;

/// What one output element sums, term by term, in the natural order (c, r, s) or k.
class Products {
 public:
  static std::optional<Products> of(const SummationSearch& search) {
    const Stage& stage = search.planned.stage;
    const Step& head = stage.steps.front();
    if (head.parameters.empty() || !head.parameters[0] || head.inputs.size() != 1 ||
        stage.inputs.size() != 1 || stage.input_types[0].type != Type::float32)
      return std::nullopt;
    Products p;
    const Shape& x = stage.input_types[0].shape;
    const Shape& w = head.parameters[0]->shape();
    const Tensor* bias = nullptr;
    if (const auto* conv = std::get_if<Conv2d>(head.op.get())) {
      p.slide(extents(*conv, stage.input_types[0], head.parameters[0]->type()), conv->window);
      if (head.parameters.size() > 1) bias = head.parameters[1].get();
    } else if (const auto* turned = std::get_if<ConvTranspose2d>(head.op.get())) {
      p.slide(extents(*turned, stage.input_types[0], head.parameters[0]->type()), turned->window);
      p.transposed_ = true;
      // Taps that lie a stride or more apart never meet in an output.
      p.one_tap_ = turned->most_taps() == 1;
      if (p.one_tap_) p.taps_ = 1;
      if (head.parameters.size() > 1) bias = head.parameters[1].get();
    } else if (const auto* product = std::get_if<MatMul>(head.op.get())) {
      if (product->constant != MatMul::Constant::right || x.size() < 2 || w.size() != 2 ||
          product->left != MatMul::Stored::as_read || product->alpha != 1 || product->beta != 1 ||
          product->addend == MatMul::Addend::value)
        return std::nullopt;
      p.image_ = false;
      p.turned_ = product->right == MatMul::Stored::transposed;
      p.channels_ = w[p.turned_ ? 0 : 1];
      p.positions_ = element_count(x, 0, x.size() - 1);
      p.inner_ = x.back();
      if (product->addend == MatMul::Addend::parameter) bias = head.parameters[1].get();
    } else {
      return std::nullopt;
    }
    if (bias != nullptr && bias->size() != p.channels_) return std::nullopt;
    p.x_ = to_float32(search.host.download(search.inputs[0], search.execution));
    p.w_ = *head.parameters[0];
    if (bias != nullptr) p.bias_ = *bias;
    return p;
  }

  std::int64_t channels() const { return channels_; }
  std::int64_t positions() const { return positions_; }
  std::int64_t terms() const { return inner_ * taps_; }
  /// Terms of one tap; 0 where an output has no taps, or only one.
  std::int64_t terms_of_a_tap() const { return transposed_ && !one_tap_ ? inner_ : 0; }
  bool image() const { return image_; }
  bool has_bias() const { return bias_.has_value(); }
  float bias(std::int64_t channel) const {
    return bias_ ? bias_->values<float>()[static_cast<std::size_t>(channel)] : 0.0F;
  }
  /// Where the element lies in the output, row-major.
  std::int64_t index(std::int64_t channel, std::int64_t position) const {
    if (!image_) return position * channels_ + channel;
    return (position / pixels_ * channels_ + channel) * pixels_ + position % pixels_;
  }
  /// The head's output for `positions` positions, each with all channels.
  Shape shape_for(std::int64_t positions, std::size_t rank) const {
    Shape shape(rank, 1);
    if (!image_) {
      shape[rank - 2] = positions;
      shape[rank - 1] = channels_;
      return shape;
    }
    shape[1] = channels_;
    shape[2] = positions;
    return shape;
  }
  std::int64_t index_for(std::int64_t channel, std::int64_t at, std::int64_t positions) const {
    return image_ ? channel * positions + at : at * channels_ + channel;
  }

  void load(std::int64_t channel, std::int64_t position, std::vector<float>& x,
            std::vector<float>& w) const {
    const std::span<const float> values = x_.values<float>(), weights = w_.values<float>();
    x.clear();
    w.clear();
    if (!image_) {
      for (std::int64_t k = 0; k < inner_; ++k) {
        x.push_back(values[static_cast<std::size_t>(position * inner_ + k)]);
        w.push_back(weights[static_cast<std::size_t>(turned_ ? channel * inner_ + k
                                                             : k * channels_ + channel)]);
      }
      return;
    }
    const std::int64_t n = position / pixels_, oh = position % pixels_ / e_.OW,
                       ow = position % e_.OW, first = channel / (e_.OC / e_.G) * inner_;
    const std::int64_t of_group = e_.OC / e_.G;
    for (std::int64_t c = 0; c < inner_; ++c) {
      const std::size_t terms = x.size();
      for (std::int64_t r = 0; r < e_.KH; ++r)
        for (std::int64_t s = 0; s < e_.KW; ++s) {
          const std::int64_t ih = place(oh, r, 0), iw = place(ow, s, 1);
          const bool inside = ih >= 0 && ih < e_.IH && iw >= 0 && iw < e_.IW;
          if (one_tap_ && !inside) continue;
          x.push_back(inside ? values[static_cast<std::size_t>(
                                   ((n * e_.IC + first + c) * e_.IH + ih) * e_.IW + iw)]
                             : 0.0F);
          const std::int64_t row =
              transposed_ ? (first + c) * of_group + channel % of_group : channel * inner_ + c;
          w.push_back(weights[static_cast<std::size_t>((row * e_.KH + r) * e_.KW + s)]);
        }
      if (one_tap_ && x.size() == terms) {  // an output that no tap reaches
        x.push_back(0.0F);
        w.push_back(0.0F);
      }
    }
  }

  /// Natural indices in the order of a summation.
  std::vector<std::size_t> order(std::int64_t block) const {
    const std::int64_t width = block == 0 ? inner_ : block;
    std::vector<std::size_t> places;
    for (std::int64_t first = 0; first < inner_; first += width)
      for (std::int64_t tap = 0; tap < taps_; ++tap)
        for (std::int64_t c = first; c < std::min(inner_, first + width); ++c)
          places.push_back(static_cast<std::size_t>(c * taps_ + tap));
    return places;
  }

 private:
  void slide(const ConvExtents& e, const SlidingWindow& window) {
    image_ = true;
    e_ = e;
    window_ = window;
    channels_ = e.OC;
    pixels_ = e.OH * e.OW;
    positions_ = e.N * pixels_;
    inner_ = e.IC / e.G;
    taps_ = e.KH * e.KW;
  }
  /// Where tap `tap` of output `out` lies in x along an axis; -1 where it does not.
  std::int64_t place(std::int64_t out, std::int64_t tap, std::size_t axis) const {
    const std::int64_t offset = tap * window_.dilation[axis] - window_.pad_begin[axis];
    if (!transposed_) return out * window_.stride[axis] + offset;
    const std::int64_t up = out - offset;
    return up % window_.stride[axis] == 0 ? up / window_.stride[axis] : -1;
  }

  bool image_ = false, turned_ = false;
  bool transposed_ = false, one_tap_ = false;
  ConvExtents e_{};
  SlidingWindow window_;
  std::int64_t channels_ = 0, positions_ = 0, pixels_ = 1, inner_ = 0, taps_ = 1;
  Tensor x_, w_;
  std::optional<Tensor> bias_;
};

float sum(const Summation& how, std::span<const float> x, std::span<const float> w, float bias) {
  const auto K = static_cast<std::int64_t>(x.size());
  const auto step = [&](std::int64_t k, float acc) {
    const auto i = static_cast<std::size_t>(k);
    if (how.fused) return std::fma(x[i], w[i], acc);
    const float product = x[i] * w[i];
    return acc + product;
  };
  const float start = how.from_bias ? bias : 0.0F;
  float total = start;
  if (how.grouping == Summation::Grouping::chain) {
    for (std::int64_t k = 0; k < K; ++k) total = step(k, total);
  } else if (how.grouping == Summation::Grouping::lanes) {
    std::array<float, 16> lanes{};
    for (std::int64_t k = 0; k < K; ++k) {
      float& lane = lanes[static_cast<std::size_t>(k % how.count)];
      lane = step(k, lane);
    }
    for (std::int64_t d = how.count / 2; d > 0; d /= 2)
      for (std::int64_t l = 0; l < d; ++l)
        lanes[static_cast<std::size_t>(l)] += lanes[static_cast<std::size_t>(l + d)];
    total = lanes[0] + start;
  } else {
    const std::int64_t length =
        how.grouping == Summation::Grouping::chunks ? how.count : (K + how.count - 1) / how.count;
    for (std::int64_t first = 0; first < K; first += length) {
      float part = 0.0F;
      for (std::int64_t k = first; k < std::min(K, first + length); ++k) part = step(k, part);
      total += part;
    }
  }
  return (how.from_bias ? total : total + bias) + 0.0F;
}

/// The steps of the stage up to movement that leaves the elements in their order, at its end.
PlannedStage without_reshaping(const PlannedStage& planned) {
  std::size_t steps = planned.stage.steps.size();
  while (steps > 1) {
    const auto* moved = std::get_if<Movement>(planned.stage.steps[steps - 1].op.get());
    if (moved == nullptr || moved->function == Movement::Function::transpose) break;
    --steps;
  }
  return prefix_of(planned, steps);
}

/// Whether the steps behind the head treat every place of a channel alike; the channels are those of an
/// image (axis 1) or of a product (the last axis).
bool epilogue_is_per_channel(const PlannedStage& planned, bool image) {
  const std::size_t rank = planned.stage.output_types.front().shape.size();
  const std::size_t behind = image ? rank - 2 : 0;  // axes after the channels
  for (std::size_t i = 1; i < planned.stage.steps.size(); ++i) {
    const Step& step = planned.stage.steps[i];
    if (std::holds_alternative<Unary>(*step.op)) continue;
    if (std::holds_alternative<BatchNorm>(*step.op) && (image || rank == 2)) continue;
    if (!std::holds_alternative<Binary>(*step.op) || step.inputs.size() != 1) return false;
    for (const auto& parameter : step.parameters) {
      if (!parameter) continue;
      const Shape& shape = parameter->shape();  // aligned at its end
      for (std::size_t axis = 0; axis < shape.size(); ++axis)
        if (shape.size() - 1 - axis != behind && shape[axis] != 1) return false;
    }
  }
  return true;
}

/// The steps behind the head, one way to compute them.
struct Epilogue {
  std::string text;  ///< of BatchNorm, where it is not the lab's
  std::optional<PlannedStage> stage;
};

/// BatchNorm as s x + t with constants made in float32: s = (1 / sqrt(var + eps)) gamma, or gamma /
/// sqrt(var + eps); t = beta - mean s.
Epilogue with_float32_norm(const PlannedStage& epilogue, bool by_inverse, bool fused) {
  Epilogue made{std::string("batch norm in float32") +
                    (by_inverse ? " by 1/sqrt" : " by division") +
                    (fused ? "" : ", product rounded first"),
                epilogue};
  Stage& stage = made.stage->stage;
  const std::size_t at = batch_norm_of(stage);
  const Step norm = stage.steps[at];
  const float epsilon = std::get<BatchNorm>(*norm.op).epsilon;
  const auto values = [&](std::size_t i) { return norm.parameters[i]->values<float>(); };
  const std::span<const float> gamma = values(0), beta = values(1), mean = values(2),
                               var = values(3);
  std::vector<float> s, t;
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    const float deviation = std::sqrt(var[c] + epsilon);
    const float inverse = 1.0F / deviation;
    s.push_back(by_inverse ? inverse * gamma[c] : gamma[c] / deviation);
    const float moved = mean[c] * s[c];
    t.push_back(beta[c] - moved);
  }
  const auto C = static_cast<std::int64_t>(s.size());
  const auto constant = [&](const Shape& shape, std::vector<float> elements) {
    return std::make_shared<const Tensor>(Tensor::of(shape, std::move(elements)));
  };
  if (fused) {
    // With var + eps = 1 and mean = 0 the lab's own constants are s and t.
    Step& step = stage.steps[at];
    step.op = std::make_shared<const Op>(BatchNorm{0.0F});
    step.parameters = {constant({C}, s), constant({C}, t),
                       constant({C}, std::vector<float>(s.size(), 0.0F)),
                       constant({C}, std::vector<float>(s.size(), 1.0F))};
    return made;
  }
  Shape shape(stage.input_types.front().shape.size(), 1);
  shape[1] = C;
  std::int32_t unused = 0;
  for (const Step& step : stage.steps)
    for (const TensorId id : step.outputs)
      unused = std::max(unused, static_cast<std::int32_t>(id) + 1);
  Step product = norm, sum = norm;
  product.op = std::make_shared<const Op>(Binary{Binary::Function::mul});
  product.parameters = {constant(shape, s)};
  product.outputs = {TensorId{unused}};
  sum.op = std::make_shared<const Op>(Binary{Binary::Function::add});
  sum.parameters = {constant(shape, t)};
  sum.inputs = product.outputs;
  const auto place = static_cast<std::ptrdiff_t>(at);
  stage.steps[at] = product;
  stage.steps.insert(stage.steps.begin() + place + 1, sum);
  auto& contracts = made.stage->contracts;
  contracts[at] = Contract{};
  contracts.insert(contracts.begin() + place + 1, Contract{});
  return made;
}

std::vector<Epilogue> epilogues_of(const PlannedStage& planned) {
  if (planned.stage.steps.size() == 1) return {{"", std::nullopt}};
  const PlannedStage own = suffix_of(planned, 1);
  std::vector<Epilogue> list = {{"", own}};
  if (batch_norm_of(own.stage) < own.stage.steps.size())
    for (const bool by_inverse : {true, false})
      for (const bool fused : {false, true})
        list.push_back(with_float32_norm(own, by_inverse, fused));
  return list;
}

class Search {
 public:
  Search(const SummationSearch& search, const PlannedStage& planned, Products products)
      : s_(search),
        p_(std::move(products)),
        rank_(planned.stage.output_types.front().shape.size()),
        epilogues_(epilogues_of(planned)) {
    const std::int64_t C = p_.channels(), most = std::min(C, most_channels);
    for (std::int64_t i = 0; i < most; ++i) channels_.push_back(i * C / most);
  }

  std::optional<FoundSummation> run() {
    Candidate contract{{}, 0};
    contract.how.image = p_.image();
    const std::vector<std::int64_t> places = telling_positions(contract);
    if (places.empty()) return std::nullopt;
    std::vector<Candidate> fits;
    for (std::size_t e = 0; e < epilogues_.size(); ++e)
      for (const Summation& how : all()) fits.push_back({how, e});
    fits = fitting(std::move(fits), {places.data(), 1});
    fits = fitting(std::move(fits), places);
    if (fits.empty()) return std::nullopt;
    const Candidate& best = fits.front();
    FoundSummation found;
    found.how = best.how;
    found.how.norm = epilogues_[best.epilogue].text;
    const std::vector<float> y = outputs({&best, 1}, places),
                             chain = outputs({&contract, 1}, places);
    for (std::size_t i = 0; i < y.size(); ++i) {
      ++found.elements;
      found.telling += canonical_bits(y[i]) != canonical_bits(chain[i]);
    }
    if (found.telling < fewest_telling) return std::nullopt;
    found.whole = s_.whole && holds_everywhere(best);
    return found;
  }

 private:
  /// An order of the sum and one of the ways to compute what follows.
  struct Candidate {
    Summation how;
    std::size_t epilogue;
  };

  /// Every order that is tried and is another one here, simplest first.
  std::vector<Summation> all() const {
    std::vector<std::int64_t> blocks;
    for (const std::int64_t block : {0, 1, 32, 16, 8}) {
      const std::vector<std::size_t> order = p_.order(block);
      if (std::none_of(blocks.begin(), blocks.end(),
                       [&](std::int64_t other) { return p_.order(other) == order; }))
        blocks.push_back(block);
    }
    using Grouping = Summation::Grouping;
    std::vector<std::pair<Grouping, std::int64_t>> groupings = {{Grouping::chain, 1}};
    const std::int64_t K = p_.terms();
    std::vector<std::int64_t> chunks = {4, 64, 128, 256, 512, 1024, 2048};
    if (const std::int64_t tap = p_.terms_of_a_tap(); tap > 0) chunks.push_back(tap);
    for (const std::int64_t chunk : chunks)
      if (chunk < K) groupings.emplace_back(Grouping::chunks, chunk);
    for (const std::int64_t parts : {2, 4, 8})
      if (K >= 2 * parts) groupings.emplace_back(Grouping::splits, parts);
    for (const std::int64_t lanes : {4, 8, 16})
      if (K >= 2 * lanes) groupings.emplace_back(Grouping::lanes, lanes);
    std::vector<Summation> list;
    for (const auto& [grouping, count] : groupings)
      for (const std::int64_t block : blocks)
        for (const bool fused : {true, false})
          for (const bool from_bias : {false, true})
            if (!from_bias || p_.has_bias())
              list.push_back({block, grouping, count, fused, from_bias, p_.image()});
    return list;
  }

  /// The stage's outputs under each of the candidates at each place: candidate, place, channel.
  /// Candidates of one epilogue stand together.
  std::vector<float> outputs(std::span<const Candidate> candidates,
                             std::span<const std::int64_t> places) {
    const std::size_t each = places.size() * channels_.size();
    std::vector<float> result(candidates.size() * each);
    std::vector<float> x, w, xs, ws;
    for (std::size_t first = 0; first < candidates.size();) {
      std::size_t last = first;
      while (last < candidates.size() && candidates[last].epilogue == candidates[first].epilogue)
        ++last;
      const std::span<const Candidate> group = candidates.subspan(first, last - first);
      const auto columns = static_cast<std::int64_t>(group.size() * places.size());
      const Shape shape = p_.shape_for(columns, rank_);
      std::vector<float> z(static_cast<std::size_t>(element_count(shape)), 0.0F);
      for (std::size_t at = 0; at < places.size(); ++at)
        for (const std::int64_t c : channels_) {
          p_.load(c, places[at], x, w);
          std::int64_t block = -1;
          for (std::size_t k = 0; k < group.size(); ++k) {
            if (group[k].how.block != block) {
              block = group[k].how.block;
              xs.clear();
              ws.clear();
              for (const std::size_t i : order_of(block)) {
                xs.push_back(x[i]);
                ws.push_back(w[i]);
              }
            }
            z[static_cast<std::size_t>(
                p_.index_for(c, static_cast<std::int64_t>(k * places.size() + at), columns))] =
                sum(group[k].how, xs, ws, p_.bias(c));
          }
        }
      const Tensor made =
          finished(epilogues_[candidates[first].epilogue], Tensor::of(shape, std::move(z)));
      const std::span<const float> y = made.values<float>();
      std::size_t to = first * each;
      for (std::int64_t column = 0; column < columns; ++column)
        for (const std::int64_t c : channels_)
          result[to++] = y[static_cast<std::size_t>(p_.index_for(c, column, columns))];
      first = last;
    }
    return result;
  }

  const std::vector<std::size_t>& order_of(std::int64_t block) {
    for (const auto& [known, order] : orders_)
      if (known == block) return order;
    return orders_.emplace_back(block, p_.order(block)).second;
  }

  /// What the steps behind the head make of its output.
  Tensor finished(const Epilogue& by, Tensor z) {
    if (!by.stage) return z;
    PlannedStage epilogue = *by.stage;
    epilogue.stage.input_types = epilogue.stage.output_types = {z.type()};
    const Value in = s_.host.upload(z, s_.execution);
    const Value y = s_.host.run(epilogue, {&in, 1}, Reading::values, s_.execution).front();
    s_.host.forget(epilogue);
    return s_.host.download(y, s_.execution);
  }

  /// The program's own elements at these places.
  std::vector<double> recorded(std::span<const std::int64_t> places) const {
    std::vector<std::int64_t> indices;
    for (const std::int64_t place : places)
      for (const std::int64_t c : channels_) indices.push_back(p_.index(c, place));
    return s_.host.elements(s_.output, indices);
  }

  static bool same(float made, double recorded) {
    return canonical_bits(made) == canonical_bits(static_cast<float>(recorded));
  }

  /// Some places, those first where the most elements have other bits than the contract's.
  std::vector<std::int64_t> telling_positions(const Candidate& contract) {
    const Counter random(7, "summation.sample");
    std::vector<std::int64_t> places;
    for (std::int64_t i = 0; i < std::min(most_positions, p_.positions()); ++i)
      places.push_back(p_.positions() <= most_positions
                           ? i
                           : static_cast<std::int64_t>(random.bits(static_cast<std::uint64_t>(i)) %
                                                       static_cast<std::uint64_t>(p_.positions())));
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    const std::vector<float> made = outputs({&contract, 1}, places);
    const std::vector<double> there = recorded(places);
    std::vector<std::pair<std::int64_t, std::int64_t>> ranked;  // other bits, place
    const std::size_t C = channels_.size();
    for (std::size_t at = 0; at < places.size(); ++at) {
      std::int64_t other = 0;
      for (std::size_t c = 0; c < C; ++c) other += !same(made[at * C + c], there[at * C + c]);
      ranked.emplace_back(other, places[at]);
    }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& x, const auto& y) { return x.first > y.first; });
    // Few channels need many places for as many elements.
    const auto kept = static_cast<std::size_t>(
        std::max<std::int64_t>(positions_kept, 256 / static_cast<std::int64_t>(C)));
    places.clear();
    for (std::size_t i = 0; i < std::min(kept, ranked.size()) && ranked[i].first > 0; ++i)
      places.push_back(ranked[i].second);
    return places;
  }

  std::vector<Candidate> fitting(std::vector<Candidate> candidates,
                                 std::span<const std::int64_t> places) {
    if (candidates.empty()) return candidates;
    const std::vector<float> made = outputs(candidates, places);
    const std::vector<double> there = recorded(places);
    std::vector<Candidate> fits;
    for (std::size_t k = 0; k < candidates.size(); ++k) {
      bool all = true;
      for (std::size_t i = 0; i < there.size() && all; ++i)
        all = same(made[k * there.size() + i], there[i]);
      if (all) fits.push_back(candidates[k]);
    }
    return fits;
  }

  bool holds_everywhere(const Candidate& candidate) {
    const std::vector<std::int64_t> sampled = channels_;
    channels_.resize(static_cast<std::size_t>(p_.channels()));
    std::iota(channels_.begin(), channels_.end(), 0);
    std::vector<std::int64_t> places(static_cast<std::size_t>(p_.positions()));
    std::iota(places.begin(), places.end(), 0);
    const std::vector<float> made = outputs({&candidate, 1}, places);
    const std::vector<double> there = recorded(places);
    channels_ = sampled;
    for (std::size_t i = 0; i < made.size(); ++i)
      if (!same(made[i], there[i])) return false;
    return true;
  }

  const SummationSearch& s_;
  Products p_;
  std::size_t rank_;
  std::vector<Epilogue> epilogues_;
  std::vector<std::int64_t> channels_;
  std::vector<std::pair<std::int64_t, std::vector<std::size_t>>> orders_;
};

}  // namespace

std::string Summation::text() const {
  const std::string over = !image       ? "over (k)"
                           : block == 0 ? "over (r, s, c)"
                           : block == 1 ? "over (c, r, s)"
                                        : fmt::format("over (c div {0}, r, s, c mod {0})", block);
  std::string text;
  switch (grouping) {
    case Grouping::chain:
      text = "one chain " + over;
      break;
    case Grouping::chunks:
      text = fmt::format("chains of {} terms {}, added in order", count, over);
      break;
    case Grouping::splits:
      text = fmt::format("{} equal splits {}, added in order", count, over);
      break;
    case Grouping::lanes:
      text = fmt::format("{} interleaved lanes {}, added pairwise", count, over);
      break;
  }
  if (!fused) text += ", products rounded first";
  if (from_bias) text += ", from the bias on";
  if (!norm.empty()) text += "; " + norm;
  return text;
}

std::optional<FoundSummation> find_summation(const SummationSearch& search) {
  std::optional<Products> products = Products::of(search);
  if (!products || search.output.type().type != Type::float32) return std::nullopt;
  const PlannedStage planned = without_reshaping(search.planned);
  if (!epilogue_is_per_channel(planned, products->image())) return std::nullopt;
  return Search(search, planned, std::move(*products)).run();
}

}  // namespace parity
