#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cuda/epilogue.hpp"
#include "cuda/storage.hpp"
#include "model/backend.hpp"
#include "model/epilogue.hpp"
#include "model/ops.hpp"

namespace parity::cuda {

/// Parameters on the device, packed and kept between runs. Keyed by what they are made of (parameter
/// tensors, the op) and a text that names the packing; holds its makers so that their addresses stay
/// their own.
class PackCache {
 public:
  using Makers = std::vector<std::shared_ptr<const void>>;

  /// The array that `make` gives, uploaded the first time.
  const float* get(const Makers& of, const std::string& packing, Session& session,
                   const std::function<std::vector<float>()>& make);
  /// Device memory of `count` floats that `write` has kernels fill the first time.
  const float* get(const Makers& of, const std::string& packing, Session& session,
                   std::size_t count, const std::function<void(float*)>& write);
  /// The memory behind a pointer that get() returned, for a value that shares it.
  std::shared_ptr<const void> memory_of(const float* data) const;
  void forget(const std::shared_ptr<const void>& maker);

 private:
  struct Entry {
    Makers of;
    std::string packing;
    std::shared_ptr<void> memory;
  };
  const float* find(const Makers& of, const std::string& packing) const;
  std::vector<Entry> entries_;
};

/// One step to run: everything a room may look at. Its values are float32, or float64 where a movement
/// moves double, or integers where the op reads or makes them.
struct Job {
  const Contract& contract;
  std::span<const Value> inputs;
  const std::shared_ptr<const Op>& op;
  std::span<const std::shared_ptr<const Tensor>> parameters;
  const TensorType& output;
  Reading reading;
  Session& session;
  PackCache& packs;
  /// Later steps of the stage that a MAC room must apply to its result, constants already on the device.
  const Epilogue& epilogue;
  const Execution& execution;
  /// All that the op makes; `output` is the first.
  std::span<const TensorType> outputs = {};

  bool in_double() const { return output.type == Type::float64; }
  bool magnitudes() const { return reading == Reading::magnitudes; }
  Queue queue() const { return session.queue(); }
  void check(Status status, const std::string& action) const { session.check(status, action); }
  Fresh fresh(Layout layout) const { return {output, layout, session}; }
};

/// A parameter as the device reads it: row-major, in magnitudes |x|.
const float* parameter_data(const std::shared_ptr<const Tensor>& parameter, const Job& job);
const float* parameter_data(const std::shared_ptr<const Tensor>& parameter, const Job& job,
                            Reading reading);

/// A parameter of any type as a value beside the others: row-major, floats in magnitudes |x|.
Value parameter_value(const std::shared_ptr<const Tensor>& parameter, const Job& job,
                      Reading reading);

/// Integers as the device reads them, uploaded the first time.
const std::int64_t* numbers_on_device(const PackCache::Makers& of, const std::string& packing,
                                      std::span<const std::int64_t> numbers, const Job& job);

/// What a step's constants are made of.
PackCache::Makers makers(const std::shared_ptr<const Op>& op,
                         std::span<const std::shared_ptr<const Tensor>> parameters);
/// One epilogue step with its constants on the device.
EpilogueStep on_device(const parity::EpilogueStep<float>& step, const PackCache::Makers& of,
                       Reading reading, PackCache& packs, Session& session);

/// Runs an epilogue over a whole value, keeping its layout; channels are axis 1.
Value run_elementwise(const Epilogue& epilogue, const Job& job);

/// The room of an op that is one epilogue step here, |y| of one that makes its magnitude from values;
/// nothing when it is none.
template <class AnyOp>
std::optional<Value> run_as_epilogue(const AnyOp& op, const Job& job) {
  const Shape& shape = job.output.shape;
  const auto step = as_epilogue<float>(op, job.parameters, shape.size() >= 2 ? shape[1] : 1,
                                       job.reading, job.contract);
  if (!step || job.inputs.size() != 1 || job.inputs[0].shape() != shape) return std::nullopt;
  Epilogue epilogue;
  epilogue.steps[0] =
      on_device(*step, makers(job.op, job.parameters), job.reading, job.packs, job.session);
  epilogue.count = 1;
  if constexpr (requires { op.bounds_itself(); })
    if (job.magnitudes() && op.bounds_itself())
      epilogue.steps[epilogue.count++].kind = EpilogueKind::abs;
  return run_elementwise(epilogue, job);
}

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

}  // namespace parity::cuda
