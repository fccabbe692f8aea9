#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/op.hpp"
#include "model/value.hpp"

namespace parity {

/// The product of two matrices, or of stacks of them, ONNX `MatMul` and `Gemm`.
///
/// Formula  y[…,m,n] = alpha * sum over k of a[…,m,k] * b[…,k,n] + beta * c[m,n]; a, b read
/// transposed where said,
///          leading axes broadcast.
/// Shapes   a {…, M, K} or {K}, b {…, K, N} or {K}; y {…, M, N} without M or N where an operand was
/// a vector. c
///          stretches to {M, N} and exists in Gemm only, where every operand has rank 2. float32.
/// Order    `chain`: start from +0; k ascending; one fma per term; closed by add(acc, +0); alpha !=
/// 1: mul(t, alpha);
///          then add(t, c), where beta != 1: add(t, mul(beta, c)); beta = 0: no addition.
///          `tensor:*`: the same k in groups of 8, operands rounded to TF32, each group one
///          tensor-core step.
/// Error    |y - exact| <= C * M + underflow, M = |alpha| sum |a||b| + |beta c|: the MAC's own
/// (mac_allowance in
///          model/arithmetic/bounds.hpp for K terms), one rounding each for alpha, beta and c.
/// Source   ONNX operator specification, MatMul, Gemm; CONTRACTS section 2 and 7.
struct MatMul {
  /// Which operand is known at import and so a parameter.
  enum class Constant { neither, left, right };
  enum class Addend { none, parameter, value };
  enum class Stored { as_read, transposed };

  Constant constant = Constant::right;
  Addend addend = Addend::none;  ///< where c comes from
  Stored left = Stored::as_read, right = Stored::as_read;
  float alpha = 1, beta = 1;

  static constexpr Family family = Family::matmul;
  static std::span<const std::string_view> onnx_types();
  static Imported<MatMul> from_onnx(const NodeView& node);
  std::string_view kind() const { return "MatMul"; }
  std::vector<TensorType> infer(const OperandTypes& types) const;
  std::int64_t macs(const OperandTypes& types) const;
  StepAllowance allowance(const OperandTypes& types,
                          std::span<const std::shared_ptr<const Tensor>> parameters,
                          const Contract& contract) const;
  static std::vector<Case<MatMul>> cases();
};

/// Where each operand of a product stands: values a, b, c in this order as far as they are values;
/// parameters {the constant matrix or absent, c or absent}.
template <class T>
struct ProductOperands {
  T left, right;
  std::optional<T> addend;
};
ProductOperands<TensorType> operands(const MatMul& op, const OperandTypes& types);

/// Where an operand comes from when the product is run: a value, or a parameter.
struct ProductOperand {
  const Value* value = nullptr;
  std::shared_ptr<const Tensor> parameter;

  const Shape& shape() const { return value != nullptr ? value->shape() : parameter->shape(); }
};
ProductOperands<ProductOperand> operands(const MatMul& op, std::span<const Value> inputs,
                                         std::span<const std::shared_ptr<const Tensor>> parameters);

/// The extents of a product: `batch` is the stretched stack, and matrix i of an operand's stack is
/// found by broadcast_strides over its own leading axes.
struct ProductExtents {
  std::int64_t M, N, K;
  Shape batch, left_batch, right_batch;
};
ProductExtents extents(const MatMul& op, const Shape& left, const Shape& right);
/// Which matrix of an operand's stack meets which of the product's.
std::vector<std::int64_t> matrices(const Shape& stack, const Shape& batch);

}  // namespace parity
