#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/graph.hpp"
#include "model/tensor.hpp"

namespace parity {

/// What the user adds to a model file so that it becomes a network of concrete shapes.
struct ImportOptions {
  /// Input tensors by ONNX name. They give dynamic extents, and the value of any input that an op
  /// needs at import (the weights of a Conv, the shape of a Reshape); such an input is no graph
  /// input afterwards.
  std::map<std::string, Tensor> bindings;
  /// What messages call the element type of a binding, where its file's was no type of the lab.
  std::map<std::string, std::string> binding_types = {};
  std::map<std::string, Shape> shapes;       ///< --shape NAME=1x3x224x224
  std::map<std::string, std::int64_t> dims;  ///< --dim NAME=1
  /// What messages call the option that gave a name its shape or extent, where it was not --shape or
  /// --dim: "--axis seq=0".
  std::map<std::string, std::string> asked_by = {};
  /// Folders into which external data may be linked; without them a link is never followed.
  std::vector<std::filesystem::path> external_roots;
  /// A tensor or stage to stop at. Nodes it does not need may be unsupported.
  std::string until;
  /// Folded constants together may not be larger than this, so that a small file cannot fill the
  /// memory.
  std::int64_t largest_folded_bytes = std::int64_t{1} << 31;
  /// Called after each node, with how many are done; starts again when an input has to become a
  /// constant.
  std::function<void(std::size_t done, std::size_t of)> observer = {};
};

/// An input of a model that somebody must provide (initializers are none), specialised.
struct ModelInput {
  std::string name;
  TensorType type;
  std::string declared;  ///< as in TensorInfo
};

/// Opsets of the default domain whose operators the lab knows; others are refused.
inline constexpr int oldest_opset = 7, newest_opset = 28;

/// Reads an ONNX model and specialises it: concrete shapes, functions inlined, integers, booleans,
/// shapes and movement of constants folded, constants as parameters. Float arithmetic on constants
/// stays a step. Throws Fault::bad_model (what is wrong with the file or unsupported, with the
/// node), Fault::bad_input (a binding that does not fit), Fault::bad_request (extents missing, an
/// unknown name) or Fault::io.
Graph import_onnx(const std::filesystem::path& file, const ImportOptions& options = {});

/// The same from memory; `name` is what messages call the model, `folder` where its external data
/// may lie.
Graph import_onnx(std::span<const std::byte> bytes, const std::string& name,
                  const std::filesystem::path& folder, const ImportOptions& options = {});

/// The names of the inputs a model asks for, in file order. Throws as import_onnx does for what is
/// no model.
std::vector<std::string> onnx_input_names(const std::filesystem::path& file);

/// The inputs a model asks for, in file order, as import_onnx would specialise them. Throws the
/// same.
std::vector<ModelInput> onnx_inputs(const std::filesystem::path& file,
                                    const ImportOptions& options = {});

}  // namespace parity
