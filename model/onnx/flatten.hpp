#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace parity::onnx_import {

/// A node of the flat graph: no call of a model-local function is left.
struct FlatNode {
  std::shared_ptr<const onnx::NodeProto> proto;
  int opset = 0;      ///< of the default domain, where the node stands
  std::string scope;  ///< "layer1.0.conv1" when its metadata says so
};

/// What defines a tensor of the main graph besides nodes.
enum class Source { node, input, initializer, sparse_initializer };

/// A parsed and checked model: every tensor has exactly one producer, every tensor read has one,
/// and the nodes stand in an order in which they can run (the file's own wherever that is one).
struct Model {
  std::shared_ptr<onnx::ModelProto> proto;
  std::string name;
  std::string digest;
  std::filesystem::path folder;
  int opset = 0;
  std::vector<FlatNode> nodes;
  std::unordered_map<std::string, Source> sources;
  std::vector<std::string> notes;
};

/// The file's constants by name: initializers and the tensors of Constant nodes.
using ConstantProtos = std::map<std::string, const onnx::TensorProto*>;
ConstantProtos constants_of(const Model& model);

/// "pytorch 2.4.1".
std::string producer_of(const Model& model);

/// Throws Fault::bad_model or Fault::io.
Model load_model(const std::filesystem::path& file);
Model load_model(std::span<const std::byte> bytes, const std::string& name,
                 const std::filesystem::path& folder);

}  // namespace parity::onnx_import
