#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compare/differ.hpp"
#include "compare/record.hpp"
#include "model/tensor.hpp"

namespace parity {

/// Tensors that some other program recorded, by ONNX tensor name or by stage name.
struct Capture {
  std::string file;  ///< for texts
  std::vector<std::pair<std::string, Tensor>> tensors;
  /// By name, the element types that the file names and the lab holds in a wider one: "int32".
  std::map<std::string, std::string> declared = {};
};

struct CaptureRequest {
  const Graph& graph;
  const std::vector<Stage>& stages;  ///< cut(graph)
  Side a;
  Referee referee;
  std::span<const Tensor> inputs;  ///< in the order of graph.inputs
  const Capture& capture;
  std::string spec;  ///< "capture:ort.npz", for the record
  /// Which arithmetic the capture may have used: conv and matmul fp32 (any order of summation,
  /// BatchNorm kept or folded) or tf32, and the rounding of its operands.
  Numerics numerics;
  std::optional<double> tolerance = {};
  Observer observer = {};
  std::span<const Decision> decisions = {};  ///< checked: check_decisions(decisions, graph)
  std::size_t attribute = attribute_none;    ///< as in DiffRequest
  int attribute_also = -1;                   ///< as in DiffRequest
};

/// The lock-step walk with a capture in B's place.
///
/// accumulated  the captured output against a's, wherever the capture holds the stage's output
/// introduced   where the capture also holds every input of the stage (graph inputs count as held):
/// a is run
///              on the captured inputs and the captured output is compared with it, and judged
///              against exact on all elements under the foreign bound (foreign_allowance)
///
/// A stage whose output or one of whose inputs the capture lacks is not_run, and its reason says
/// which. One that leaves its bound, and whose recorded output lies nearer to what a makes of its own
/// past than to what a makes of the recorded inputs, was not computed from these: it is untrusted,
/// and the stage that made them is said to contradict its readers.
///
/// Tensors that are float16 by their bits were rounded when they were recorded, or computed so: the
/// bounds then hold the rounding of inputs and output, and a note says which of the two it was.
///
/// Throws Fault::bad_input when no name of the capture is a tensor or stage of the model (with the
/// nearest names), when a shape or type does not fit, and when the capture holds a graph input with
/// other bits than `inputs`.
RunRecord diff_capture(const CaptureRequest& request);

/// What bounds a capture that claims these numerics: BatchNorm kept (folding is in the bound), no
/// promise, the lossiest tensor core.
Numerics arithmetic_behind(Numerics numerics);

/// What a stage's bound takes from its recording.
struct RecordedStage {
  bool inputs_in_half = false, output_in_half = false;  ///< rounded to float16 when recorded
  /// The largest magnitude among the elements that its head reads, for heads whose foreign error has
  /// an absolute part (a resize).
  double largest_input = 0;
};
/// How far a runtime that we do not know may lie from the exact value of this stage, against M: any
/// order of summation, BatchNorm kept or folded, an elementary function of its own. `planned`: the
/// stage under the arithmetic that the capture may have used, BatchNorm kept. Derivation in
/// capture.cpp.
Allowance foreign_allowance(const PlannedStage& planned, const RecordedStage& recorded = {});

}  // namespace parity
