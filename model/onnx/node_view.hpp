#pragma once

#include <onnx/onnx_pb.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/onnx/external.hpp"
#include "model/onnx/flatten.hpp"
#include "model/op.hpp"

namespace parity::onnx_import {

/// How sure an op is that it needs an input's value.
enum class Wanted {
  if_known,  ///< it runs on a value as well
  needed     ///< it is a parameter: a bound graph input becomes a constant
};

/// What a node may ask about the tensors around it; the importer answers.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  virtual const TensorType& type_of(const std::string& tensor) = 0;
  virtual std::optional<Tensor> value_of(const std::string& tensor, Wanted wanted) = 0;
  /// Tensors in attributes may lie in external files too.
  virtual const Sandbox& sandbox() const = 0;
  virtual void lint(const std::string& sentence) = 0;
};

/// "node 'NAME' (Conv, opset 11)".
std::string described(const FlatNode& node);

/// What stands between a node and why it is refused.
inline constexpr const char* cannot_be_imported = " cannot be imported: ";

/// Its name, or the first tensor it makes.
std::string name_of(const FlatNode& node);

/// A node of the flat graph as op rooms see it.
class ProtoView final : public NodeView {
 public:
  ProtoView(const FlatNode& node, Surroundings& around) : node_(node), around_(around) {}

  const std::string& name() const override { return node_.proto->name(); }
  const std::string& op_type() const override { return node_.proto->op_type(); }
  int opset() const override { return node_.opset; }
  int input_count() const override;
  int output_count() const override { return node_.proto->output_size(); }
  bool has_input(int index) const override;
  const TensorType& input_type(int index) const override;
  std::optional<Tensor> constant(int index) const override;
  bool has_output(int index) const override;

  bool has_attribute(std::string_view name) const override { return find(name) != nullptr; }
  std::int64_t integer(std::string_view name, std::int64_t otherwise) const override;
  float real(std::string_view name, float otherwise) const override;
  std::string text(std::string_view name, std::string_view otherwise) const override;
  std::vector<std::int64_t> integers(std::string_view name,
                                     std::vector<std::int64_t> otherwise) const override;
  std::vector<float> reals(std::string_view name) const override;
  std::vector<std::string> texts(std::string_view name) const override;
  std::optional<Tensor> tensor(std::string_view name) const override;

  [[noreturn]] void refuse(const std::string& why) const override;
  void only_attributes(std::initializer_list<std::string_view> known) const override;
  Tensor required_constant(int index, std::string_view role) const override;

 private:
  const onnx::AttributeProto* find(std::string_view name) const;
  /// The attribute, or a refusal when it is there with another type.
  const onnx::AttributeProto* find(std::string_view name,
                                   onnx::AttributeProto::AttributeType type) const;

  const FlatNode& node_;
  Surroundings& around_;
};

/// A constant of the model as a node of its own, so that the room of `Constant` turns it into a
/// step.
class ConstantView final : public NodeView {
 public:
  ConstantView(const Tensor& tensor, const std::string& name, int opset)
      : tensor_(tensor), name_(name), opset_(opset) {}

  const std::string& name() const override { return node_name_; }
  const std::string& op_type() const override { return op_type_; }
  int opset() const override { return opset_; }
  int input_count() const override { return 0; }
  int output_count() const override { return 1; }
  bool has_input(int) const override { return false; }
  const TensorType& input_type(int) const override;
  std::optional<Tensor> constant(int) const override { return std::nullopt; }
  bool has_output(int index) const override { return index == 0; }

  bool has_attribute(std::string_view name) const override { return name == "value"; }
  std::int64_t integer(std::string_view, std::int64_t otherwise) const override {
    return otherwise;
  }
  float real(std::string_view, float otherwise) const override { return otherwise; }
  std::string text(std::string_view, std::string_view otherwise) const override {
    return std::string(otherwise);
  }
  std::vector<std::int64_t> integers(std::string_view,
                                     std::vector<std::int64_t> otherwise) const override {
    return otherwise;
  }
  std::vector<float> reals(std::string_view) const override { return {}; }
  std::vector<std::string> texts(std::string_view) const override { return {}; }
  std::optional<Tensor> tensor(std::string_view name) const override;

  [[noreturn]] void refuse(const std::string& why) const override;
  void only_attributes(std::initializer_list<std::string_view>) const override {}
  Tensor required_constant(int index, std::string_view role) const override;

 private:
  const Tensor& tensor_;
  const std::string& name_;
  std::string node_name_;
  std::string op_type_ = "Constant";
  int opset_;
};

}  // namespace parity::onnx_import
