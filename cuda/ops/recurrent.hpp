#pragma once

#include <cstdint>

#include "cuda/api.hpp"
#include "model/arithmetic/recurrent_cell.hpp"

namespace parity::cuda {

enum class RecurrentPhase : std::int32_t {
  begin,  ///< the state from what is given
  reset,  ///< a GRU's z and r h, of which the last product is made
  cell,   ///< the new state, and its row of y
  end     ///< the states that the layer hands out
};

/// One phase of one step of one direction; element (n, i) of the state at n * H + i. Products lie gate by
/// gate: gx[(k * T * N + x_row) * H + i], gh[(k * N + n) * H + i], a GRU's product behind the reset in
/// gn[n * H + i]. Null where something is absent; b… are the bound's, in magnitudes only.
struct RecurrentArgument {
  RecurrentPhase phase;
  bool lstm, resets_first, magnitudes, batch_first, backward;
  std::int64_t T, N, H, D, d, s;
  CellForm form;
  const float* lengths;  ///< steps of each item, whole numbers; null: T
  const float *gx, *gh, *gn, *bx, *bh, *bn;
  const float* bias;       ///< of the direction: Wb, then Rb, gates * H elements each
  const float* peepholes;  ///< of the direction: of i, o, f
  const float *given_h, *given_c;
  float *h, *c, *z, *reset;
  float *h_error, *c_error, *z_error, *reset_error;
  float *operand, *reset_operand;  ///< what the bound's products are made of
  float *y, *y_h, *y_c;
};
Status launch_recurrent(const Queue& queue, const RecurrentArgument& argument);

}  // namespace parity::cuda
