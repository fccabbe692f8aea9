#include "cpu/mac/kernel.hpp"

namespace parity::cpu {

std::unique_ptr<const Packed> pack_chain(const Window& window, const Weights<float>& w) {
  return std::make_unique<const Panels<float>>(window, w);
}

void run_chain(const Window& window, const float* x, const Packed& w,
               const Epilogue<float>& epilogue, float* y, const Execution& execution) {
  run_panels(window, x, packed_as<Panels<float>>(w, window, "chain"), Summation::chain, epilogue, y,
             execution);
}

void run_chunk256(const Window& window, const float* x, const Packed& w,
                  const Epilogue<float>& epilogue, float* y, const Execution& execution) {
  run_panels(window, x, packed_as<Panels<float>>(w, window, "chunk256"), Summation::chunk256,
             epilogue, y, execution);
}

}  // namespace parity::cpu
