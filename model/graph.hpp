#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/error.hpp"
#include "model/ops_fwd.hpp"
#include "model/tensor.hpp"

namespace parity {

/// An edge of a graph: index into Graph::tensors.
enum class TensorId : std::int32_t {};
constexpr std::size_t index_of(TensorId id) { return static_cast<std::size_t>(id); }

/// One op applied: what it reads, what it makes, what it carries.
struct Step {
  std::shared_ptr<const Op> op;
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  std::vector<std::shared_ptr<const Tensor>> parameters;  ///< null where the op's slot is absent
  std::string node;                                       ///< the ONNX node's name, maybe empty
  std::string scope;    ///< name_scopes of its metadata, else empty
  std::string op_type;  ///< the ONNX op type, "Conv"
};

/// An edge: its ONNX tensor name and its type after specialisation.
struct TensorInfo {
  std::string name;
  TensorType type;
  /// The element type as the file names it where the lab holds its values in a wider one: "int32".
  std::string declared = {};

  /// "float32", "int32": what the file says.
  std::string element_text() const;
};
/// The element types of tensors that may be given for it: "float32", "int32 or int64".
std::string accepted_types(const TensorInfo& input);

/// A network specialised to concrete shapes: constants folded, steps in topological order.
struct Graph {
  std::string name;    ///< what the user called it: "second.onnx", "sample:second/A"
  std::string digest;  ///< 32 hex digits over the file's bytes, or over the sample's name and seed
  std::string producer;  ///< "pytorch 2.4.1", or the lab itself for samples
  std::int64_t ir_version = 0;
  int opset = 0;
  std::vector<TensorInfo> tensors;
  std::vector<Step> steps;
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  std::vector<std::string>
      notes;  ///< what import decided and the user should know ("batch became 1")
  std::vector<std::string> lints;  ///< what looks wrong though it runs (weights with NaN, odd eps)

  const TensorInfo& tensor(TensorId id) const { return tensors[index_of(id)]; }
};

/// Builds a Graph step by step, inferring types. The importer and the samples share it.
class GraphBuilder {
 public:
  explicit GraphBuilder(std::string name);

  TensorId add_input(std::string name, TensorType type, std::string declared = {});
  /// Appends a step and its outputs (named by `outputs`). Parameters are made NaN-canonical;
  /// `constants` are the names that a lint calls them by, as far as somebody knows them. Throws what
  /// the op's infer throws, with the node named.
  std::vector<TensorId> add_step(Op op, std::vector<TensorId> inputs,
                                 std::vector<std::optional<Tensor>> parameters, std::string node,
                                 std::vector<std::string> outputs, std::string op_type = {},
                                 std::string scope = {},
                                 std::span<const std::string> constants = {});
  void add_output(TensorId id);
  const TensorType& type(TensorId id) const;
  Graph& graph() { return graph_; }
  /// Drops steps whose outputs nobody reads, lints the weights, and hands the graph over.
  Graph finish();

 private:
  Graph graph_;
};

/// The types of a step's operands.
struct OperandTypes;
OperandTypes operand_types(const Graph& graph, const Step& step);

/// A head step and the steps that ride on it: the differ's unit.
struct Stage {
  int id = 0;
  std::string name;   ///< "blocks.1.3", unique in the graph
  std::string block;  ///< the name's first component
  std::vector<Step> steps;
  std::vector<TensorId> inputs;  ///< in the order run() takes them
  std::vector<TensorId>
      outputs;  ///< in the order run() gives them; [0] is what the stage is judged by
  std::vector<TensorType> input_types, output_types;
  std::vector<std::string> input_names, output_names;  ///< ONNX tensor names
  std::int64_t macs = 0;                               ///< multiply-adds of one run
};

/// Cuts a graph into stages (DESIGN section 3): a stage is one head step followed by the longest
/// run of BatchNorm, arithmetic with constants, activations and movement in which each value has
/// one consumer and is no graph output. Stages come in topological order, ids 0, 1, ….
std::vector<Stage> cut(const Graph& graph);

/// The stages needed for `until` and not before `from` (stage or tensor names; empty: no limit),
/// with the graph's inputs and outputs adapted; outputs that do not depend on `from` are left out
/// with a note. Throws Fault::bad_request naming the nearest right name, or where nothing lies
/// between the two.
Graph part_of(const Graph& graph, const std::string& from, const std::string& until);
Error nothing_between(const std::string& model, const std::string& from, const std::string& until);

}  // namespace parity
