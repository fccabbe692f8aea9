#include "model/onnx/dispatch.hpp"

#include <algorithm>
#include <utility>

#include "model/nearest.hpp"
#include "model/onnx/fold.hpp"
#include "model/onnx/import.hpp"
#include "model/text.hpp"

namespace parity::onnx_import {
namespace {

/// Calls f.operator()<T>() for every alternative T of the variant.
template <class F, class... Ts>
void each_op(F&& f, const std::variant<Ts...>*) {
  (f.template operator()<Ts>(), ...);
}
template <class F>
void each_op(F&& f) {
  each_op(std::forward<F>(f), static_cast<const Op::variant*>(nullptr));
}

}  // namespace

std::optional<ImportedOp> import_op(const NodeView& node) {
  std::optional<ImportedOp> result;
  each_op([&]<class T>() {
    const std::span<const std::string_view> types = T::onnx_types();
    if (result || std::find(types.begin(), types.end(), node.op_type()) == types.end()) return;
    Imported<T> imported = T::from_onnx(node);
    result = ImportedOp{Op(std::move(imported.op)), std::move(imported.inputs),
                        std::move(imported.parameters), std::move(imported.outputs)};
  });
  return result;
}

std::optional<std::string> refusal_of(const FlatNode& node) {
  const onnx::NodeProto& proto = *node.proto;
  if (!proto.domain().empty() && proto.domain() != "ai.onnx")
    return "the lab does not know operators of domain " + shown(proto.domain());
  if (node.opset < oldest_opset || node.opset > newest_opset)
    return "its opset is not among those that the lab knows, " + std::to_string(oldest_opset) +
           " to " + std::to_string(newest_opset);
  for (const onnx::AttributeProto& attribute : proto.attribute())
    if (attribute.has_g() || attribute.graphs_size() > 0)
      return "the lab does not run operators with graphs inside (its attribute " +
             shown(attribute.name()) + ")";
  static const std::vector<std::string> known = known_op_types();
  if (!std::binary_search(known.begin(), known.end(), proto.op_type()) &&
      !is_foldable(proto.op_type()))
    return "the lab has no operator " + shown(proto.op_type()) +
           did_you_mean(proto.op_type(), known);
  return std::nullopt;
}

std::vector<std::string> known_op_types() {
  std::vector<std::string> types;
  each_op([&]<class T>() {
    types.insert(types.end(), T::onnx_types().begin(), T::onnx_types().end());
  });
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  return types;
}

}  // namespace parity::onnx_import
