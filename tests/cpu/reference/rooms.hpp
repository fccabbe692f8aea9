#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

#include "model/arithmetic/elementary.hpp"
#include "model/ops.hpp"
#include "tests/cpu/reference/dense.hpp"

/// Every op as nested loops straight from its contract, for T = float (`chain`, `lanes32`,
/// `elementwise`, `move`), double
/// (`fp64`) and long double (what fp64 is judged by). Shares no code with the rooms. A parameter
/// that is absent has an empty shape and no elements.
namespace parity::reference {

template <class T>
using Operands = std::vector<Dense<T>>;

/// x[n, c, h, w], or x[n, c, w] of a 1-D tensor.
template <class T>
const T& image(const Dense<T>& x, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  return x.shape.size() == 3 ? x.at({n, c, w}) : x.at({n, c, h, w});
}

template <class T>
Dense<T> image_zeros(std::size_t rank, std::int64_t N, std::int64_t C, std::int64_t H,
                     std::int64_t W) {
  return Dense<T>::zeros(rank == 3 ? Shape{N, C, W} : Shape{N, C, H, W});
}

template <class T>
Dense<T> evaluate(const Conv2d& op, const Operands<T>& inputs, const Operands<T>& parameters) {
  const Dense<T>&x = inputs[0], &w = parameters[0], &bias = parameters[1];
  const SlidingWindow& s = op.window;
  const std::size_t rank = x.shape.size();
  const std::int64_t IH = rank == 3 ? 1 : x.shape[2], IW = x.shape.back();
  const std::int64_t OC = w.shape[0], per_group = OC / op.group, ICg = w.shape[1];
  const auto out = [&](std::int64_t in, std::size_t axis) {
    return (in + s.pad_begin[axis] + s.pad_end[axis] - (s.kernel[axis] - 1) * s.dilation[axis] -
            1) /
               s.stride[axis] +
           1;
  };
  const std::int64_t OH = out(IH, 0), OW = out(IW, 1);
  Dense<T> y = image_zeros<T>(rank, x.shape[0], OC, OH, OW);
  std::size_t next = 0;
  for (std::int64_t n = 0; n < x.shape[0]; ++n)
    for (std::int64_t oc = 0; oc < OC; ++oc)
      for (std::int64_t oh = 0; oh < OH; ++oh)
        for (std::int64_t ow = 0; ow < OW; ++ow) {
          T acc{0};
          for (std::int64_t block = 0; block < ICg; block += 32)
            for (std::int64_t kh = 0; kh < s.kernel[0]; ++kh)
              for (std::int64_t kw = 0; kw < s.kernel[1]; ++kw)
                for (std::int64_t ic = block; ic < ICg && ic < block + 32; ++ic) {
                  const std::int64_t ih = oh * s.stride[0] + kh * s.dilation[0] - s.pad_begin[0];
                  const std::int64_t iw = ow * s.stride[1] + kw * s.dilation[1] - s.pad_begin[1];
                  const bool inside = ih >= 0 && ih < IH && iw >= 0 && iw < IW;
                  const T value = inside ? image(x, n, oc / per_group * ICg + ic, ih, iw) : T{0};
                  acc = std::fma(value, image(w, oc, ic, kh, kw), acc);
                }
          acc = acc + T{0};
          y.values[next++] =
              bias.values.empty() ? acc : acc + bias.values[static_cast<std::size_t>(oc)];
        }
  return y;
}

template <class T>
Dense<T> evaluate(const ConvTranspose2d& op, const Operands<T>& inputs,
                  const Operands<T>& parameters) {
  const Dense<T>&x = inputs[0], &w = parameters[0], &bias = parameters[1];
  const SlidingWindow& s = op.window;
  const std::size_t rank = x.shape.size();
  const std::int64_t IH = rank == 3 ? 1 : x.shape[2], IW = x.shape.back();
  const std::int64_t per_group = w.shape[1], OC = per_group * op.group, ICg = x.shape[1] / op.group;
  const auto out = [&](std::int64_t in, std::size_t axis) {
    return (in - 1) * s.stride[axis] + (s.kernel[axis] - 1) * s.dilation[axis] + 1 +
           op.extra[axis] - s.pad_begin[axis] - s.pad_end[axis];
  };
  const std::int64_t OH = out(IH, 0), OW = out(IW, 1);
  Dense<T> y = image_zeros<T>(rank, x.shape[0], OC, OH, OW);
  std::size_t next = 0;
  for (std::int64_t n = 0; n < x.shape[0]; ++n)
    for (std::int64_t oc = 0; oc < OC; ++oc)
      for (std::int64_t p = 0; p < OH; ++p)
        for (std::int64_t q = 0; q < OW; ++q) {
          T acc{0};
          for (std::int64_t block = 0; block < ICg; block += 32)
            for (std::int64_t r = 0; r < s.kernel[0]; ++r)
              for (std::int64_t c = 0; c < s.kernel[1]; ++c) {
                const std::int64_t up = p + s.pad_begin[0] - r * s.dilation[0];
                const std::int64_t left = q + s.pad_begin[1] - c * s.dilation[1];
                if (up % s.stride[0] != 0 || left % s.stride[1] != 0) continue;
                const std::int64_t ih = up / s.stride[0], iw = left / s.stride[1];
                const bool inside = up >= 0 && ih < IH && left >= 0 && iw < IW;
                for (std::int64_t ic = block; ic < ICg && ic < block + 32; ++ic) {
                  const std::int64_t channel = oc / per_group * ICg + ic;
                  const T value = inside ? image(x, n, channel, ih, iw) : T{0};
                  acc = std::fma(value, image(w, channel, oc % per_group, r, c), acc);
                }
              }
          acc = acc + T{0};
          y.values[next++] =
              bias.values.empty() ? acc : acc + bias.values[static_cast<std::size_t>(oc)];
        }
  return y;
}

template <class T>
Dense<T> evaluate(const MatMul& op, const Operands<T>& inputs, const Operands<T>& parameters) {
  std::size_t next = 0;
  Dense<T> a = op.constant == MatMul::Constant::left ? parameters[0] : inputs[next++];
  Dense<T> b = op.constant == MatMul::Constant::right ? parameters[0] : inputs[next++];
  const bool row = a.shape.size() == 1, column = b.shape.size() == 1;
  if (row) a.shape.insert(a.shape.begin(), 1);
  if (column) b.shape.push_back(1);
  const auto turned = [](const Dense<T>& matrix, MatMul::Stored stored) {
    if (stored == MatMul::Stored::as_read) return matrix;
    Dense<T> result = Dense<T>::zeros({matrix.shape[1], matrix.shape[0]});
    for_each_index(result.shape, [&](const auto& i) { result.at(i) = matrix.at({i[1], i[0]}); });
    return result;
  };
  a = turned(a, op.left);
  b = turned(b, op.right);
  const std::int64_t M = a.shape.end()[-2], K = a.shape.end()[-1], N = b.shape.end()[-1];
  Shape shape(std::max(a.shape.size(), b.shape.size()), 1);
  for (std::size_t back = 3; back <= shape.size(); ++back) {
    const std::int64_t of_a = back <= a.shape.size() ? a.shape[a.shape.size() - back] : 1;
    const std::int64_t of_b = back <= b.shape.size() ? b.shape[b.shape.size() - back] : 1;
    shape[shape.size() - back] = of_a == 1 ? of_b : of_a;
  }
  shape.end()[-2] = M;
  shape.end()[-1] = N;
  Dense<T> y = Dense<T>::zeros(shape);
  for_each_index(shape, [&](const std::vector<std::int64_t>& index) {
    T acc{0};
    for (std::int64_t k = 0; k < K; ++k) {
      std::vector<std::int64_t> ia = index, ib = index;
      ia.end()[-1] = k;
      ib.end()[-2] = k;
      acc = std::fma(a.stretched(ia), b.stretched(ib), acc);
    }
    T t = acc + T{0};
    if (op.alpha != 1) t = t * static_cast<T>(op.alpha);
    if (op.addend != MatMul::Addend::none) {
      const T c =
          (op.addend == MatMul::Addend::parameter ? parameters[1] : inputs.back()).stretched(index);
      t = op.beta == 1 ? t + c : t + static_cast<T>(op.beta) * c;
    }
    y.at(index) = t;
  });
  if (column) y.shape.pop_back();
  if (row) y.shape.erase(y.shape.end() - (column ? 1 : 2));
  return y;
}

template <class T>
Dense<T> evaluate(const BatchNorm& op, const Operands<T>& inputs, const Operands<T>& parameters) {
  Dense<T> y = inputs[0];
  for_each_index(y.shape, [&](const std::vector<std::int64_t>& index) {
    const auto c = static_cast<std::size_t>(index[1]);
    const auto of = [&](std::size_t parameter) {
      return static_cast<double>(parameters[parameter].values[c]);
    };
    const double s = of(0) / std::sqrt(of(3) + static_cast<double>(op.epsilon));
    const double t = of(1) - of(2) * s;
    if constexpr (std::is_same_v<T, float>)
      y.at(index) = std::fma(y.at(index), static_cast<float>(s), static_cast<float>(t));
    else
      y.at(index) = std::fma(y.at(index), static_cast<T>(s), static_cast<T>(t));
  });
  return y;
}

/// A function of one operand. In float the elementary ones are what elementary.hpp calls them, whose bits
/// tests/model locks; in double and beyond they are libm's.
template <class T>
T function_of(const Unary& op, T x) {
  using K = EpilogueKind;
  constexpr bool in_float = std::is_same_v<T, float>;
  const T a = static_cast<T>(op.a), b = static_cast<T>(op.b), one{1}, zero{0};
  if (std::isnan(x)) return x;
  const auto line = [&] {
    const T t = std::fma(x, a, b);
    return t <= zero ? zero : t > one ? one : t;
  };
  switch (op.function) {
    case K::abs:
      return std::abs(x);
    case K::ceil:
      return std::ceil(x);
    case K::clip: {
      const T above = x < a || (x == a && std::signbit(x)) ? a : x;
      return b < above || (b == above && std::signbit(b)) ? b : above;
    }
    case K::floor:
      return std::floor(x);
    case K::hard_sigmoid:
      return line();
    case K::hard_swish:
      return x * line();
    case K::leaky_relu:
      return x > zero ? x : x * a;
    case K::neg:
      return -x;
    case K::reciprocal:
      return one / x;
    case K::relu:
      return x > zero ? x : zero;
    case K::round:
      return std::nearbyint(x);
    case K::sign:
      return x > zero ? one : x < zero ? -one : x;
    case K::softsign:
      return x / (one + std::abs(x));
    case K::sqrt:
      return std::sqrt(x);
    case K::thresholded_relu:
      return x > a ? x : zero;
    default:
      break;
  }
  if constexpr (in_float || std::is_same_v<T, double>) {
    return elementary::step(op.function, x, a, b);
  } else {
    const auto sigmoid = [&](T t) { return one / (one + std::exp(-t)); };
    const T softplus = x > zero ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
    switch (op.function) {
      case K::celu:
        return x > zero ? x : a * std::expm1(x / a);
      case K::cos:
        return std::cos(x);
      case K::elu:
        return x > zero ? x : a * std::expm1(x);
      case K::erf:
        return std::erf(x);
      case K::exp:
        return std::exp(x);
      case K::gelu:
        return x / 2 * std::erfc(-x / std::sqrt(T{2}));
      case K::gelu_tanh: {
        const T pi = std::acos(-one);
        return x * sigmoid(2 * std::sqrt(2 / pi) * (x + T{0.044715L} * x * x * x));
      }
      case K::log:
        return std::log(x);
      case K::mish:
        return x * std::tanh(softplus);
      case K::selu:
        return b * (x > zero ? x : a * std::expm1(x));
      case K::sigmoid:
        return sigmoid(x);
      case K::swish:
        return x * sigmoid(a * x);
      case K::sin:
        return std::sin(x);
      case K::softplus:
        return softplus;
      default:
        return std::tanh(x);
    }
  }
}

template <class T>
Dense<T> evaluate(const Unary& op, const Operands<T>& inputs, const Operands<T>&) {
  Dense<T> y = inputs[0];
  for (T& x : y.values) x = function_of(op, x);
  return y;
}

/// The shape that all operands stretch to.
template <class T>
Shape stretched_shape(const Operands<T>& operands) {
  std::size_t rank = 0;
  for (const Dense<T>& operand : operands) rank = std::max(rank, operand.shape.size());
  Shape shape(rank, 1);
  for (std::size_t back = 1; back <= rank; ++back)
    for (const Dense<T>& operand : operands)
      if (back <= operand.shape.size() && operand.shape[operand.shape.size() - back] != 1)
        shape[rank - back] = operand.shape[operand.shape.size() - back];
  return shape;
}

/// Values and the one parameter, if there is one, in the order of the formula.
template <class T>
Operands<T> in_order(const Operands<T>& inputs, const Operands<T>& parameters,
                     bool constant_first) {
  Operands<T> operands = inputs;
  operands.insert(constant_first ? operands.begin() : operands.end(), parameters.begin(),
                  parameters.end());
  return operands;
}

/// a combined with b; `whole` of integers, whose quotients are cut.
template <class T>
T combination(Binary::Function function, T a, T b, bool whole) {
  switch (function) {
    case Binary::Function::add:
    case Binary::Function::mean:
      return a + b;
    case Binary::Function::sub:
      return a - b;
    case Binary::Function::mul:
      return a * b;
    case Binary::Function::div:
      if (whole) return b == 0 ? T{0} : std::trunc(a / b) + T{0};
      return a / b;
    case Binary::Function::max:
      return maximum(a, b);
    case Binary::Function::min:
      return minimum(a, b);
    case Binary::Function::prelu:
      return a > 0 || std::isnan(a) ? a : a * b;
    case Binary::Function::pow:
      break;
  }
  if (b == 2) return a * a;
  if (b == T{0.5F}) return std::sqrt(a);
  if constexpr (std::is_same_v<T, float>)
    return elementary::step(EpilogueKind::pow, a, b, T{0});
  else
    return std::pow(a, b);
}

/// `whole`: whether the operands stand for integers.
template <class T>
Dense<T> evaluate(const Binary& op, const Operands<T>& inputs, const Operands<T>& parameters,
                  bool whole = false) {
  const Operands<T> operands = in_order(inputs, parameters, op.constant == Binary::Side::left);
  Dense<T> y = Dense<T>::zeros(stretched_shape(operands));
  for_each_index(y.shape, [&](const std::vector<std::int64_t>& index) {
    T result = operands[0].stretched(index);
    for (std::size_t i = 1; i < operands.size(); ++i)
      result = combination(op.function, result, operands[i].stretched(index), whole);
    if (op.function == Binary::Function::mean) result = result / static_cast<T>(operands.size());
    y.at(index) = result;
  });
  return y;
}

template <class T>
Dense<T> evaluate(const Predicate& op, const Operands<T>& inputs, const Operands<T>& parameters) {
  Operands<T> operands = in_order(inputs, parameters, op.constant == Predicate::Side::left);
  if (operands.size() == 1) operands.push_back(operands[0]);
  Dense<T> y = Dense<T>::zeros(stretched_shape(operands));
  for_each_index(y.shape, [&](const std::vector<std::int64_t>& index) {
    const T a = operands[0].stretched(index), b = operands[1].stretched(index);
    bool answer = false;
    switch (op.function) {
      case Predicate::Function::both:
        answer = a != 0 && b != 0;
        break;
      case Predicate::Function::equal:
        answer = a == b;
        break;
      case Predicate::Function::greater:
        answer = a > b;
        break;
      case Predicate::Function::greater_or_equal:
        answer = a >= b;
        break;
      case Predicate::Function::is_nan:
        answer = std::isnan(a);
        break;
      case Predicate::Function::less:
        answer = a < b;
        break;
      case Predicate::Function::less_or_equal:
        answer = a <= b;
        break;
      case Predicate::Function::negation:
        answer = a == 0;
        break;
      case Predicate::Function::either:
        answer = a != 0 || b != 0;
        break;
      case Predicate::Function::exactly_one:
        answer = (a != 0) != (b != 0);
        break;
    }
    y.at(index) = answer ? T{1} : T{0};
  });
  return y;
}

template <class T>
Dense<T> evaluate(const Choice& op, const Operands<T>& inputs, const Operands<T>& parameters) {
  Operands<T> operands;
  std::size_t value = 0, parameter = 0;
  for (const bool constant : op.constant)
    operands.push_back(constant ? parameters[parameter++] : inputs[value++]);
  Dense<T> y = Dense<T>::zeros(stretched_shape(operands));
  for_each_index(y.shape, [&](const std::vector<std::int64_t>& index) {
    y.at(index) = operands[operands[0].stretched(index) != 0 ? 1 : 2].stretched(index);
  });
  return y;
}

template <class T>
Dense<T> evaluate(const Cast& op, const Operands<T>& inputs, const Operands<T>&) {
  Dense<T> y = inputs[0];
  for (T& x : y.values) {
    if (op.to == Cast::To::boolean) {
      x = x != 0 ? T{1} : T{0};
    } else if (op.to == Cast::To::int64 && op.from == Type::float32) {
      // The upper end stands for 2^63 - 1, which no float is.
      constexpr T end{0x1p63F};
      x = std::isnan(x) ? T{0} : x >= end ? end : x <= -end ? -end : std::trunc(x) + T{0};
    }
  }
  return y;
}

template <class T>
Dense<T> evaluate(const MaxPool& op, const Operands<T>& inputs, const Operands<T>&) {
  const Dense<T>& x = inputs[0];
  const SlidingWindow& s = op.window;
  const std::size_t rank = x.shape.size();
  const std::int64_t IH = rank == 3 ? 1 : x.shape[2], IW = x.shape.back();
  const auto out = [&](std::int64_t in, std::size_t axis) {
    return (in + s.pad_begin[axis] + s.pad_end[axis] - (s.kernel[axis] - 1) * s.dilation[axis] -
            1) /
               s.stride[axis] +
           1;
  };
  const std::int64_t OH = out(IH, 0), OW = out(IW, 1);
  Dense<T> y = image_zeros<T>(rank, x.shape[0], x.shape[1], OH, OW);
  std::size_t next = 0;
  for (std::int64_t n = 0; n < x.shape[0]; ++n)
    for (std::int64_t c = 0; c < x.shape[1]; ++c)
      for (std::int64_t oh = 0; oh < OH; ++oh)
        for (std::int64_t ow = 0; ow < OW; ++ow) {
          T best = -std::numeric_limits<T>::infinity();
          for (std::int64_t kh = 0; kh < s.kernel[0]; ++kh)
            for (std::int64_t kw = 0; kw < s.kernel[1]; ++kw) {
              const std::int64_t ih = oh * s.stride[0] + kh * s.dilation[0] - s.pad_begin[0];
              const std::int64_t iw = ow * s.stride[1] + kw * s.dilation[1] - s.pad_begin[1];
              if (ih >= 0 && ih < IH && iw >= 0 && iw < IW)
                best = maximum(best, image(x, n, c, ih, iw));
            }
          y.values[next++] = best;
        }
  return y;
}

template <class T>
Dense<T> evaluate(const Reduce& op, const Operands<T>& inputs, const Operands<T>&) {
  const Dense<T>& x = inputs[0];
  Shape shape = x.shape, reduced(x.shape.size(), 1);
  for (const std::int64_t axis : op.axes) {
    reduced[static_cast<std::size_t>(axis)] = x.shape[static_cast<std::size_t>(axis)];
    shape[static_cast<std::size_t>(axis)] = 1;
  }
  Dense<T> y = Dense<T>::zeros(shape);
  for_each_index(shape, [&](const std::vector<std::int64_t>& index) {
    std::vector<T> terms;
    for_each_index(reduced, [&](const std::vector<std::int64_t>& inner) {
      std::vector<std::int64_t> at = index;
      for (std::size_t axis = 0; axis < at.size(); ++axis) at[axis] += inner[axis];
      terms.push_back(x.at(at));
    });
    T& result = y.at(index);
    if (op.axes.empty()) {
      result = terms[0];
    } else if (op.function == Reduce::Function::max || op.function == Reduce::Function::min) {
      result = terms[0];
      for (const T term : terms)
        result =
            op.function == Reduce::Function::max ? maximum(result, term) : minimum(result, term);
    } else if (op.function == Reduce::Function::prod) {
      result = lanes32(terms, Summand::factor);
    } else if (op.function == Reduce::Function::sum_square || op.function == Reduce::Function::l2) {
      result = lanes32(terms, Summand::square);
      if (op.function == Reduce::Function::l2) result = std::sqrt(result);
    } else {
      if (op.function == Reduce::Function::l1)
        for (T& term : terms) term = std::abs(term);
      result = lanes32(terms);
      if (op.function == Reduce::Function::mean) result = result / static_cast<T>(terms.size());
    }
  });
  if (op.reduced == Reduce::Axes::dropped) {
    y.shape.clear();
    for (std::size_t axis = 0; axis < x.shape.size(); ++axis)
      if (std::find(op.axes.begin(), op.axes.end(), static_cast<std::int64_t>(axis)) ==
          op.axes.end())
        y.shape.push_back(x.shape[axis]);
  }
  return y;
}

template <class T>
T gate_function(GateFunction function, T x, float clip) {
  if (clip > 0) {
    if (x > static_cast<T>(clip)) x = static_cast<T>(clip);
    if (x < -static_cast<T>(clip)) x = -static_cast<T>(clip);
  }
  if (function == GateFunction::relu) return x > 0 ? x : (std::isnan(x) ? x : T{0});
  if constexpr (std::is_same_v<T, long double>)
    return function == GateFunction::tanh ? std::tanh(x) : T{1} / (T{1} + std::exp(-x));
  else
    return function == GateFunction::tanh ? elementary::tanh(x) : elementary::sigmoid(x);
}

template <class T>
std::vector<Dense<T>> evaluate(const Recurrent& op, const Operands<T>& inputs,
                               const Operands<T>& parameters) {
  const Dense<T>&x = inputs[0], &w = parameters[0], &r = parameters[1], &b = parameters[2],
        &peephole = parameters[5];
  const bool gru = op.cell == Recurrent::Cell::gru;
  const bool batch_first = op.axes == Recurrent::Axes::batch_first;
  const std::int64_t T_ = x.shape[batch_first ? 1 : 0], N = x.shape[batch_first ? 0 : 1],
                     I = x.shape[2], H = r.shape[2], D = w.shape[0];
  std::size_t next = 1;
  const auto initial = [&](Recurrent::Initial from, std::size_t parameter) {
    return from == Recurrent::Initial::value       ? inputs[next++]
           : from == Recurrent::Initial::parameter ? parameters[parameter]
                                                   : Dense<T>{};
  };
  const Dense<T> h0 = initial(op.state, 3), c0 = initial(op.memory, 4);
  const auto state_index = [&](std::int64_t d, std::int64_t n, std::int64_t i) {
    return batch_first ? std::vector{n, d, i} : std::vector{d, n, i};
  };
  Dense<T> y = Dense<T>::zeros(batch_first ? Shape{N, T_, D, H} : Shape{T_, D, N, H});
  Dense<T> last = Dense<T>::zeros(batch_first ? Shape{N, D, H} : Shape{D, N, H}), memory = last;
  for (std::int64_t d = 0; d < D; ++d)
    for (std::int64_t n = 0; n < N; ++n) {
      const CellForm& form = op.forms[static_cast<std::size_t>(d)];
      std::vector<T> h(static_cast<std::size_t>(H), T{0}), c = h;
      for (std::int64_t i = 0; i < H; ++i) {
        if (!h0.values.empty()) h[static_cast<std::size_t>(i)] = h0.at(state_index(d, n, i));
        if (!c0.values.empty()) c[static_cast<std::size_t>(i)] = c0.at(state_index(d, n, i));
      }
      const std::int64_t length = op.lengths.empty() ? T_ : op.lengths[static_cast<std::size_t>(n)];
      for (std::int64_t s = 0; s < length; ++s) {
        const bool backward = d == 1 || op.direction == Recurrent::Direction::reverse;
        const std::int64_t t = backward ? length - 1 - s : s;
        const auto from_x = [&](std::int64_t row) {
          T acc{0};
          for (std::int64_t k = 0; k < I; ++k)
            acc = std::fma(batch_first ? x.at({n, t, k}) : x.at({t, n, k}), w.at({d, row, k}), acc);
          acc = acc + T{0};
          return b.values.empty() ? acc : acc + b.at({d, row});
        };
        const std::int64_t rows = w.shape[1];
        const auto from_h = [&](std::int64_t row, const std::vector<T>& of) {
          T acc{0};
          for (std::int64_t k = 0; k < H; ++k)
            acc = std::fma(of[static_cast<std::size_t>(k)], r.at({d, row, k}), acc);
          acc = acc + T{0};
          return b.values.empty() ? acc : acc + b.at({d, rows + row});
        };
        std::vector<T> made(h.size()), gate(h.size()), reset(h.size());
        for (std::int64_t i = 0; i < H; ++i) {
          const auto at = static_cast<std::size_t>(i);
          const auto f = [&](std::int64_t k) {
            return gate_function<T>(form.f, from_x(k * H + i) + from_h(k * H + i, h), form.clip);
          };
          if (gru) {
            gate[at] = f(1);
            reset[at] = gate[at] * h[at];
            continue;
          }
          const auto peeped = [&](std::int64_t k, std::int64_t p, T seen) {
            T a = from_x(k * H + i) + from_h(k * H + i, h);
            if (!peephole.values.empty()) a = a + peephole.at({d, p * H + i}) * seen;
            return gate_function<T>(form.f, a, form.clip);
          };
          const T in = peeped(0, 0, c[at]), forget = peeped(2, 2, c[at]);
          const T g = gate_function<T>(form.g, from_x(3 * H + i) + from_h(3 * H + i, h), form.clip);
          c[at] = forget * c[at] + in * g;
          made[at] = peeped(1, 1, c[at]) * gate_function<T>(form.h, c[at], form.clip);
        }
        for (std::int64_t i = 0; gru && i < H; ++i) {
          const auto at = static_cast<std::size_t>(i);
          const T z = gate_function<T>(form.f, from_x(i) + from_h(i, h), form.clip);
          const T part = op.reset == Recurrent::Reset::after_the_product
                             ? gate[at] * from_h(2 * H + i, h)
                             : from_h(2 * H + i, reset);
          const T state = gate_function<T>(form.g, from_x(2 * H + i) + part, form.clip);
          made[at] = (T{1} - z) * state + z * h[at];
        }
        h = made;
        for (std::int64_t i = 0; i < H; ++i)
          y.at(batch_first ? std::vector{n, t, d, i} : std::vector{t, d, n, i}) =
              h[static_cast<std::size_t>(i)];
      }
      for (std::int64_t i = 0; i < H; ++i) {
        last.at(state_index(d, n, i)) = h[static_cast<std::size_t>(i)];
        memory.at(state_index(d, n, i)) = c[static_cast<std::size_t>(i)];
      }
    }
  std::vector<Dense<T>> made;
  for (const int output : op.outputs) made.push_back(output == 0 ? y : output == 1 ? last : memory);
  return made;
}

template <class T>
Dense<T> evaluate(const Softmax& op, const Operands<T>& inputs, const Operands<T>&) {
  Dense<T> y = inputs[0];
  const std::size_t axis = static_cast<std::size_t>(op.axis);
  const std::size_t end = op.row == Softmax::Row::along_the_axis ? axis + 1 : y.shape.size();
  Shape starts = y.shape, row(y.shape.size(), 1);
  for (std::size_t k = axis; k < end; ++k) {
    starts[k] = 1;
    row[k] = y.shape[k];
  }
  for_each_index(starts, [&](const std::vector<std::int64_t>& start) {
    std::vector<std::vector<std::int64_t>> places;
    for_each_index(row, [&](std::vector<std::int64_t> at) {
      for (std::size_t k = 0; k < at.size(); ++k) at[k] += start[k];
      places.push_back(at);
    });
    T most = inputs[0].at(places[0]);
    for (const auto& at : places) most = maximum(most, inputs[0].at(at));
    std::vector<T> e;
    for (const auto& at : places) {
      const T s = inputs[0].at(at) - most;
      if constexpr (std::is_same_v<T, float>)
        e.push_back(elementary::exp(s));
      else
        e.push_back(std::exp(s));
    }
    const T sum = lanes32(e);
    if (op.function == Softmax::Function::softmax) {
      for (std::size_t i = 0; i < e.size(); ++i) y.at(places[i]) = e[i] / sum;
      return;
    }
    T logarithm;
    if constexpr (std::is_same_v<T, float>)
      logarithm = elementary::log(sum);
    else
      logarithm = std::log(sum);
    for (const auto& at : places) y.at(at) = (inputs[0].at(at) - most) - logarithm;
  });
  return y;
}

template <class T>
std::vector<Dense<T>> evaluate(const Normalization& op, const Operands<T>& inputs,
                               const Operands<T>& parameters) {
  const Dense<T>& x = inputs[0];
  const Dense<T>&gamma = parameters[0], &beta = parameters[1];
  const bool layer = op.rows == Normalization::Rows::layer;
  const auto axis = static_cast<std::size_t>(op.axis);
  Shape statistics = x.shape;
  std::int64_t rows = 1, channels = 1, space = 1;  // x {rows, channels, space}
  for (std::size_t k = 0; k < x.shape.size(); ++k) {
    if (layer && k >= axis) statistics[k] = 1;
    (layer ? (k < axis ? rows : channels)
           : (k == 0   ? rows
              : k == 1 ? channels
                       : space)) *= x.shape[k];
  }
  const std::int64_t groups = layer                                      ? 1
                              : op.rows == Normalization::Rows::instance ? channels
                                                                         : op.groups;
  const std::int64_t each = channels / groups;
  Dense<T> y = x, mean = Dense<T>::zeros(statistics), scale = mean;
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t g = 0; g < groups; ++g) {
      std::vector<std::size_t> places, channel;
      for (std::int64_t p = 0; p < space; ++p)
        for (std::int64_t c = g * each; c < (g + 1) * each; ++c) {
          places.push_back(static_cast<std::size_t>((row * channels + c) * space + p));
          channel.push_back(static_cast<std::size_t>(c));
        }
      std::vector<T> terms, d;
      for (const std::size_t at : places) terms.push_back(x.values[at]);
      const T n = static_cast<T>(terms.size()), m = lanes32(terms) / n;
      for (const T term : terms) d.push_back(term - m);
      const T v = lanes32(d, Summand::square) / n;
      const T q = T{1} / std::sqrt(v + static_cast<T>(op.epsilon));
      for (std::size_t i = 0; i < d.size(); ++i) {
        const T z = d[i] * q, a = gamma.values[channel[i]];
        y.values[places[i]] = beta.values.empty() ? z * a : std::fma(z, a, beta.values[channel[i]]);
      }
      if (layer) {
        mean.values[static_cast<std::size_t>(row)] = m;
        scale.values[static_cast<std::size_t>(row)] = q;
      }
    }
  std::vector<Dense<T>> made;
  for (const int output : op.outputs) made.push_back(output == 0 ? y : output == 1 ? mean : scale);
  return made;
}

