#include "model/epilogue.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace parity {
namespace {

using Parameters = std::span<const std::shared_ptr<const Tensor>>;

template <class T>
T read(T value, Reading reading) {
  return reading == Reading::magnitudes ? std::abs(value) : value;
}

/// The T at or above x, for what must bound.
template <class T>
T rounded_up(double x) {
  const T near = static_cast<T>(x);
  return static_cast<double>(near) < x ? std::nextafter(near, std::numeric_limits<T>::infinity())
                                       : near;
}

}  // namespace

template <class T>
std::optional<EpilogueStep<T>> as_epilogue(const BatchNorm& op, Parameters parameters, std::int64_t,
                                           Reading reading, const Contract&) {
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
                                           Reading reading, const Contract& contract) {
  using Kind = EpilogueKind;
  if (reading == Reading::magnitudes && !op.heads_stage()) {
    // m -> L m + |f(0)|; on magnitudes relu is the identity.
    const double slope = op.largest_slope(), at_zero = op.at_zero();
    if (slope == 1 && at_zero == 0) return EpilogueStep<T>{Kind::relu, {}, {}};
    return EpilogueStep<T>{Kind::fma, {rounded_up<T>(slope)}, {rounded_up<T>(at_zero)}};
  }
  if (contract.functions == Functions::correct) {
    const std::optional<Kind> correct = op.correct_kind();
    if (!correct)
      throw Error(Fault::internal, "a contract of a correctly rounded " + std::string(op.kind()));
    return EpilogueStep<T>{*correct, {}, {}};
  }
  EpilogueStep<T> step{op.function, {}, {}};
  if (!unary_function(op.function).a.name.empty() || op.function == Kind::hard_swish) {
    step.a = {static_cast<T>(op.a)};
    step.b = {static_cast<T>(op.b)};
  }
  return step;
}

template <class T>
std::optional<EpilogueStep<T>> as_epilogue(const Binary& op, Parameters parameters,
                                           std::int64_t channels, Reading reading,
                                           const Contract&) {
  if (parameters.empty() || parameters[0]->type().type != Type::float32) return std::nullopt;
  const Tensor& constant = *parameters[0];
  const bool per_channel = constant.shape().size() >= 2 && constant.shape()[1] == channels &&
                           constant.size() == channels;
  if (constant.size() != 1 && !per_channel) return std::nullopt;
  const bool magnitudes = reading == Reading::magnitudes && !op.heads_stage();
  const auto step = [&](EpilogueKind kind, auto f) {
    EpilogueStep<T> made{kind, {}, {}};
    for (const float value : constant.values<float>())
      made.a.push_back(f(magnitudes ? std::abs(static_cast<T>(value)) : static_cast<T>(value)));
    return made;
  };
  const auto same = [](T c) { return c; };
  using Kind = EpilogueKind;
  using Function = Binary::Function;
  const bool left = op.constant == Binary::Side::left;
  switch (op.function) {
    case Function::add:
    case Function::mean:
      return step(Kind::add, same);
    case Function::sub:
      if (magnitudes) return step(Kind::add, same);
      return step(left ? Kind::subtracted_from : Kind::sub, same);
    case Function::mul:
      return step(Kind::mul, same);
    case Function::div:
      return step(left ? Kind::divided_into : Kind::div, same);
    case Function::max:
      return step(Kind::max, same);
    case Function::min:
      return step(magnitudes ? Kind::max : Kind::min, same);
    case Function::prelu:
      if (magnitudes) return step(Kind::mul, [](T c) { return std::max(c, T{1}); });
      return step(Kind::leaky_relu, same);
    case Function::pow:
      break;
  }
  if (left) return std::nullopt;
  const std::span<const float> exponents = constant.values<float>();
  const auto all = [&](float value) {
    return std::all_of(exponents.begin(), exponents.end(), [=](float e) { return e == value; });
  };
  if (all(2)) return EpilogueStep<T>{Kind::square, {}, {}};
  if (all(0.5F)) return EpilogueStep<T>{Kind::sqrt, {}, {}};
  if (all(-1)) return EpilogueStep<T>{Kind::reciprocal, {}, {}};
  return step(Kind::pow, same);
}

template <class T>
std::size_t fuse(const PlannedStage& planned, std::size_t head, std::int64_t channels,
                 Reading reading, Epilogue<T>& epilogue) {
  const Stage& stage = planned.stage;
  std::size_t count = 0;
  for (std::size_t i = head + 1; i < stage.steps.size(); ++i, ++count) {
    auto step = visit(
        [&](const auto& o) {
          return as_epilogue<T>(o, stage.steps[i].parameters, channels, reading,
                                planned.contracts[i]);
        },
        *stage.steps[i].op);
    if (!step) break;
    epilogue.push_back(std::move(*step));
  }
  return count;
}

template std::optional<EpilogueStep<float>> as_epilogue(const BatchNorm&, Parameters, std::int64_t,
                                                        Reading, const Contract&);
template std::optional<EpilogueStep<double>> as_epilogue(const BatchNorm&, Parameters, std::int64_t,
                                                         Reading, const Contract&);
template std::optional<EpilogueStep<float>> as_epilogue(const Unary&, Parameters, std::int64_t,
                                                        Reading, const Contract&);
template std::optional<EpilogueStep<double>> as_epilogue(const Unary&, Parameters, std::int64_t,
                                                         Reading, const Contract&);
template std::optional<EpilogueStep<float>> as_epilogue(const Binary&, Parameters, std::int64_t,
                                                        Reading, const Contract&);
template std::optional<EpilogueStep<double>> as_epilogue(const Binary&, Parameters, std::int64_t,
                                                         Reading, const Contract&);
template std::size_t fuse(const PlannedStage&, std::size_t, std::int64_t, Reading,
                          Epilogue<float>&);
template std::size_t fuse(const PlannedStage&, std::size_t, std::int64_t, Reading,
                          Epilogue<double>&);

}  // namespace parity
