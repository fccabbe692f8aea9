#include "model/ops/matmul.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "cpu/mac/exact_sum.hpp"
#include "cpu/mac/run.hpp"
#include "cpu/ops.hpp"
#include "cpu/parameter.hpp"
#include "cpu/threads.hpp"
#include "model/arithmetic/bounds.hpp"
#include "model/shapes.hpp"

// The product of the contract: the multiply-accumulate engine (cpu/mac/) over a 1x1 Window whose
// pixels are the rows of the left operand and whose weights are the right one; the algorithms are
// Conv2d's. One window per matrix of the stack, one for all rows when every matrix meets the same
// right operand: no sum crosses a row, so the bits are the same.
//
//   alpha, c    epilogue steps where c is one number or one per column, else a pass of their own
//   magnitudes  |alpha| sum |a||b| + |beta c|

namespace parity::cpu {
namespace {

const MatMul::Stored transposed = MatMul::Stored::transposed;

/// The elements of an operand of the product, row-major; parameters in magnitudes as the MAC reads
/// them.
template <class T>
Elements<T> elements_of(const ProductOperand& operand, const Job& job) {
  if (operand.value != nullptr)
    return elements<T>(*operand.value, Layout::row_major, job.execution);
  Fresh fresh({type_of<T>(), operand.shape()}, Layout::row_major);
  T* out = fresh.data<T>();
  for (const float x : operand.parameter->values<float>())
    *out++ = job.magnitudes() ? magnitude_operand(x) : x;
  const T* const data = fresh.data<T>();
  return {std::move(fresh).value(), data};
}

/// to[m, k] = from[k, m]: the engine reads rows.
template <class T>
void transpose(const T* from, T* to, std::int64_t M, std::int64_t K) {
  for (std::int64_t m = 0; m < M; ++m)
    for (std::int64_t k = 0; k < K; ++k) to[m * K + k] = from[k * M + m];
}

/// A right operand's matrices, each packed when first met.
template <class T>
class RightOperand {
 public:
  RightOperand(const ProductOperand& operand, const ProductExtents& e, MatMul::Stored stored,
               const Job& job)
      : operand_(operand), e_(e), stored_(stored), job_(job) {
    if (operand.value != nullptr || job.magnitudes()) elements_ = elements_of<T>(operand, job);
  }

  const Packed& matrix(std::int64_t index, const Window& window) {
    if (elements_.data == nullptr)
      return job_.packs.get(
          operand_.parameter, packing(job_.contract) + " matrix " + std::to_string(index), [&] {
            return pack(job_.contract, window,
                        weights(operand_.parameter->template values<float>().data(), index));
          });
    std::unique_ptr<const Packed>& packed = packed_[index];
    if (packed == nullptr) packed = pack(job_.contract, window, weights(elements_.data, index));
    return *packed;
  }

 private:
  template <class W>
  Weights<W> weights(const W* data, std::int64_t index) const {
    // b[k, n] row-major, or b[n, k] when stored transposed
    const bool turned = stored_ == transposed;
    return {data + index * e_.K * e_.N, 0, 0, turned ? 1 : e_.N, turned ? e_.K : 1};
  }

  const ProductOperand& operand_;
  const ProductExtents& e_;
  MatMul::Stored stored_;
  const Job& job_;
  Elements<T> elements_;
  std::map<std::int64_t, std::unique_ptr<const Packed>> packed_;
};

/// Applies steps whose constants vary along axis 1 to a row-major tensor.
template <class T>
void apply_along_axis_1(const Epilogue<T>& epilogue, const Shape& shape, T* y,
                        const Execution& execution) {
  if (epilogue.empty()) return;
  const std::int64_t C = shape[1], plane = element_count(shape, 2, shape.size());
  parallel_for(shape[0] * C, 1, execution.threads, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const auto c = static_cast<std::size_t>(i % C);
      Epilogue<T> here = epilogue;
      for (EpilogueStep<T>& step : here) {
        if (step.a.size() > 1) step.a = {step.a[c]};
        if (step.b.size() > 1) step.b = {step.b[c]};
      }
      apply(here, y + i * plane, plane, 0, execution.instruction_set);
    }
  });
}

