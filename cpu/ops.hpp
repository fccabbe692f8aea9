#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cpu/epilogue.hpp"
#include "cpu/mac/mac.hpp"
#include "cpu/storage.hpp"
#include "model/backend.hpp"
#include "model/ops.hpp"

namespace parity::cpu {

/// Packed weights, kept between runs. Keyed by the parameter tensor and a text that names the
/// packing; holds the tensor so that its address stays its own.
class PackCache {
 public:
  const Packed& get(const std::shared_ptr<const Tensor>& weights, const std::string& packing,
                    const std::function<std::unique_ptr<const Packed>()>& make);
  void forget(const std::shared_ptr<const Tensor>& weights);

 private:
  struct Entry;
  std::vector<std::shared_ptr<Entry>> entries_;
};

/// One step to run: everything a room may look at.
struct Job {
  const Contract& contract;
  std::span<const Value> inputs;
  std::span<const std::shared_ptr<const Tensor>> parameters;
  const TensorType& output;  ///< float64 when the contract is fp64 (or exact inside a stage)
  Reading reading;
  const Execution& execution;
  PackCache& packs;
  Memory& memory;
  /// Later steps of the stage that a MAC room must apply to its result (one of the two is used, by
  /// the output's type).
  const Epilogue<float>& epilogue32;
  const Epilogue<double>& epilogue64;
  /// All that the op makes; `output` is the first.
  std::span<const TensorType> outputs = {};

  bool in_double() const { return output.type == Type::float64; }
  bool magnitudes() const { return reading == Reading::magnitudes; }
};

/// Rooms, one overload per op. A missing one is a link error, named.
Value run(const Conv2d& op, const Job& job);
Value run(const BatchNorm& op, const Job& job);
Value run(const Unary& op, const Job& job);
Value run(const Binary& op, const Job& job);
Value run(const Cast& op, const Job& job);
Value run(const Choice& op, const Job& job);
Value run(const Concat& op, const Job& job);
Value run(const Constant& op, const Job& job);
Value run(const ConvTranspose2d& op, const Job& job);
Value run(const MatMul& op, const Job& job);
Value run(const MaxPool& op, const Job& job);
Value run(const Movement& op, const Job& job);
Value run(const AveragePool& op, const Job& job);
Value run(const Gather& op, const Job& job);
std::vector<Value> run(const Normalization& op, const Job& job);
std::vector<Value> run(const Pieces& op, const Job& job);
Value run(const Placement& op, const Job& job);
Value run(const Predicate& op, const Job& job);
std::vector<Value> run(const Recurrent& op, const Job& job);
Value run(const Reduce& op, const Job& job);
Value run(const Resize& op, const Job& job);
Value run(const Scatter& op, const Job& job);
Value run(const Softmax& op, const Job& job);
std::vector<Value> run(const TopK& op, const Job& job);

/// Elements of a MAC's output at logical indices, exact in double, before any epilogue; only MAC
/// rooms have it.
std::vector<ExactElement> exact_at(const Conv2d& op, const Job& job,
                                   std::span<const std::int64_t> indices, NoiseWanted wanted);
std::vector<ExactElement> exact_at(const ConvTranspose2d& op, const Job& job,
                                   std::span<const std::int64_t> indices, NoiseWanted wanted);
std::vector<ExactElement> exact_at(const MatMul& op, const Job& job,
                                   std::span<const std::int64_t> indices, NoiseWanted wanted);

}  // namespace parity::cpu
