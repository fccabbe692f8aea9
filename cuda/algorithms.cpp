// What a GPU can compute by, told without one: every build has this list.
#include "cuda/cuda.hpp"
#include "model/steps.hpp"

namespace parity::cuda {

std::vector<AlgorithmInfo> algorithms() {
  const std::string macs =
      op_names(Family::conv) + ", " + op_names(Family::matmul) + ", " + op_names(Family::rnn);
  return {
      {Algorithm::chain, macs, "one FP32 fused multiply-add chain per output; the default"},
      {Algorithm::chunk256, macs, "chains of 256 terms added in order"},
      {Algorithm::tensor_k4f24, macs, "mma.sync of sm_80, 86, 87, 89; refused on other devices"},
      {Algorithm::tensor_k8f25, macs, "mma.sync of sm_90, 100, 120; refused on other devices"},
      {Algorithm::gemm_cublas, macs,
       "cuBLAS's product over im2col, its own order; a third opinion, not yet run on hardware "
       "(algorithm=gemm:cublas,promise=run_to_run)"},
      {Algorithm::lanes32, op_names(Family::reduction), "32 interleaved lanes and an xor tree"},
      {Algorithm::elementwise, op_names(Family::elementwise) + ", MaxPool, ReduceMax",
       "one rounded sequence per element, or a selection"},
      {Algorithm::move, op_names(Family::move), "bits pass"},
  };
}

}  // namespace parity::cuda
