#include <algorithm>
#include <optional>

#include "cuda/elementwise.hpp"
#include "cuda/mac/plan.hpp"
#include "cuda/mac/run.hpp"

namespace parity::cuda {
namespace {

/// Gathered taps and products held at a time, unless one pixel alone needs more.
constexpr std::int64_t most_gathered_bytes = std::int64_t{64} << 20;

std::shared_ptr<void> floats(std::int64_t count, const Job& job) {
  return job.session.take(static_cast<std::size_t>(count) * sizeof(float));
}

std::int64_t taps_of(const MacAxis& rows, const MacAxis& columns) {
  return static_cast<std::int64_t>(rows.taps) * columns.taps;
}

/// One window by the library, item after item.
class Products {
 public:
  Products(const Window& window, const MacWeights& weights, const Job& job)
      : window_(window), weights_(weights), job_(job), library_(job.session.library()) {
    const std::optional<MacClasses> classes = classes_of(window);
    if (!classes)
      throw Error(
          Fault::bad_request,
          "gemm:cublas takes windows whose pixels and channels are numbered in 31 bits, and "
          "this one's are not; ask for chain, which takes any.");
    classes_ = *classes;
    workspace_bytes_ = static_cast<std::size_t>(job.execution.workspace_bytes);
    if (workspace_bytes_ > 0) workspace_ = job.session.take(workspace_bytes_);
    // Of one channel no stride is kept from row to row, as a library demands of matrices.
    as_stored_ =
        window.KH * window.KW == 1 && weights.strides.oc == 1 && weights.strides.ic >= window.OC;
    if (as_stored_) stored_ = stored(weights, job);
  }

  /// y = x w without an epilogue; `matrix`: which of a stack of weights.
  void run(const float* x, std::int64_t matrix, float* y) {
    for (std::size_t r = 0; r < classes_.rows.size(); ++r)
      for (std::size_t c = 0; c < classes_.columns.size(); ++c) run_class(x, matrix, y, r, c);
  }

 private:
  /// Whether the pixels of the class are rows of x as they lie there.
  bool gathered_already(const MacAxis& rows, const MacAxis& columns) const {
    return window_.direction == Window::Direction::forward && taps_of(rows, columns) == 1 &&
           window_.sh == 1 && window_.sw == 1 && window_.ph == 0 && window_.pw == 0 &&
           window_.OH == window_.IH && window_.OW == window_.IW;
  }

  void run_class(const float* x, std::int64_t matrix, float* y, std::size_t r, std::size_t c) {
    const MacAxis &rows = classes_.rows[r], &columns = classes_.columns[c];
    const std::int64_t pixels = window_.N * rows.count * columns.count;
    const std::int64_t depth = taps_of(rows, columns) * window_.IC;
    if (pixels == 0 || window_.OC == 0) return;
    const bool in_place = classes_.rows.size() * classes_.columns.size() == 1 && depth > 0;
    const bool as_it_lies = gathered_already(rows, columns);
    const std::int64_t pixel_bytes = static_cast<std::int64_t>(sizeof(float)) *
                                     ((as_it_lies ? 0 : depth) + (in_place ? 0 : window_.OC));
    const std::int64_t step =
        pixel_bytes == 0 ? pixels
                         : std::clamp<std::int64_t>(most_gathered_bytes / pixel_bytes, 1, pixels);
    const std::shared_ptr<void> taps =
                                    as_it_lies || depth == 0 ? nullptr : floats(step * depth, job_),
                                made = in_place ? nullptr : floats(step * window_.OC, job_);
    const OnDevice w = depth == 0 ? OnDevice{} : weights_of_class(r, c);
    const std::int64_t x_pixel = window_.G * window_.IC, y_pixel = window_.G * window_.OC;
    const auto i = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
    for (std::int64_t g = 0; g < window_.G; ++g)
      for (std::int64_t first = 0; first < pixels; first += step) {
        const std::int64_t count = std::min(step, pixels - first);
        Gemm product;
        product.rows = count;
        product.columns = window_.OC;
        product.depth = depth;
        product.x = x + g * window_.IC + first * x_pixel;
        product.x_row = x_pixel;
        if (taps) {
          auto* const to = static_cast<float*>(taps.get());
          job_.check(launch_gather_taps(job_.queue(),
                                        {x + g * window_.IC, x_pixel, i(window_.IC), i(window_.IH),
                                         i(window_.IW), rows, columns, first, count, to}),
                     "gathering the taps of a product");
          product.x = to;
          product.x_row = depth;
        }
        product.w = w.data + matrix_at(matrix, g, depth);
        product.w_row = as_stored_ ? weights_.strides.ic : window_.OC;
        auto* const to = static_cast<float*>(made.get());
        product.y = in_place ? y + g * window_.OC + first * y_pixel : to;
        product.y_row = in_place ? y_pixel : window_.OC;
        product.math = job_.contract.rounding ? Gemm::Math::tf32 : Gemm::Math::fp32;
        product.workspace = workspace_.get();
        product.workspace_bytes = workspace_bytes_;
        if (depth > 0)
          job_.check(job_.session.api().gemm(library_, product, job_.queue().stream),
                     "launching a product of cuBLAS");
        else  // no tap: a sum of nothing
          job_.check(job_.session.api().fill(
                         to, 0, static_cast<std::size_t>(count * window_.OC) * sizeof(float),
                         job_.queue().stream),
                     "clearing outputs without a tap");
        if (!in_place)
          job_.check(launch_place_outputs(
                         job_.queue(), {to, y + g * window_.OC, y_pixel, i(window_.OC),
                                        i(window_.OH), i(window_.OW), rows, columns, first, count}),
                     "placing what a product made");
      }
  }

