#include "model/ops/cast.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "model/arithmetic/bounds.hpp"
#include "model/shapes.hpp"

namespace parity {
namespace {

/// TensorProto::DataType, as the attribute `to` gives it.
struct Target {
  std::int64_t onnx;
  Cast::To to;
};
constexpr Target targets[] = {
    {1, Cast::To::float32}, {6, Cast::To::int32}, {7, Cast::To::int64}, {9, Cast::To::boolean}};

}  // namespace

std::span<const std::string_view> Cast::onnx_types() {
  static constexpr std::string_view types[] = {"Cast"};
  return types;
}

Imported<Cast> Cast::from_onnx(const NodeView& node) {
  node.only_attributes({"to", "saturate"});  // saturate is about 8-bit floats
  const std::int64_t wanted = node.integer("to", 0);
  const auto* const target = std::find_if(std::begin(targets), std::end(targets),
                                          [&](const Target& t) { return t.onnx == wanted; });
  if (target != std::end(targets)) return {{node.input_type(0).type, target->to}, {0}, {}};
  node.refuse("it casts to ONNX's type " + std::to_string(wanted) +
              ", and the lab has float32 (1), int32 (6), int64 (7) and boolean (9)");
  std::abort();  // a virtual call that never returns is not seen as such by every compiler
}

Type Cast::result() const {
  if (to == To::float32) return Type::float32;
  return to == To::boolean ? Type::boolean : Type::int64;
}

std::int64_t Cast::onnx_type() const {
  return std::find_if(std::begin(targets), std::end(targets),
                      [&](const Target& t) { return t.to == to; })
      ->onnx;
}

std::vector<TensorType> Cast::infer(const OperandTypes& types) const {
  require_operands(types, 1, 0, "Cast");
  if (types.inputs[0].type != from)
    throw Error(Fault::bad_model,
                "Cast from " + to_string(from) + " reads " + to_string(types.inputs[0]));
  return {{result(), types.inputs[0].shape}};
}

StepAllowance Cast::allowance(const OperandTypes&, std::span<const std::shared_ptr<const Tensor>>,
                              const Contract& contract) const {
  const bool rounds = from == Type::int64 && to == To::float32;
  return {rounded(contract, rounds ? 1 : 0), heads_stage() ? 0.0 : 1.0};
}

std::vector<Case<Cast>> Cast::cases() {
  std::vector<Case<Cast>> cases;
  for (const Type from : {Type::float32, Type::int64, Type::boolean})
    for (const Target& target : targets)
      if (from != Type::float32 || target.to != Cast::To::int32)  // ends that no float has
        cases.push_back({"Cast from " + to_string(from) + " to type " + std::to_string(target.onnx),
                         {from, target.to},
                         {{{from, {2, 9, 3, 5}}}, {}}});
  return cases;
}

}  // namespace parity
