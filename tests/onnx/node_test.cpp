// The test models that ship with ONNX (Debian package libonnx-testdata): every one is either run
// and judged by derived bounds, or refused by name with its reason.
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cpu/backend.hpp"
#include "model/arithmetic/bounds.hpp"
#include "model/graph.hpp"
#include "model/onnx/dispatch.hpp"
#include "model/onnx/import.hpp"
#include "model/onnx/tensor_file.hpp"
#include "model/ops.hpp"
#include "model/plan.hpp"
#include "model/steps.hpp"

namespace parity {
namespace {

namespace fs = std::filesystem;

/// A reading of the model that the lab itself does not use: which operators and opset it has, for
/// the books.
struct Summary {
  std::set<std::string> ops;
  std::int64_t opset = 0;
  std::vector<std::string> outputs;
};

Summary summary_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromIstream(&stream)) << file;
  Summary summary;
  for (const onnx::NodeProto& node : model.graph().node()) summary.ops.insert(node.op_type());
  for (const onnx::OperatorSetIdProto& import : model.opset_import())
    if (import.domain().empty()) summary.opset = import.version();
  for (const onnx::ValueInfoProto& output : model.graph().output())
    summary.outputs.push_back(output.name());
  return summary;
}

/// A graph for bounding what somebody else's implementation does: BatchNorm's constants with signs
/// that let nothing cancel, because others do not form t = beta - mean * s first. Its magnitudes
/// are |s|(|x| + |mean|) + |beta|.
Graph without_cancellation(Graph graph) {
  const auto with_sign = [](const Tensor& tensor, float sign) {
    std::vector<float> values(tensor.values<float>().begin(), tensor.values<float>().end());
    for (float& value : values) value = sign * std::abs(value);
    return std::make_shared<const Tensor>(Tensor::of(tensor.shape(), std::move(values)));
  };
  for (Step& step : graph.steps) {
    if (step.op_type != "BatchNormalization") continue;
    const std::vector<std::shared_ptr<const Tensor>> given =
        step.parameters;  // gamma, beta, mean, var
    step.parameters = {with_sign(*given[0], 1), with_sign(*given[1], 1), with_sign(*given[2], -1),
                       given[3]};
  }
  return graph;
}

/// How far two computations of the same network may lie apart: one by the lab's contracts, one by
/// any FP32 implementation in any order.
///
/// For one stage, the lab's side is stage_allowance: |y - exact| <= c*M + t. The other side sums in
/// any order with or without fma, which gamma_n covers as well, and rounds each element of an
/// inexact elementwise op at most 8 times (BatchNorm as (x-m)/sqrt(v+e)*g+b: 6; a sigmoid of exp
/// to 2.5 ULP, add, divide: 7), hence 8u more per such step. Along the graph: with every input of a
/// stage within c*M, and k inputs that may multiply each other, the stage's exact result moves by
/// at most ((1+c)^k - 1)*M; its own roundings come on top. An absolute part t of an input is taken
/// into its magnitude as t/c, so that c*M covers it.
struct Bound {
  double coefficient = 0, underflow = 0;
};

struct Walked {
  Value value;
  Value magnitude;
  Bound bound;
};

Bound of_both_sides(const PlannedStage& stage) {
  const Allowance own = stage_allowance(stage);
  double foreign = own.coefficient;
  for (const Contract& contract : stage.contracts)
    if (contract.algorithm == Algorithm::elementwise && own.coefficient > 0)
      foreign += 8 * unit_roundoff;
  return {own.coefficient + foreign, 2 * own.underflow};
}

Value raised(Backend& backend, const Value& magnitude, const Bound& bound,
             const Execution& execution) {
  if (bound.underflow == 0 || bound.coefficient == 0) return magnitude;
  const Tensor tensor = backend.download(magnitude, execution);
  const auto extra = static_cast<float>(bound.underflow / bound.coefficient);
  std::vector<float> values;
  for (const float value : tensor.values<float>())
    values.push_back(std::nextafter(value + extra, std::numeric_limits<float>::infinity()));
  return backend.upload(Tensor::of(tensor.shape(), std::move(values)), execution);
}

