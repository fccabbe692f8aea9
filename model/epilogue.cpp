#include "model/epilogue.hpp"

#include <cmath>
#include <type_traits>

namespace parity {
namespace {

using Parameters = std::span<const std::shared_ptr<const Tensor>>;

template <class T>
T read(T value, Reading reading) {
  return reading == Reading::magnitudes ? std::abs(value) : value;
}

}  // namespace

template <class T>
std::optional<EpilogueStep<T>> as_epilogue(const BatchNorm& op, Parameters parameters, std::int64_t,
                                           Reading reading) {
  const ScaleShift constants = scale_shift(op, parameters);
  EpilogueStep<T> step{EpilogueStep<T>::Kind::fma, {}, {}};
  for (std::size_t c = 0; c < constants.s.size(); ++c) {
    if constexpr (std::is_same_v<T, double>) {
      step.a.push_back(read(constants.s64[c], reading));
      step.b.push_back(read(constants.t64[c], reading));
    } else {
      step.a.push_back(read(constants.s[c], reading));
      step.b.push_back(read(constants.t[c], reading));
    }
  }
  return step;
}

template <class T>
std::optional<EpilogueStep<T>> as_epilogue(const Unary& op, Parameters, std::int64_t,
                                           Reading reading) {
  using Kind = typename EpilogueStep<T>::Kind;
  if (op.function == Unary::Function::relu) return EpilogueStep<T>{Kind::relu, {}, {}};
  // Magnitudes: m/4 + 1 bounds sigmoid and what it passes on of its input's error (Lipschitz
  // constant 1/4).
  if (reading == Reading::magnitudes) return EpilogueStep<T>{Kind::fma, {T{0.25}}, {T{1}}};
  return EpilogueStep<T>{Kind::sigmoid, {}, {}};
}

template <class T>
std::optional<EpilogueStep<T>> as_epilogue(const Binary& op, Parameters parameters,
                                           std::int64_t channels, Reading reading) {
  if (parameters.empty()) return std::nullopt;
  const Tensor& constant = *parameters[0];
  const bool per_channel = constant.shape().size() >= 2 && constant.shape()[1] == channels &&
                           constant.size() == channels;
  if (constant.size() != 1 && !per_channel) return std::nullopt;
  using Kind = typename EpilogueStep<T>::Kind;
  EpilogueStep<T> step{op.function == Binary::Function::add ? Kind::add : Kind::mul, {}, {}};
  for (const float value : constant.values<float>())
    step.a.push_back(read(static_cast<T>(value), reading));
  return step;
}

template <class T>
std::size_t fuse(const Stage& stage, std::size_t head, std::int64_t channels, Reading reading,
                 Epilogue<T>& epilogue) {
  std::size_t count = 0;
  for (std::size_t i = head + 1; i < stage.steps.size(); ++i, ++count) {
    auto step = visit(
        [&](const auto& o) {
          return as_epilogue<T>(o, stage.steps[i].parameters, channels, reading);
        },
        *stage.steps[i].op);
    if (!step) break;
    epilogue.push_back(std::move(*step));
  }
  return count;
}

template std::optional<EpilogueStep<float>> as_epilogue(const BatchNorm&, Parameters, std::int64_t,
                                                        Reading);
template std::optional<EpilogueStep<double>> as_epilogue(const BatchNorm&, Parameters, std::int64_t,
                                                         Reading);
template std::optional<EpilogueStep<float>> as_epilogue(const Unary&, Parameters, std::int64_t,
                                                        Reading);
template std::optional<EpilogueStep<double>> as_epilogue(const Unary&, Parameters, std::int64_t,
                                                         Reading);
template std::optional<EpilogueStep<float>> as_epilogue(const Binary&, Parameters, std::int64_t,
                                                        Reading);
template std::optional<EpilogueStep<double>> as_epilogue(const Binary&, Parameters, std::int64_t,
                                                         Reading);
template std::size_t fuse(const Stage&, std::size_t, std::int64_t, Reading, Epilogue<float>&);
template std::size_t fuse(const Stage&, std::size_t, std::int64_t, Reading, Epilogue<double>&);

}  // namespace parity
