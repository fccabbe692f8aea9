#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "compare/diagnosis.hpp"
#include "model/arithmetic/bounds.hpp"
#include "tests/compare/draw.hpp"
#include "tests/compare/named_faults.hpp"
#include "tests/compare/recorded.hpp"

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

  EXPECT_EQ(of_forty_steps(Recurrent::Cell::lstm, 1, 12).stages[0].verdict, Verdict::untrusted);
}

TEST(Sequences, EachStepOfAnLstmIsJudgedFromTheStateBeforeIt) {
  EXPECT_EQ(of_forty_steps(Recurrent::Cell::lstm, 0, 0).exit_code, 0);
  const RunRecord record = of_forty_steps(Recurrent::Cell::lstm, 0, 1);
  EXPECT_EQ(record.stages[0].verdict, Verdict::diverged);
  EXPECT_EQ(record.stages[0].blame, Blame::b);
  ASSERT_TRUE(record.stages[0].exact_b.has_value());
  EXPECT_EQ(record.stages[0].exact_b->worst_index, 40 * 2 * 6 - 1);
  EXPECT_NE(record.stages[0].reason.find("first at step 39"), std::string::npos)
      << record.stages[0].reason;
}

/// An LSTM as PyTorch initialises one: weights and biases uniform in +-1/sqrt(H).
struct UsualLstm {
  static constexpr std::int64_t N = 2, I = 32, H = 64, rows = 4 * H;

  UsualLstm(std::int64_t directions, std::uint64_t seed) : D(directions), draw(seed, "usual") {
    for (Shape shape : {Shape{D, rows, I}, Shape{D, rows, H}, Shape{D, 2 * rows}})
      parameters.emplace_back(uniform(std::move(shape)));
    parameters.resize(recurrent_parameter::count);
  }

  Tensor uniform(Shape shape) {
    const double most = 1 / std::sqrt(static_cast<double>(H));
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (float& value : values) value = static_cast<float>(draw.between(-most, most));
    return Tensor::of<float>(std::move(shape), std::move(values));
  }

  /// The layer over T steps that hands on `outputs`.
  Graph graph(std::int64_t T, std::vector<int> outputs) const {
    GraphBuilder graph("usual");
    const TensorId x = graph.add_input("x", {Type::float32, {T, N, I}});
    Recurrent op{.cell = Recurrent::Cell::lstm};
    if (D == 2) op.direction = Recurrent::Direction::bidirectional;
    op.forms.assign(static_cast<std::size_t>(D), form);
    if (parameters[recurrent_parameter::state]) op.state = Recurrent::Initial::parameter;
    if (parameters[recurrent_parameter::memory]) op.memory = Recurrent::Initial::parameter;
    std::vector<std::string> names;
    for (const int output : outputs) names.push_back("made." + std::to_string(output));
    op.outputs = std::move(outputs);
    for (const TensorId made : graph.add_step(op, {x}, parameters, "/0/LSTM", names, "LSTM"))
      graph.add_output(made);
    return graph.finish();
  }

  std::int64_t D;
  CellForm form;  ///< of every direction
  Draw draw;
  std::vector<std::optional<Tensor>> parameters;
};

TEST(Sequences, ManyStepsOfUsualLstmsAreAllJudged) {
  for (const std::int64_t directions : {1, 2})
    for (const std::uint64_t seed : {1, 2, 3}) {
      Bench bench(UsualLstm(directions, seed).graph(200, {0}));
      for (const char* spec :
           {"sm_90", "sm_80", "sm_90/truncate", "chunk256", "eigen", "fp64", "exact"}) {
        SCOPED_TRACE(std::string(spec) + " of seed " + std::to_string(seed));
        Numerics other = named(spec);
        other.promise = Determinism::not_guaranteed;
        const RunRecord record = bench.run(fp32(), other);
        EXPECT_EQ(record.exit_code, 0) << record.stages[0].reason;
      }
      const RunRecord recorded = judged(bench, parity::recorded(bench, eigen()));
      EXPECT_EQ(recorded.stages[0].verdict, Verdict::within_bound) << recorded.stages[0].reason;
    }
}

/// What a fault does to the layer from some step on.
using Spoil = void (*)(UsualLstm&);

