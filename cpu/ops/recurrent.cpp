#include "model/ops/recurrent.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cpu/cells.hpp"
#include "cpu/mac/run.hpp"
#include "cpu/ops.hpp"
#include "model/arithmetic/elementary.hpp"
#include "model/arithmetic/magnitude.hpp"

// The multiply-accumulate engine (cpu/mac/) over 1x1 windows: x W^T of all steps at once, then per step
// h R^T, whose pixels are the items; biases are epilogue steps of both. Weights are packed once. What the
// gates do with the products is cpu/cells.hpp's.
//
//   chain, chunk256, tensor:*, gemm:eigen   the algorithms are Conv2d's
//   fp64         the same in double, functions from libm
//   magnitudes   values by `chain` and beside them each state's error (recurrent_cell.hpp)

namespace parity::cpu {
namespace {

namespace place = recurrent_parameter;
namespace cell = recurrent;

/// The operations of recurrent_cell.hpp.
struct FloatCell : elementary::HostArithmetic {
  static float sigmoid(float x) { return elementary::sigmoid(x); }
  static float tanh(float x) { return elementary::tanh(x); }
};

enum class Read { as_given, absolute };

/// The rows of some gates of one direction's weights, ready to be multiplied with.
class Product {
 public:
  Product(const RecurrentExtents& e, std::size_t parameter, std::int64_t d, std::int64_t first,
          std::int64_t count, Read read, const Job& job)
      : contract_(job.contract) {
    const Tensor& weights = *job.parameters[parameter];
    window_.IC = weights.shape()[2];
    window_.OC = count * e.H;
    const std::int64_t skipped = (d * e.G + first) * e.H * window_.IC;
    const float* data = weights.values<float>().data() + skipped;
    const auto made = [&](const float* from) {
      return pack(contract_, window_, Weights<float>{from, 0, 0, 1, window_.IC});
    };
    if (read == Read::as_given && !job.magnitudes()) {
      packed_ = &job.packs.get(job.parameters[parameter],
                               packing(contract_) + " from row " + std::to_string(skipped) + " " +
                                   std::to_string(count) + " gates",
                               [&] { return made(data); });
      return;
    }
    // For this run alone: magnitudes are wanted once per stage.
    std::vector<float> values(data, data + window_.OC * window_.IC);
    if (read == Read::absolute)
      for (float& value : values) value = magnitude_operand(value);
    own_ = made(values.data());
    packed_ = own_.get();
  }

  /// y = bias + x W^T, row by row.
  template <class T>
  void run(std::int64_t rows, const T* x, const Epilogue<T>& bias, T* y,
           const Execution& execution) const {
    Window window = window_;
    window.IW = window.OW = rows;
    // A product this small is over before a team of threads is there.
    constexpr std::int64_t worth_a_team = std::int64_t{1} << 17;
    Execution taken = execution;
    if (rows * window.IC * window.OC < worth_a_team) taken.threads = 1;
    run_packed(contract_, window, x, *packed_, bias, y, taken);
  }

