#include "model/ops/batch_norm.hpp"

#include <cmath>

#include "cpu/elementwise.hpp"
#include "cpu/ops.hpp"

// y = fma(x, s, t) with the two constants of scale_shift().
//
//   elementwise   s and t rounded to float once
//   fp64          s and t in double
//   magnitudes    fma(|x|, |s|, |t|)

namespace parity::cpu {

Value run(const BatchNorm& op, const Job& job) { return run_as_epilogue(op, job); }

template <class T>
std::optional<EpilogueStep<T>> as_epilogue(
    const BatchNorm& op, std::span<const std::shared_ptr<const Tensor>> parameters, std::int64_t,
    Reading reading) {
  const ScaleShift constants = scale_shift(op, parameters);
  EpilogueStep<T> step{EpilogueStep<T>::Kind::fma, {}, {}};
  const auto read = [&](T value) {
    return reading == Reading::magnitudes ? std::abs(value) : value;
  };
  for (std::size_t c = 0; c < constants.s.size(); ++c) {
    if constexpr (std::is_same_v<T, double>) {
      step.a.push_back(read(constants.s64[c]));
      step.b.push_back(read(constants.t64[c]));
    } else {
      step.a.push_back(read(constants.s[c]));
      step.b.push_back(read(constants.t[c]));
    }
  }
  return step;
}

template std::optional<EpilogueStep<float>> as_epilogue(
    const BatchNorm&, std::span<const std::shared_ptr<const Tensor>>, std::int64_t, Reading);
template std::optional<EpilogueStep<double>> as_epilogue(
    const BatchNorm&, std::span<const std::shared_ptr<const Tensor>>, std::int64_t, Reading);

}  // namespace parity::cpu