/// Recorded over T steps, the layer spoilt from `step` on, where it goes on from the state and the memory
/// that it had.
RunRecord spoilt_from(std::int64_t T, std::int64_t step, Spoil spoil) {
  UsualLstm layer(1, 5);
  Bench bench(layer.graph(T, {0}));
  const std::span<const float> x = bench.inputs[0].values<float>();
  std::vector<float> made;
  for (const auto& [from, until] : {std::pair{std::int64_t{0}, step}, std::pair{step, T}}) {
    if (from > 0) spoil(layer);
    Bench piece(layer.graph(until - from, {0, 1, 2}));
    const auto features = UsualLstm::N * UsualLstm::I;
    const std::span<const float> read =
        x.subspan(static_cast<std::size_t>(from * features),
                  static_cast<std::size_t>((until - from) * features));
    piece.inputs = {Tensor::of<float>({until - from, UsualLstm::N, UsualLstm::I},
                                      std::vector<float>(read.begin(), read.end()))};
    const Capture outputs = recorded(piece, eigen());
    const std::span<const float> y = outputs.tensors.at(0).second.values<float>();
    made.insert(made.end(), y.begin(), y.end());
    layer.parameters[recurrent_parameter::state] = outputs.tensors.at(1).second;
    layer.parameters[recurrent_parameter::memory] = outputs.tensors.at(2).second;
  }
  return judged(
      bench,
      {"other.npz",
       {{"made.0", Tensor::of<float>({T, 1, UsualLstm::N, UsualLstm::H}, std::move(made))}}});
}

Tensor zeros_like(const Tensor& tensor) {
  return Tensor::of<float>(tensor.shape(),
                           std::vector<float>(static_cast<std::size_t>(tensor.size()), 0.0F));
}
/// The forget gate's bias, so large or small that the gate gives one value.
void pin_forget_gate(UsualLstm& layer, float bias) {
  std::optional<Tensor>& biases = layer.parameters[recurrent_parameter::bias];
  std::vector<float> values(biases->values<float>().begin(), biases->values<float>().end());
  std::fill_n(values.begin() + 2 * UsualLstm::H, UsualLstm::H, bias);
  biases = Tensor::of<float>(biases->shape(), std::move(values));
}

TEST(Sequences, ALateFaultOfAnLstmIsFoundAtItsStep) {
  const std::pair<const char*, Spoil> faults[] = {
      {"nothing", [](UsualLstm&) {}},
      {"state and memory lost",
       [](UsualLstm& layer) {
         for (const std::size_t at : {recurrent_parameter::state, recurrent_parameter::memory})
           layer.parameters[at] = zeros_like(*layer.parameters[at]);
       }},
      {"memory lost",
       [](UsualLstm& layer) {
         auto& memory = layer.parameters[recurrent_parameter::memory];
         memory = zeros_like(*memory);
       }},
      {"nothing forgotten", [](UsualLstm& layer) { pin_forget_gate(layer, 100); }},
      {"all forgotten", [](UsualLstm& layer) { pin_forget_gate(layer, -100); }},
  };
  for (const auto& [fault, spoil] : faults)
    for (const auto& [T, step] : {std::pair<std::int64_t, std::int64_t>{40, 24}, {200, 150}}) {
      SCOPED_TRACE(std::string(fault) + " from step " + std::to_string(step));
      const RunRecord record = spoilt_from(T, step, spoil);
      const StageResult& stage = record.stages[0];
      if (fault == std::string("nothing")) {
        EXPECT_EQ(record.exit_code, 0) << stage.reason;
        continue;
      }
      EXPECT_EQ(stage.verdict, Verdict::diverged);
      EXPECT_NE(stage.reason.find("first at step " + std::to_string(step)), std::string::npos)
          << stage.reason;
    }
}

TEST(Sequences, OneElementOfALateStepIsFound) {
  for (const std::int64_t directions : {1, 2}) {
    Bench bench(UsualLstm(directions, 6).graph(200, {0}));
    const Capture clean = recorded(bench, eigen());
    const Tensor& made = clean.tensors.front().second;
    const std::int64_t row = directions * UsualLstm::N * UsualLstm::H, step = 100;
    // A thousandth of an element of middle size or more.
    const std::span<const float> there = made.values<float>().subspan(
        static_cast<std::size_t>(step * row), static_cast<std::size_t>(row));
    std::vector<std::int64_t> by_size(static_cast<std::size_t>(row));
    std::iota(by_size.begin(), by_size.end(), std::int64_t{0});
    std::sort(by_size.begin(), by_size.end(), [&](std::int64_t a, std::int64_t b) {
      return std::fabs(there[static_cast<std::size_t>(a)]) <
             std::fabs(there[static_cast<std::size_t>(b)]);
    });
    for (std::size_t k = by_size.size() / 2; k < by_size.size(); k += 8) {
      const std::int64_t at = step * row + by_size[k];
      std::vector<float> values(made.values<float>().begin(), made.values<float>().end());
      values[static_cast<std::size_t>(at)] *= 1.001F;
      const RunRecord record =
          judged(bench, {clean.file, {{"made.0", Tensor::of<float>(made.shape(), values)}}});
      EXPECT_EQ(record.stages[0].verdict, Verdict::diverged)
          << there[static_cast<std::size_t>(by_size[k])];
      ASSERT_TRUE(record.stages[0].exact_b);
      EXPECT_EQ(record.stages[0].exact_b->worst_index, at);
    }
  }
}

