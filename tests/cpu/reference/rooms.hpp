#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
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

template <class T>
Dense<T> evaluate(const Unary& op, const Operands<T>& inputs, const Operands<T>&) {
  Dense<T> y = inputs[0];
  for (T& x : y.values) {
    if (op.function == Unary::Function::relu)
      x = x > 0 ? x : (std::isnan(x) ? x : T{0});
    else if constexpr (!std::is_same_v<T, long double>)
      x = elementary::sigmoid(x);
    else
      x = T{1} / (T{1} + std::exp(-x));
  }
  return y;
}

template <class T>
Dense<T> evaluate(const Binary& op, const Operands<T>& inputs, const Operands<T>& parameters) {
  const Dense<T>& a = inputs[0];
  const Dense<T>& b = parameters.empty() ? inputs[1] : parameters[0];
  Shape shape(std::max(a.shape.size(), b.shape.size()), 1);
  for (std::size_t back = 1; back <= shape.size(); ++back)
    for (const Shape& operand : {a.shape, b.shape})
      if (back <= operand.size() && operand[operand.size() - back] != 1)
        shape[shape.size() - back] = operand[operand.size() - back];
  Dense<T> y = Dense<T>::zeros(shape);
  for_each_index(shape, [&](const std::vector<std::int64_t>& index) {
    const T left = a.stretched(index), right = b.stretched(index);
    y.at(index) = op.function == Binary::Function::add ? left + right : left * right;
  });
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
    } else if (op.function == Reduce::Function::max) {
      result = terms[0];
      for (const T term : terms) result = maximum(result, term);
    } else {
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
