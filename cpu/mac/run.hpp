#pragma once

#include "cpu/mac/mac.hpp"
#include "cpu/ops.hpp"
#include "model/ops/window.hpp"

namespace parity::cpu {

/// Packs weights for the contract's algorithm. Weights<double> only under fp64 and exact.
std::unique_ptr<const Packed> pack(const Contract& contract, const Window& window,
                                   const Weights<float>& w);
std::unique_ptr<const Packed> pack(const Contract& contract, const Window& window,
                                   const Weights<double>& w);
/// The packing's name in a PackCache.
std::string packing(const Contract& contract);
/// y = epilogue(MAC(x, w)) by the contract's algorithm, on weights that pack() made for it.
void run_packed(const Contract& contract, const Window& window, const float* x, const Packed& w,
                const Epilogue<float>& epilogue, float* y, const Execution& execution);
void run_packed(const Contract& contract, const Window& window, const double* x, const Packed& w,
                const Epilogue<double>& epilogue, double* y, const Execution& execution);

/// Runs one MAC under the job's contract: reads x channels-last, packs the weights once
/// (job.packs), applies the bias and then the job's epilogue. In magnitudes: `chain` on
/// magnitude_operand of x (done by the backend) and w. `x` and the result have the window's
/// extents; the result is stored channels-last where its rank allows it.
Value run_mac(const Window& window, const Value& x, const std::shared_ptr<const Tensor>& weights,
              const WeightStrides& strides, const Tensor* bias, const Job& job);

/// Elements of the output of a job whose parameters are weights and bias, with that bias, before any
/// epilogue, on FP32 operands (an x in double is rounded as it is read) in double, with the noise of each
/// sum. `indices` are logical: ((n*OCs + channel)*OH + oh)*OW + ow with OCs = G*OC.
std::vector<ExactElement> exact_elements(const Window& window, const WeightStrides& strides,
                                         const Job& job, std::span<const std::int64_t> indices,
                                         NoiseWanted wanted);

}  // namespace parity::cpu