// A classifier that reads the last step alone: the selection is a stage of its own, so that all steps are judged.
TEST(Sequences, StepsThatAreDroppedLaterAreJudgedToo) {
  UsualLstm layer(1, 6);
  GraphBuilder graph("last");
  const TensorId x = graph.add_input("x", {Type::float32, {60, UsualLstm::N, UsualLstm::I}});
  Recurrent op{.cell = Recurrent::Cell::lstm};
  const TensorId y =
      graph.add_step(op, {x}, std::move(layer.parameters), "/0/LSTM", {"y"}, "LSTM").front();
  Placement last;
  last.ranges = {{0, -1, 60, 1}};
  graph.add_output(graph.add_step(last, {y}, {}, "/1/Slice", {"last"}, "Slice").front());
  Bench bench(graph.finish());
  ASSERT_EQ(bench.stages.size(), 2U);
  EXPECT_EQ(bench.run(fp32(), tf32(Arch::sm_90)).exit_code, 0);
  EXPECT_EQ(judged(bench, recorded(bench, eigen())).exit_code, 0);
}

TEST(Sequences, TheLastStateIsTheLastStepsOwn) {
  for (const std::int64_t directions : {1, 2}) {
    Bench bench(UsualLstm(directions, 5).graph(60, {0, 1}));
    const Capture clean = recorded(bench, eigen());
    EXPECT_EQ(judged(bench, clean).exit_code, 0);
    Capture spoilt = clean;
    // Both items exchanged in the last direction.
    const Tensor& state = clean.tensors.at(1).second;
    std::vector<float> values(state.values<float>().begin(), state.values<float>().end());
    std::swap_ranges(values.end() - 2 * UsualLstm::H, values.end() - UsualLstm::H,
                     values.end() - UsualLstm::H);
    spoilt.tensors.at(1).second = Tensor::of<float>(state.shape(), values);
    const RunRecord record = judged(bench, spoilt);
    EXPECT_EQ(record.stages[0].verdict, Verdict::diverged) << record.stages[0].reason;
    EXPECT_NE(record.stages[0].reason.find("not what the recorded steps end in"), std::string::npos)
        << record.stages[0].reason;
    // Without the steps nothing is known of a state so late.
    spoilt.tensors.erase(spoilt.tensors.begin());
    EXPECT_EQ(judged(bench, spoilt).stages[0].verdict, Verdict::untrusted);
  }
}

