#include "model/arithmetic/bounds.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "compare/walk.hpp"
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

}  // namespace
}  // namespace parity