std::vector<float> floats_of(Backend& backend, const Value& value, const Execution& execution) {
  const Tensor tensor = backend.download(value, execution);
  std::vector<float> values;
  const auto all = [&](const auto& elements) {
    for (const auto element : elements) values.push_back(static_cast<float>(element));
  };
  switch (tensor.type().type) {
    case Type::float32:
      all(tensor.values<float>());
      break;
    case Type::float64:
      all(tensor.values<double>());
      break;
    case Type::int64:
      all(tensor.values<std::int64_t>());
      break;
    case Type::boolean:
      all(tensor.values<std::uint8_t>());
      break;
  }
  return values;
}

/// How far a function without a largest slope moves when its operands move within their bounds: it is
/// monotone in each (or piecewise, between 0s), so the corners of the box are where it goes farthest.
std::vector<float> moved_by_operands(const PlannedStage& stage, const std::vector<Walked>& operands,
                                     const Value& y, Backend& backend, const Execution& execution) {
  const std::vector<float> center = floats_of(backend, y, execution);
  std::vector<float> farthest(center.size(), 0);
  for (std::size_t corner = 0; corner < std::size_t{1} << operands.size(); ++corner) {
    std::vector<Value> at;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const Walked& operand = operands[k];
      if (operand.value.type().type != Type::float32) {
        at.push_back(operand.value);
        continue;
      }
      const float sign = (corner >> k & 1) != 0 ? 1.0F : -1.0F;
      std::vector<float> values = floats_of(backend, operand.value, execution);
      const std::vector<float> m = floats_of(backend, operand.magnitude, execution);
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] +=
            sign * static_cast<float>(operand.bound.coefficient * m[i] + operand.bound.underflow);
      at.push_back(backend.upload(Tensor::of(operand.value.shape(), std::move(values)), execution));
    }
    const std::vector<float> there =
        floats_of(backend, backend.run(stage, at, Reading::values, execution).front(), execution);
    for (std::size_t i = 0; i < there.size(); ++i)
      farthest[i] = std::max(farthest[i], std::abs(there[i] - center[i]));
  }
  return farthest;
}

/// Whether an element of the output depends on others of the same operand, so that no corner of the box
/// says how far it moves.
bool mixes_elements(const Op& op) {
  return std::holds_alternative<Normalization>(op) || std::holds_alternative<Softmax>(op) ||
         std::holds_alternative<Recurrent>(op);
}

/// A stage whose head makes its bound from its operands as they are: its own error, and how far it moves
/// with them, taken into its magnitude. One per output.
std::vector<Walked> walked_by_values(const PlannedStage& stage, const std::vector<Walked>& operands,
                                     Backend& backend, const Execution& execution) {
  std::vector<Value> values;
  bool exact = true;
  for (const Walked& operand : operands) {
    values.push_back(operand.value);
    exact = exact && operand.bound.coefficient == 0;
  }
  Bound bound = of_both_sides(stage);
  const std::vector<Value> y = backend.run(stage, values, Reading::values, execution);
  const std::vector<Value> m = backend.run(stage, values, Reading::magnitudes, execution);
  std::vector<Walked> made;
  for (std::size_t k = 0; k < y.size(); ++k) made.push_back({y[k], m[k], bound});
  if (exact) return made;
  EXPECT_FALSE(mixes_elements(*stage.stage.steps.front().op))
      << stage.stage.name << " reads inexact operands, which this walk cannot bound";
  bound.coefficient = std::max(bound.coefficient, unit_roundoff);
  const std::vector<float> moved =
      moved_by_operands(stage, operands, y.front(), backend, execution);
  std::vector<float> magnitude = floats_of(backend, m.front(), execution);
  for (std::size_t i = 0; i < magnitude.size(); ++i)
    magnitude[i] += static_cast<float>(static_cast<double>(moved[i]) / bound.coefficient * 1.01);
  made.front() = {y.front(),
                  backend.upload(Tensor::of(y.front().shape(), std::move(magnitude)), execution),
                  bound};
  return made;
}