  /// Where the weights of a matrix or group start in what weights_of_class() gives.
  std::int64_t matrix_at(std::int64_t matrix, std::int64_t g, std::int64_t depth) const {
    if (as_stored_) return matrix * weights_.matrix + g * weights_.strides.g;
    return (weights_.matrices > 1 ? matrix : g) * depth * window_.OC;
  }

  /// [matrix or group][t*IC + ic][oc], or as stored where that is such a matrix. A parameter's are kept.
  OnDevice weights_of_class(std::size_t r, std::size_t c) {
    if (as_stored_) return stored_;
    const auto i = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
    GatherWeightsArgument a{};
    a.rows = classes_.rows[r];
    a.columns = classes_.columns[c];
    a.strides = weights_.strides;
    a.G = i(window_.G);
    if (weights_.matrices > 1) {
      a.G = i(weights_.matrices);
      a.strides.g = weights_.matrix;
    }
    a.IC = i(window_.IC);
    a.OC = i(window_.OC);
    a.KW = i(window_.KW);
    const std::int64_t count = a.G * taps_of(a.rows, a.columns) * window_.IC * window_.OC;
    const auto write = [&](float* to) {
      const OnDevice from = stored(weights_, job_);
      a.w = from.data;
      a.to = to;
      job_.check(launch_gather_weights(job_.queue(), a), "gathering the weights of a product");
    };
    if (weights_.value != nullptr) {
      std::shared_ptr<void> memory = floats(count, job_);
      write(static_cast<float*>(memory.get()));
      return {static_cast<const float*>(memory.get()), std::move(memory)};
    }
    const std::string packing = "matrices of class " + std::to_string(r) + ", " + std::to_string(c);
    return {job_.packs.get({weights_.parameter}, packing, job_.session,
                           static_cast<std::size_t>(count), write),
            nullptr};
  }

  const Window& window_;
  const MacWeights& weights_;
  const Job& job_;
  Library library_;
  MacClasses classes_;
  std::shared_ptr<void> workspace_;
  std::size_t workspace_bytes_ = 0;
  bool as_stored_ = false;
  OnDevice stored_;
};

}  // namespace

void run_gemm(const Window& window, const float* x, const MacWeights& weights,
              const std::vector<MacItem>& items, const Epilogue& epilogue, float* y,
              const Job& job) {
  Products products(window, weights, job);
  const std::int64_t channels = window.G * window.OC;
  const std::int64_t elements = window.N * window.OH * window.OW * channels;
  const auto one = [&](const float* x_of, std::int64_t matrix, float* y_of) {
    products.run(x_of, matrix, y_of);
    if (epilogue.count > 0 && elements > 0)
      job.check(launch_elementwise(job.queue(), {y_of, y_of, elements, 1, channels, epilogue}),
                "launching what follows a product");
  };
  if (items.empty()) one(x, 0, y);
  for (const MacItem& item : items) one(x + item.x, item.weights, y + item.y);
}

}  // namespace parity::cuda