template <class T>
Dense<T> evaluate(const Concat& op, const Operands<T>& inputs, const Operands<T>&) {
  Dense<T> y = inputs[0];
  const auto axis = static_cast<std::size_t>(
      op.axis < 0 ? op.axis + static_cast<std::int64_t>(y.shape.size()) : op.axis);
  y.shape[axis] = 0;
  for (const Dense<T>& x : inputs) y.shape[axis] += x.shape[axis];
  y = Dense<T>::zeros(y.shape);
  std::int64_t offset = 0;
  for (const Dense<T>& x : inputs) {
    for_each_index(x.shape, [&](std::vector<std::int64_t> index) {
      const T value = x.at(index);
      index[axis] += offset;
      y.at(index) = value;
    });
    offset += x.shape[axis];
  }
  return y;
}

template <class T>
Dense<T> evaluate(const Movement& op, const Operands<T>& inputs, const Operands<T>&) {
  using Function = Movement::Function;
  Dense<T> y = inputs[0];
  const Shape x = y.shape;
  const auto rank = static_cast<std::int64_t>(x.size());
  const auto front = [](std::int64_t axis, std::int64_t of) { return axis < 0 ? axis + of : axis; };
  const std::int64_t count = element_count(x);
  switch (op.function) {
    case Function::identity:
      break;
    case Function::reshape: {
      y.shape = op.numbers;
      std::int64_t known = 1;
      for (std::size_t axis = 0; axis < y.shape.size(); ++axis) {
        if (y.shape[axis] == 0 && op.zero == Movement::Zero::copies_the_extent)
          y.shape[axis] = x[axis];
        if (y.shape[axis] != -1) known *= y.shape[axis];
      }
      for (std::int64_t& extent : y.shape)
        if (extent == -1) extent = count / known;
      break;
    }
    case Function::flatten: {
      std::int64_t before = 1;
      for (std::int64_t axis = 0; axis < front(op.numbers[0], rank); ++axis)
        before *= x[static_cast<std::size_t>(axis)];
      y.shape = {before, count / before};
      break;
    }
    case Function::squeeze: {
      y.shape.clear();
      for (std::int64_t axis = 0; axis < rank; ++axis) {
        bool dropped = op.numbers.empty() && x[static_cast<std::size_t>(axis)] == 1;
        for (const std::int64_t number : op.numbers)
          dropped = dropped || front(number, rank) == axis;
        if (!dropped) y.shape.push_back(x[static_cast<std::size_t>(axis)]);
      }
      break;
    }
    case Function::unsqueeze: {
      const std::int64_t grown = rank + static_cast<std::int64_t>(op.numbers.size());
      std::size_t next = 0;
      y.shape.clear();
      for (std::int64_t axis = 0; axis < grown; ++axis) {
        bool fresh = false;
        for (const std::int64_t number : op.numbers) fresh = fresh || front(number, grown) == axis;
        y.shape.push_back(fresh ? 1 : x[next++]);
      }
      break;
    }
    case Function::transpose: {
      std::vector<std::int64_t> axes = op.numbers;
      if (axes.empty())
        for (std::int64_t axis = rank; axis-- > 0;) axes.push_back(axis);
      Shape shape;
      for (const std::int64_t axis : axes) shape.push_back(x[static_cast<std::size_t>(axis)]);
      y = Dense<T>::zeros(shape);
      for_each_index(x, [&](const std::vector<std::int64_t>& index) {
        std::vector<std::int64_t> to;
        for (const std::int64_t axis : axes) to.push_back(index[static_cast<std::size_t>(axis)]);
        y.at(to) = inputs[0].at(index);
      });
      break;
    }
  }
  return y;
}