/// Runs the network stage by stage: values, and magnitudes with the bound they stand for.
std::map<TensorId, Walked> walk(const Graph& graph, const std::vector<Tensor>& inputs,
                                cpu::CpuBackend& backend) {
  const Execution execution;
  const Plan plan = make_plan(cut(graph), Numerics{}, backend, "cpu:fp32");
  const Plan bounding =
      make_plan(cut(without_cancellation(graph)), Numerics{}, backend, "cpu:fp32");
  std::map<TensorId, Walked> known;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value value = backend.upload(inputs[i], execution);
    known[graph.inputs[i]] = {value, value, {}};
  }
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const Stage& stage = plan.stages[s].stage;
    if (!stage.inputs.empty() && bounds_itself(*stage.steps.front().op)) {
      std::vector<Walked> operands;
      for (const TensorId id : stage.inputs) operands.push_back(known.at(id));
      const std::vector<Walked> made =
          walked_by_values(plan.stages[s], operands, backend, execution);
      for (std::size_t k = 0; k < stage.outputs.size(); ++k) known[stage.outputs[k]] = made[k];
      continue;
    }
    std::vector<Value> values, magnitudes;
    double inherited = 0;
    for (const TensorId id : stage.inputs) {
      const Walked& input = known.at(id);
      values.push_back(input.value);
      magnitudes.push_back(raised(backend, input.magnitude, input.bound, execution));
      inherited = std::max(inherited, input.bound.coefficient);
    }
    inherited = std::pow(1 + inherited, static_cast<double>(stage.inputs.size())) - 1;
    const Bound own = of_both_sides(plan.stages[s]);
    const Bound total{inherited + own.coefficient * (1 + inherited), own.underflow};
    const std::vector<Value> y = backend.run(plan.stages[s], values, Reading::values, execution);
    const std::vector<Value> m =
        backend.run(bounding.stages[s], magnitudes, Reading::magnitudes, execution);
    for (std::size_t k = 0; k < stage.outputs.size(); ++k)
      known[stage.outputs[k]] = {y[k], m[k], total};
  }
  return known;
}

/// Every output that is computed, against the expected one.
std::map<std::string, Comparison> judged(const Graph& graph, const std::vector<Tensor>& inputs,
                                         const Summary& summary, const TestDataSet& data) {
  cpu::CpuBackend backend;
  const std::map<TensorId, Walked> known = walk(graph, inputs, backend);
  std::map<std::string, Comparison> results;
  for (const TensorId id : graph.outputs) {
    const std::string& name = graph.tensor(id).name;
    const auto position = std::find(summary.outputs.begin(), summary.outputs.end(), name);
    const Walked& got = known.at(id);
    if (position == summary.outputs.end()) {
      ADD_FAILURE() << "output " << name << " is none of the model's";
      continue;
    }
    const Tensor& expected =
        data.outputs.at(static_cast<std::size_t>(position - summary.outputs.begin())).tensor;
    EXPECT_EQ(to_string(got.value.type()), to_string(expected.type())) << name;
    if (!(got.value.type() == expected.type())) continue;
    results.emplace(name, backend.compare(backend.upload(expected, {}), got.value, &got.magnitude,
                                          {got.bound.coefficient, got.bound.underflow}, {}));
  }
  return results;
}

/// Packaged results that are not what the operator's text says, so that whoever computes the text
/// must miss them.
const std::map<std::string, std::string>& contradicting_results() {
  static const std::map<std::string, std::string> tests = [] {
    const std::string why =
        "align_corners divides by length_resized - 1; these results divide by scale * length - 1, "
        "which is no whole number where the scale shrinks";
    return std::map<std::string, std::string>{
        {"node/test_resize_downsample_scales_cubic_align_corners", why},
        {"node/test_resize_downsample_scales_linear_align_corners", why}};
  }();
  return tests;
}