template <class T>
const Epilogue<T>& riders(const Job& job) {
  if constexpr (std::is_same_v<T, double>)
    return job.epilogue64;
  else
    return job.epilogue32;
}

/// Gemm's c as it is added: beta * c, one rounding, where beta != 1.
template <class T>
struct Addend {
  Elements<T> c;
  std::int64_t row = 0, column = 0;  ///< strides
  T beta{1};

  T at(std::int64_t m, std::int64_t n) const {
    const T value = c.data[m * row + n * column];
    return beta == T{1} ? value : beta * value;
  }
};
template <class T>
std::optional<Addend<T>> addend_of(const MatMul& op, const std::optional<ProductOperand>& operand,
                                   const Job& job) {
  if (!operand) return std::nullopt;
  Addend<T> addend;
  if (operand->value != nullptr) {
    addend.c = elements<T>(*operand->value, Layout::row_major, job.execution);
  } else {
    addend.c.value = parameter_value<T>(*operand->parameter, job.reading);
    addend.c.data = static_cast<const T*>(storage_of(addend.c.value).data());
  }
  const std::vector<std::int64_t> strides = broadcast_strides(operand->shape(), 2);
  addend.row = strides[0];
  addend.column = strides[1];
  addend.beta = job.magnitudes() ? std::abs(op.beta) : op.beta;
  return addend;
}

template <class T>
Value product(const MatMul& op, const Job& job) {
  using Kind = typename EpilogueStep<T>::Kind;
  const ProductOperands<ProductOperand> operand = operands(op, job.inputs, job.parameters);
  const ProductExtents e = extents(op, operand.left.shape(), operand.right.shape());
  Fresh fresh(job.output, Layout::row_major, &job.memory);
  T* const y = fresh.data<T>();

  Epilogue<T> fused;
  if (op.alpha != 1)
    fused.push_back({Kind::mul, {job.magnitudes() ? std::abs(T{op.alpha}) : T{op.alpha}}, {}});
  const std::optional<Addend<T>> addend = addend_of<T>(op, operand.addend, job);
  const bool adds_columns = addend && addend->row == 0;
  if (adds_columns) {
    EpilogueStep<T> add{Kind::add, {}, {}};
    for (std::int64_t n = 0; n < (addend->column == 0 ? 1 : e.N); ++n)
      add.a.push_back(addend->at(0, n));
    fused.push_back(std::move(add));
  }
  // The engine's channels are the columns; those of the steps that ride along are axis 1.
  const Epilogue<T>& riding = riders<T>(job);
  const bool columns_are_axis_1 =
      job.output.shape.size() == 2 && e.batch.empty() && operand.right.shape().size() > 1;
  const bool all_fuse =
      (!addend || adds_columns) &&
      (columns_are_axis_1 || std::all_of(riding.begin(), riding.end(), [](const auto& step) {
         return step.a.size() <= 1 && step.b.size() <= 1;
       }));
  if (all_fuse) fused.insert(fused.end(), riding.begin(), riding.end());

  const Elements<T> left = elements_of<T>(operand.left, job);
  RightOperand<T> right(operand.right, e, op.right, job);
  const std::int64_t stack = element_count(e.batch);
  const bool one_right =
      element_count(e.right_batch) == 1 && e.left_batch == e.batch && op.left != transposed;
  Window window;
  window.IC = e.K;
  window.OC = e.N;
  window.IW = window.OW = one_right ? stack * e.M : e.M;
  if (one_right) {
    run_packed(job.contract, window, left.data, right.matrix(0, window), fused, y, job.execution);
  } else {
    const std::vector<std::int64_t> lefts = matrices(e.left_batch, e.batch),
                                    rights = matrices(e.right_batch, e.batch);
    std::vector<T> turned(op.left == transposed ? static_cast<std::size_t>(e.M * e.K) : 0);
    for (std::size_t i = 0; i < lefts.size(); ++i) {
      const T* a = left.data + lefts[i] * e.M * e.K;
      if (op.left == transposed) {
        transpose(a, turned.data(), e.M, e.K);
        a = turned.data();
      }
      run_packed(job.contract, window, a, right.matrix(rights[i], window), fused,
                 y + static_cast<std::int64_t>(i) * e.M * e.N, job.execution);
    }
  }
  if (addend && !adds_columns)
    for (std::int64_t m = 0; m < e.M; ++m)
      for (std::int64_t n = 0; n < e.N; ++n) y[m * e.N + n] += addend->at(m, n);
  if (!all_fuse) apply_along_axis_1(riding, job.output.shape, y, job.execution);
  return std::move(fresh).value();
}

}  // namespace

