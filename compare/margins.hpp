#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compare/record.hpp"
#include "model/backend.hpp"
#include "model/graph.hpp"
#include "model/op.hpp"

namespace parity {

/// What somebody decides by an output, as `--decision OUTPUT=RULE` says it.
struct Decision {
  enum class Rule {
    argmax,     ///< which element is largest along an axis
    top_k,      ///< which K elements are largest along an axis, as a set
    threshold,  ///< whether an element exceeds T
    sigmoid     ///< whether sigmoid(element) exceeds T, which is element > log(T / (1 - T))
  };
  std::string output;  ///< ONNX name of a graph output
  Rule rule = Rule::argmax;
  std::optional<std::int64_t> axis;  ///< of argmax and top_k; none: 1, or 0 of a vector
  std::int64_t k = 1;
  double threshold = 0;  ///< as written: of the probability for sigmoid
  std::string text;      ///< the rule as written: "argmax:1"
};

/// Parses OUTPUT=argmax[:AXIS] | topk:K[:AXIS] | threshold:T | sigmoid:T. Throws Fault::bad_request
/// with what there is.
Decision parse_decision(std::string_view text);

/// Throws Fault::bad_request where a decision names no output of the graph (with the nearest), or
/// an axis that it lacks, or more elements than the axis has.
void check_decisions(std::span<const Decision> decisions, const Graph& graph);

/// Takes every decision of `a` once more by `b`, and asks which could flip within a bound.
///
/// a, b        the output on either side, of one shape, float32 or float64
/// magnitude   M of the stage that makes the output; null when its bound is zero
/// allowance   of both sides of that stage together, against M
///
/// An element of b is taken to lie anywhere within e = max |b - a| + c*M + t of a's: the largest
/// error of this output that this run showed, whichever element it struck, and on top what the
/// arithmetic of the output's own stage may add on either side. The second is rigorous; the first is
/// measured on this input and bounds no other. A decision could flip when the intervals of the two
/// elements that decide it (or of the element and the threshold) touch. Ties and NaN go as ONNX's
/// ArgMax and TopK: NaN is greatest, the lowest index wins.
DecisionResult judge_decision(const Decision& decision, const Tensor& a, const Tensor& b,
                              const Tensor* magnitude, const Allowance& allowance);

/// Whether the decision is about this tensor of the graph.
bool names_output(const Graph& graph, const Decision& decision, TensorId id);

/// The answers before anything was compared: none was judged.
std::vector<DecisionResult> undecided(std::span<const Decision> decisions);

}  // namespace parity
