#include "model/onnx/node_view.hpp"

#include <algorithm>

#include "model/error.hpp"
#include "model/onnx/weights.hpp"
#include "model/text.hpp"

namespace parity::onnx_import {

std::string described(const FlatNode& node) {
  const std::string kind =
      " (" + shown_type(node.proto->op_type()) + ", opset " + std::to_string(node.opset) + ")";
  if (!node.proto->name().empty()) return "node " + shown(node.proto->name()) + kind;
  return "the unnamed node that makes " +
         shown(node.proto->output_size() > 0 ? node.proto->output(0) : "") + kind;
}

std::string name_of(const FlatNode& node) {
  if (!node.proto->name().empty() || node.proto->output_size() == 0) return node.proto->name();
  return node.proto->output(0);
}

int ProtoView::input_count() const {
  int count = node_.proto->input_size();
  while (count > 0 && node_.proto->input(count - 1).empty()) --count;
  return count;
}

bool ProtoView::has_input(int index) const {
  return index >= 0 && index < node_.proto->input_size() && !node_.proto->input(index).empty();
}

const TensorType& ProtoView::input_type(int index) const {
  if (!has_input(index)) refuse("input " + std::to_string(index + 1) + " is missing");
  return around_.type_of(node_.proto->input(index));
}

std::optional<Tensor> ProtoView::constant(int index) const {
  if (!has_input(index)) return std::nullopt;
  return around_.value_of(node_.proto->input(index), Wanted::if_known);
}

Tensor ProtoView::required_constant(int index, std::string_view role) const {
  if (!has_input(index))
    refuse("its " + std::string(role) + ", input " + std::to_string(index + 1) + ", is missing");
  const std::string& name = node_.proto->input(index);
  std::optional<Tensor> value = around_.value_of(name, Wanted::needed);
  if (!value)
    refuse("its " + std::string(role) + ", tensor " + shown(name) +
           ", must be known before the network runs, but it is computed from the network's inputs. "
           "If it depends on "
           "an input alone, give that input with --input NAME=FILE");
  return *std::move(value);
}

bool ProtoView::has_output(int index) const {
  return index >= 0 && index < node_.proto->output_size() && !node_.proto->output(index).empty();
}

const onnx::AttributeProto* ProtoView::find(std::string_view name) const {
  for (const onnx::AttributeProto& attribute : node_.proto->attribute())
    if (attribute.name() == name) return &attribute;
  return nullptr;
}

const onnx::AttributeProto* ProtoView::find(std::string_view name,
                                            onnx::AttributeProto::AttributeType type) const {
  const onnx::AttributeProto* attribute = find(name);
  if (attribute != nullptr && attribute->type() != type)
    refuse("its attribute " + shown(name) + " has another type than the operator's");
  return attribute;
}

std::int64_t ProtoView::integer(std::string_view name, std::int64_t otherwise) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::INT);
  return attribute == nullptr ? otherwise : attribute->i();
}

float ProtoView::real(std::string_view name, float otherwise) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::FLOAT);
  return attribute == nullptr ? otherwise : attribute->f();
}

std::string ProtoView::text(std::string_view name, std::string_view otherwise) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::STRING);
  return attribute == nullptr ? std::string(otherwise) : attribute->s();
}

std::vector<std::int64_t> ProtoView::integers(std::string_view name,
                                              std::vector<std::int64_t> otherwise) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::INTS);
  if (attribute == nullptr) return otherwise;
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::vector<float> ProtoView::reals(std::string_view name) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::FLOATS);
  if (attribute == nullptr) return {};
  return {attribute->floats().begin(), attribute->floats().end()};
}

std::vector<std::string> ProtoView::texts(std::string_view name) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::STRINGS);
  if (attribute == nullptr) return {};
  return {attribute->strings().begin(), attribute->strings().end()};
}

std::optional<Tensor> ProtoView::tensor(std::string_view name) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::TENSOR);
  if (attribute == nullptr) return std::nullopt;
  onnx::TensorProto copy = attribute->t();
  if (copy.name().empty())
    copy.set_name(node_.proto->output_size() > 0 ? node_.proto->output(0) : "value");
  try {
    Constant constant = to_constant(copy, around_.sandbox(), Doubles::rounded);
    for (const std::string& sentence : constant.lints) around_.lint(sentence);
    return constant.tensor;
  } catch (const Error& error) {
    if (error.fault() != Fault::bad_model) throw;
    refuse(error.what());
  }
}

void ProtoView::refuse(const std::string& why) const {
  throw Error(Fault::bad_model, described(node_) + cannot_be_imported + why);
}

void ProtoView::only_attributes(std::initializer_list<std::string_view> known) const {
  for (const onnx::AttributeProto& attribute : node_.proto->attribute())
    if (std::find(known.begin(), known.end(), attribute.name()) == known.end())
      refuse("the lab does not know its attribute " + shown(attribute.name()));
}

const TensorType& ConstantView::input_type(int) const { refuse("a constant has no inputs"); }

std::optional<Tensor> ConstantView::tensor(std::string_view name) const {
  if (name != "value") return std::nullopt;
  return tensor_;
}

void ConstantView::refuse(const std::string& why) const {
  throw Error(Fault::bad_model, "constant " + shown(name_) + " cannot be read as a value: " + why);
}

Tensor ConstantView::required_constant(int, std::string_view) const {
  refuse("a constant has no inputs");
}

}  // namespace parity::onnx_import
