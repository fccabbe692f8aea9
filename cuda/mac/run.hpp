#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cuda/mac/mac.hpp"
#include "cuda/ops.hpp"

namespace parity::cuda {

/// The weights of a MAC: a parameter, or a value of this run.
struct MacWeights {
  std::shared_ptr<const Tensor> parameter;  ///< null for a value
  const float* value = nullptr;             ///< on the device; null for a parameter
  WeightStrides strides;
  /// Matrices of a stack of weights, `matrix` elements apart; only of windows without groups.
  std::int64_t matrices = 1, matrix = 0;
};

/// One product of a stack: where its x and y start, in elements, and which of the weights it meets.
struct MacItem {
  std::int64_t x, y, weights;
};

/// y = epilogue(MAC(x, w)) under the job's contract, x and y channels-last: the tensor or FP32 tiles
/// where they take the window, else the plain kernel; never other bits. `items` is empty for one
/// product. In magnitudes w is read as magnitude_operand(w); x already is.
void run_mac(const Window& window, const float* x, const MacWeights& weights,
             const std::vector<MacItem>& items, const Epilogue& epilogue, float* y, const Job& job);

/// The same by the vendor's library: `gemm:cublas`, values only.
///
/// The window is gathered into a matrix, some output pixels at a time, and multiplied. A 1x1 window is one
/// already, and so are weights whose output channels lie side by side: they are read as they are. How
/// many pixels go into one product depends on the window alone. The outputs of a transposed window that
/// read the same taps are one product, so that no zero is multiplied that the contract does not name.
void run_gemm(const Window& window, const float* x, const MacWeights& weights,
              const std::vector<MacItem>& items, const Epilogue& epilogue, float* y,
              const Job& job);

/// Device memory, kept by the cache or by this object.
struct OnDevice {
  const float* data = nullptr;
  std::shared_ptr<void> memory;
};
/// The weights as they are stored.
OnDevice stored(const MacWeights& weights, const Job& job);

/// A convolution, forward or transposed: bias and the job's epilogue included.
Value run_convolution(const Window& window, const WeightStrides& strides, const Job& job);

/// `more` behind `first`. Throws Fault::internal when an epilogue has no room for both.
Epilogue followed(Epilogue first, const Epilogue& more);

}  // namespace parity::cuda
