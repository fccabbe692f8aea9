#include "model/arithmetic/bounds.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compare/capture.hpp"
#include "compare/recurrence.hpp"
#include "compare/walk.hpp"
#include "tests/compare/draw.hpp"
#include "tests/compare/small_net.hpp"

namespace parity {
namespace {

/// How much of their bounds random stages use, each under one contract an instance.
struct Bounds {
  std::int64_t instances = 0, elements = 0, beyond = 0;
  std::vector<double> shares;  ///< of the worst element of each instance that differs from exact
  double median() {
    if (shares.empty()) return 0;
    const auto middle = shares.begin() + static_cast<std::ptrdiff_t>(shares.size() / 2);
    std::nth_element(shares.begin(), middle, shares.end());
    return *middle;
  }
};

std::int64_t pick(const Counter& random, std::uint64_t which, std::int64_t least,
                  std::int64_t most) {
  return least + static_cast<std::int64_t>(random.bits(which) %
                                           static_cast<std::uint64_t>(most - least + 1));
}

/// A convolution with BatchNorm of a random shape; every second one sums what nearly cancels.
Graph random_convolution(const Counter& random) {
  const auto pick = [&](std::uint64_t which, std::int64_t least, std::int64_t most) {
    return parity::pick(random, which, least, most);
  };
  GraphBuilder graph("random");
  const TensorId x =
      graph.add_input("x", {Type::float32, {1, pick(0, 1, 70), pick(1, 3, 8), pick(2, 3, 8)}});
  const TensorId z = add_conv(graph, x, pick(3, 1, 12), "/Conv", "z", random.bits(4));
  graph.add_output(add_norm(graph, z, "/BatchNormalization", "y", random.bits(5)));
  return graph.finish();
}

/// A normalization, a softmax or a recurrent layer of a random shape.
Graph random_rows(const Counter& random) {
  const auto extent = [&](std::uint64_t which, std::int64_t most) {
    return pick(random, which, 1, most);
  };
  const auto constant = [&](std::uint64_t which, Shape shape) {
    return std::optional(filled({Type::float32, std::move(shape)}, Fill::real, random.bits(which)));
  };
  GraphBuilder graph("random");
  const auto finish = [&](Op op, TensorId x, std::vector<std::optional<Tensor>> parameters) {
    graph.add_output(
        graph.add_step(std::move(op), {x}, std::move(parameters), "/Node", {"y"}).front());
    return graph.finish();
  };
  const std::int64_t kind = pick(random, 10, 0, 5);
  if (kind <= 1) {
    const std::int64_t n = extent(11, 300);
    const TensorId x = graph.add_input("x", {Type::float32, {extent(12, 6), n}});
    // Every usual eps, none of them too large to matter.
    const float epsilon = std::ldexp(1.0F, -static_cast<int>(pick(random, 13, 10, 60)));
    return finish(Normalization{Normalization::Rows::layer, 1, 1, epsilon}, x,
                  {constant(14, {n}), kind == 0 ? constant(15, {n}) : std::nullopt});
  }
  if (kind == 2) {
    const std::int64_t groups = extent(11, 4), channels = groups * extent(12, 6);
    const TensorId x = graph.add_input(
        "x", {Type::float32, {extent(13, 2), channels, extent(16, 7), extent(17, 7)}});
    return finish(Normalization{Normalization::Rows::group, 0, groups}, x,
                  {constant(14, {channels}), constant(15, {channels})});
  }
  if (kind == 3) {
    const TensorId x = graph.add_input("x", {Type::float32, {extent(11, 9), extent(12, 400)}});
    const auto function =
        extent(13, 2) == 1 ? Softmax::Function::softmax : Softmax::Function::log_softmax;
    return finish(Softmax{function, 1}, x, {});
  }
  Recurrent op{.cell = kind == 4 ? Recurrent::Cell::gru : Recurrent::Cell::lstm};
  if (extent(18, 2) == 1) op.reset = Recurrent::Reset::after_the_product;
  const std::int64_t I = extent(11, 40), H = extent(12, 24), rows = op.gates() * H;
  const TensorId x = graph.add_input("x", {Type::float32, {extent(13, 12), extent(14, 3), I}});
  return finish(op, x,
                {constant(15, {1, rows, I}), constant(16, {1, rows, H}),
                 constant(17, {1, 2 * rows}), std::nullopt, std::nullopt, std::nullopt});
}

/// x lifted far above its own spread, so that a mean takes nearly all of it back.
Tensor lifted(const Tensor& x, const Counter& random) {
  std::vector<float> values(x.values<float>().begin(), x.values<float>().end());
  const float large = std::ldexp(1.0F, static_cast<int>(random.bits(6) % 24));
  for (float& value : values) value += large;
  return Tensor::of<float>(x.shape(), std::move(values));
}

/// x whose second half of channels takes back what the first half gave, but for a little.
Tensor cancelling(const Tensor& x, const Counter& random) {
  std::vector<float> values(x.values<float>().begin(), x.values<float>().end());
  const float large = std::ldexp(1.0F, static_cast<int>(random.bits(6) % 24));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += i % 2 == 0 ? large : -large;
  return Tensor::of<float>(x.shape(), std::move(values));
}

/// Judges every element of random stages under every contract against the oracle; prints its seed.
/// Every second stage is fed what `cancel` made of its input.
Bounds check_bounds(std::uint64_t seed, std::int64_t instances,
                    Graph (*random_stage)(const Counter&),
                    Tensor (*cancel)(const Tensor&, const Counter&)) {
  Bounds found;
  cpu::CpuBackend cpu;
  const Execution execution{1};
  for (std::uint64_t draw = 0; found.instances < instances; ++draw) {
    const Counter random(seed + draw, "bounds");
    const Graph graph = random_stage(random);
    const std::vector<Stage> stages = cut(graph);
    Tensor x = filled(graph.tensor(graph.inputs[0]).type, Fill::real, random.bits(7));
    if (draw % 2 == 1) x = cancel(x, random);
    const std::vector<Value> in{cpu.upload(x, execution)};
    for (const char* spec :
         {"fp32", "chunk256", "eigen", "folded", "sm_80", "sm_90", "sm_90/truncate"}) {
      Numerics numerics = named(spec);
      numerics.promise = Determinism::not_guaranteed;
      const PlannedStage planned = make_plan(stages, numerics, cpu, spec).stages[0];
      const PlannedStage kept = make_plan(stages, Numerics{}, cpu, "kept").stages[0];
      const Value y = cpu.run(planned, in, Reading::values, execution)[0],
                  m = cpu.run(kept, in, Reading::magnitudes, execution)[0];
      const std::vector<std::int64_t> all = sample_of(element_count(y.shape()), true, 0, {});
      const std::vector<double> exact = cpu.exact_values_at(kept, in, all, execution),
                                got = cpu.elements(y, all), magnitude = cpu.elements(m, all);
      const Allowance allowance = stage_allowance(planned);
      const OracleTest test =
          judge_exact(all, true, got, exact, magnitude, allowance, stage_terms(kept));
      ++found.instances;
      found.elements += test.elements;
      found.beyond += test.beyond > 0;
      if (test.max_abs > 0) found.shares.push_back(test.worst_share);
      cpu.forget(planned);
      cpu.forget(kept);
    }
  }
  std::printf(
      "bounds hold in %lld of %lld random instances of %lld elements (seed %llu), share of the "
      "worst "
      "element: median %.3g, worst %.3g\n",
      static_cast<long long>(found.instances - found.beyond),
      static_cast<long long>(found.instances), static_cast<long long>(found.elements),
      static_cast<unsigned long long>(seed), found.median(),
      found.shares.empty() ? 0 : *std::max_element(found.shares.begin(), found.shares.end()));
  return found;
}

void expect_bounds(std::int64_t instances, Graph (*random_stage)(const Counter&),
                   Tensor (*cancel)(const Tensor&, const Counter&)) {
  const Bounds found = check_bounds(1, instances, random_stage, cancel);
  EXPECT_EQ(found.beyond, 0);
  EXPECT_GT(static_cast<std::int64_t>(found.shares.size()) * 2, found.instances);
}

/// An LSTM of up to 60 steps in every form the importer gives it, from weights that move little to ones that
/// saturate all gates.
Graph random_lstm(Draw& draw) {
  const GateFunction functions[] = {GateFunction::sigmoid, GateFunction::tanh, GateFunction::relu};
  using Initial = Recurrent::Initial;
  Recurrent op{.cell = Recurrent::Cell::lstm};
  op.direction = static_cast<Recurrent::Direction>(draw.below(3));
  if (draw.once_in(2)) op.axes = Recurrent::Axes::batch_first;
  if (draw.once_in(2)) op.state = Initial::parameter;
  if (draw.once_in(2)) op.memory = Initial::parameter;
  op.forms.resize(static_cast<std::size_t>(op.directions()));
  for (CellForm& form : op.forms) {
    if (draw.once_in(4)) form.f = functions[draw.below(3)];
    if (draw.once_in(4)) form.g = functions[draw.below(3)];
    if (draw.once_in(4)) form.h = functions[draw.below(3)];
    if (draw.once_in(5)) form.clip = static_cast<float>(draw.between(0.3, 4));
  }
  const std::int64_t D = op.directions(), T = 2 + draw.below(59), N = 1 + draw.below(3),
                     I = 1 + draw.below(40), H = 1 + draw.below(24), rows = op.gates() * H;
  const bool batch_first = op.axes == Recurrent::Axes::batch_first;
  if (draw.once_in(3))
    for (std::int64_t n = 0; n < N; ++n) op.lengths.push_back(draw.below(T + 1));
  const double gain = std::exp2(draw.between(-2, 3)) / std::sqrt(static_cast<double>(I + H));
  const auto constant = [&](Shape shape, double size) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (float& value : values) value = static_cast<float>(size * draw.between(-1.7, 1.7));
    return std::optional(Tensor::of<float>(std::move(shape), std::move(values)));
  };
  const Shape last = batch_first ? Shape{N, D, H} : Shape{D, N, H};
  std::vector<std::optional<Tensor>> parameters = {constant({D, rows, I}, gain),
                                                   constant({D, rows, H}, gain)};
  parameters.resize(recurrent_parameter::count);
  if (!draw.once_in(4)) parameters[recurrent_parameter::bias] = constant({D, 2 * rows}, 1);
  if (op.state == Initial::parameter) parameters[recurrent_parameter::state] = constant(last, 0.6);
  if (op.memory == Initial::parameter) parameters[recurrent_parameter::memory] = constant(last, 1);
  if (draw.once_in(4)) parameters[recurrent_parameter::peepholes] = constant({D, 3 * H}, 0.5);
  GraphBuilder graph("lstm");
  const TensorId x =
      graph.add_input("x", {Type::float32, batch_first ? Shape{N, T, I} : Shape{T, N, I}});
  graph.add_output(graph.add_step(op, {x}, std::move(parameters), "/LSTM", {"y"}, "LSTM").front());
  return graph.finish();
}

/// The same layer by a runtime of another mind: one sum for x and h in an order of its own, biases where it
/// likes, functions that are good to 4 ULP of 1.
class ForeignLstm {
 public:
  ForeignLstm(const PlannedStage& planned, Tensor x, Draw& draw)
      : head_(planned.stage.steps.front()),
        layer_(std::get<Recurrent>(*head_.op)),
        e_(extents(layer_, x.shape(), head_.parameters[recurrent_parameter::recurrence]->shape())),
        x_(std::move(x)),
        draw_(draw),
        order_(static_cast<std::size_t>(e_.I + e_.H + 2)),
        fused_(draw.once_in(2)) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    for (std::size_t k = order_.size() - 1; k > 0; --k)
      std::swap(order_[k],
                order_[static_cast<std::size_t>(draw.below(static_cast<std::int64_t>(k) + 1))]);
  }

