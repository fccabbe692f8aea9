#include "model/ops/normalization.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/ops.hpp"
#include "cpu/rows.hpp"
#include "cpu/threads.hpp"

// A row at a time (cpu/rows.hpp), in ONNX order of memory. Where a group has several channels and space,
// its elements are first put in the contract's order, pixel by pixel.
//
//   lanes32      mean and variance, deviations kept in place of y between the passes
//   fp64         the same in double
//   magnitudes   the bound of model/arithmetic/normalization_bound.hpp, in double

namespace parity::cpu {
namespace {

struct DoubleArithmetic {
  static double add(double a, double b) { return a + b; }
  static double mul(double a, double b) { return a * b; }
  static double div(double a, double b) { return a / b; }
  static double sqrt(double a) { return std::sqrt(a); }
};

/// gamma and beta in T; beta empty where there is none.
template <class T>
struct Affine {
  explicit Affine(const Job& job) {
    const auto read = [](const Tensor& tensor) {
      const auto values = tensor.values<float>();
      return std::vector<T>(values.begin(), values.end());
    };
    gamma = read(*job.parameters[0]);
    if (job.parameters[1]) beta = read(*job.parameters[1]);
  }
  const T* beta_at(std::int64_t i) const { return beta.empty() ? nullptr : beta.data() + i; }
  std::vector<T> gamma, beta;
};

/// The places of the op's outputs; null where it does not make them.
template <class T>
struct Outputs {
  Outputs(const Normalization& op, const Job& job) {
    for (std::size_t k = 0; k < op.outputs.size(); ++k) {
      fresh.emplace_back(job.outputs[k], Layout::row_major, &job.memory);
      (op.outputs[k] == 0 ? y : op.outputs[k] == 1 ? mean : q) = fresh.back().template data<T>();
    }
  }
  std::vector<Value> values() && {
    std::vector<Value> all;
    for (Fresh& each : fresh) all.push_back(std::move(each).value());
    return all;
  }
  std::vector<Fresh> fresh;
  T *y = nullptr, *mean = nullptr, *q = nullptr;
};

/// to[p * C + c] = from[c * P + p], and the way back.
template <class T>
void by_pixel(const T* from, T* to, std::int64_t C, std::int64_t P) {
  for (std::int64_t p = 0; p < P; ++p)
    for (std::int64_t c = 0; c < C; ++c) to[p * C + c] = from[c * P + p];
}

template <class T>
std::vector<Value> normalize(const Normalization& op, const Job& job) {
  const NormalizationExtents e = extents(op, job.inputs[0].shape());
  const Elements<T> x = elements<T>(job.inputs[0], Layout::row_major, job.execution, &job.memory);
  const Affine<T> affine(job);
  Outputs<T> made(op, job);
  const RowKernels<T>& rows = row_kernels<T>(job.execution.instruction_set);
  const auto n = static_cast<T>(e.n());
  const auto epsilon = static_cast<T>(op.epsilon);
  const bool apart = e.C > 1 && e.P > 1;
  parallel_for(e.rows(), 1, job.execution.threads, [&](std::int64_t first, std::int64_t last) {
    std::vector<T> scratch(static_cast<std::size_t>(apart ? e.n() : 0)), none;
    if (made.y == nullptr) none.resize(static_cast<std::size_t>(e.n()));
    for (std::int64_t row = first; row < last; ++row) {
      const T* in = x.data + row * e.n();
      T* const y = made.y != nullptr ? made.y + row * e.n() : none.data();
      if (apart) {
        by_pixel(in, scratch.data(), e.C, e.P);
        in = scratch.data();
      }
      T* const d = apart ? scratch.data() : y;
      const T m = rows.sum(in, e.n()) / n;
      const T v = rows.deviate(in, m, d, e.n()) / n;
      const T q = T{1} / std::sqrt(v + epsilon);
      if (made.mean != nullptr) made.mean[row] = m;
      if (made.q != nullptr) made.q[row] = q;
      if (apart) by_pixel(scratch.data(), y, e.P, e.C);
      const std::int64_t channel = row % e.G * e.C;
      if (e.P == 1) {
        rows.scale(y, q, affine.gamma.data() + channel, affine.beta_at(channel), 1, y, e.C);
        continue;
      }
      for (std::int64_t c = 0; c < e.C; ++c)
        rows.scale(y + c * e.P, q, affine.gamma.data() + channel + c, affine.beta_at(channel + c),
                   0, y + c * e.P, e.P);
    }
  });
  return std::move(made).values();
}

std::vector<Value> magnitudes(const Normalization& op, const Job& job) {
  const NormalizationExtents e = extents(op, job.inputs[0].shape());
  const NormalizationBound bound = normalization_bound(op, job.inputs[0].shape());
  const Elements<double> x =
      elements<double>(job.inputs[0], Layout::row_major, job.execution, &job.memory);
  const Affine<double> affine(job);
  Outputs<float> made(op, job);
  const RowKernels<double>& rows = row_kernels<double>(job.execution.instruction_set);
  parallel_for(e.rows(), 1, job.execution.threads, [&](std::int64_t first, std::int64_t last) {
    std::vector<double> scratch(static_cast<std::size_t>(e.n())), deviations(scratch.size());
    for (std::int64_t row = first; row < last; ++row) {
      const double* const in = x.data + row * e.n();
      by_pixel(in, scratch.data(), e.C, e.P);
      const double mean = rows.sum(scratch.data(), e.n()) / bound.count;
      const NormalizedRow told = normalized_row<DoubleArithmetic>(
          bound, mean, rows.absolute_sum(scratch.data(), e.n()),
          rows.deviate(scratch.data(), mean, deviations.data(), e.n()));
      if (made.mean != nullptr)
        made.mean[row] = static_cast<float>(mean_magnitude<DoubleArithmetic>(told));
      if (made.q != nullptr)
        made.q[row] = static_cast<float>(deviation_magnitude<DoubleArithmetic>(told));
      if (made.y == nullptr) continue;
      for (std::int64_t i = 0; i < e.n(); ++i) {
        const auto channel = static_cast<std::size_t>(row % e.G * e.C + i / e.P);
        made.y[row * e.n() + i] = static_cast<float>(normalized_magnitude<DoubleArithmetic>(
            told, in[i], affine.gamma[channel], affine.beta.empty() ? 0 : affine.beta[channel]));
      }
    }
  });
  return std::move(made).values();
}

}  // namespace

std::vector<Value> run(const Normalization& op, const Job& job) {
  if (job.magnitudes()) return magnitudes(op, job);
  return job.in_double() ? normalize<double>(op, job) : normalize<float>(op, job);
}

}  // namespace parity::cpu
