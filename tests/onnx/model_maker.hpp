#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace parity {

/// Builds a small ONNX model in memory; what a test makes wrong it makes wrong through proto().
class ModelMaker {
 public:
  using Names = std::initializer_list<const char*>;
  using Dims = std::vector<std::int64_t>;

  explicit ModelMaker(int opset = 13, int ir_version = 8) {
    model_.set_ir_version(ir_version);
    model_.set_producer_name("test");
    model_.add_opset_import()->set_version(opset);
    model_.mutable_graph()->set_name("g");
  }

  onnx::ModelProto& proto() { return model_; }
  onnx::GraphProto& graph() { return *model_.mutable_graph(); }

  /// -1 leaves an extent open.
  ModelMaker& input(const std::string& name, const Dims& dims,
                    int type = onnx::TensorProto::FLOAT) {
    describe(*graph().add_input(), name, dims, type);
    return *this;
  }
  ModelMaker& output(const std::string& name) {
    graph().add_output()->set_name(name);
    return *this;
  }
  onnx::NodeProto& node(const std::string& op, Names inputs, Names outputs,
                        const std::string& name = {}) {
    return fill(*graph().add_node(), op, inputs, outputs, name);
  }
  static onnx::NodeProto& fill(onnx::NodeProto& node, const std::string& op, Names inputs,
                               Names outputs, const std::string& name = {}) {
    node.set_op_type(op);
    node.set_name(name);
    for (const char* input : inputs) node.add_input(input);
    for (const char* output : outputs) node.add_output(output);
    return node;
  }
  onnx::TensorProto& floats(const std::string& name, const Dims& dims,
                            const std::vector<float>& values) {
    return raw(*graph().add_initializer(), name, dims, onnx::TensorProto::FLOAT, values.data(),
               4 * values.size());
  }
  onnx::TensorProto& floats(const std::string& name, const Dims& dims) {
    std::size_t count = 1;
    for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = 0.25F * static_cast<float>(i % 9) - 1.0F;
    return floats(name, dims, values);
  }
  onnx::TensorProto& integers(const std::string& name, const std::vector<std::int64_t>& values) {
    return raw(*graph().add_initializer(), name, {static_cast<std::int64_t>(values.size())},
               onnx::TensorProto::INT64, values.data(), 8 * values.size());
  }
  onnx::TensorProto& integer(const std::string& name, std::int64_t value) {
    return raw(*graph().add_initializer(), name, {}, onnx::TensorProto::INT64, &value, 8);
  }
  static onnx::TensorProto& raw(onnx::TensorProto& tensor, const std::string& name,
                                const Dims& dims, int type, const void* data, std::size_t bytes) {
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const std::int64_t dim : dims) tensor.add_dims(dim);
    tensor.set_raw_data(data, bytes);
    return tensor;
  }
  static void integers(onnx::NodeProto& node, const std::string& name,
                       const std::vector<std::int64_t>& values) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t value : values) attribute.add_ints(value);
  }
  static void integer(onnx::NodeProto& node, const std::string& name, std::int64_t value) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
  }
  static void describe(onnx::ValueInfoProto& info, const std::string& name, const Dims& dims,
                       int type) {
    info.set_name(name);
    onnx::TypeProto::Tensor& tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape();
    for (const std::int64_t dim : dims) {
      onnx::TensorShapeProto::Dimension& extent = *tensor.mutable_shape()->add_dim();
      if (dim >= 0) extent.set_dim_value(dim);
    }
  }
  /// Names an open extent of the last input.
  ModelMaker& name_extent(int axis, const std::string& name) {
    graph()
        .mutable_input(graph().input_size() - 1)
        ->mutable_type()
        ->mutable_tensor_type()
        ->mutable_shape()
        ->mutable_dim(axis)
        ->set_dim_param(name);
    return *this;
  }

  std::string bytes() const { return model_.SerializeAsString(); }

 private:
  onnx::ModelProto model_;
};

/// Conv, BatchNormalization, Relu, as an exporter writes them.
inline ModelMaker conv_block() {
  ModelMaker maker;
  maker.input("x", {1, 2, 5, 5});
  maker.floats("w", {3, 2, 3, 3});
  maker.floats("b", {3});
  maker.node("Conv", {"x", "w", "b"}, {"c"}, "/blocks.0/conv/Conv");
  maker.floats("gamma", {3}, {1, 2, 3});
  maker.floats("beta", {3}, {0, 1, -1});
  maker.floats("mean", {3}, {0.5F, 0, 1});
  maker.floats("var", {3}, {1, 2, 0.5F});
  maker.node("BatchNormalization", {"c", "gamma", "beta", "mean", "var"}, {"n"},
             "/blocks.0/bn/BatchNormalization");
  maker.node("Relu", {"n"}, {"y"}, "/blocks.0/relu/Relu");
  maker.output("y");
  return maker;
}

}  // namespace parity
