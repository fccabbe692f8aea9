#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>
#include <vector>

namespace parity::test {

/// A small model under construction: y = Relu(Conv(x, w)) on x {1, 2, 4, 4}, w {3, 2, 3, 3} all 1,
/// pads 1. Tests spoil what they are about, then serialise.
struct OnnxFile {
  onnx::ModelProto model;
  onnx::GraphProto* graph = nullptr;
  onnx::NodeProto* conv = nullptr;
  onnx::NodeProto* relu = nullptr;
  onnx::TensorProto* weights = nullptr;

  OnnxFile() {
    model.set_ir_version(8);
    model.set_producer_name("paritylab tests");
    model.add_opset_import()->set_version(13);
    graph = model.mutable_graph();
    graph->set_name("small");
    edge(graph->add_input(), "x", {1, 2, 4, 4});
    edge(graph->add_output(), "y", {1, 3, 4, 4});
    weights = graph->add_initializer();
    weights->set_name("w");
    weights->set_data_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t extent : {3, 2, 3, 3}) weights->add_dims(extent);
    for (int i = 0; i < 3 * 2 * 3 * 3; ++i) weights->add_float_data(1);
    conv = node("Conv", "first/Conv", {"x", "w"}, "z");
    auto* pads = conv->add_attribute();
    pads->set_name("pads");
    pads->set_type(onnx::AttributeProto::INTS);
    for (int i = 0; i < 4; ++i) pads->add_ints(1);
    relu = node("Relu", "first/Relu", {"z"}, "y");
  }

  onnx::NodeProto* node(const std::string& type, const std::string& name,
                        const std::vector<std::string>& inputs, const std::string& output) {
    onnx::NodeProto* node = graph->add_node();
    node->set_op_type(type);
    node->set_name(name);
    for (const std::string& input : inputs) node->add_input(input);
    node->add_output(output);
    return node;
  }

  static void edge(onnx::ValueInfoProto* info, const std::string& name,
                   const std::vector<std::int64_t>& extents) {
    info->set_name(name);
    auto* type = info->mutable_type()->mutable_tensor_type();
    type->set_elem_type(onnx::TensorProto::FLOAT);
    type->clear_shape();
    for (const std::int64_t extent : extents)
      type->mutable_shape()->add_dim()->set_dim_value(extent);
  }

  std::string bytes() const { return model.SerializeAsString(); }
};

}  // namespace parity::test
