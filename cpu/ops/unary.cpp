#include "model/ops/unary.hpp"

#include "cpu/elementwise.hpp"
#include "cpu/ops.hpp"

// One rounded sequence per element, wherever it runs: alone or riding on a MAC.
//
//   elementwise   relu: x > 0 ? x : (x != x ? x : +0); sigmoid: the sequence of
//                 model/arithmetic/elementary.hpp
//   fp64          relu the same; sigmoid by libm's exp in double

namespace parity::cpu {

Value run(const Unary& op, const Job& job) {
  if (job.magnitudes() && op.function == Unary::Function::relu) return job.inputs[0];
  return run_as_epilogue(op, job);
}

template <class T>
std::optional<EpilogueStep<T>> as_epilogue(const Unary& op,
                                           std::span<const std::shared_ptr<const Tensor>>,
                                           std::int64_t, Reading reading) {
  using Kind = typename EpilogueStep<T>::Kind;
  if (op.function == Unary::Function::relu)
    return EpilogueStep<T>{Kind::relu, {}, {}};  // the identity on magnitudes
  // Magnitudes: m/4 + 1 bounds sigmoid and what it passes on of its input's error (Lipschitz
  // constant 1/4).
  if (reading == Reading::magnitudes) return EpilogueStep<T>{Kind::fma, {T{0.25}}, {T{1}}};
  return EpilogueStep<T>{Kind::sigmoid, {}, {}};
}

template std::optional<EpilogueStep<float>> as_epilogue(
    const Unary&, std::span<const std::shared_ptr<const Tensor>>, std::int64_t, Reading);
template std::optional<EpilogueStep<double>> as_epilogue(
    const Unary&, std::span<const std::shared_ptr<const Tensor>>, std::int64_t, Reading);

}  // namespace parity::cpu
