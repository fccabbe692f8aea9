#include "cpu/mac/kernel.hpp"

namespace parity::cpu {

std::unique_ptr<const Packed> pack_fp64(const Window& window, const Weights<float>& w) {
  return std::make_unique<const Panels<double>>(window, w);
}

std::unique_ptr<const Packed> pack_fp64(const Window& window, const Weights<double>& w) {
  return std::make_unique<const Panels<double>>(window, w);
}

void run_fp64(const Window& window, const double* x, const Packed& w,
              const Epilogue<double>& epilogue, double* y, const Execution& execution) {
  run_panels(window, x, packed_as<Panels<double>>(w, window, "fp64"), Summation::chain, epilogue, y,
             execution);
}

}  // namespace parity::cpu