Value run(const MatMul& op, const Job& job) {
  return job.in_double() ? product<double>(op, job) : product<float>(op, job);
}

std::vector<ExactElement> exact_at(const MatMul& op, const Job& job,
                                   std::span<const std::int64_t> indices, NoiseWanted wanted) {
  const ProductOperands<ProductOperand> operand = operands(op, job.inputs, job.parameters);
  const ProductExtents e = extents(op, operand.left.shape(), operand.right.shape());
  const Elements<float> left = elements_of<float>(operand.left, job),
                        right = elements_of<float>(operand.right, job);
  const std::optional<Addend<double>> addend = addend_of<double>(op, operand.addend, job);
  const std::vector<std::int64_t> lefts = matrices(e.left_batch, e.batch),
                                  rights = matrices(e.right_batch, e.batch);
  // a[m, k] and b[k, n] as stored
  const std::int64_t am = op.left == transposed ? 1 : e.K, ak = op.left == transposed ? e.M : 1;
  const std::int64_t bk = op.right == transposed ? 1 : e.N, bn = op.right == transposed ? e.K : 1;
  std::vector<ExactElement> result(indices.size());
  parallel_for(static_cast<std::int64_t>(indices.size()), 16, job.execution.threads,
               [&](std::int64_t first, std::int64_t last) {
                 std::vector<float> row;  // of a left operand that is stored transposed
                 std::vector<float> column(static_cast<std::size_t>(e.K));
                 for (std::int64_t at = first; at < last; ++at) {
                   const std::int64_t index = indices[static_cast<std::size_t>(at)];
                   const auto i = static_cast<std::size_t>(index / (e.M * e.N));
                   const std::int64_t m = index / e.N % e.M, n = index % e.N;
                   const float* a = left.data + lefts[i] * e.M * e.K + m * am;
                   const float* const b = right.data + rights[i] * e.K * e.N + n * bn;
                   if (ak != 1) {
                     row.resize(static_cast<std::size_t>(e.K));
                     for (std::int64_t k = 0; k < e.K; ++k)
                       row[static_cast<std::size_t>(k)] = a[k * ak];
                     a = row.data();
                   }
                   ExactSum sum(wanted, job.execution.instruction_set);
                   for (std::int64_t k = 0; k < e.K; ++k)
                     column[static_cast<std::size_t>(k)] = b[k * bk];
                   sum.add(a, column.data(), e.K);
                   ExactElement y = sum.element();
                   const auto rounds = [&](double value) {
                     y.value = value;
                     y.epilogue += rounding_variance(value);
                   };
                   if (op.alpha != 1) {
                     y.gain = static_cast<double>(op.alpha);
                     rounds(y.value * y.gain);
                   }
                   if (addend) rounds(y.value + addend->at(m, n));
                   result[static_cast<std::size_t>(at)] = y;
                 }
               });
  return result;
}

}  // namespace parity::cpu