  Tensor run() {
    std::vector<float> y(static_cast<std::size_t>(e_.T * e_.D * e_.N * e_.H), 0.0F);
    for (std::int64_t d = 0; d < e_.D; ++d)
      for (std::int64_t n = 0; n < e_.N; ++n) run(d, n, y);
    return Tensor::of<float>(layer_.infer(step_operand_types_of_head()).front().shape,
                             std::move(y));
  }

 private:
  OperandTypes step_operand_types_of_head() const {
    OperandTypes types{{x_.type()}, {}};
    for (const auto& parameter : head_.parameters)
      types.parameters.push_back(parameter ? std::optional(parameter->type()) : std::nullopt);
    return types;
  }
  float constant(std::size_t which, std::int64_t at) const {
    const auto& tensor = head_.parameters[which];
    return tensor ? tensor->values<float>()[static_cast<std::size_t>(at)] : 0.0F;
  }
  float activated(GateFunction function, float x, float clip) {
    if (clip > 0) x = std::clamp(x, -clip, clip);
    if (function == GateFunction::relu) return std::max(x, 0.0F);
    const auto wide = static_cast<double>(x);
    const double value =
        function == GateFunction::tanh ? std::tanh(wide) : 1 / (1 + std::exp(-wide));
    return static_cast<float>(value + draw_.between(-1, 1) * 0x1p-21);
  }
  /// Wb, Rb, x W and h R.
  float sum(std::int64_t d, std::int64_t row, const float* x, const std::vector<float>& h) const {
    const std::int64_t rows = e_.G * e_.H;
    float total = 0;
    for (const std::size_t at : order_) {
      const auto k = static_cast<std::int64_t>(at) - 2;
      if (k < 0) {
        total += constant(recurrent_parameter::bias, (2 * d + (k == -1)) * rows + row);
        continue;
      }
      const bool of_x = k < e_.I;
      const float a = of_x ? x[k] : h[static_cast<std::size_t>(k - e_.I)];
      const float w =
          of_x ? constant(recurrent_parameter::weights, (d * rows + row) * e_.I + k)
               : constant(recurrent_parameter::recurrence, (d * rows + row) * e_.H + k - e_.I);
      total = fused_ ? std::fma(a, w, total) : total + a * w;
    }
    return total;
  }
  void run(std::int64_t d, std::int64_t n, std::vector<float>& y) {
    const CellForm& form = layer_.forms[static_cast<std::size_t>(d)];
    const auto peephole = [&](std::int64_t k, std::int64_t i) {
      return constant(recurrent_parameter::peepholes, (3 * d + k) * e_.H + i);
    };
    std::vector<float> h(static_cast<std::size_t>(e_.H)), c(h.size()), made(h.size());
    for (std::int64_t i = 0; i < e_.H; ++i) {
      const std::int64_t at = e_.state_row(d, n) * e_.H + i;
      h[static_cast<std::size_t>(i)] = constant(recurrent_parameter::state, at);
      c[static_cast<std::size_t>(i)] = constant(recurrent_parameter::memory, at);
    }
    for (std::int64_t s = 0; s < e_.T; ++s) {
      const std::int64_t t = step_of(layer_, e_, d, n, s);
      if (t < 0) return;
      const float* const x = x_.values<float>().data() + e_.x_row(t, n) * e_.I;
      for (std::int64_t i = 0; i < e_.H; ++i) {
        float& memory = c[static_cast<std::size_t>(i)];
        const auto gate = [&](std::int64_t k, float seen) {
          const float a = sum(d, k * e_.H + i, x, h);
          return activated(form.f, std::fma(peephole(k, i), seen, a), form.clip);
        };
        const float in = gate(0, memory), kept = gate(2, memory);
        const float fresh = activated(form.g, sum(d, 3 * e_.H + i, x, h), form.clip);
        memory = fused_ ? std::fma(kept, memory, in * fresh) : kept * memory + in * fresh;
        made[static_cast<std::size_t>(i)] = gate(1, memory) * activated(form.h, memory, form.clip);
      }
      h = made;
      std::copy(h.begin(), h.end(), y.begin() + e_.y_row(t, d, n) * e_.H);
    }
  }

