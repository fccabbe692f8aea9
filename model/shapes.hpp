#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/op.hpp"
#include "model/tensor.hpp"

namespace parity {

/// ONNX's multidirectional broadcasting: the shape both operands stretch to. Throws
/// Fault::bad_model naming both shapes when some extents differ and neither is 1.
Shape broadcast(const Shape& a, const Shape& b, const std::string& what);

/// The same elements with leading ones up to `rank`. `shape` must not be longer.
Shape with_rank(const Shape& shape, std::size_t rank);

/// Elements to step over per index of each axis of `shape`, row-major; 0 on axes that `shape` has
/// only one of, so that a stretched operand is read by the same formula.
std::vector<std::int64_t> broadcast_strides(const Shape& shape, std::size_t rank);

/// `axis` counted from the front, -rank <= axis < rank. Throws Fault::bad_model otherwise.
std::size_t normalised_axis(std::int64_t axis, std::size_t rank, const std::string& what);

/// Throws Fault::bad_model unless `type` is float32: "Conv reads x of type int64; …".
void require_float32(const TensorType& type, const std::string& what);

/// Throws Fault::internal unless the operands number `inputs` and `parameters`.
void require_operands(const OperandTypes& types, std::size_t inputs, std::size_t parameters,
                      const std::string& what);

}  // namespace parity
