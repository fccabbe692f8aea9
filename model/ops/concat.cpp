#include "model/ops/concat.hpp"

#include "model/shapes.hpp"

namespace parity {

std::span<const std::string_view> Concat::onnx_types() {
  static constexpr std::string_view types[] = {"Concat"};
  return types;
}

Imported<Concat> Concat::from_onnx(const NodeView& node) {
  node.only_attributes({"axis"});
  if (!node.has_attribute("axis")) node.refuse("it has no axis");
  Imported<Concat> imported;
  imported.op.axis = node.integer("axis", 1);
  for (int i = 0; i < node.input_count(); ++i) imported.inputs.push_back(i);
  return imported;
}

std::vector<TensorType> Concat::infer(const OperandTypes& types) const {
  if (types.inputs.empty()) throw Error(Fault::bad_model, "Concat has no inputs");
  require_operands(types, types.inputs.size(), 0, "Concat");
  TensorType y = types.inputs[0];
  const std::size_t joined = normalised_axis(axis, y.shape.size(), "Concat");
  y.shape[joined] = 0;
  for (const TensorType& x : types.inputs) {
    if (x.type != y.type)
      throw Error(Fault::bad_model, "Concat cannot join " + to_string(y.type) + " and " +
                                        to_string(x.type) + " elements");
    Shape rest = x.shape;
    if (rest.size() == y.shape.size()) rest[joined] = y.shape[joined];
    if (rest != y.shape)
      throw Error(Fault::bad_model, "Concat along axis " + std::to_string(axis) +
                                        " cannot join shapes " + to_string(types.inputs[0].shape) +
                                        " and " + to_string(x.shape) +
                                        ": they may differ on that axis only");
    y.shape[joined] += x.shape[joined];
  }
  return {y};
}

std::vector<Case<Concat>> Concat::cases() {
  const auto joining = [](std::string name, std::int64_t axis, std::vector<Shape> shapes) {
    Case<Concat> result{std::move(name), {axis}, {}};
    for (Shape& shape : shapes) result.types.inputs.push_back({Type::float32, std::move(shape)});
    return result;
  };
  return {joining("Concat channels of three", 1, {{2, 3, 5, 7}, {2, 16, 5, 7}, {2, 1, 5, 7}}),
          joining("Concat of one", 1, {{2, 3, 5, 7}}),
          joining("Concat rows", 2, {{2, 3, 2, 7}, {2, 3, 5, 7}}),
          joining("Concat columns from the back", -1, {{2, 3, 5, 1}, {2, 3, 5, 9}}),
          joining("Concat sequences", 1, {{2, 4, 9}, {2, 5, 9}}),
          joining("Concat features", 1, {{3, 17}, {3, 20}}),
          joining("Concat five axes", 3, {{1, 2, 3, 2, 2}, {1, 2, 3, 3, 2}})};
}

}  // namespace parity
