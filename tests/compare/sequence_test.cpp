#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "compare/diagnosis.hpp"
#include "model/arithmetic/bounds.hpp"
#include "tests/compare/named_faults.hpp"

// Recurrent layers, normalizations and softmax in the differ.

namespace parity {
namespace {

std::vector<Bug> bugs_of_sequences() {
  return {Bug::reset_misplaced,     Bug::gates_misordered,    Bug::initial_state_ignored,
          Bug::initial_state_stale, Bug::sequence_reversed,   Bug::directions_swapped,
          Bug::bias_dropped,        Bug::row_epsilon,         Bug::softmax_axis,
          Bug::bias_misscaled,      Bug::bias_misplaced,      Bug::recurrence_transposed,
          Bug::recurrence_dropped,  Bug::forget_bias_misread, Bug::cell_functions_misread,
          Bug::cell_clip_misread};
}

/// Layers of both directions: a GRU from a state that is an input, an LSTM with its states in the file,
/// items first, and one whose state is an input and whose memory stands in the file, all its outputs
/// used.
Graph two_directions() {
  constexpr std::int64_t T = 4, N = 2, I = 5, H = 6;
  GraphBuilder graph("directions");
  std::uint64_t seed = 70;
  const auto weights = [&](Shape shape) {
    return std::optional(filled({Type::float32, std::move(shape)}, Fill::real, ++seed));
  };
  const auto parameters = [&](const Recurrent& op, std::int64_t features) {
    const std::int64_t rows = op.gates() * H;
    std::vector<std::optional<Tensor>> all = {weights({2, rows, features}), weights({2, rows, H}),
                                              weights({2, 2 * rows})};
    all.resize(recurrent_parameter::count);
    return all;
  };
  Recurrent op{.direction = Recurrent::Direction::bidirectional, .forms = {{}, {}}};
  const TensorId x = graph.add_input("x", {Type::float32, {T, N, I}});
  const TensorId given = graph.add_input("given", {Type::float32, {2, N, H}});
  op.state = Recurrent::Initial::value;
  TensorId y =
      graph.add_step(op, {x, given}, parameters(op, I), "/first/GRU", {"first"}, "GRU").front();
  // [T, 2, N, H] to [N, T, 2 H], as exporters write it.
  y = graph
          .add_step(Movement{Movement::Function::transpose, {2, 0, 1, 3}}, {y}, {},
                    "/first/Transpose", {"first.t"}, "Transpose")
          .front();
  y = graph
          .add_step(Movement{Movement::Function::reshape, {N, T, 2 * H}}, {y}, {}, "/first/Reshape",
                    {"first.y"}, "Reshape")
          .front();

  op.cell = Recurrent::Cell::lstm;
  op.axes = Recurrent::Axes::batch_first;
  op.state = op.memory = Recurrent::Initial::parameter;
  auto with_states = parameters(op, 2 * H);
  with_states[recurrent_parameter::state] = weights({N, 2, H});
  with_states[recurrent_parameter::memory] = weights({N, 2, H});
  y = graph.add_step(op, {y}, with_states, "/second/LSTM", {"second"}, "LSTM").front();
  y = graph
          .add_step(Movement{Movement::Function::transpose, {1, 0, 2, 3}}, {y}, {},
                    "/second/Transpose", {"second.t"}, "Transpose")
          .front();
  y = graph
          .add_step(Movement{Movement::Function::reshape, {T, N, 2 * H}}, {y}, {},
                    "/second/Reshape", {"second.y"}, "Reshape")
          .front();

  op.axes = Recurrent::Axes::time_first;
  op.state = Recurrent::Initial::value;
  op.outputs = {0, 1, 2};
  auto with_memory = parameters(op, 2 * H);
  with_memory[recurrent_parameter::memory] = weights({2, N, H});
  for (const TensorId out : graph.add_step(op, {y, given}, with_memory, "/third/LSTM",
                                           {"third", "third.h", "third.c"}, "LSTM"))
    graph.add_output(out);
  return graph.finish();
}

/// How the faults of sequences fare in a network; how many there were.
int expect_named(Bench& bench) {
  Seating seating;
  // An eps that moves no bit is no fault, nor is a clip beyond all arguments.
  seating.leaves_out = [](Bug bug, double amount) {
    return (bug == Bug::row_epsilon && amount < 1e-4) ||
           (bug == Bug::cell_clip_misread && amount > 1);
  };
  return expect_named(bench, bugs_of_sequences(), seating);
}

TEST(Sequences, EveryFaultOfTheirsIsFoundAtItsStageAndNamed) {
  Bench bench(sequence_net());
  EXPECT_GE(expect_named(bench), 50);
}

TEST(Sequences, SoAreThoseOfTwoDirectionsAndOfEachState) {
  Bench bench(two_directions());
  EXPECT_GE(expect_named(bench), 65);
}

TEST(Sequences, TheEvidenceSaysWhichGatesHalfOrState) {
  Bench bench(two_directions());
  const std::tuple<Bug, double, const char*> told[] = {
      {Bug::gates_misordered, 0, "(i, o, f, c taken for i, f, c, o, or stored as i, c, o, f)"},
      {Bug::gates_misordered, 1, "(i, o, f, c taken for i, f, o, c)"},
      {Bug::bias_dropped, 1, "(the input's half"},
      {Bug::bias_dropped, 2, "(the recurrent half"},
      {Bug::initial_state_ignored, 1, "(h alone)"},
      {Bug::initial_state_ignored, 2, "(c alone)"},
      {Bug::initial_state_stale, 0, "(h and c)"},
      {Bug::directions_swapped, 1, "(their weights)"},
      {Bug::bias_misscaled, 2, "added twice"},
      {Bug::forget_bias_misread, 1, "has 1 added once more"},
      {Bug::forget_bias_misread, -1, "lacks the 1"},
      {Bug::cell_functions_misread, 0, "(Sigmoid, Relu, Relu for Sigmoid, Tanh, Tanh)"},
      {Bug::cell_clip_misread, 1, "cut off at 1, not nowhere"},
      {Bug::weights_narrowed, 2, "int8 with a scale per output channel"}};
  for (const auto& [bug, amount, words] : told) {
    const std::string evidence = evidence_of(bench, {1, bug, amount, 7});
    EXPECT_NE(evidence.find(words), std::string::npos) << name(bug) << ": " << evidence;
    EXPECT_NE(evidence.find("bit for bit"), std::string::npos) << evidence;
  }
}

/// A GRU of T steps over two items; of both directions as exporters write it, with these side by side.
Graph gru(std::int64_t T, Recurrent::Direction direction, Recurrent::Axes axes) {
  GraphBuilder builder("gru");
  const bool time_first = axes == Recurrent::Axes::time_first;
  const TensorId x =
      builder.add_input("x", {Type::float32, time_first ? Shape{T, 2, 5} : Shape{2, T, 5}});
  Recurrent layer;
  layer.direction = direction;
  layer.axes = axes;
  layer.reset = Recurrent::Reset::after_the_product;
  layer.state = Recurrent::Initial::parameter;
  const std::int64_t D = layer.directions();
  layer.forms.resize(static_cast<std::size_t>(D));
  std::vector<std::optional<Tensor>> parameters(recurrent_parameter::count);
  parameters[recurrent_parameter::weights] = filled({Type::float32, {D, 21, 5}}, Fill::real, 2);
  parameters[recurrent_parameter::recurrence] = filled({Type::float32, {D, 21, 7}}, Fill::real, 3);
  parameters[recurrent_parameter::bias] = filled({Type::float32, {D, 42}}, Fill::real, 4);
  parameters[recurrent_parameter::state] =
      Tensor::of(time_first ? Shape{D, 2, 7} : Shape{2, D, 7},
                 std::vector<float>(static_cast<std::size_t>(14 * D), 0.0F));
  TensorId y = builder.add_step(layer, {x}, parameters, "gru", {"y"}).front();
  if (D == 2) {
    const std::vector<std::int64_t> order =
        time_first ? std::vector<std::int64_t>{0, 2, 1, 3} : std::vector<std::int64_t>{1, 0, 2, 3};
    y = builder
            .add_step(Movement{Movement::Function::transpose, order}, {y}, {}, "t", {"t"},
                      "Transpose")
            .front();
    y = builder
            .add_step(Movement{Movement::Function::reshape, {T, 2, 14}}, {y}, {}, "u", {"u"},
                      "Reshape")
            .front();
  }
  builder.add_output(y);
  return builder.finish();
}

TEST(Sequences, AStateThatNobodyGaveIsProvedByTheStepsBehindIt) {
  using Direction = Recurrent::Direction;
  using Axes = Recurrent::Axes;
  const std::pair<Direction, Axes> layers[] = {{Direction::forward, Axes::time_first},
                                               {Direction::reverse, Axes::time_first},
                                               {Direction::forward, Axes::batch_first},
                                               {Direction::bidirectional, Axes::time_first},
                                               {Direction::bidirectional, Axes::batch_first}};
  for (const auto& [direction, axes] : layers) {
    Bench bench(gru(9, direction, axes));
    const PlannedStage planned = make_plan(bench.stages, fp32(), bench.cpu, "b").stages.front();
    const Value x = bench.cpu.upload(bench.inputs.front(), bench.execution);
    const auto made = [&](const PlannedStage& stage) {
      return bench.cpu.download(
          bench.cpu.run(stage, {&x, 1}, Reading::values, bench.execution).front(), bench.execution);
    };
    const auto labels = [&](const PlannedStage& computed) {
      const Tensor reference = made(planned), suspect = made(computed);
      std::vector<std::string> all;
      for (const Diagnosis& each : diagnose({.who = "b",
                                   .planned = planned,
                                   .runner = bench.cpu,
                                   .oracle = bench.cpu,
                                   .execution = bench.execution,
                                   .inputs = {&x, 1},
                                   .reference = reference,
                                   .suspect = suspect}))
        all.push_back(each.label + (each.proof == Proof::bits ? " bits" : ""));
      return all;
    };
    const auto& parameters = planned.stage.steps.front().parameters;
    const auto other_fill = [&](std::size_t at, std::uint64_t seed) {
      return std::make_shared<const Tensor>(filled(parameters[at]->type(), Fill::real, seed));
    };
    PlannedStage elsewhere = planned;
    elsewhere.stage.steps.front().parameters[recurrent_parameter::state] =
        other_fill(recurrent_parameter::state, 11);
    EXPECT_EQ(labels(elsewhere), std::vector<std::string>{"other_initial_state bits"});
    // Other weights are no other state.
    PlannedStage other = planned;
    other.stage.steps.front().parameters[recurrent_parameter::weights] =
        other_fill(recurrent_parameter::weights, 12);
    for (const std::string& label : labels(other))
      EXPECT_FALSE(label.starts_with("other_initial_state"));
  }
}

/// A recording of a layer of 40 steps that hands on `output`, with the last `wrong` elements negated.
RunRecord of_forty_steps(Recurrent::Cell cell, int output, std::size_t wrong) {
  constexpr std::int64_t T = 40, N = 2, I = 5, H = 6;
  GraphBuilder graph("long");
  std::uint64_t seed = 90;
  const auto weights = [&](Shape shape) {
    return std::optional(filled({Type::float32, std::move(shape)}, Fill::real, ++seed));
  };
  const TensorId x = graph.add_input("x", {Type::float32, {T, N, I}});
  Recurrent op;
  op.cell = cell;
  op.outputs = {output};
  const std::int64_t rows = op.gates() * H;
  std::vector<std::optional<Tensor>> parameters = {weights({1, rows, I}), weights({1, rows, H}),
                                                   weights({1, 2 * rows})};
  parameters.resize(recurrent_parameter::count);
  graph.add_output(
      graph.add_step(op, {x}, std::move(parameters), "/0/GRU", {"made"}, "GRU").front());
  Bench bench(graph.finish());

  Capture capture = recorded(bench, fp32());
  Tensor& made = capture.tensors.front().second;
  std::vector<float> values(made.values<float>().begin(), made.values<float>().end());
  for (std::size_t k = values.size() - wrong; k < values.size(); ++k) values[k] = -values[k];
  made = Tensor::of<float>(made.shape(), values);
  return judged(bench, capture);
}

TEST(Sequences, EachStepOfAGruIsJudgedFromTheStateBeforeIt) {
  EXPECT_EQ(of_forty_steps(Recurrent::Cell::gru, 0, 0).exit_code, 0);
  const RunRecord record = of_forty_steps(Recurrent::Cell::gru, 0, 1);
  EXPECT_EQ(record.stages[0].verdict, Verdict::diverged);
  EXPECT_EQ(record.stages[0].blame, Blame::b);
  ASSERT_TRUE(record.stages[0].exact_b.has_value());
  EXPECT_EQ(record.stages[0].exact_b->worst_index, 40 * 2 * 6 - 1);
}

TEST(Sequences, BoundsWiderThanTheLayersValuesJudgeNothing) {
  const RunRecord last_state = of_forty_steps(Recurrent::Cell::gru, 1, 12);
  EXPECT_EQ(last_state.stages[0].verdict, Verdict::untrusted);
  EXPECT_EQ(last_state.exit_code, 4);
  EXPECT_NE(last_state.stages[0].reason.find("wider than the layer's values"), std::string::npos);

  // What an LSTM remembers is not seen, so its late steps stay unjudged, which is no agreement.
  const RunRecord late = of_forty_steps(Recurrent::Cell::lstm, 0, 1);
  EXPECT_EQ(late.stages[0].verdict, Verdict::untrusted);
  EXPECT_NE(late.stages[0].reason.find("could not be judged"), std::string::npos);
  EXPECT_EQ(late.exit_code, 4);
  // The same bits need no bound, and a fault in steps that are judged is one.
  EXPECT_EQ(of_forty_steps(Recurrent::Cell::lstm, 0, 0).exit_code, 0);
  EXPECT_EQ(of_forty_steps(Recurrent::Cell::lstm, 0, 470).exit_code, 1);
}

TEST(Sequences, CleanContractsAreExplainedByTheirBounds) {
  Bench bench(sequence_net());
  for (const char* spec : {"fp64", "sm_80", "sm_90", "sm_90/truncate", "chunk256"}) {
    SCOPED_TRACE(spec);
    const RunRecord record = bench.run(fp32(), named(spec), std::nullopt);
    EXPECT_TRUE(Bench::named(record).empty());
  }
}

}  // namespace
}  // namespace parity