template <class T>
Dense<T> evaluate(const Constant&, const Operands<T>&, const Operands<T>& parameters) {
  return parameters[0];
}

template <class T>
Dense<T> evaluate(const AveragePool& op, const Operands<T>& inputs, const Operands<T>&) {
  const Dense<T>& x = inputs[0];
  const SlidingWindow& s = op.window;
  const std::size_t rank = x.shape.size();
  const std::int64_t IH = rank == 3 ? 1 : x.shape[2], IW = x.shape.back();
  const auto out = [&](std::int64_t in, std::size_t axis) {
    return (in + s.pad_begin[axis] + s.pad_end[axis] - (s.kernel[axis] - 1) * s.dilation[axis] -
            1) /
               s.stride[axis] +
           1;
  };
  Dense<T> y = image_zeros<T>(rank, x.shape[0], x.shape[1], out(IH, 0), out(IW, 1));
  std::size_t next = 0;
  for (std::int64_t n = 0; n < x.shape[0]; ++n)
    for (std::int64_t c = 0; c < x.shape[1]; ++c)
      for (std::int64_t oh = 0; oh < out(IH, 0); ++oh)
        for (std::int64_t ow = 0; ow < out(IW, 1); ++ow) {
          T sum{0};
          std::int64_t count = 0;
          for (std::int64_t kh = 0; kh < s.kernel[0]; ++kh)
            for (std::int64_t kw = 0; kw < s.kernel[1]; ++kw) {
              const std::int64_t ih = oh * s.stride[0] + kh * s.dilation[0] - s.pad_begin[0];
              const std::int64_t iw = ow * s.stride[1] + kw * s.dilation[1] - s.pad_begin[1];
              const bool inside = ih >= 0 && ih < IH && iw >= 0 && iw < IW;
              const bool padded =
                  ih < IH + s.pad_end[0] - op.beyond[0] && iw < IW + s.pad_end[1] - op.beyond[1];
              if (inside) sum = sum + image(x, n, c, ih, iw);
              count += inside || (op.pads == AveragePool::Pads::included && padded);
            }
          y.values[next++] = sum / static_cast<T>(count);
        }
  return y;
}

