#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "model/arithmetic/epilogue_kind.hpp"
#include "model/op.hpp"

namespace parity {

/// One function applied to every element: ONNX `Abs`, `Ceil`, `Celu`, `Clip`, `Cos`, `Elu`, `Erf`, `Exp`,
/// `Floor`, `Gelu`, `HardSigmoid`, `HardSwish`, `LeakyRelu`, `Log`, `Mish`, `Neg`, `Reciprocal`, `Relu`,
/// `Round`, `Selu`, `Sigmoid`, `Sign`, `Sin`, `Softplus`, `Softsign`, `Sqrt`, `Swish`, `Tanh`,
/// `ThresholdedRelu`.
/// What is known of each function is a row of one table (unary.cpp).
///
/// Formula  y[i] = f(x[i]), f(y; a, b) as model/arithmetic/epilogue_kind.hpp says, a and b being the
///          attributes (Clip: the bounds, infinite where absent; HardSwish: 1/6 and 1/2). Gelu is
///          x (1 + erf(x / sqrt 2)) / 2, and with approximate = tanh x (1 + tanh(sqrt(2/pi) (x +
///          0.044715 x^3))) / 2.
/// Shapes   x any; y the same. float32.
/// Order    one rounded sequence per element (`elementwise`), those of model/arithmetic/sequences.hpp: the
///          text of each function there is its contract, and its checksum over all 2^32 inputs locks it.
///          NaN gives NaN. Under functions=correct those of model/arithmetic/correct-inl.hpp, which give the
///          float nearest to f; Celu, Elu, Selu, and Swish of another a than 1, have none and are refused.
/// Error    e is the largest error of the sequence over all 2^32 inputs, in ULP of y (gelu: of x, because
///          its two factors cancel below 0), L the largest slope of f. A computed y is within e 2^-23 |y|
///          of f of the operand that it had, and an error of the operand grows by at most L. In magnitudes
///          f is m -> L m + |f(0)|, which bounds |f| and L m both, so that e 2^-23 M bounds the one and a
///          relative error of m stays one. Functions without a largest slope (Exp, Log, Sqrt,
///          Reciprocal) and those that jump (Floor, Ceil, Round, Sign, ThresholdedRelu) head a stage of
///          their own: there both sides read the same operand, M is |f(x)| itself, and only e counts.
///          A correctly rounded function has e = 1/2 of y.
///          In double (libm, at most 2 ULP, and a few operations around it) 16 * 2^-53 takes the place
///          of e.
/// Source   ONNX operator specification; CONTRACTS section 4; for L elementary calculus, by function in
///          unary.cpp.
struct Unary {
  EpilogueKind function = EpilogueKind::relu;
  float a = 0, b = 0;  ///< the attributes that the function has, else 0

  static constexpr Family family = Family::elementwise;
  static std::span<const std::string_view> onnx_types();
  static Imported<Unary> from_onnx(const NodeView& node);
  std::string_view kind() const;
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes&) const { return 0; }
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  /// Whether no slope bounds the function, so that it stands at the head of its stage and its magnitude
  /// is made from the operand itself.
  bool heads_stage() const;
  bool bounds_itself() const { return heads_stage(); }
  /// L of the error line; none for who heads a stage.
  double largest_slope() const;
  /// |f(0)|, or what bounds it.
  double at_zero() const;
  /// Whose sequence computes an elementary function ("sigmoid=paritylab"); empty for a single operation or
  /// selection.
  std::string function_clause(Functions functions = Functions::own) const;
  /// The step that computes an elementary function correctly rounded; nothing where none is proven.
  std::optional<EpilogueKind> correct_kind() const;
  static std::vector<Case<Unary>> cases();
};

/// What a function's attributes are called in ONNX and worth by default; an empty name: none.
struct UnaryAttribute {
  std::string_view name;
  float otherwise = 0;
};

/// The largest error of a function's sequence.
struct SequenceError {
  enum class Of { result, operand };
  double ulp = 0;  ///< 0: a selection, exact
  Of of = Of::result;
};

/// What is known of one function.
struct UnaryFunction {
  EpilogueKind function;
  std::string_view onnx_type;
  SequenceError error;
  /// The largest slope, given a and b; null where there is none.
  double (*slope)(double a, double b);
  UnaryAttribute a, b;
};

/// The row of a function; throws Fault::internal for a kind that is no function of one operand.
const UnaryFunction& unary_function(EpilogueKind function);

/// The largest error of an epilogue step, in ULP of its result: of a function as its row says, 1/2 of
/// a single rounded operation, 0 of a selection.
double step_ulp(EpilogueKind kind);

}  // namespace parity
