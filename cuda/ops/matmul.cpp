#include "model/ops/matmul.hpp"

#include <algorithm>
#include <cmath>

#include "cuda/elementwise.hpp"
#include "cuda/mac/run.hpp"
#include "cuda/movement.hpp"
#include "cuda/ops/binary.hpp"
#include "cuda/walk_of.hpp"
#include "model/arithmetic/magnitude.hpp"
#include "model/shapes.hpp"

// The product of the contract: the multiply-accumulate kernels (cuda/mac/) over a 1x1 Window whose
// pixels are the rows of the left operand and whose weights are the right one; the algorithms are
// Conv2d's. One launch for the whole stack; one window for all rows when every matrix meets the same
// right operand.
//
//   alpha, c    epilogue steps where c is one number or one per column, else a pass of their own
//   magnitudes  |alpha| sum |a||b| + |beta c|

namespace parity::cuda {
namespace {

const MatMul::Stored transposed = MatMul::Stored::transposed;

/// The rows of the left operand on the device, as the MAC reads them; kept alive by `value`.
Elements<float> rows_of(const ProductOperand& left, const MatMul& op, const ProductExtents& e,
                        const Job& job) {
  Elements<float> rows;
  if (left.value != nullptr) {
    rows = elements<float>(*left.value, Layout::row_major, job.session);
  } else {
    const bool magnitudes = job.magnitudes();
    rows.data = job.packs.get({left.parameter}, magnitudes ? "magnitude operands" : "as given",
                              job.session, [&] {
                                const auto values = left.parameter->values<float>();
                                std::vector<float> read(values.begin(), values.end());
                                if (magnitudes)
                                  for (float& value : read) value = magnitude_operand(value);
                                return read;
                              });
  }
  if (op.left != transposed) return rows;
  Fresh fresh({Type::float32, left.shape()}, Layout::row_major, job.session);
  job.check(launch_transpose(job.queue(), {rows.data, fresh.data<float>(),
                                           element_count(e.left_batch), e.K, e.M, sizeof(float)}),
            "transposing the left operand of a product");
  const float* const data = fresh.data<float>();
  return {std::move(fresh).value(), data};
}

/// Gemm's c as it is added, on the device: beta * c, one rounding, where beta != 1.
struct Addend {
  Value value;  ///< keeps `data` alive, when it is not a parameter's
  const float* data = nullptr;
  std::int64_t row = 0, column = 0;  ///< strides
};
Addend addend_of(const MatMul& op, const ProductOperand& operand, const Job& job) {
  Addend addend;
  if (operand.value != nullptr) {
    const Elements<float> c = elements<float>(*operand.value, Layout::row_major, job.session);
    addend.value = c.value;
    addend.data = c.data;
  } else {
    addend.data = parameter_data(operand.parameter, job);
  }
  const std::vector<std::int64_t> strides = broadcast_strides(operand.shape(), 2);
  addend.row = strides[0];
  addend.column = strides[1];
  const float beta = job.magnitudes() ? std::abs(op.beta) : op.beta;
  if (beta == 1) return addend;
  const std::int64_t count = element_count(operand.shape());
  Fresh scaled({Type::float32, {count}}, Layout::row_major, job.session);
  ElementwiseArgument a{addend.data, scaled.data<float>(), count, 1, 1, {}};
  a.epilogue.steps[0] = on_device({parity::EpilogueStep<float>::Kind::mul, {beta}, {}},
                                  {job.op, operand.parameter}, job.reading, job.packs, job.session);
  a.epilogue.count = 1;
  job.check(launch_elementwise(job.queue(), a), "scaling the addend of a Gemm");
  addend.data = scaled.data<float>();
  addend.value = std::move(scaled).value();
  return addend;
}

/// y[m, n] += c[m, n], c stretched.
void add(const Addend& addend, const ProductExtents& e, float* y, const Job& job) {
  const std::vector<std::int64_t> extents{e.M, e.N};
  const Walked walked =
      walk_of(extents, {{e.N, 1}, {addend.row, addend.column}}, "the addend of a Gemm");
  job.check(launch_binary(job.queue(), BinaryArgument<float>{y, addend.data, y, e.M * e.N,
                                                             walked.walk, walked.steps[0],
                                                             walked.steps[1], BinaryFunction::sum}),
            "adding the addend of a Gemm");
}

bool has_constants_per_channel(const Epilogue& epilogue) {
  return std::any_of(epilogue.steps, epilogue.steps + epilogue.count,
                     [](const EpilogueStep& step) { return step.stride != 0; });
}

}  // namespace

Value run(const MatMul& op, const Job& job) {
  const ProductOperands<ProductOperand> operand = operands(op, job.inputs, job.parameters);
  const ProductExtents e = extents(op, operand.left.shape(), operand.right.shape());
  Fresh fresh = job.fresh(Layout::row_major);
  auto* const y = fresh.data<float>();

  Epilogue fused;
  const auto append = [&](const EpilogueStep& step) { fused.steps[fused.count++] = step; };
  if (op.alpha != 1)
    append(on_device({parity::EpilogueStep<float>::Kind::mul,
                      {job.magnitudes() ? std::abs(op.alpha) : op.alpha},
                      {}},
                     {job.op}, job.reading, job.packs, job.session));
  std::optional<Addend> addend;
  if (operand.addend) addend = addend_of(op, *operand.addend, job);
  const bool adds_columns = addend && addend->row == 0;
  if (adds_columns)
    append({EpilogueStep::Kind::add, addend->column == 0 ? 0 : 1, addend->data, nullptr});
  // The kernels' channels are the columns; those of the steps that ride along are axis 1.
  const bool columns_are_axis_1 =
      job.output.shape.size() == 2 && e.batch.empty() && operand.right.shape().size() > 1;
  const bool all_fuse = (!addend || adds_columns) &&
                        (columns_are_axis_1 || !has_constants_per_channel(job.epilogue)) &&
                        fused.count + job.epilogue.count <= Epilogue::most_steps;
  if (all_fuse) fused = followed(fused, job.epilogue);

  const Elements<float> left = rows_of(operand.left, op, e, job);
  MacWeights weights;
  Elements<float> right;
  if (operand.right.value != nullptr) {
    right = elements<float>(*operand.right.value, Layout::row_major, job.session);
    weights.value = right.data;
  } else {
    weights.parameter = operand.right.parameter;
  }
  // b[k, n] row-major, or b[n, k] when stored transposed
  const bool turned = op.right == transposed;
  weights.strides = {0, 0, turned ? 1 : e.N, turned ? e.K : 1};
  weights.matrices = element_count(e.right_batch);
  weights.matrix = e.K * e.N;

  const std::int64_t stack = element_count(e.batch);
  const bool one_right = weights.matrices == 1 && e.left_batch == e.batch;
  Window window;
  window.IC = e.K;
  window.OC = e.N;
  window.IW = window.OW = one_right ? stack * e.M : e.M;
  std::vector<MacItem> items;
  if (!one_right) {
    const std::vector<std::int64_t> lefts = matrices(e.left_batch, e.batch),
                                    rights = matrices(e.right_batch, e.batch);
    for (std::size_t i = 0; i < lefts.size(); ++i)
      items.push_back({lefts[i] * e.M * e.K, static_cast<std::int64_t>(i) * e.M * e.N, rights[i]});
  }
  if (element_count(job.output.shape) > 0)
    run_mac(window, left.data, weights, items, fused, y, job);
  if (addend && !adds_columns) add(*addend, e, y, job);
  if (!all_fuse && job.epilogue.count > 0) {
    const Shape& shape = job.output.shape;
    job.check(launch_elementwise(job.queue(),
                                 {y, y, element_count(shape), element_count(shape, 2, shape.size()),
                                  shape[1], job.epilogue}),
              "launching what rides on a product");
  }
  return std::move(fresh).value();
}

}  // namespace parity::cuda
