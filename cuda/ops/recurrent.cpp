#include "model/ops/recurrent.hpp"

#include <algorithm>
#include <vector>

#include "cuda/elementwise.hpp"
#include "cuda/mac/run.hpp"
#include "cuda/ops.hpp"
#include "cuda/ops/recurrent.hpp"
#include "model/arithmetic/magnitude.hpp"

// The multiply-accumulate kernels (cuda/mac/) over 1x1 windows: x W^T of all steps in one launch, a matrix
// per gate, then per step h R^T and a kernel for what the gates do with it. Nothing waits on the host.
//
//   chain, chunk256, tensor:*   the algorithms are Conv2d's
//   magnitudes                  values by `chain` and beside them each state's error

namespace parity::cuda {
namespace {

namespace place = recurrent_parameter;

/// Memory of one run.
class Scratch {
 public:
  explicit Scratch(Session& session) : session_(session) {}
  float* floats(std::int64_t count) {
    kept_.push_back(session_.take(static_cast<std::size_t>(count) * sizeof(float)));
    return static_cast<float*>(kept_.back().get());
  }

 private:
  Session& session_;
  std::vector<std::shared_ptr<void>> kept_;
};

/// A parameter as given, whatever the reading; null where it is absent.
const float* given(std::size_t parameter, const Job& job) {
  const std::shared_ptr<const Tensor>& tensor = job.parameters[parameter];
  if (!tensor) return nullptr;
  return job.packs.get({tensor}, "as given", job.session, [&] {
    const auto values = tensor->values<float>();
    return std::vector<float>(values.begin(), values.end());
  });
}

/// One product per gate of gates [first, first + count) of direction d: y[k] = x W_k^T.
void products(const RecurrentExtents& e, std::size_t parameter, std::int64_t d, std::int64_t first,
              std::int64_t count, std::int64_t rows, const float* x, float* y, Reading reading,
              const Job& job) {
  Job taken = job;
  taken.reading = reading;
  const std::int64_t K = job.parameters[parameter]->shape()[2];
  MacWeights weights;
  weights.parameter = job.parameters[parameter];
  weights.strides = {0, 0, 1, K};
  weights.matrices = e.D * e.G;
  weights.matrix = e.H * K;
  Window window;
  window.IC = K;
  window.OC = e.H;
  window.IW = window.OW = rows;
  std::vector<MacItem> items;
  for (std::int64_t k = 0; k < count; ++k)
    items.push_back({0, k * rows * e.H, d * e.G + first + k});
  run_mac(window, x, weights, items, {}, y, taken);
}

void run_direction(const Recurrent& op, const RecurrentExtents& e, std::int64_t d, const float* x,
                   const float* magnitudes, RecurrentArgument a, Scratch& scratch, const Job& job) {
  const std::int64_t states = e.N * e.H, together = a.resets_first ? 2 : e.G;
  const auto per_state = [&](bool wanted) { return wanted ? scratch.floats(states) : nullptr; };
  a.d = d;
  a.form = form_of(op, e, d);
  a.backward = op.direction == Recurrent::Direction::reverse || d == 1;
  if (a.bias != nullptr) a.bias += d * 2 * e.G * e.H;
  if (a.peepholes != nullptr) a.peepholes += d * 3 * e.H;
  float* const gx = scratch.floats(e.G * e.T * states);
  float* const bx = a.magnitudes ? scratch.floats(e.G * e.T * states) : nullptr;
  float* const gh = scratch.floats(together * states);
  float* const bh = a.magnitudes ? scratch.floats(together * states) : nullptr;
  float* const gn = per_state(a.resets_first);
  float* const bn = per_state(a.resets_first && a.magnitudes);
  a.gx = gx;
  a.bx = bx;
  a.gh = gh;
  a.bh = bh;
  a.gn = gn;
  a.bn = bn;
  a.h = per_state(true);
  a.c = per_state(a.lstm);
  a.z = per_state(a.resets_first);
  a.reset = per_state(a.resets_first);
  a.h_error = per_state(a.magnitudes);
  a.c_error = per_state(a.magnitudes && a.lstm);
  a.z_error = per_state(a.magnitudes && a.resets_first);
  a.operand = per_state(a.magnitudes);
  a.reset_operand = per_state(a.magnitudes && a.resets_first);

  const auto phase = [&](RecurrentPhase which) {
    a.phase = which;
    job.check(launch_recurrent(job.queue(), a), "launching a step of a recurrent layer");
  };
  products(e, place::weights, d, 0, e.G, e.T * e.N, x, gx, Reading::values, job);
  if (a.magnitudes)
    products(e, place::weights, d, 0, e.G, e.T * e.N, magnitudes, bx, Reading::magnitudes, job);
  phase(RecurrentPhase::begin);
  for (a.s = 0; a.s < e.T; ++a.s) {
    products(e, place::recurrence, d, 0, together, e.N, a.h, gh, Reading::values, job);
    if (a.magnitudes)
      products(e, place::recurrence, d, 0, together, e.N, a.operand, bh, Reading::magnitudes, job);
    if (a.resets_first) {
      phase(RecurrentPhase::reset);
      products(e, place::recurrence, d, 2, 1, e.N, a.reset, gn, Reading::values, job);
      if (a.magnitudes)
        products(e, place::recurrence, d, 2, 1, e.N, a.reset_operand, bn, Reading::magnitudes, job);
    }
    phase(RecurrentPhase::cell);
  }
  phase(RecurrentPhase::end);
}

}  // namespace

std::vector<Value> run(const Recurrent& op, const Job& job) {
  const RecurrentExtents e =
      extents(op, job.inputs[0].shape(), job.parameters[place::recurrence]->shape());
  const Elements<float> x = elements<float>(job.inputs[0], Layout::row_major, job.session);
  Scratch scratch(job.session);
  RecurrentArgument a{};
  a.lstm = op.cell == Recurrent::Cell::lstm;
  a.resets_first = !a.lstm && op.reset == Recurrent::Reset::before_the_product;
  a.magnitudes = job.magnitudes();
  a.batch_first = op.axes == Recurrent::Axes::batch_first;
  a.T = e.T;
  a.N = e.N;
  a.H = e.H;
  a.D = e.D;
  a.bias = given(place::bias, job);
  a.peepholes = given(place::peepholes, job);
  // As floats, which hold every number of steps that fits in memory.
  if (!op.lengths.empty())
    a.lengths = job.packs.get({job.op}, "lengths", job.session, [&] {
      return std::vector<float>(op.lengths.begin(), op.lengths.end());
    });
  std::vector<Elements<float>> states;
  const auto initial = [&](Recurrent::Initial from, std::size_t parameter) -> const float* {
    if (from != Recurrent::Initial::value) return given(parameter, job);
    states.push_back(
        elements<float>(job.inputs[1 + states.size()], Layout::row_major, job.session));
    return states.back().data;
  };
  a.given_h = initial(op.state, place::state);
  a.given_c = initial(op.memory, place::memory);
  std::vector<Fresh> made;
  float* places[3] = {};
  for (std::size_t k = 0; k < op.outputs.size(); ++k) {
    made.emplace_back(job.outputs[k], Layout::row_major, job.session);
    places[op.outputs[k]] = made.back().data<float>();
  }
  a.y = places[0];
  a.y_h = places[1];
  a.y_c = places[2];
  float* magnitudes = nullptr;
  if (a.magnitudes) {
    magnitudes = scratch.floats(e.T * e.N * e.I);
    job.check(launch_magnitude(job.queue(), {x.data, magnitudes, e.T * e.N * e.I}),
              "launching the magnitudes of a recurrent layer's input");
  }
  for (std::int64_t d = 0; d < e.D; ++d)
    run_direction(op, e, d, x.data, magnitudes, a, scratch, job);
  std::vector<Value> values;
  for (Fresh& each : made) values.push_back(std::move(each).value());
  return values;
}

}  // namespace parity::cuda
