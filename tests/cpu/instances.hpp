#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "model/arithmetic/fill.hpp"
#include "model/graph.hpp"
#include "model/ops.hpp"
#include "model/plan.hpp"
#include "tests/cpu/reference/rooms.hpp"

namespace parity {

// The cases of every op as graphs with operands, for tests of any backend.

inline std::string to_text(Fill fill) {
  return fill == Fill::exact ? "exact" : fill == Fill::real ? "real" : "hostile";
}
inline constexpr Fill fills[] = {Fill::exact, Fill::real, Fill::hostile};

/// A case with its operands made.
template <class T>
struct Instance {
  Case<T> of;
  std::vector<Tensor> inputs;
  std::vector<std::optional<Tensor>> parameters;
  std::string text;

  Instance(Case<T> the_case, Fill fill) : of(std::move(the_case)) {
    std::uint64_t seed = 7;
    text = of.name + ", " + to_text(fill) + " operands, first seed " + std::to_string(seed);
    for (const TensorType& type : of.types.inputs) inputs.push_back(filled(type, fill, seed++));
    for (const auto& type : of.types.parameters)
      parameters.push_back(type ? std::optional(filled(*type, fill, seed++)) : std::nullopt);
    if constexpr (std::is_same_v<T, BatchNorm>) {
      // A variance is not negative; a NaN one stays.
      std::vector<float> variance;
      for (const float v : parameters[3]->template values<float>()) variance.push_back(std::abs(v));
      parameters[3] = Tensor::of(parameters[3]->shape(), std::move(variance));
    }
  }

  Graph graph() const {
    GraphBuilder builder("case");
    std::vector<TensorId> ids;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      ids.push_back(builder.add_input("x" + std::to_string(i), inputs[i].type()));
    for (const TensorId id :
         builder.add_step(of.op, ids, parameters, "node", output_names(of.op.infer(of.types))))
      builder.add_output(id);
    return builder.finish();
  }

  static std::vector<std::string> output_names(const std::vector<TensorType>& made) {
    std::vector<std::string> names{"y"};
    while (names.size() < made.size()) names.push_back("y" + std::to_string(names.size()));
    return names;
  }

  /// One per output.
  template <class Real>
  std::vector<reference::Dense<Real>> expected() const {
    reference::Operands<Real> values, constants;
    for (const Tensor& input : inputs) values.push_back(reference::Dense<Real>::of(input));
    for (const auto& parameter : parameters)
      constants.push_back(parameter ? reference::Dense<Real>::of(*parameter)
                                    : reference::Dense<Real>{});
    if constexpr (std::is_same_v<T, Binary>) {
      const bool whole = inputs[0].type().type == Type::int64;
      return {reference::evaluate(of.op, values, constants, whole)};
    } else {
      return reference::all_outputs(reference::evaluate(of.op, values, constants));
    }
  }
};

template <class T>
std::vector<Instance<T>> instances() {
  std::vector<Instance<T>> all;
  for (const Fill fill : fills)
    for (Case<T>& the_case : T::cases()) all.emplace_back(std::move(the_case), fill);
  return all;
}

inline PlannedStage planned(const Graph& graph, const Numerics& numerics, const Backend& backend) {
  Plan plan = make_plan(cut(graph), numerics, backend, "test");
  EXPECT_EQ(plan.stages.size(), 1U) << "a case is one stage";
  return plan.stages.front();
}

/// Where two tensors differ first, for a failure's text.
template <class Real>
std::string first_difference(const Tensor& expected, const Tensor& got) {
  if (expected.type() != got.type())
    return to_string(expected.type()) + " expected, got " + to_string(got.type());
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const Tensor a = Tensor::of<Real>({1}, {expected.values<Real>()[at]});
    const Tensor b = Tensor::of<Real>({1}, {got.values<Real>()[at]});
    if (same_bits(a, b)) continue;
    char text[160];
    std::snprintf(text, sizeof text, "element %lld of %s: expected %a, got %a",
                  static_cast<long long>(i), to_string(expected.type()).c_str(),
                  static_cast<double>(expected.values<Real>()[at]),
                  static_cast<double>(got.values<Real>()[at]));
    return text;
  }
  return "no difference";
}

template <class Variant>
struct TypesOf;
template <class... Ts>
struct TypesOf<std::variant<Ts...>> {
  using type = testing::Types<Ts...>;
};
struct NameOfOp {
  template <class T>
  static std::string GetName(int) {
    return std::string(T::onnx_types().front());
  }
};
}  // namespace parity
