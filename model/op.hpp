#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/numerics.hpp"
#include "model/tensor.hpp"

namespace parity {

/// Which Numerics toggle an op obeys.
enum class Family {
  conv,         ///< Numerics::conv: Conv, ConvTranspose
  matmul,       ///< Numerics::matmul: MatMul, Gemm
  rnn,          ///< Numerics::rnn: GRU, LSTM
  reduction,    ///< lanes32
  elementwise,  ///< one rounded sequence per element
  move          ///< bits pass unchanged
};

/// What an op's import reads of an ONNX node. Kept free of protobuf: model/onnx/ implements it.
class NodeView {
 public:
  virtual ~NodeView() = default;
  virtual const std::string& name() const = 0;     ///< the node's name, maybe empty
  virtual const std::string& op_type() const = 0;  ///< "Conv"
  virtual int opset() const = 0;                   ///< of the node's domain
  virtual int input_count() const = 0;             ///< trailing absent inputs not counted
  virtual int output_count() const = 0;
  virtual bool has_input(int index) const = 0;
  /// Type after specialisation; throws Fault::bad_model when the input is absent.
  virtual const TensorType& input_type(int index) const = 0;
  /// The input's value when it is known at import (initializer, folded integer, bound input).
  virtual std::optional<Tensor> constant(int index) const = 0;
  virtual bool has_output(int index) const = 0;

  virtual bool has_attribute(std::string_view name) const = 0;
  virtual std::int64_t integer(std::string_view name, std::int64_t otherwise) const = 0;
  virtual float real(std::string_view name, float otherwise) const = 0;
  virtual std::string text(std::string_view name, std::string_view otherwise) const = 0;
  virtual std::vector<std::int64_t> integers(std::string_view name,
                                             std::vector<std::int64_t> otherwise) const = 0;
  virtual std::vector<float> reals(std::string_view name) const = 0;
  virtual std::vector<std::string> texts(std::string_view name) const = 0;
  virtual std::optional<Tensor> tensor(std::string_view name) const = 0;

  /// Throws Fault::bad_model: "node 'NAME' (Conv, opset 11) …: WHY". For everything an op cannot
  /// take.
  [[noreturn]] virtual void refuse(const std::string& why) const = 0;
  /// Refuses any attribute that is not in `known` (an attribute nobody read is a wrong answer in
  /// waiting).
  virtual void only_attributes(std::initializer_list<std::string_view> known) const = 0;
  /// The constant at `index`, or a refusal that says which input must be known at import.
  virtual Tensor required_constant(int index, std::string_view role) const = 0;
};

/// An op as import made it, and where its operands come from: indices of ONNX inputs that stay
/// values, and the constant tensors it carries in parameter order (an empty optional: absent).
/// `outputs`: which ONNX outputs it makes, in its order; empty: all that it has, from the first on.
template <class T>
struct Imported {
  T op;
  std::vector<int> inputs;
  std::vector<std::optional<Tensor>> parameters;
  std::vector<int> outputs = {};
};

/// Types of what a step reads: values first, then parameters (nothing where a parameter is absent).
struct OperandTypes {
  std::vector<TensorType> inputs;
  std::vector<std::optional<TensorType>> parameters;
};

/// How far a computed value may lie from the exact one: |computed - exact| <= coefficient * M +
/// underflow, M being the same stage on absolute values (Reading::magnitudes). No Allowance without
/// a derivation: each op's header gives it under Error.
struct Allowance {
  double coefficient = 0;  ///< dimensionless
  double underflow = 0;    ///< absolute, in units of the value
};

/// How one op of a stage passes on the error of its input and adds its own. Stages compose steps in
/// order: with e_in <= c*M_in + t, e_out <= (c + own.coefficient*(1 + c))*M_out + gain*t +
/// own.underflow.
struct StepAllowance {
  Allowance own;
  double gain =
      1;  ///< largest factor by which an absolute error of the input grows (|s| of a BatchNorm)
};

/// What a case is for. exact: small integers, every order of summation gives the same float. real:
/// seeded normals. hostile: NaN, infinities, signed zeros, subnormals, cancellation, wide range.
enum class Fill { exact, real, hostile };

/// One test and bench instance of an op: the attributes are in `op`, the operands are made by
/// fill(types, Fill, seed) (model/arithmetic/fill.hpp).
template <class T>
struct Case {
  std::string name;
  T op;
  OperandTypes types;
};

/// What every op of the variant provides. See model/ops/conv2d.hpp for a filled-in example.
template <class T>
concept OpContract = requires(const T& op, const NodeView& node, const OperandTypes& types,
                              std::span<const std::shared_ptr<const Tensor>> parameters,
                              const Contract& contract) {
  { T::family } -> std::convertible_to<Family>;
  { T::onnx_types() } -> std::convertible_to<std::span<const std::string_view>>;
  { T::from_onnx(node) } -> std::same_as<Imported<T>>;
  { op.kind() } -> std::convertible_to<std::string_view>;  // "Conv2d", for texts
  { op.infer(types) } -> std::same_as<std::vector<TensorType>>;
  { op.macs(types) } -> std::same_as<std::int64_t>;  // multiply-adds, 0 when it has none
  { op.allowance(types, parameters, contract) } -> std::same_as<StepAllowance>;
  { T::cases() } -> std::same_as<std::vector<Case<T>>>;
};

}  // namespace parity