TEST(Sequences, TheLastMemoryIsHeldToWhatTheStepsLeaveOfIt) {
  for (const std::int64_t directions : {1, 2}) {
    Bench bench(UsualLstm(directions, 4).graph(200, {0, 2}));
    const Capture clean = recorded(bench, eigen());
    EXPECT_EQ(judged(bench, clean).exit_code, 0);
    const Tensor& memory = clean.tensors.at(1).second;
    std::vector<float> values(memory.values<float>().begin(), memory.values<float>().end());
    const auto largest = std::max_element(
        values.begin(), values.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
    *largest *= 1.01F;
    Capture spoilt = clean;
    spoilt.tensors.at(1).second = Tensor::of<float>(memory.shape(), values);
    const RunRecord record = judged(bench, spoilt);
    EXPECT_EQ(record.stages[0].verdict, Verdict::diverged) << record.stages[0].reason;
    ASSERT_TRUE(record.stages[0].exact_b);
    EXPECT_EQ(record.stages[0].exact_b->worst_index, largest - values.begin());
  }
}

TEST(Sequences, StepsOfItemsOfSeveralLengthsAreJudgedToo) {
  for (const Recurrent::Cell cell : {Recurrent::Cell::gru, Recurrent::Cell::lstm})
    for (const Recurrent::Direction direction :
         {Recurrent::Direction::forward, Recurrent::Direction::reverse}) {
      constexpr std::int64_t T = 60, N = 3, I = 9, H = 12;
      Recurrent op{.cell = cell, .direction = direction, .lengths = {60, 0, 41}};
      Draw draw(8, "lengths");
      const auto constant = [&](Shape shape) {
        std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
        for (float& value : values) value = static_cast<float>(draw.between(-0.5, 0.5));
        return std::optional(Tensor::of<float>(std::move(shape), std::move(values)));
      };
      GraphBuilder graph("lengths");
      const TensorId x = graph.add_input("x", {Type::float32, {T, N, I}});
      const std::int64_t rows = op.gates() * H;
      std::vector<std::optional<Tensor>> parameters = {
          constant({1, rows, I}), constant({1, rows, H}), constant({1, 2 * rows})};
      parameters.resize(recurrent_parameter::count);
      graph.add_output(graph.add_step(op, {x}, std::move(parameters), "/0", {"made"}).front());
      Bench bench(graph.finish());
      const Capture clean = recorded(bench, eigen());
      const auto spoilt = [&](std::int64_t t, std::int64_t n) {
        Capture capture = clean;
        Tensor& made = capture.tensors.front().second;
        std::vector<float> values(made.values<float>().begin(), made.values<float>().end());
        if (t >= 0) {
          float& element = values[static_cast<std::size_t>((t * N + n) * H + 7)];
          element = -element;
        }
        made = Tensor::of<float>(made.shape(), std::move(values));
        return judged(bench, capture);
      };
      EXPECT_EQ(spoilt(-1, 0).exit_code, 0);
      for (const auto& [t, n] : {std::pair<std::int64_t, std::int64_t>{40, 2}, {0, 2}, {33, 0}}) {
        const RunRecord record = spoilt(t, n);
        EXPECT_EQ(record.stages[0].verdict, Verdict::diverged);
        ASSERT_TRUE(record.stages[0].exact_b);
        EXPECT_EQ(record.stages[0].exact_b->worst_index, (t * N + n) * H + 7);
      }
    }
}

TEST(Sequences, AnLstmWhoseGatesTf32LeavesOpenIsNotTrusted) {
  UsualLstm layer(1, 9);
  for (std::optional<Tensor>& parameter : layer.parameters) {
    if (!parameter) continue;
    std::vector<float> values(parameter->values<float>().begin(), parameter->values<float>().end());
    for (float& value : values) value *= 2048;
    parameter = Tensor::of<float>(parameter->shape(), std::move(values));
  }
  Bench bench(layer.graph(60, {0}));
  const RunRecord record = bench.run(fp32(), tf32(Arch::sm_90));
  EXPECT_EQ(record.stages[0].verdict, Verdict::untrusted);
  EXPECT_NE(record.stages[0].reason.find("could not be judged"), std::string::npos);
  EXPECT_EQ(record.exit_code, 4);
  // FP32 leaves less open.
  EXPECT_EQ(bench.run(fp32(), chunked()).exit_code, 0);
}

// With ReLU in the place of tanh a state grows as it likes: where its worst case ends to be carried, nothing is
// claimed.
TEST(Sequences, StatesThatGrowWithoutLimitAreNotCalledExplained) {
  UsualLstm layer(1, 11);
  layer.form.g = layer.form.h = GateFunction::relu;
  for (std::optional<Tensor>& parameter : layer.parameters) {
    if (!parameter) continue;
    std::vector<float> values(parameter->values<float>().begin(), parameter->values<float>().end());
    for (float& value : values) value = 8 * std::fabs(value);
    parameter = Tensor::of<float>(parameter->shape(), std::move(values));
  }
  Bench last_state(layer.graph(20, {1}));
  const RunRecord untold = last_state.run(named("fp64"), fp32());
  ASSERT_TRUE(untold.stages[0].introduced.has_value());
  EXPECT_GT(untold.stages[0].introduced->max_abs, 0x1p60);
  EXPECT_EQ(untold.stages[0].verdict, Verdict::untrusted);
  // Step by step they are judged all the same.
  Bench every_step(layer.graph(20, {0}));
  EXPECT_EQ(every_step.run(named("fp64"), fp32()).stages[0].verdict, Verdict::within_bound);
}

TEST(Sequences, AMemoryThatIsNotClippedIsNamed) {
  UsualLstm layer(1, 12);
  layer.form.clip = 0.02F;
  Bench bench(layer.graph(12, {0}));
  const std::string evidence = evidence_of(bench, {0, Bug::cell_clip_misread, -1, 7});
  EXPECT_NE(evidence.find("but for the memory's"), std::string::npos) << evidence;
  EXPECT_NE(evidence.find("bit for bit"), std::string::npos) << evidence;
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