/// Index number i of `indices`, counted from the front of an axis.
template <class T>
std::int64_t place(T index, std::int64_t extent) {
  const auto at = static_cast<std::int64_t>(index);
  return at < 0 ? at + extent : at;
}

template <class T>
Dense<T> evaluate(const Gather& op, const Operands<T>& inputs, const Operands<T>& parameters) {
  std::size_t next = 0;
  const Dense<T>& x = op.data == Gather::Operand::value ? inputs[next++] : parameters[0];
  const Dense<T>& index = op.indices == Gather::Operand::value ? inputs[next] : parameters[1];
  const auto rank = static_cast<std::int64_t>(x.shape.size());
  const auto axis = static_cast<std::size_t>(op.axis < 0 ? op.axis + rank : op.axis);
  Dense<T> y;
  if (op.function == Gather::Function::elements) {
    y = Dense<T>::zeros(index.shape);
    for_each_index(y.shape, [&](const std::vector<std::int64_t>& at) {
      std::vector<std::int64_t> from = at;
      from[axis] = place(index.at(at), x.shape[axis]);
      y.at(at) = x.at(from);
    });
    return y;
  }
  using Index = std::vector<std::int64_t>;
  const auto joined = [](std::initializer_list<Index> parts) {
    Index whole;
    for (const Index& part : parts) whole.insert(whole.end(), part.begin(), part.end());
    return whole;
  };
  const auto part = [](const Index& of, std::size_t first, std::size_t last) {
    return Index(of.begin() + static_cast<std::ptrdiff_t>(first),
                 of.begin() + static_cast<std::ptrdiff_t>(last));
  };
  const std::size_t q = index.shape.size(), r = x.shape.size();
  if (op.function == Gather::Function::along) {
    y = Dense<T>::zeros(joined({part(x.shape, 0, axis), index.shape, part(x.shape, axis + 1, r)}));
    for_each_index(y.shape, [&](const Index& at) {
      const std::int64_t chosen = place(index.at(part(at, axis, axis + q)), x.shape[axis]);
      y.at(at) = x.at(joined({part(at, 0, axis), {chosen}, part(at, axis + q, at.size())}));
    });
    return y;
  }
  const auto batch = static_cast<std::size_t>(op.batch_axes);
  const auto points = static_cast<std::size_t>(index.shape.back());
  y = Dense<T>::zeros(joined({part(index.shape, 0, q - 1), part(x.shape, batch + points, r)}));
  for_each_index(y.shape, [&](const Index& at) {
    Index from = part(at, 0, batch);
    for (std::size_t k = 0; k < points; ++k)
      from.push_back(place(index.at(joined({part(at, 0, q - 1), {static_cast<std::int64_t>(k)}})),
                           x.shape[batch + k]));
    y.at(at) = x.at(joined({from, part(at, q - 1, at.size())}));
  });
  return y;
}

