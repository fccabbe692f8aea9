// The threads are the walker's: Eigen's own would split by their count.
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>
#include <algorithm>
#include <vector>

#include "cpu/mac/packed.hpp"
#include "cpu/mac/walk.hpp"

// `gemm:eigen`: the window gathered into a matrix, a block of output pixels at a time, times the
// weights. Eigen blocks k by the cache sizes it finds and adds partial sums, so the bits repeat run
// to run on one machine and promise no more. The blocks depend on the window alone: neither the
// threads nor their number change the shape of a product.

namespace parity::cpu {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

class EigenWeights final : public Packed {
 public:
  EigenWeights(const Window& window, const Weights<float>& w) : packed_for_(window) {
    const std::int64_t taps = window.KH * window.KW;
    groups_.reserve(static_cast<std::size_t>(window.G));
    for (std::int64_t g = 0; g < window.G; ++g) {
      Matrix& group = groups_.emplace_back(taps * window.IC, window.OC);
      for (std::int64_t tap = 0; tap < taps; ++tap)
        for (std::int64_t ic = 0; ic < window.IC; ++ic)
          for (std::int64_t oc = 0; oc < window.OC; ++oc)
            group(tap * window.IC + ic, oc) =
                w.data[g * w.stride_g + tap * w.stride_tap + ic * w.stride_ic + oc * w.stride_oc];
    }
  }
  const Window& packed_for() const { return packed_for_; }
  /// [tap * IC + ic, oc]
  const Matrix& group(std::int64_t g) const { return groups_[static_cast<std::size_t>(g)]; }

 private:
  Window packed_for_;
  std::vector<Matrix> groups_;
};

/// One worker's matrices.
struct Scratch {
  Matrix x, w, y;
};

/// Output pixels of a block: the gathered inputs stay within 1 MiB, unless one pixel alone needs
/// more.
int block_pixels(const Window& window) {
  constexpr std::int64_t elements = (1 << 20) / sizeof(float);
  const std::int64_t row = std::max<std::int64_t>(1, window.KH * window.KW * window.IC);
  return static_cast<int>(std::clamp<std::int64_t>(elements / row, 1, 1024));
}

}  // namespace

std::unique_ptr<const Packed> pack_eigen(const Window& window, const Weights<float>& w) {
  return std::make_unique<const EigenWeights>(window, w);
}

void run_eigen(const Window& window, const float* x, const Packed& packed,
               const Epilogue<float>& epilogue, float* y, const Execution& execution) {
  const EigenWeights& weights = packed_as<EigenWeights>(packed, window, "gemm:eigen");
  std::vector<Panel> groups;
  for (std::int64_t g = 0; g < window.G; ++g) groups.push_back({g, 0, window.OC});
  std::vector<Scratch> scratch(static_cast<std::size_t>(std::max(1, execution.threads)));
  const std::int64_t IC = window.IC;
  walk<float>(window, x, y, groups, block_pixels(window), ZeroTaps::listed, execution,
              [&](const Tile<float>& tile, std::size_t g, int worker) {
                Scratch& s = scratch[static_cast<std::size_t>(worker)];
                const std::int64_t K = tile.taps * IC;
                s.x.resize(tile.pixels, K);
                for (int t = 0; t < tile.taps; ++t)
                  for (int p = 0; p < tile.pixels; ++p)
                    std::copy_n(tile.x[t * tile.pixels + p], IC, s.x.data() + p * K + t * IC);
                const Matrix& all = weights.group(static_cast<std::int64_t>(g));
                if (K == all.rows()) {
                  s.y.noalias() = s.x * all;
                } else {  // a transposed window lists some of the taps
                  s.w.resize(K, window.OC);
                  for (int t = 0; t < tile.taps; ++t)
                    s.w.middleRows(t * IC, IC) = all.middleRows(tile.tap[t] * IC, IC);
                  s.y.noalias() = s.x * s.w;
                }
                for (int p = 0; p < tile.pixels; ++p) {
                  std::copy_n(s.y.data() + p * window.OC, window.OC, tile.y[p]);
                  apply(epilogue, tile.y[p], window.OC, static_cast<std::int64_t>(g) * window.OC,
                        execution.instruction_set);
                }
              });
}

}  // namespace parity::cpu