/// Runs and judges a packaged test up to `until`, all of it when empty. Why the lab will not; nothing
/// when it did (failures are reported by gtest).
std::optional<std::string> refusal_up_to(const std::string& until, const fs::path& folder,
                                         const Summary& summary) {
  const fs::path file = folder / "model.onnx";
  try {
    const std::vector<ModelInput> asked = onnx_inputs(file);
    const TestDataSet data = read_test_data_set(folder / "test_data_set_0");
    ImportOptions options;
    if (asked.size() != data.inputs.size()) return "its data does not give every input";
    for (std::size_t i = 0; i < asked.size(); ++i)
      options.bindings.emplace(asked[i].name, data.inputs[i].tensor);
    options.until = until;
    const Graph graph = import_onnx(file, options);

    std::vector<Tensor> inputs;
    for (const TensorId id : graph.inputs)
      inputs.push_back(options.bindings.at(graph.tensor(id).name));
    const std::string test = (folder.parent_path().filename() / folder.filename()).string();
    for (const auto& [name, result] : judged(graph, inputs, summary, data)) {
      if (contradicting_results().contains(test)) {
        EXPECT_GT(result.beyond, 0) << folder << " is right after all";
        continue;
      }
      EXPECT_EQ(result.beyond, 0) << folder << ": worst share of the bound " << result.worst_share
                                  << ", largest difference " << result.max_abs;
      EXPECT_EQ(result.nan_mismatches + result.infinity_mismatches, 0) << folder;
      // Of integers and booleans every value says something, 0 too.
      const bool whole = std::any_of(graph.outputs.begin(), graph.outputs.end(), [&](TensorId id) {
        const Type type = graph.tensor(id).type.type;
        return graph.tensor(id).name == name && (type == Type::int64 || type == Type::boolean);
      });
      if (whole) {
        EXPECT_EQ(result.differing, 0) << folder;
      }
      EXPECT_GT(whole ? result.elements : result.informative, 0)
          << folder << ": nothing in output " << name << " can tell right from wrong";
    }
    return std::nullopt;
  } catch (const Error& error) {
    const bool about_the_test = error.fault() == Fault::bad_model ||
                                error.fault() == Fault::bad_input ||
                                error.fault() == Fault::bad_request;
    EXPECT_TRUE(about_the_test) << folder << ": " << error.what();
    return error.what();
  }
}

/// The same of the whole test, or else of its first output: a second one (the indices of a MaxPool)
/// may be unsupported while the first is judged.
std::optional<std::string> refusal(const fs::path& folder, const Summary& summary) {
  const std::optional<std::string> why = refusal_up_to({}, folder, summary);
  if (!why || summary.outputs.size() < 2) return why;
  return refusal_up_to(summary.outputs[0], folder, summary);
}

/// Why a test whose every operator has a room may still be refused: the form that the lab does not
/// support.
struct Form {
  std::string fragment;  ///< of the refusal
  std::string why;
};
const std::vector<Form>& unsupported_forms() {
  static const std::vector<Form> forms = {
      {"uint8", "only float32 networks are run"},
      {"the lab's networks read float32, int64, int32 and bool", "no other element types"},
      {"cannot use tensor 'output': it is", "no other element types, in the test's expectation"},
      {"it casts to ONNX's type", "no other element types"},
      {"(Pow, opset", "a power of integers, or with an integer exponent that is no constant"},
      {"it is no tensor", "sequences and optionals are no tensors"},
      {"training", "inference only"},
      {"without elements", "a tensor without elements computes nothing"},
      {"second output", "first outputs only (a MaxPool's indices)"},
      {"the mask", "a Dropout's mask exists in training only"},
      {"rank", "beyond the ranks a room takes (3-D convolution and pooling)"},
      {"tf_crop_and_resize", "a region of interest is not resized"},
  };
  return forms;
}