template <class T>
Dense<T> evaluate(const Scatter& op, const Operands<T>& inputs, const Operands<T>& parameters) {
  Dense<T> y = inputs[0];
  const Dense<T>& index = op.indices == Scatter::Operand::value ? inputs[1] : parameters[0];
  const Dense<T>& updates = inputs.back();
  const auto rank = static_cast<std::int64_t>(y.shape.size());
  const auto axis = static_cast<std::size_t>(op.axis < 0 ? op.axis + rank : op.axis);
  for_each_index(updates.shape, [&](const std::vector<std::int64_t>& at) {
    std::vector<std::int64_t> to = at;
    if (op.function == Scatter::Function::elements) {
      to[axis] = place(index.at(at), y.shape[axis]);
    } else {
      const std::size_t q = index.shape.size();
      std::vector<std::int64_t> from(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(q - 1));
      to.clear();
      from.push_back(0);
      for (; from.back() < index.shape.back(); ++from.back())
        to.push_back(place(index.at(from), y.shape[to.size()]));
      to.insert(to.end(), at.begin() + static_cast<std::ptrdiff_t>(q - 1), at.end());
    }
    T& held = y.at(to);
    const T u = updates.at(at);
    switch (op.reduction) {
      case Scatter::Reduction::replace:
        held = u;
        break;
      case Scatter::Reduction::add:
        held = held + u;
        break;
      case Scatter::Reduction::mul:
        held = held * u;
        break;
      case Scatter::Reduction::max:
        held = maximum(held, u);
        break;
      case Scatter::Reduction::min:
        held = minimum(held, u);
        break;
    }
  });
  return y;
}

