#pragma once

#include <optional>
#include <span>
#include <string>

#include "cuda/api.hpp"
#include "cuda/cuda.hpp"
#include "model/numerics.hpp"

namespace parity::cuda {

/// The devices that a table of functions knows, each with the reason why it cannot be used, if there is one.
/// Never throws.
Availability availability_of(Api& api);

/// The arch whose tensor core a device of this capability (90: sm_90) has; nothing before sm_80.
std::optional<Arch> tensor_arch(int capability);

/// 12040 as "12.4".
std::string version_text(int number);

/// What a matrix product does with float32 operands, told by its effect.
enum class ProductMath {
  fp32,           ///< operands whole, each product rounded once
  tf32_rna,       ///< operands rounded to TF32, ties away from zero
  tf32_rn,        ///< ties to even
  tf32_truncate,  ///< low bits dropped
  emulated,       ///< operands whole, products not: FP32 put together from pieces (BF16x9)
  unknown
};
std::string name(ProductMath math);

/// Operands of the probe: products[i] is what an engine gives for the product of length one x[i] * y[i].
struct ProductProbe {
  float x, y;
};
std::span<const ProductProbe> product_probes();
/// From the engine's answers to product_probes(), in order. Throws Fault::internal when their count differs.
ProductMath classify(std::span<const float> products);

}  // namespace parity::cuda