std::vector<fs::path> packaged_tests() {
  std::vector<fs::path> folders;
  for (const std::string group : {"node", "pytorch-converted", "pytorch-operator", "simple"}) {
    const fs::path root = fs::path(PARITYLAB_ONNX_TESTDATA) / group;
    if (!fs::is_directory(root)) continue;
    for (const fs::directory_entry& entry : fs::directory_iterator(root))
      if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

TEST(PackagedOnnxTests, WouldNotPassWithAnotherEpsilon) {
  const fs::path folder = fs::path(PARITYLAB_ONNX_TESTDATA) / "node" / "test_batchnorm_epsilon";
  ASSERT_TRUE(fs::exists(folder)) << "install libonnx-testdata and configure again";
  std::ifstream stream(folder / "model.onnx", std::ios::binary);
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromIstream(&stream));
  const TestDataSet data = read_test_data_set(folder / "test_data_set_0");
  const Summary summary = summary_of(folder / "model.onnx");
  ImportOptions options;
  for (int i = 0; i < model.graph().input_size(); ++i)
    options.bindings.emplace(model.graph().input(i).name(),
                             data.inputs.at(static_cast<std::size_t>(i)).tensor);
  onnx::AttributeProto& epsilon = *model.mutable_graph()->mutable_node(0)->mutable_attribute(0);
  ASSERT_EQ(epsilon.name(), "epsilon");
  for (const bool right : {true, false}) {
    if (!right) epsilon.set_f(epsilon.f() / 10);
    const std::string bytes = model.SerializeAsString();
    const Graph graph =
        import_onnx(std::as_bytes(std::span(bytes.data(), bytes.size())), "m", "", options);
    const auto results = judged(graph, {data.inputs.at(0).tensor}, summary, data);
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results.begin()->second.beyond == 0, right);
  }
}

TEST(PackagedOnnxTests, PassWithinDerivedBoundsOrAreRefusedByName) {
  const std::vector<fs::path> folders = packaged_tests();
  ASSERT_GT(folders.size(), 1000U)
      << "the packaged ONNX tests are not under '" << PARITYLAB_ONNX_TESTDATA
      << "'; install libonnx-testdata and configure again";
  const std::vector<std::string> known = onnx_import::known_op_types();
  std::set<std::string> proven;  // operators that some passing test contains
  int passed = 0, refused = 0, contradicted = 0;
  for (const fs::path& folder : folders) {
    const Summary summary = summary_of(folder / "model.onnx");
    const std::string name = (folder.parent_path().filename() / folder.filename()).string();
    const std::optional<std::string> why = refusal(folder, summary);
    if (const auto known_wrong = contradicting_results().find(name);
        !why && known_wrong != contradicting_results().end()) {
      ++contradicted;
      std::cout << "contradicted " << name << ": " << known_wrong->second << "\n";
      continue;
    }
    if (!why) {
      ++passed;
      proven.insert(summary.ops.begin(), summary.ops.end());
      std::cout << "passed " << name << "\n";
      continue;
    }
    ++refused;
    std::cout << "refused " << name << ": " << *why << "\n";
    // A refusal must be for an operator without a room, an old opset, or a form named above;
    // anything else is a test that the lab has lost.
    const bool rooms = std::all_of(
        summary.ops.begin(), summary.ops.end(),
        [&](const std::string& op) { return std::binary_search(known.begin(), known.end(), op); });
    const bool form =
        std::any_of(unsupported_forms().begin(), unsupported_forms().end(),
                    [&](const Form& f) { return why->find(f.fragment) != std::string::npos; });
    EXPECT_TRUE(!rooms || summary.opset < oldest_opset || form)
        << name << " is refused for no known reason: " << *why;
  }
  std::cout << passed << " passed, " << refused << " refused, " << contradicted
            << " contradicted of " << folders.size() << "\n";
  EXPECT_EQ(passed + refused + contradicted, static_cast<int>(folders.size()));
  EXPECT_EQ(contradicted, static_cast<int>(contradicting_results().size()));
  EXPECT_GT(passed, 0);
}

}  // namespace
}  // namespace parity