 private:
  Contract contract_;
  Window window_;
  std::unique_ptr<const Packed> own_;
  const Packed* packed_ = nullptr;
};

/// Part of a direction's bias, from element `first` on, as an epilogue; none where it has none.
template <class T>
Epilogue<T> bias_step(const Job& job, std::int64_t first, std::int64_t count) {
  if (!job.parameters[place::bias]) return {};
  const float* const values = job.parameters[place::bias]->values<float>().data() + first;
  return {EpilogueStep<T>{EpilogueStep<T>::Kind::add, {values, values + count}, {}}};
}

/// The initial state of direction d by items; zeros where there is none.
template <class T>
std::vector<T> initial(Recurrent::Initial from, std::size_t parameter, std::size_t input,
                       const RecurrentExtents& e, std::int64_t d, const Job& job) {
  std::vector<T> state(static_cast<std::size_t>(e.N * e.H), T{0});
  if (from == Recurrent::Initial::zero) return state;
  Elements<T> given;
  std::span<const float> constant;
  if (from == Recurrent::Initial::value)
    given = elements<T>(job.inputs[input], Layout::row_major, job.execution);
  else
    constant = job.parameters[parameter]->values<float>();
  for (std::int64_t n = 0; n < e.N; ++n)
    for (std::int64_t i = 0; i < e.H; ++i) {
      const std::int64_t at = e.state_row(d, n) * e.H + i;
      state[static_cast<std::size_t>(n * e.H + i)] =
          from == Recurrent::Initial::value
              ? given.data[at]
              : static_cast<T>(constant[static_cast<std::size_t>(at)]);
    }
  return state;
}
template <class T>
std::vector<T> initial_state(const Recurrent& op, const RecurrentExtents& e, std::int64_t d,
                             const Job& job) {
  return initial<T>(op.state, place::state, 1, e, d, job);
}
template <class T>
std::vector<T> initial_memory(const Recurrent& op, const RecurrentExtents& e, std::int64_t d,
                              const Job& job) {
  return initial<T>(op.memory, place::memory, op.state == Recurrent::Initial::value ? 2 : 1, e, d,
                    job);
}

/// The places of the op's outputs; null where it does not make them.
template <class T>
struct Outputs {
  Outputs(const Recurrent& op, const Job& job) {
    for (std::size_t k = 0; k < op.outputs.size(); ++k) {
      fresh.emplace_back(job.outputs[k], Layout::row_major, &job.memory);
      T* const data = fresh.back().template data<T>();
      (op.outputs[k] == 0 ? y : op.outputs[k] == 1 ? h : c) = data;
      // Steps beyond an item's length are never written.
      if (op.outputs[k] == 0 && !op.lengths.empty())
        std::fill_n(data, element_count(job.outputs[k].shape), T{0});
    }
  }
  std::vector<Value> values() && {
    std::vector<Value> all;
    for (Fresh& each : fresh) all.push_back(std::move(each).value());
    return all;
  }
  std::vector<Fresh> fresh;
  T *y = nullptr, *h = nullptr, *c = nullptr;
};

/// Those of direction d; empty where the layer has none.
template <class T>
std::vector<T> peepholes_of(const RecurrentExtents& e, std::int64_t d, const Job& job) {
  if (!job.parameters[place::peepholes]) return {};
  const float* const first = job.parameters[place::peepholes]->values<float>().data() + d * 3 * e.H;
  return {first, first + 3 * e.H};
}

/// One direction. Products carry their biases, so the cell adds none.
template <class T>
void run_direction(const Recurrent& op, const RecurrentExtents& e, std::int64_t d, const T* x,
                   Outputs<T>& made, const Job& job) {
  const bool gru = op.cell == Recurrent::Cell::gru;
  const bool resets_first = gru && op.reset == Recurrent::Reset::before_the_product;
  const std::int64_t rows = e.G * e.H, together = resets_first ? 2 : e.G;
  const std::int64_t biases = d * 2 * rows;
  const CellForm form = form_of(op, e, d);
  const std::vector<T> peepholes = peepholes_of<T>(e, d, job);
  const CellKernels<T>& cells = cell_kernels<T>(job.execution.instruction_set);

  std::vector<T> gx(static_cast<std::size_t>(e.T * e.N * rows));
  Product(e, place::weights, d, 0, e.G, Read::as_given, job)
      .run(e.T * e.N, x, bias_step<T>(job, biases, rows), gx.data(), job.execution);
  const Product recurrence(e, place::recurrence, d, 0, together, Read::as_given, job);
  const Epilogue<T> bias = bias_step<T>(job, biases + rows, together * e.H);
  std::optional<Product> last;
  Epilogue<T> last_bias;
  if (resets_first) {
    last.emplace(e, place::recurrence, d, 2, 1, Read::as_given, job);
    last_bias = bias_step<T>(job, biases + rows + 2 * e.H, e.H);
  }

  std::vector<T> h = initial_state<T>(op, e, d, job), c = initial_memory<T>(op, e, d, job);
  std::vector<T> gh(static_cast<std::size_t>(e.N * together * e.H));
  std::vector<T> z(resets_first ? h.size() : 0), reset(z.size()), gn(z.size());
  // each(t, the products of item n, its part of a state): for the items that have a step s.
  const auto for_each_item = [&](std::int64_t s, const auto& each) {
    for (std::int64_t n = 0; n < e.N; ++n)
      if (const std::int64_t t = step_of(op, e, d, n, s); t >= 0)
        each(t, n, gx.data() + e.x_row(t, n) * rows, gh.data() + n * together * e.H, n * e.H);
  };
  for (std::int64_t s = 0; s < e.T; ++s) {
    recurrence.run(e.N, h.data(), bias, gh.data(), job.execution);
    if (resets_first) {
      for_each_item(
          s, [&](std::int64_t, std::int64_t, const T* x_of, const T* h_of, std::int64_t at) {
            cells.gru_reset(form, x_of, h_of, h.data() + at, z.data() + at, reset.data() + at, e.H);
          });
      last->run(e.N, reset.data(), last_bias, gn.data(), job.execution);
    }
    for_each_item(
        s, [&](std::int64_t t, std::int64_t n, const T* x_of, const T* h_of, std::int64_t at) {
          if (resets_first)
            cells.gru_after_reset(form, x_of, gn.data() + at, z.data() + at, h.data() + at, e.H);
          else if (gru)
            cells.gru(form, x_of, h_of, h.data() + at, e.H);
          else
            cells.lstm(form, x_of, h_of, peepholes.empty() ? nullptr : peepholes.data(),
                       h.data() + at, c.data() + at, e.H);
          if (made.y != nullptr) std::copy_n(h.data() + at, e.H, made.y + e.y_row(t, d, n) * e.H);
        });
  }
  for (std::int64_t n = 0; n < e.N; ++n) {
    if (made.h != nullptr) std::copy_n(h.data() + n * e.H, e.H, made.h + e.state_row(d, n) * e.H);
    if (made.c != nullptr) std::copy_n(c.data() + n * e.H, e.H, made.c + e.state_row(d, n) * e.H);
  }
}

/// One direction of the bound: the same walk with each state's error beside it.
void bound_direction(const Recurrent& op, const RecurrentExtents& e, std::int64_t d, const float* x,
                     const float* magnitudes, Outputs<float>& made, const Job& job) {
  using A = FloatCell;
  const bool gru = op.cell == Recurrent::Cell::gru;
  const bool resets_first = gru && op.reset == Recurrent::Reset::before_the_product;
  const std::int64_t rows = e.G * e.H, together = resets_first ? 2 : e.G;
  const CellForm form = form_of(op, e, d);
  const bool biased = job.parameters[place::bias] != nullptr;
  const std::vector<float> peepholes = peepholes_of<float>(e, d, job);
  const bool peeps = !peepholes.empty();
  std::vector<float> biases(static_cast<std::size_t>(2 * rows), 0.0F);
  if (biased)
    std::copy_n(job.parameters[place::bias]->values<float>().data() + d * 2 * rows, 2 * rows,
                biases.data());

  const auto product = [&](std::size_t parameter, std::int64_t first, std::int64_t count,
                           Read read) { return Product(e, parameter, d, first, count, read, job); };
  std::vector<float> gx(static_cast<std::size_t>(e.T * e.N * rows)), bx(gx.size());
  product(place::weights, 0, e.G, Read::as_given)
      .run<float>(e.T * e.N, x, {}, gx.data(), job.execution);
  product(place::weights, 0, e.G, Read::absolute)
      .run<float>(e.T * e.N, magnitudes, {}, bx.data(), job.execution);
  const Product recurrence = product(place::recurrence, 0, together, Read::as_given);
  const Product absolute = product(place::recurrence, 0, together, Read::absolute);
  std::optional<Product> last, last_absolute;
  if (resets_first) {
    last.emplace(product(place::recurrence, 2, 1, Read::as_given));
    last_absolute.emplace(product(place::recurrence, 2, 1, Read::absolute));
  }

  const std::vector<float> h0 = initial_state<float>(op, e, d, job),
                           c0 = initial_memory<float>(op, e, d, job);
  const auto states = static_cast<std::size_t>(e.N * e.H);
  std::vector<Bounded> h(states), c(states), z(states), reset(states, Bounded{0, 0});
  for (std::size_t i = 0; i < states; ++i) {
    h[i] = {h0[i], 0};
    c[i] = {c0[i], 0};
  }
  std::vector<float> gh(static_cast<std::size_t>(e.N * together * e.H)), bh(gh.size());
  std::vector<float> gn(states), bn(states), read(states), operand(states);
  const auto multiply = [&](const std::vector<Bounded>& by, const Product& value,
                            const Product& bound, std::vector<float>& to,
                            std::vector<float>& bounds) {
    for (std::size_t i = 0; i < states; ++i) {
      read[i] = by[i].value;
      operand[i] = magnitude_operand(cell::bound_operand<A>(by[i]));
    }
    value.run<float>(e.N, read.data(), {}, to.data(), job.execution);
    bound.run<float>(e.N, operand.data(), {}, bounds.data(), job.execution);
  };
  for (std::int64_t s = 0; s < e.T; ++s) {
    multiply(h, recurrence, absolute, gh, bh);
    const auto terms = [&](std::int64_t k, std::int64_t t, std::int64_t n, std::int64_t i) {
      const bool apart = resets_first && k == 2;
      const auto in = static_cast<std::size_t>(e.x_row(t, n) * rows + k * e.H + i);
      const auto at = static_cast<std::size_t>(apart ? n * e.H + i : (n * together + k) * e.H + i);
      const auto bias = static_cast<std::size_t>(k * e.H + i);
      return std::pair(GateTerms<float>{gx[in], (apart ? gn : gh)[at], biases[bias],
                                        biases[static_cast<std::size_t>(rows) + bias]},
                       GateBound{bx[in], (apart ? bn : bh)[at]});
    };
    if (resets_first) {
      for (std::int64_t n = 0; n < e.N; ++n) {
        const std::int64_t t = step_of(op, e, d, n, s);
        for (std::int64_t i = 0; i < e.H; ++i) {
          const auto at = static_cast<std::size_t>(n * e.H + i);
          reset[at] = {0, 0};
          if (t < 0) continue;
          const auto zt = terms(0, t, n, i), rt = terms(1, t, n, i);
          const GateTerms<float> gates[2] = {zt.first, rt.first};
          const GateBound bounds[2] = {zt.second, rt.second};
          const GruReset<Bounded> made_of = cell::gru_reset<A>(gates, bounds, h[at], form, biased);
          z[at] = made_of.z;
          reset[at] = made_of.state;
        }
      }
      multiply(reset, *last, *last_absolute, gn, bn);
    }
    for (std::int64_t n = 0; n < e.N; ++n) {
      const std::int64_t t = step_of(op, e, d, n, s);
      if (t < 0) continue;
      for (std::int64_t i = 0; i < e.H; ++i) {
        const auto at = static_cast<std::size_t>(n * e.H + i);
        if (resets_first) {
          const auto [gate, bound] = terms(2, t, n, i);
          h[at] = cell::gru_after_reset<A>(gate, bound, z[at], h[at], form, biased);
        } else {
          GateTerms<float> gates[4];
          GateBound bounds[4];
          for (std::int64_t k = 0; k < e.G; ++k) std::tie(gates[k], bounds[k]) = terms(k, t, n, i);
          if (gru) {
            const GateTerms<float> three[3] = {gates[0], gates[1], gates[2]};
            const GateBound three_bounds[3] = {bounds[0], bounds[1], bounds[2]};
            h[at] = cell::gru<A>(three, three_bounds, h[at], form, biased);
          } else {
            const auto peephole = [&](std::int64_t k) {
              return peeps ? peepholes[static_cast<std::size_t>(k * e.H + i)] : 0.0F;
            };
            const float seen[3] = {peephole(0), peephole(1), peephole(2)};
            const LstmState<Bounded> next =
                cell::lstm<A>(gates, bounds, seen, c[at], form, biased, peeps);
            h[at] = next.h;
            c[at] = next.c;
          }
        }
        if (made.y != nullptr) made.y[e.y_row(t, d, n) * e.H + i] = cell::state_magnitude<A>(h[at]);
      }
    }
  }
  for (std::int64_t n = 0; n < e.N; ++n)
    for (std::int64_t i = 0; i < e.H; ++i) {
      const auto at = static_cast<std::size_t>(n * e.H + i);
      const std::int64_t to = e.state_row(d, n) * e.H + i;
      if (made.h != nullptr) made.h[to] = cell::state_magnitude<A>(h[at]);
      if (made.c != nullptr) made.c[to] = cell::state_magnitude<A>(c[at]);
    }
}

template <class T>
std::vector<Value> run_layer(const Recurrent& op, const Job& job) {
  const RecurrentExtents e =
      extents(op, job.inputs[0].shape(), job.parameters[place::recurrence]->shape());
  const Elements<T> x = elements<T>(job.inputs[0], Layout::row_major, job.execution, &job.memory);
  Outputs<T> made(op, job);
  for (std::int64_t d = 0; d < e.D; ++d) run_direction<T>(op, e, d, x.data, made, job);
  return std::move(made).values();
}

std::vector<Value> bound_layer(const Recurrent& op, const Job& job) {
  const RecurrentExtents e =
      extents(op, job.inputs[0].shape(), job.parameters[place::recurrence]->shape());
  const Elements<float> x =
      elements<float>(job.inputs[0], Layout::row_major, job.execution, &job.memory);
  std::vector<float> magnitudes(x.data, x.data + e.T * e.N * e.I);
  for (float& value : magnitudes) value = magnitude_operand(value);
  Outputs<float> made(op, job);
  for (std::int64_t d = 0; d < e.D; ++d)
    bound_direction(op, e, d, x.data, magnitudes.data(), made, job);
  return std::move(made).values();
}

}  // namespace

std::vector<Value> run(const Recurrent& op, const Job& job) {
  if (job.magnitudes()) return bound_layer(op, job);
  return job.in_double() ? run_layer<double>(op, job) : run_layer<float>(op, job);
}

}  // namespace parity::cpu
