#pragma once

#include <memory>
#include <span>

#include "cpu/epilogue.hpp"
#include "cpu/mac/tile.hpp"
#include "model/numerics.hpp"

namespace parity::cpu {

/// Weights laid out for one algorithm: opaque to the rooms, cached by the backend.
class Packed {
 public:
  virtual ~Packed() = default;
};

/// Reads one weight of a problem: w(g, tap, ic, oc), tap = kh*KW + kw, ic and oc inside the group.
template <class T>
struct Weights {
  const T* data;
  std::int64_t stride_g, stride_tap, stride_ic, stride_oc;  ///< in elements
};

/// Packs once per (weights, algorithm, rounding): panels of output channels, k rows in the MAC
/// order.
std::unique_ptr<const Packed> pack_chain(const Window& window, const Weights<float>& w);
std::unique_ptr<const Packed> pack_fp64(const Window& window, const Weights<float>& w);
/// The same for a right operand that is itself a value of an fp64 network.
std::unique_ptr<const Packed> pack_fp64(const Window& window, const Weights<double>& w);
std::unique_ptr<const Packed> pack_tensor(const Window& window, const Weights<float>& w,
                                          Algorithm algorithm, Rounding rounding);
std::unique_ptr<const Packed> pack_eigen(const Window& window, const Weights<float>& w);

/// y = epilogue(MAC(x, w)), channels-last in and out: x {N, IH, IW, G*IC}, y {N, OH, OW, G*OC}.
/// `chain`: AVX-512, AVX2, NEON and scalar give the same bits.
void run_chain(const Window& window, const float* x, const Packed& w,
               const Epilogue<float>& epilogue, float* y, const Execution& execution);
/// `chunk256`, on weights that pack_chain made: a chain for every 256 terms of an output, counted
/// over the terms it has (taps outside the image are terms, taps that a transposed window lacks are
/// not), their sums added in order.
void run_chunk256(const Window& window, const float* x, const Packed& w,
                  const Epilogue<float>& epilogue, float* y, const Execution& execution);
/// The same order as `chain` in double, fma.
void run_fp64(const Window& window, const double* x, const Packed& w,
              const Epilogue<double>& epilogue, double* y, const Execution& execution);
/// The tensor-core model: every result equals the integer oracle
/// (model/arithmetic/tensor_core.hpp).
void run_tensor(const Window& window, const float* x, const Packed& w,
                const Epilogue<float>& epilogue, float* y, const Execution& execution);
/// Eigen's matrix product over im2col: its own order, a third opinion.
void run_eigen(const Window& window, const float* x, const Packed& w,
               const Epilogue<float>& epilogue, float* y, const Execution& execution);

}  // namespace parity::cpu
