#include "cuda/mac/run.hpp"

#include <algorithm>
#include <optional>

#include "cuda/mac/plan.hpp"

namespace parity::cuda {
namespace {

MacOrder order_of(const Contract& contract) {
  switch (contract.algorithm) {
    case Algorithm::chain:
      return MacOrder::chain;
    case Algorithm::chunk256:
      return MacOrder::chunk256;
    case Algorithm::tensor_k4f24:
      return MacOrder::k4f24;
    case Algorithm::tensor_k8f25:
      return MacOrder::k8f25;
    default:
      throw Error(Fault::internal, "a MAC of the cuda backend was planned as " + contract.text());
  }
}

/// Work of one kind on the weights: copied in for a moment when they are a parameter.
class Stored {
 public:
  Stored(const MacWeights& weights, const Job& job) : data_(weights.value) {
    if (data_ != nullptr) return;
    memory_ = job.session.take(weights.parameter->size_bytes());
    data_ = static_cast<const float*>(memory_.get());
    job.check(job.session.api().copy_in(memory_.get(), weights.parameter->data(),
                                        weights.parameter->size_bytes(), job.queue().stream),
              "uploading weights");
  }
  const float* data() const { return data_; }

 private:
  const float* data_;
  std::shared_ptr<void> memory_;
};

/// The weights packed for tiles. A parameter's are kept; a value's and those of magnitudes, which are
/// wanted once per stage, live for this run.
OnDevice packed(const MacWeights& weights, const TiledMacArgument& window, PackedAs layout,
                const Job& job) {
  PackArgument pack{};
  pack.strides = weights.strides;
  pack.G = window.G;
  if (weights.matrices > 1) {
    pack.G = static_cast<std::int32_t>(weights.matrices);
    pack.strides.g = weights.matrix;
  }
  pack.IC = window.IC;
  pack.OC = window.OC;
  pack.taps = window.taps;
  pack.layout = layout;
  pack.rounds = job.contract.rounding.has_value();
  pack.rounding = job.contract.rounding.value_or(Rounding::truncate);
  pack.magnitudes = job.magnitudes();
  const auto count = static_cast<std::size_t>(pack.G * mac_panels(pack.OC) *
                                              mac_packed_rows(pack.IC, pack.taps) * mac_panel);
  const auto write = [&](float* to) {
    const Stored from(weights, job);
    pack.w = from.data();
    pack.to = to;
    job.check(launch_pack(job.queue(), pack), "launching the packing of weights");
  };
  if (weights.value != nullptr || job.magnitudes()) {
    std::shared_ptr<void> memory = job.session.take(count * sizeof(float));
    write(static_cast<float*>(memory.get()));
    return {static_cast<const float*>(memory.get()), std::move(memory)};
  }
  const std::string packing =
      (layout == PackedAs::rows ? "panels of rows" : "panels of channels") +
      (pack.rounds ? " rounded by " + std::string(name(pack.rounding)) : std::string());
  return {job.packs.get({weights.parameter}, packing, job.session, count, write), nullptr};
}

/// Where the products of a stack start, on the device; their weights `weight_matrix` elements apart.
/// Kept with the op: the shapes of a step never change.
const MacMatrix* matrices_of(const std::vector<MacItem>& items, std::int64_t weight_matrix,
                             const Job& job) {
  if (items.empty()) return nullptr;
  std::string key = "matrices";
  for (const Value& input : job.inputs) key.append(" ").append(to_string(input.shape()));
  // A step may multiply more than once; each of its stacks is told by its size and its ends.
  for (const MacItem& item : {items.front(), items.back()})
    for (const std::int64_t start : {item.x, item.y, item.weights})
      key.append(" ").append(std::to_string(start));
  key.append(" ").append(std::to_string(items.size()));
  key.append(" ").append(std::to_string(weight_matrix));
  const std::size_t bytes = items.size() * sizeof(MacMatrix);
  const float* const data =
      job.packs.get({job.op}, key, job.session, bytes / sizeof(float), [&](float* to) {
        std::vector<MacMatrix> table;
        for (const MacItem& item : items)
          table.push_back({item.x, item.weights * weight_matrix, item.y});
        job.check(job.session.api().copy_in(to, table.data(), bytes, job.queue().stream),
                  "uploading the places of matrices");
        job.session.wait("uploading the places of matrices");  // `table` ends here
      });
  return reinterpret_cast<const MacMatrix*>(data);
}

void run_plain(const Window& window, const float* x, const MacWeights& weights,
               const std::vector<MacItem>& items, const Epilogue& epilogue, float* y,
               const Job& job) {
  const OnDevice w = stored(weights, job);
  PlainMacArgument a{};
  a.window = window;
  a.order = order_of(job.contract);
  a.rounding = job.contract.rounding.value_or(Rounding::truncate);
  a.magnitudes = job.magnitudes();
  a.x = x;
  a.x_pixel = window.G * window.IC;
  a.w = w.data;
  a.strides = weights.strides;
  a.y = y;
  a.y_pixel = window.G * window.OC;
  a.epilogue = epilogue;
  a.matrices = matrices_of(items, weights.matrix, job);
  a.matrix_count = static_cast<std::int32_t>(std::max<std::size_t>(items.size(), 1));
  job.check(launch_plain_mac(job.queue(), a), "launching a multiply-accumulate kernel");
}

/// Whether tiles of 64 output channels would mostly compute channels that are not there: groups of few
/// outputs, which the plain kernel reads side by side.
bool thin(const Window& window) { return window.G > 1 && window.OC < 8; }

}  // namespace

OnDevice stored(const MacWeights& weights, const Job& job) {
  if (weights.value != nullptr) return {weights.value, nullptr};
  return {job.packs.get({weights.parameter}, "as stored", job.session,
                        [&] {
                          const auto values = weights.parameter->values<float>();
                          return std::vector<float>(values.begin(), values.end());
                        }),
          nullptr};
}

void run_mac(const Window& window, const float* x, const MacWeights& weights,
             const std::vector<MacItem>& items, const Epilogue& epilogue, float* y,
             const Job& job) {
  if (job.contract.algorithm == Algorithm::gemm_cublas)
    return run_gemm(window, x, weights, items, epilogue, y, job);
  const MacOrder order = order_of(job.contract);
  const bool tensor = order == MacOrder::k4f24 || order == MacOrder::k8f25;
  std::optional<TiledMacArgument> a = tiled(window);
  if (a) {
    a->matrix_count = static_cast<std::int32_t>(std::max<std::size_t>(items.size(), 1));
    a->wide_reads = wide(x, a->x_pixel, window.IC);
    a->wide_writes = wide(y, a->y_pixel, window.OC);
    for (const MacItem& item : items) {
      a->wide_reads = a->wide_reads && item.x % 4 == 0;
      a->wide_writes = a->wide_writes && item.y % 4 == 0;
    }
    if (!fits_one_launch(*a) ||
        (!tensor && (thin(window) || !simt_takes(SimtTile::m64n64, order, *a))))
      a.reset();
  }
  if (!a) return run_plain(window, x, weights, items, epilogue, y, job);

  const OnDevice w = packed(weights, *a, tensor ? PackedAs::channels : PackedAs::rows, job);
  a->x = x;
  a->w = w.data;
  a->y = y;
  a->epilogue = epilogue;
  const std::int64_t packed_matrix =
      mac_panels(a->OC) * mac_packed_rows(a->IC, a->taps) * mac_panel;
  a->matrices = matrices_of(items, weights.matrices > 1 ? packed_matrix : 0, job);
  const DeviceProperties& device = job.session.properties();
  const Status status =
      tensor ? launch_tensor_mac(job.queue(), tensor_tile(*a, device), *job.contract.rounding, *a)
             : launch_simt_mac(job.queue(), simt_tile(*a, order, device), order, *a);
  job.check(status, "launching a multiply-accumulate kernel");
}

Epilogue followed(Epilogue first, const Epilogue& more) {
  if (first.count + more.count > Epilogue::most_steps)
    throw Error(Fault::internal, "an epilogue of " + std::to_string(first.count + more.count) +
                                     " steps does not fit in one launch");
  for (int i = 0; i < more.count; ++i) first.steps[first.count++] = more.steps[i];
  return first;
}

Value run_convolution(const Window& window, const WeightStrides& strides, const Job& job) {
  const Elements<float> x = elements<float>(job.inputs[0], Layout::channels_last, job.session);
  Epilogue bias;
  if (job.parameters[1]) {
    bias.steps[0] = {EpilogueStep::Kind::add, 1, parameter_data(job.parameters[1], job), nullptr};
    bias.count = 1;
  }
  Fresh fresh = job.fresh(Layout::channels_last);
  run_mac(window, x.data, {job.parameters[0], nullptr, strides}, {}, followed(bias, job.epilogue),
          fresh.data<float>(), job);
  return std::move(fresh).value();
}

}  // namespace parity::cuda
