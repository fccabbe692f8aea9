#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/arithmetic/rounding_noise.hpp"
#include "model/comparison.hpp"
#include "model/numerics.hpp"
#include "model/op.hpp"
#include "model/plan.hpp"
#include "model/value.hpp"

namespace parity {

/// values: the network's arithmetic. magnitudes: |inputs| and |parameters| through `chain`
/// arithmetic, so that the result bounds what cancellation hides; ReLU and max are taken as
/// identity and max.
enum class Reading { values, magnitudes };

/// One algorithm of a backend, as `paritylab algorithms` lists it.
struct AlgorithmInfo {
  Algorithm algorithm;
  std::string ops;   ///< "Conv, ConvTranspose, MatMul, Gemm"
  std::string note;  ///< one sentence: what it is for, when it refuses
};

/// A field of Execution that a backend obeys.
enum class ExecutionAxis { threads, instruction_set, streams, workspace };

/// What a report says about where a side ran.
struct BackendInfo {
  std::string name;                                        ///< "cpu", "cuda", "capture"
  std::string device;                                      ///< "AMD EPYC 9B45", "NVIDIA H200"
  std::vector<std::pair<std::string, std::string>> facts;  ///< in order: name, value
};

/// The one virtual seam. A backend knows one stage at a time; whole runs, captures and the differ
/// are functions over it (compare/). Not safe for concurrent calls on one object.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual BackendInfo info(const Execution& execution) const = 0;
  virtual std::vector<AlgorithmInfo> algorithms() const = 0;
  /// In which ways its executions can vary; the other fields mean nothing to it.
  virtual std::vector<ExecutionAxis> axes() const = 0;
  /// Why this backend will not run the stage by these contracts; nothing when it will.
  virtual std::optional<Refusal> refuses(const PlannedStage& stage) const = 0;

  /// Copies in, every NaN made canonical. Throws Fault::out_of_memory with required and available
  /// bytes.
  virtual Value upload(const Tensor& tensor, const Execution& execution) = 0;
  virtual Tensor download(const Value& value, const Execution& execution) = 0;
  /// Whether run() and compare() can read this value as it is (it came from a backend of the same
  /// kind).
  virtual bool reads(const Value& value) const = 0;

  /// Runs one stage. `inputs` in the order of stage.inputs; the result in the order of
  /// stage.outputs.
  virtual std::vector<Value> run(const PlannedStage& stage, std::span<const Value> inputs,
                                 Reading reading, const Execution& execution) = 0;

  virtual Digest digest(const Value& value, const Execution& execution) = 0;
  /// One pass over a and b. With a magnitude M, element i is judged by
  /// |b - a| <= allowance.coefficient * M[i] + allowance.underflow; without M (null) nothing is
  /// judged.
  virtual Comparison compare(const Value& a, const Value& b, const Value* magnitude,
                             const Allowance& allowance, const Execution& execution) = 0;
  virtual Split split(const Value& a, const Value& local, const Value& b,
                      const Execution& execution) = 0;
  /// compare(a, b) without a magnitude and split(a, local, b): a backend may read the values once for
  /// both.
  virtual Accumulation accumulate(const Value& a, const Value& local, const Value& b,
                                  const Execution& execution) {
    return {compare(a, b, nullptr, {}, execution), split(a, local, b, execution)};
  }
  virtual ErrorMap map(const Value& a, const Value& b, const Execution& execution) = 0;
  /// The elements at logical (ONNX, row-major) indices, widened.
  virtual std::vector<double> elements(const Value& value,
                                       std::span<const std::int64_t> indices) const = 0;

  /// Drops what was packed for this stage.
  virtual void forget(const PlannedStage& stage) = 0;

  /// Bytes of a device's own memory at the fullest moment so far; 0 where values lie in the process's.
  virtual std::int64_t device_peak_bytes() const { return 0; }
};

/// The referee: computes elements of a stage's first output in double, on the FP32 inputs as given.
class Oracle {
 public:
  virtual ~Oracle() = default;
  /// The elements at logical indices of output 0: exact values, each within (n + 8) * 2^-53 * M of
  /// the real number, and the rounding noise to expect of a side as far as it is wanted (without gain
  /// where the head is no MAC). `inputs` must be readable by the oracle's backend. Costs a few operations for each of
  /// indices.size() * K products when the stage's head is a MAC, a whole run of the stage otherwise.
  virtual std::vector<ExactElement> exact_at(const PlannedStage& stage,
                                             std::span<const Value> inputs,
                                             std::span<const std::int64_t> indices,
                                             NoiseWanted wanted, const Execution& execution) = 0;
  /// The values alone, which cost a fifth.
  std::vector<double> exact_values_at(const PlannedStage& stage, std::span<const Value> inputs,
                                      std::span<const std::int64_t> indices,
                                      const Execution& execution) {
    return values_of(exact_at(stage, inputs, indices, NoiseWanted{}, execution));
  }
};

}  // namespace parity