  const Step& head_;
  const Recurrent& layer_;
  RecurrentExtents e_;
  Tensor x_;
  Draw& draw_;
  std::vector<std::size_t> order_;
  bool fused_;
};

/// Random LSTMs by every contract and by a runtime of another mind, each step held to the state before it.
void expect_steps_held(std::int64_t layers) {
  std::int64_t instances = 0, elements = 0, beyond = 0, unjudged = 0;
  cpu::CpuBackend cpu;
  const Execution execution{1};
  for (std::int64_t k = 0; k < layers; ++k) {
    Draw draw(static_cast<std::uint64_t>(k), "lstm");
    const Graph graph = random_lstm(draw);
    const std::vector<Stage> stages = cut(graph);
    const Tensor x =
        filled(graph.tensor(graph.inputs[0]).type, Fill::real, static_cast<std::uint64_t>(k));
    const std::vector<Value> in{cpu.upload(x, execution)};
    const auto judge = [&](const PlannedStage& planned, const Tensor& y, const Allowance& allowance,
                           StepOrder order, const std::string& by) {
      const std::optional<JudgedSteps> steps =
          judge_steps(cpu, execution, planned, in, y, nullptr, allowance, order);
      ASSERT_TRUE(steps.has_value());
      ++instances;
      elements += steps->test.elements;
      unjudged += static_cast<std::int64_t>(steps->unjudged.size());
      beyond += steps->test.beyond > 0;
      EXPECT_EQ(steps->test.beyond, 0)
          << "layer " << k << " by " << by << ", first at step " << steps->first.value_or(-1);
    };
    for (const char* spec :
         {"fp32", "chunk256", "eigen", "sm_80", "sm_90", "sm_90/truncate", "fp64", "exact"}) {
      Numerics numerics = named(spec);
      numerics.promise = Determinism::not_guaranteed;
      const PlannedStage planned = make_plan(stages, numerics, cpu, spec).stages[0];
      const Value y = cpu.run(planned, in, Reading::values, execution)[0];
      judge(planned, cpu.download(y, execution), stage_allowance(planned),
            std::string(spec) == "fp64"    ? StepOrder::of_fp64
            : std::string(spec) == "exact" ? StepOrder::of_exact
                                           : StepOrder::of_the_contract,
            spec);
      cpu.forget(planned);
    }
    const PlannedStage planned = make_plan(stages, fp32(), cpu, "foreign").stages[0];
    judge(planned, ForeignLstm(planned, x, draw).run(), foreign_allowance(planned, {}),
          StepOrder::any, "another mind");
  }
  std::printf(
      "every step of %lld of %lld random LSTMs within its bound, %lld elements, of which "
      "%.3g %% could not be judged\n",
      static_cast<long long>(instances - beyond), static_cast<long long>(instances),
      static_cast<long long>(elements),
      100 * static_cast<double>(unjudged) / static_cast<double>(elements));
  // Weights that saturate every gate, ReLUs for gates and TF32 leave a few without a bound.
  EXPECT_LT(100 * unjudged, elements);
}

TEST(Bounds, HoldInEveryRandomInstance) { expect_bounds(3'500, random_convolution, cancelling); }
TEST(Bounds, HoldInEveryRandomInstanceOfRowsAndSequences) {
  expect_bounds(3'500, random_rows, lifted);
}

TEST(SlowBounds, HoldInAHundredThousandInstances) {
  expect_bounds(100'000, random_convolution, cancelling);
}
TEST(SlowBounds, HoldInAHundredThousandInstancesOfRowsAndSequences) {
  expect_bounds(100'000, random_rows, lifted);
}

TEST(Bounds, HoldInEveryStepOfRandomLstms) { expect_steps_held(150); }
TEST(SlowBounds, HoldInEveryStepOfRandomLstms) { expect_steps_held(3'000); }

}  // namespace
}  // namespace parity
