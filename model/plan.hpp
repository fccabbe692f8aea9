#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/graph.hpp"
#include "model/numerics.hpp"
#include "model/op.hpp"

namespace parity {

/// Why something will not be done, as a sentence. A value, not a failure.
struct Refusal {
  std::string stage;      ///< "blocks.1.3", maybe empty
  std::string algorithm;  ///< "tensor:k8f25", maybe empty
  std::string why;
};

/// A stage with its arithmetic decided: one contract per step. With Numerics::batch_norm = folded
/// the stage differs from the graph's: the weights are multiplied and the BatchNorm step is gone.
struct PlannedStage {
  Stage stage;
  Numerics numerics;
  std::vector<Contract> contracts;

  /// The steps' contract strings, each once, joined by " + "; movement and plain elementwise left
  /// out when the stage has a MAC or a reduction.
  std::string contract_text() const;
  /// The weakest promise of its contracts.
  Determinism promise() const;
};

struct Plan {
  std::string spec;  ///< as the user wrote it: "cpu:tf32@sm_90"
  Numerics numerics;
  std::vector<PlannedStage> stages;
};

class Backend;

/// The stage as a processor can compute it: what a GPU's library does in an order of its own, by the
/// contract that rounds the same operands, `chain` or the tensor core of the plan's arch; every other
/// stage as it is. Its bits are another's, its error is of the same kind.
PlannedStage emulated(PlannedStage stage);
/// The same of a request.
Numerics emulated(Numerics numerics);

/// Decides every contract by select() and asks the backend whether it will keep them. A plan may
/// strengthen the request, never weaken it: throws Fault::bad_request with every refusal when the
/// backend will not.
Plan make_plan(const std::vector<Stage>& stages, const Numerics& numerics, const Backend& backend,
               const std::string& spec);

/// Types of the operands of each step of a stage, from the types of its inputs.
std::vector<OperandTypes> step_operand_types(const Stage& stage);

/// The bound of a whole planned stage, composed over its steps.
Allowance stage_allowance(const PlannedStage& stage);
/// Terms summed by the stage's head, for the oracle's own error and the magnitude's.
std::int64_t stage_terms(const PlannedStage& stage);

/// A plan as its file tells it: which network it was made for, and one row per stage.
struct PlanFile {
  struct Row {
    std::string stage, promise;
    std::vector<std::string> contracts;  ///< contract strings, one per step
  };
  std::string model, digest;  ///< of the graph
  std::string spec;
  Numerics numerics;
  std::vector<Row> stages;
};

/// Plans as files: JSON with one row per stage (name, contract strings, promise), exact enough to
/// be replayed.
std::string write_plan(const Plan& plan, const Graph& graph);
/// Throws Fault::bad_input when the text is no plan.
PlanFile parse_plan(const std::string& json);
/// Replays a plan. Throws Fault::bad_input when it was made for another network (its digest, its
/// stages) or select() gives other contracts today.
Plan read_plan(const std::string& json, const Graph& graph, const std::vector<Stage>& stages,
               const Backend& backend);

/// One place where two plan files differ.
struct PlanDifference {
  std::string where;  ///< "model", "arch", "stage blocks.0.0"
  std::string a, b;   ///< what each says; empty: it has no such stage
};
/// Network, clauses of the numerics, then the stages' contracts and promises by name, in a's order.
std::vector<PlanDifference> plan_differences(const PlanFile& a, const PlanFile& b);

}  // namespace parity
