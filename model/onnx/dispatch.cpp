#include "model/onnx/dispatch.hpp"

#include <algorithm>
#include <utility>

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