template <class T>
std::vector<Dense<T>> evaluate(const Pieces& op, const Operands<T>& inputs, const Operands<T>&) {
  const Dense<T>& x = inputs[0];
  const auto axis = static_cast<std::size_t>(
      op.axis < 0 ? op.axis + static_cast<std::int64_t>(x.shape.size()) : op.axis);
  std::vector<Dense<T>> pieces;
  std::int64_t first = 0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(op.count); ++k) {
    const std::int64_t most = (x.shape[axis] + op.count - 1) / op.count;
    Shape shape = x.shape;
    shape[axis] = op.sizes.empty() ? std::min(most, x.shape[axis] - first) : op.sizes[k];
    Dense<T> piece = Dense<T>::zeros(shape);
    for_each_index(shape, [&](std::vector<std::int64_t> at) {
      T& to = piece.at(at);
      at[axis] += first;
      to = x.at(at);
    });
    first += shape[axis];
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

/// The indices of an axis that a range takes, as ONNX words it.
inline std::vector<std::int64_t> taken(const Placement::Range& range, std::int64_t extent) {
  std::vector<std::int64_t> indices;
  const auto from_front = [&](std::int64_t at) { return at < 0 ? at + extent : at; };
  std::int64_t at = from_front(range.start), end = from_front(range.end);
  if (range.step > 0)
    for (at = std::max<std::int64_t>(at, 0); at < end && at < extent; at += range.step)
      indices.push_back(at);
  else
    for (at = std::min(at, extent - 1); at > end && at >= 0; at += range.step)
      indices.push_back(at);
  return indices;
}

template <class T>
Dense<T> evaluate(const Placement& op, const Operands<T>& inputs, const Operands<T>&) {
  using Function = Placement::Function;
  const Dense<T>& x = inputs[0];
  const auto rank = static_cast<std::int64_t>(x.shape.size());
  Shape shape = x.shape;
  Dense<T> y;
  switch (op.function) {
    case Function::slice: {
      std::vector<std::vector<std::int64_t>> indices;
      for (const std::int64_t extent : x.shape) indices.push_back(taken({0, 0, extent, 1}, extent));
      for (const Placement::Range& range : op.ranges) {
        const auto axis = static_cast<std::size_t>(range.axis < 0 ? range.axis + rank : range.axis);
        indices[axis] = taken(range, x.shape[axis]);
        shape[axis] = static_cast<std::int64_t>(indices[axis].size());
      }
      y = Dense<T>::zeros(shape);
      for_each_index(shape, [&](const std::vector<std::int64_t>& at) {
        std::vector<std::int64_t> from;
        for (std::size_t k = 0; k < at.size(); ++k)
          from.push_back(indices[k][static_cast<std::size_t>(at[k])]);
        y.at(at) = x.at(from);
      });
      break;
    }
    case Function::pad: {
      for (std::size_t k = 0; k < shape.size(); ++k)
        shape[k] += op.numbers[k] + op.numbers[shape.size() + k];
      y = Dense<T>::zeros(shape);
      for_each_index(shape, [&](const std::vector<std::int64_t>& at) {
        std::vector<std::int64_t> from = at;
        bool outside = false;
        for (std::size_t k = 0; k < at.size(); ++k) {
          const std::int64_t n = x.shape[k];
          std::int64_t& i = from[k];
          i -= op.numbers[k];
          outside = outside || i < 0 || i >= n;
          while (i < 0 || i >= n) {
            if (op.padding == Placement::Padding::reflect)
              i = i < 0 ? -i : 2 * (n - 1) - i;
            else if (op.padding == Placement::Padding::wrap)
              i += i < 0 ? n : -n;
            else
              i = i < 0 ? 0 : n - 1;
          }
        }
        y.at(at) = outside && op.padding == Placement::Padding::constant ? static_cast<T>(op.fill)
                                                                         : x.at(from);
      });
      break;
    }
    case Function::expand: {
      shape.assign(std::max(x.shape.size(), op.numbers.size()), 1);
      for (std::size_t back = 1; back <= shape.size(); ++back)
        for (const Shape& operand : {x.shape, op.numbers})
          if (back <= operand.size() && operand[operand.size() - back] != 1)
            shape[shape.size() - back] = operand[operand.size() - back];
      y = Dense<T>::zeros(shape);
      for_each_index(shape,
                     [&](const std::vector<std::int64_t>& at) { y.at(at) = x.stretched(at); });
      break;
    }
    case Function::tile: {
      for (std::size_t k = 0; k < shape.size(); ++k) shape[k] *= op.numbers[k];
      y = Dense<T>::zeros(shape);
      for_each_index(shape, [&](const std::vector<std::int64_t>& at) {
        std::vector<std::int64_t> from = at;
        for (std::size_t k = 0; k < at.size(); ++k) from[k] %= x.shape[k];
        y.at(at) = x.at(from);
      });
      break;
    }
    case Function::depth_to_space: {
      const std::int64_t b = op.numbers[0], C = x.shape[1] / (b * b);
      y = Dense<T>::zeros({x.shape[0], C, x.shape[2] * b, x.shape[3] * b});
      for_each_index(y.shape, [&](const std::vector<std::int64_t>& at) {
        const std::int64_t i = at[2] % b, j = at[3] % b;
        const std::int64_t k =
            op.depth == Placement::Depth::dcr ? (i * b + j) * C + at[1] : (at[1] * b + i) * b + j;
        y.at(at) = x.at({at[0], k, at[2] / b, at[3] / b});
      });
      break;
    }
    case Function::space_to_depth: {
      const std::int64_t b = op.numbers[0], C = x.shape[1];
      y = Dense<T>::zeros({x.shape[0], C * b * b, x.shape[2] / b, x.shape[3] / b});
      for_each_index(x.shape, [&](const std::vector<std::int64_t>& at) {
        const std::int64_t k = (at[2] % b * b + at[3] % b) * C + at[1];
        y.at({at[0], k, at[2] / b, at[3] / b}) = x.at(at);
      });
      break;
    }
  }
  return y;
}

template <class T>
Dense<T> evaluate(const Resize& op, const Operands<T>& inputs, const Operands<T>&) {
  using C = Resize::Coordinates;
  Dense<T> y = inputs[0];
  for (auto each = op.axes.rbegin(); each != op.axes.rend(); ++each) {
    const Dense<T> x = y;
    const auto axis = static_cast<std::size_t>(each->axis);
    const double in = static_cast<double>(x.shape[axis]), out = static_cast<double>(each->extent),
                 scale = each->scale;
    Shape shape = x.shape;
    shape[axis] = each->extent;
    y = Dense<T>::zeros(shape);
    for_each_index(shape, [&](const std::vector<std::int64_t>& at) {
      const auto i = static_cast<double>(at[axis]);
      double p = (i + 0.5) / scale - 0.5;
      if (op.coordinates == C::half_pixel_symmetric) p = in / 2 * (1 - out / (scale * in)) + p;
      if (op.coordinates == C::pytorch_half_pixel && out == 1) p = 0;
      if (op.coordinates == C::align_corners) p = out == 1 ? 0 : i * (in - 1) / (out - 1);
      if (op.coordinates == C::asymmetric) p = i / scale;
      if (op.coordinates == C::tf_half_pixel_for_nn) p = (i + 0.5) / scale;
      const auto read = [&](double place) {
        std::vector<std::int64_t> from = at;
        from[axis] = static_cast<std::int64_t>(std::max(0.0, std::min(in - 1, place)));
        return x.at(from);
      };
      if (op.mode == Resize::Mode::nearest) {
        using N = Resize::Nearest;
        y.at(at) = read(op.nearest == N::floor          ? std::floor(p)
                        : op.nearest == N::ceil         ? std::ceil(p)
                        : op.nearest == N::prefer_floor ? std::ceil(p - 0.5)
                                                        : std::floor(p + 0.5));
        return;
      }
      const bool excluded = op.outside == Resize::Outside::excluded;
      if (op.mode == Resize::Mode::linear && !excluded) p = std::max(0.0, std::min(in - 1, p));
      const double base = std::floor(p), t = p - base;
      std::vector<std::pair<double, double>> taps;  // place, weight
      if (op.mode == Resize::Mode::linear) {
        taps = {{base, 1 - t}, {base + 1, t}};
      } else {
        const auto a = static_cast<double>(op.cubic_a);
        const auto near = [&](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
        const auto far = [&](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
        taps = {{base - 1, far(1 + t)},
                {base, near(t)},
                {base + 1, near(1 - t)},
                {base + 2, far(2 - t)}};
      }
      if (excluded) {
        double sum = 0;
        for (auto& [place, weight] : taps) {
          if (place < 0 || place >= in) weight = 0;
          sum += weight;
        }
        for (auto& [place, weight] : taps) weight /= sum;
      }
      const auto weight_of = [&](std::size_t k) { return static_cast<T>(taps[k].second); };
      T sum = read(taps[0].first) * weight_of(0);
      for (std::size_t k = 1; k < taps.size(); ++k)
        sum = std::fma(read(taps[k].first), weight_of(k), sum);
      y.at(at) = sum;
    });
  }
  return y;
}

template <class T>
std::vector<Dense<T>> evaluate(const TopK& op, const Operands<T>& inputs, const Operands<T>&) {
  const Dense<T>& x = inputs[0];
  const auto axis = static_cast<std::size_t>(
      op.axis < 0 ? op.axis + static_cast<std::int64_t>(x.shape.size()) : op.axis);
  /// a greater than b, NaN greatest, +0 > -0.
  const auto greater = [](T a, T b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && !std::isnan(b);
    return a == b ? !std::signbit(a) && std::signbit(b) : a > b;
  };
  Shape shape = x.shape, rest = x.shape;
  shape[axis] = op.count;
  rest[axis] = 1;
  Dense<T> values = Dense<T>::zeros(shape), indices = values;
  for_each_index(rest, [&](std::vector<std::int64_t> at) {
    std::vector<std::int64_t> order;
    for (std::int64_t i = 0; i < x.shape[axis]; ++i) order.push_back(i);
    if (op.tie == TopK::Tie::highest) std::reverse(order.begin(), order.end());
    const auto element = [&](std::int64_t i) {
      at[axis] = i;
      return x.at(at);
    };
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
      const T a = element(i), b = element(j);
      return op.first == TopK::First::largest ? greater(a, b) : greater(b, a);
    });
    for (std::int64_t k = 0; k < op.count; ++k) {
      const std::int64_t chosen = order[static_cast<std::size_t>(k)];
      const T value = element(chosen);
      at[axis] = k;
      values.at(at) = value;
      indices.at(at) = static_cast<T>(chosen);
    }
  });
  if (op.results == TopK::Results::values_and_indices) return {values, indices};
  if (op.reduced == TopK::Axes::dropped)
    indices.shape.erase(indices.shape.begin() + static_cast<std::ptrdiff_t>(axis));
  return {indices};
}

/// What evaluate() gives, one per output.
template <class T>
std::vector<Dense<T>> all_outputs(Dense<T> only) {
  return {std::move(only)};
}
template <class T>
std::vector<Dense<T>> all_outputs(std::vector<Dense<T>> outputs) {
  return outputs;
}

}  // namespace parity::reference
