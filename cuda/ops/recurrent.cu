#include "cuda/arithmetic.hpp"
#include "cuda/grid.hpp"
#include "cuda/ops/recurrent.hpp"
#include "model/arithmetic/magnitude.hpp"

// A thread per element of the state. What a step adds to its products is one sequence per element
// (model/arithmetic/recurrent_cell.hpp).

namespace parity::cuda {
namespace {

namespace cell = recurrent;

struct DeviceCell : DeviceArithmetic {
  __host__ __device__ static float sigmoid(float x) {
    return sequences::sigmoid<DeviceArithmetic>(x);
  }
  __host__ __device__ static float tanh(float x) { return sequences::tanh<DeviceArithmetic>(x); }
};

/// Which step item n takes now; below 0: none any more.
__device__ __forceinline__ std::int64_t step_of(const RecurrentArgument& a, std::int64_t n) {
  const std::int64_t length = a.lengths != nullptr ? static_cast<std::int64_t>(a.lengths[n]) : a.T;
  if (a.s >= length) return -1;
  return a.backward ? length - 1 - a.s : a.s;
}
__device__ __forceinline__ std::int64_t state_row(const RecurrentArgument& a, std::int64_t n) {
  return a.batch_first ? n * a.D + a.d : a.d * a.N + n;
}
__device__ __forceinline__ std::int64_t y_row(const RecurrentArgument& a, std::int64_t t,
                                              std::int64_t n) {
  return a.batch_first ? (n * a.T + t) * a.D + a.d : (t * a.D + a.d) * a.N + n;
}

/// What gate k of element (n, i) reads at step t.
struct Terms {
  GateTerms<float> values;
  GateBound bounds;
};
__device__ __forceinline__ Terms terms(const RecurrentArgument& a, int k, std::int64_t t,
                                       std::int64_t n, std::int64_t i) {
  const int gates = a.lstm ? 4 : 3;
  const bool apart = a.resets_first && k == 2;
  const std::int64_t row = a.batch_first ? n * a.T + t : t * a.N + n;
  const std::int64_t in = (k * a.T * a.N + row) * a.H + i;
  const std::int64_t at = apart ? n * a.H + i : (k * a.N + n) * a.H + i;
  Terms result{{a.gx[in], (apart ? a.gn : a.gh)[at], 0.0F, 0.0F}, {0.0F, 0.0F}};
  if (a.bias != nullptr) {
    result.values.wb = a.bias[k * a.H + i];
    result.values.rb = a.bias[(gates + k) * a.H + i];
  }
  if (a.magnitudes) result.bounds = {a.bx[in], (apart ? a.bn : a.bh)[at]};
  return result;
}

__device__ __forceinline__ void begin(const RecurrentArgument& a, std::int64_t n, std::int64_t i) {
  const std::int64_t at = n * a.H + i, from = state_row(a, n) * a.H + i;
  a.h[at] = a.given_h != nullptr ? a.given_h[from] : 0.0F;
  if (a.lstm) a.c[at] = a.given_c != nullptr ? a.given_c[from] : 0.0F;
  if (!a.magnitudes) return;
  a.h_error[at] = 0.0F;
  if (a.lstm) a.c_error[at] = 0.0F;
  a.operand[at] = magnitude_operand(cell::bound_operand<DeviceCell>({a.h[at], 0.0F}));
}

__device__ __forceinline__ void reset(const RecurrentArgument& a, std::int64_t n, std::int64_t i) {
  const std::int64_t at = n * a.H + i, t = step_of(a, n);
  const bool biased = a.bias != nullptr;
  Bounded state{0.0F, 0.0F};
  if (t >= 0) {
    const Terms z = terms(a, 0, t, n, i), r = terms(a, 1, t, n, i);
    const GateTerms<float> gates[2] = {z.values, r.values};
    if (a.magnitudes) {
      const GateBound bounds[2] = {z.bounds, r.bounds};
      const GruReset<Bounded> made = cell::gru_reset<DeviceCell>(
          gates, bounds, Bounded{a.h[at], a.h_error[at]}, a.form, biased);
      a.z[at] = made.z.value;
      a.z_error[at] = made.z.error;
      state = made.state;
    } else {
      const GruReset<float> made = cell::gru_reset<DeviceCell>(gates, a.h[at], a.form, biased);
      a.z[at] = made.z;
      state.value = made.state;
    }
  }
  a.reset[at] = state.value;
  if (a.magnitudes) a.reset_operand[at] = magnitude_operand(cell::bound_operand<DeviceCell>(state));
}

__device__ __forceinline__ Bounded next_gru(const RecurrentArgument& a, std::int64_t t,
                                            std::int64_t n, std::int64_t i) {
  const std::int64_t at = n * a.H + i;
  const bool biased = a.bias != nullptr;
  const Terms last = terms(a, 2, t, n, i);
  if (a.resets_first) {
    if (a.magnitudes)
      return cell::gru_after_reset<DeviceCell>(last.values, last.bounds,
                                               Bounded{a.z[at], a.z_error[at]},
                                               Bounded{a.h[at], a.h_error[at]}, a.form, biased);
    return {cell::gru_after_reset<DeviceCell>(last.values, a.z[at], a.h[at], a.form, biased), 0.0F};
  }
  const Terms z = terms(a, 0, t, n, i), r = terms(a, 1, t, n, i);
  const GateTerms<float> gates[3] = {z.values, r.values, last.values};
  const GateBound bounds[3] = {z.bounds, r.bounds, last.bounds};
  if (a.magnitudes)
    return cell::gru<DeviceCell>(gates, bounds, Bounded{a.h[at], a.h_error[at]}, a.form, biased);
  return {cell::gru<DeviceCell>(gates, a.h[at], a.form, biased), 0.0F};
}

__device__ __forceinline__ LstmState<Bounded> next_lstm(const RecurrentArgument& a, std::int64_t t,
                                                        std::int64_t n, std::int64_t i) {
  const std::int64_t at = n * a.H + i;
  const bool biased = a.bias != nullptr, peeps = a.peepholes != nullptr;
  GateTerms<float> gates[4];
  GateBound bounds[4];
  for (int k = 0; k < 4; ++k) {
    const Terms term = terms(a, k, t, n, i);
    gates[k] = term.values;
    bounds[k] = term.bounds;
  }
  float seen[3] = {0.0F, 0.0F, 0.0F};
  if (peeps)
    for (int k = 0; k < 3; ++k) seen[k] = a.peepholes[k * a.H + i];
  if (a.magnitudes)
    return cell::lstm<DeviceCell>(gates, bounds, seen, Bounded{a.c[at], a.c_error[at]}, a.form,
                                  biased, peeps);
  const LstmState<float> next = cell::lstm<DeviceCell>(gates, seen, a.c[at], a.form, biased, peeps);
  return {{next.h, 0.0F}, {next.c, 0.0F}};
}

__device__ __forceinline__ void step(const RecurrentArgument& a, std::int64_t n, std::int64_t i) {
  const std::int64_t at = n * a.H + i, t = step_of(a, n);
  if (t < 0) {  // row s lies beyond the item's length
    if (a.y != nullptr) a.y[y_row(a, a.s, n) * a.H + i] = 0.0F;
    return;
  }
  Bounded h;
  if (a.lstm) {
    const LstmState<Bounded> next = next_lstm(a, t, n, i);
    h = next.h;
    a.c[at] = next.c.value;
    if (a.magnitudes) a.c_error[at] = next.c.error;
  } else {
    h = next_gru(a, t, n, i);
  }
  a.h[at] = h.value;
  if (a.magnitudes) {
    a.h_error[at] = h.error;
    a.operand[at] = magnitude_operand(cell::bound_operand<DeviceCell>(h));
  }
  if (a.y != nullptr)
    a.y[y_row(a, t, n) * a.H + i] = a.magnitudes ? cell::state_magnitude<DeviceCell>(h) : h.value;
}

__device__ __forceinline__ void end(const RecurrentArgument& a, std::int64_t n, std::int64_t i) {
  const std::int64_t at = n * a.H + i, to = state_row(a, n) * a.H + i;
  if (a.y_h != nullptr)
    a.y_h[to] =
        a.magnitudes ? cell::state_magnitude<DeviceCell>(Bounded{a.h[at], a.h_error[at]}) : a.h[at];
  if (a.y_c != nullptr)
    a.y_c[to] =
        a.magnitudes ? cell::state_magnitude<DeviceCell>(Bounded{a.c[at], a.c_error[at]}) : a.c[at];
}

__global__ void __launch_bounds__(threads_per_block) recurrent_step(RecurrentArgument a) {
  for (std::int64_t at = first_index(); at < a.N * a.H; at += index_step()) {
    const std::int64_t n = at / a.H, i = at % a.H;
    switch (a.phase) {
      case RecurrentPhase::begin:
        begin(a, n, i);
        break;
      case RecurrentPhase::reset:
        reset(a, n, i);
        break;
      case RecurrentPhase::cell:
        step(a, n, i);
        break;
      case RecurrentPhase::end:
        end(a, n, i);
        break;
    }
  }
}

}  // namespace

Status launch_recurrent(const Queue& queue, const RecurrentArgument& a) {
  return launch(queue, "recurrent step", recurrent_step, blocks_for(a.N * a.H), {threads_per_block},
                0, a);
}

}  // namespace parity::cuda
