#include "compare/lstm_interval.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "model/arithmetic/bounds.hpp"

namespace parity {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Interval everything{-infinity, infinity};
/// What a product, quotient or function of float32 loses at most by underflow, several times.
constexpr double underflow = 0x1p-146;
/// From here on a float32 may have overflown.
constexpr double largest_float = 0x1p127;

double magnitude(const Interval& x) { return std::max(std::fabs(x.low), std::fabs(x.high)); }

Interval outward(double low, double high) {
  if (std::isnan(low) || std::isnan(high)) return everything;
  const auto by = [](double end) {
    return std::isinf(end) ? 0 : std::fabs(end) * 0x1p-48 + 0x1p-1000;
  };
  return {low - by(low), high + by(high)};
}
/// Both ends moved by what an operation may be off; everything where a float32 may overflow.
Interval widened_by(const Interval& x, double by) {
  if (!(magnitude(x) + by < largest_float)) return everything;
  return outward(x.low - by, x.high + by);
}
Interval operator+(const Interval& a, const Interval& b) {
  return outward(a.low + b.low, a.high + b.high);
}
/// 0 times what is unbounded is 0: no c is infinite.
double product(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }
Interval operator*(const Interval& a, const Interval& b) {
  const auto [low, high] = std::minmax({product(a.low, b.low), product(a.low, b.high),
                                        product(a.high, b.low), product(a.high, b.high)});
  return outward(low, high);
}

double value_of(GateFunction function, double x) {
  switch (function) {
    case GateFunction::sigmoid:
      return 1 / (1 + std::exp(-x));
    case GateFunction::tanh:
      return std::tanh(x);
    case GateFunction::relu:
      break;
  }
  return std::max(x, 0.0);
}
/// The least and the largest x at which the function may have the value y, which it has nowhere else unless
/// it is flat there: all x below 0 of a ReLU, and none within reach of a value beyond its range.
Interval inverse_of(GateFunction function, double y) {
  double x = y;
  switch (function) {
    case GateFunction::sigmoid:
      x = y <= 0 ? -infinity : y >= 1 ? infinity : std::log(y) - std::log1p(-y);
      break;
    case GateFunction::tanh:
      x = y <= -1 ? -infinity : y >= 1 ? infinity : std::atanh(y);
      break;
    case GateFunction::relu:
      return {y > 0 ? y : -infinity, std::max(y, 0.0)};
  }
  return {x, x};
}

/// What a function's sequence may be off where its value is at most `value`.
double own_error(GateFunction function, double value, const CellErrors& errors) {
  if (function == GateFunction::relu) return 0;
  const double roundings =
      function == GateFunction::sigmoid ? recurrent::sigmoid_roundings : recurrent::tanh_roundings;
  return roundings * errors.unit * value + errors.function + underflow;
}

Interval clipped(const Interval& x, double clip) {
  if (!(clip > 0)) return x;
  return {std::clamp(x.low, -clip, clip), std::clamp(x.high, -clip, clip)};
}
Interval activated(GateFunction function, const Interval& x, const CellForm& form,
                   const CellErrors& errors) {
  const Interval cut = clipped(x, static_cast<double>(form.clip));
  const Interval value = outward(value_of(function, cut.low), value_of(function, cut.high));
  return widened_by(value, own_error(function, magnitude(value), errors));
}

/// The coefficient against a sum S of so many terms that FP32 made of rounded ones, the exact argument's own
/// error added.
double of_sum(double coefficient, std::int64_t terms) {
  const auto own = static_cast<double>(terms + 8) * unit_roundoff_double;
  return (coefficient + own) / (1 - gamma(terms + 2));
}

double underflow_of(std::int64_t terms) { return static_cast<double>(terms + 8) * 0x1p-148; }

}  // namespace

CellErrors CellErrors::of_contract(double coefficient, double unit, std::int64_t inputs,
                                   std::int64_t hidden) {
  return {of_sum(coefficient + 4 * unit, inputs + hidden), 4 * unit, 0,
          underflow_of(inputs + hidden), unit};
}

CellErrors CellErrors::of_any_order(double coefficient, std::int64_t inputs, std::int64_t hidden) {
  return {of_sum(coefficient + gamma(2 * std::min(inputs, hidden) + 16), inputs + hidden),
          gamma(inputs + hidden + 8), 0x1p-21, underflow_of(inputs + hidden), unit_roundoff};
}

GateArgument gate_argument(double value, double products, double biases, const CellErrors& errors) {
  return {value, errors.products * products + errors.addends * biases + errors.underflow};
}

LstmReach lstm_reach(const GateArgument (&arguments)[4], const double (&peepholes)[3],
                     const Interval& memory, const CellForm& form, const CellErrors& errors) {
  for (const GateArgument& each : arguments)
    if (!std::isfinite(each.value) || !std::isfinite(each.error))
      return {everything, everything, everything};
  const auto argument = [&](int k) {
    return outward(arguments[k].value - arguments[k].error,
                   arguments[k].value + arguments[k].error);
  };
  const auto seeing = [&](int k, double peephole, const Interval& seen) {
    const Interval a = argument(k);
    if (peephole == 0) return activated(form.f, a, form, errors);
    const Interval added = Interval{peephole, peephole} * seen;
    const double rounded = (errors.addends + 4 * errors.unit) * (magnitude(a) + magnitude(added));
    return activated(form.f, widened_by(a + added, rounded + underflow), form, errors);
  };
  const Interval i = seeing(0, peepholes[0], memory), f = seeing(2, peepholes[2], memory),
                 g = activated(form.g, argument(3), form, errors);
  const Interval kept = f * memory, fresh = i * g;
  const double rounded = 3 * errors.unit * (magnitude(kept) + magnitude(fresh)) + underflow;
  const Interval next = widened_by(kept + fresh, rounded);
  const Interval o = seeing(1, peepholes[1], next);
  const Interval h = o * activated(form.h, next, form, errors);
  return {widened_by(h, errors.unit * magnitude(h) + underflow), next, o};
}

Interval memory_behind(const LstmReach& reach, double h, const CellForm& form,
                       const CellErrors& errors) {
  if (!(reach.output.low > 0) || !std::isfinite(h)) return reach.memory;
  // Before it was rounded the product lay within u/(1 - u) of what it became.
  const Interval made = widened_by({h, h}, 1.001 * errors.unit * std::fabs(h) + underflow);
  const Interval reciprocal = outward(1 / reach.output.high, 1 / reach.output.low);
  Interval seen = made * reciprocal;
  // The function's error is relative to its exact value, which is that much away from what it gave.
  seen = widened_by(seen, own_error(form.h, 1.001 * (magnitude(seen) + errors.function), errors));
  Interval inverse = outward(inverse_of(form.h, seen.low).low, inverse_of(form.h, seen.high).high);
  // Beyond the clip every memory gives what the clip gives.
  if (const auto clip = static_cast<double>(form.clip); clip > 0) {
    const double least = value_of(form.h, -clip), most = value_of(form.h, clip);
    if (seen.low <= outward(least, least).high) inverse.low = -infinity;
    if (seen.high >= outward(most, most).low) inverse.high = infinity;
  }
  const Interval both{std::max(reach.memory.low, inverse.low),
                      std::min(reach.memory.high, inverse.high)};
  if (reach.h.low <= h && h <= reach.h.high && both.low <= both.high) return both;
  return {std::min(reach.memory.low, inverse.low), std::max(reach.memory.high, inverse.high)};
}

}  // namespace parity
