#include "compare/inject.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <type_traits>

#include "model/arithmetic/fill.hpp"
#include "model/error.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

struct BugName {
  Bug bug;
  std::string_view name;
};
constexpr std::array<BugName, 14> bug_names = {{
    {Bug::bit_flipped, "bit_flipped"},
    {Bug::ulp_bumped, "ulp_bumped"},
    {Bug::channel_scaled, "channel_scaled"},
    {Bug::stale_buffer, "stale_buffer"},
    {Bug::operand_truncated, "operand_truncated"},
    {Bug::kernel_axes_swapped, "kernel_axes_swapped"},
    {Bug::weights_transposed, "weights_transposed"},
    {Bug::wrong_epsilon, "wrong_epsilon"},
    {Bug::bias_dropped, "bias_dropped"},
    {Bug::activation_dropped, "activation_dropped"},
    {Bug::border_garbage, "border_garbage"},
    {Bug::nan_swallowed, "nan_swallowed"},
    {Bug::output_zeroed, "output_zeroed"},
    {Bug::input_returned, "input_returned"},
}};

bool is_convolution(const Op& op) {
  return std::holds_alternative<Conv2d>(op) || std::holds_alternative<ConvTranspose2d>(op);
}

std::size_t index_of_batch_norm(const Stage& stage) {
  std::size_t i = 0;
  while (i < stage.steps.size() && !std::holds_alternative<BatchNorm>(*stage.steps[i].op)) ++i;
  return i;
}

/// Extents of a tensor as [outer, H, W]: the last two axes of rank 3 and 4; rank 2 is one plane.
struct Planes {
  std::int64_t outer, H, W;
};
Planes planes_of(const Shape& shape) {
  const std::size_t rank = shape.size();
  if (rank < 2) return {1, 1, element_count(shape)};
  return {element_count(shape, 0, rank - 2), shape[rank - 2], shape[rank - 1]};
}

/// w with the axes `first` and `second` exchanged; their extents are equal.
Tensor axes_exchanged(const Tensor& w, std::size_t first, std::size_t second) {
  const Shape& shape = w.shape();
  const std::span<const float> from = w.values<float>();
  std::vector<float> to(from.size());
  std::vector<std::int64_t> at(shape.size(), 0);
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::vector<std::int64_t> source = at;
    std::swap(source[first], source[second]);
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      offset = offset * shape[axis] + source[axis];
    to[i] = from[static_cast<std::size_t>(offset)];
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
  return Tensor::of(shape, std::move(to));
}

/// The stage as the faulty backend misreads it; nothing when the fault is not in the stage's
/// description.
std::optional<PlannedStage> misread(const Injection& injection, const PlannedStage& planned) {
  PlannedStage wrong = planned;
  Step& head = wrong.stage.steps.front();
  const auto reweighted = [&](std::size_t first, std::size_t second) {
    head.parameters[0] =
        std::make_shared<const Tensor>(axes_exchanged(*head.parameters[0], first, second));
  };
  switch (injection.bug) {
    case Bug::kernel_axes_swapped:
      reweighted(2, 3);
      return wrong;
    case Bug::weights_transposed:
      reweighted(0, 1);
      return wrong;
    case Bug::bias_dropped:
      head.parameters[1] = nullptr;
      return wrong;
    case Bug::wrong_epsilon: {
      Step& step = wrong.stage.steps[index_of_batch_norm(wrong.stage)];
      BatchNorm op = std::get<BatchNorm>(*step.op);
      op.epsilon += static_cast<float>(injection.amount);
      step.op = std::make_shared<const Op>(op);
      // A copy of its own, so that nothing packed for the right stage is taken for this one.
      for (auto& parameter : step.parameters)
        if (parameter) parameter = std::make_shared<const Tensor>(*parameter);
      return wrong;
    }
    case Bug::activation_dropped: {
      Step& before = wrong.stage.steps[wrong.stage.steps.size() - 2];
      before.outputs = wrong.stage.steps.back().outputs;
      wrong.stage.steps.pop_back();
      wrong.contracts.pop_back();
      return wrong;
    }
    default:
      return std::nullopt;
  }
}

/// Changes elements of one output in place, row-major.
template <class T>
void spoil(const Injection& injection, const Shape& shape, std::vector<T>& y) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const Planes p = planes_of(shape);
  const std::int64_t size = static_cast<std::int64_t>(y.size());
  const auto at = [&](std::int64_t i) -> T& { return y[static_cast<std::size_t>(i)]; };
  const Counter random(injection.seed, "inject");
  const auto informative = [&](std::int64_t i) { return std::isfinite(at(i)) && at(i) != 0; };
  // A seeded place, moved on to the next element that tells something.
  const auto element = [&] {
    const std::int64_t start = static_cast<std::int64_t>(
        random.bits(0) % static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1)));
    for (std::int64_t i = 0; i < size; ++i)
      if (informative((start + i) % size)) return (start + i) % size;
    return start;
  };
  switch (injection.bug) {
    case Bug::bit_flipped: {
      const std::int64_t i = element();
      at(i) = std::bit_cast<T>(static_cast<Bits>(std::bit_cast<Bits>(at(i)) ^
                                                 (Bits{1} << static_cast<int>(injection.amount))));
      return;
    }
    case Bug::ulp_bumped: {
      const std::int64_t i = element();
      at(i) = std::bit_cast<T>(
          static_cast<Bits>(std::bit_cast<Bits>(at(i)) + static_cast<Bits>(injection.amount)));
      return;
    }
    case Bug::channel_scaled: {
      const std::int64_t C = shape.size() >= 2 ? shape[1] : 1;
      const std::int64_t space = shape.size() >= 2 ? element_count(shape, 2, shape.size()) : size;
      const std::int64_t channel = element() / space % C;
      for (std::int64_t i = 0; i < size; ++i)
        if (i / space % C == channel)
          at(i) = static_cast<T>(static_cast<double>(at(i)) * (1 + injection.amount));
      return;
    }
    case Bug::stale_buffer:
      for (std::int64_t plane = 0; plane < p.outer; ++plane)
        for (std::int64_t w = 0; w < p.W; ++w) {
          // y[plane, H - 1, w] = y[plane, H - 2, w]
          const std::int64_t last = (plane * p.H + p.H - 1) * p.W + w;
          at(last) = at(last - p.W);
        }
      return;
    case Bug::border_garbage:
      for (std::int64_t row = 0; row < p.outer * p.H; ++row)
        at(row * p.W) = static_cast<T>(static_cast<double>(at(row * p.W)) * (1 + injection.amount));
      return;
    case Bug::nan_swallowed:
      for (T& value : y)
        if (value != value) value = 0;
      return;
    case Bug::output_zeroed:
      std::fill(y.begin(), y.end(), T{0});
      return;
    default:
      return;
  }
}

/// Cut to `bits` stored mantissa bits, toward zero.
float truncated(float value, int bits) {
  const std::uint32_t mask = ~((1U << (23 - bits)) - 1);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & mask);
}

class Injected final : public Backend {
 public:
  Injected(Backend& inner, const Injection& injection) : inner_(inner), injection_(injection) {}

  BackendInfo info(const Execution& execution) const override { return inner_.info(execution); }
  std::vector<AlgorithmInfo> algorithms() const override { return inner_.algorithms(); }
  std::optional<Refusal> refuses(const PlannedStage& stage) const override {
    return inner_.refuses(stage);
  }
  Value upload(const Tensor& tensor, const Execution& execution) override {
    return inner_.upload(tensor, execution);
  }
  Tensor download(const Value& value, const Execution& execution) override {
    return inner_.download(value, execution);
  }
  bool reads(const Value& value) const override { return inner_.reads(value); }

  std::vector<Value> run(const PlannedStage& stage, std::span<const Value> inputs, Reading reading,
                         const Execution& execution) override {
    if (stage.stage.id != injection_.stage || reading == Reading::magnitudes)
      return inner_.run(stage, inputs, reading, execution);
    if (!applies(injection_, stage))
      throw Error(Fault::internal, "the fault '" + std::string(name(injection_.bug)) +
                                       "' cannot be seated in stage '" + stage.stage.name + "'");
    if (injection_.bug == Bug::input_returned) return {inputs.front()};
    if (injection_.bug == Bug::operand_truncated) return run_truncated(stage, inputs, execution);
    if (const std::optional<PlannedStage> wrong = misread(injection_, stage)) {
      std::vector<Value> outputs = inner_.run(*wrong, inputs, reading, execution);
      inner_.forget(*wrong);
      return outputs;
    }
    std::vector<Value> outputs = inner_.run(stage, inputs, reading, execution);
    outputs.front() = spoiled(outputs.front(), execution);
    return outputs;
  }

  Digest digest(const Value& value, const Execution& execution) override {
    return inner_.digest(value, execution);
  }
  Comparison compare(const Value& a, const Value& b, const Value* magnitude,
                     const Allowance& allowance, const Execution& execution) override {
    return inner_.compare(a, b, magnitude, allowance, execution);
  }
  Split split(const Value& a, const Value& local, const Value& b,
              const Execution& execution) override {
    return inner_.split(a, local, b, execution);
  }
  ErrorMap map(const Value& a, const Value& b, const Execution& execution) override {
    return inner_.map(a, b, execution);
  }
  std::vector<double> elements(const Value& value,
                               std::span<const std::int64_t> indices) const override {
    return inner_.elements(value, indices);
  }
  void forget(const PlannedStage& stage) override { inner_.forget(stage); }

 private:
  Value spoiled(const Value& value, const Execution& execution) {
    const Tensor tensor = inner_.download(value, execution);
    return inner_.upload(tensor.type().type == Type::float64 ? spoiled_as<double>(tensor)
                                                             : spoiled_as<float>(tensor),
                         execution);
  }
  template <class T>
  Tensor spoiled_as(const Tensor& tensor) const {
    const std::span<const T> values = tensor.values<T>();
    std::vector<T> y(values.begin(), values.end());
    spoil(injection_, tensor.shape(), y);
    return Tensor::of(tensor.shape(), std::move(y));
  }

  std::vector<Value> run_truncated(const PlannedStage& stage, std::span<const Value> inputs,
                                   const Execution& execution) {
    std::vector<Value> cut;
    for (const Value& input : inputs) {
      const Tensor tensor = to_float32(inner_.download(input, execution));
      const std::span<const float> values = tensor.values<float>();
      std::vector<float> x(values.begin(), values.end());
      for (float& value : x) value = truncated(value, static_cast<int>(injection_.amount));
      cut.push_back(inner_.upload(Tensor::of(tensor.shape(), std::move(x)), execution));
    }
    return inner_.run(stage, cut, Reading::values, execution);
  }

  Backend& inner_;
  Injection injection_;
};

}  // namespace

std::string_view name(Bug bug) {
  for (const BugName& entry : bug_names)
    if (entry.bug == bug) return entry.name;
  throw Error(Fault::internal, "a fault without a name");
}

std::span<const Bug> all_bugs() {
  static constexpr auto bugs = [] {
    std::array<Bug, bug_names.size()> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = bug_names[i].bug;
    return all;
  }();
  return bugs;
}

bool applies(const Injection& injection, const PlannedStage& planned) {
  const Stage& stage = planned.stage;
  const Step& head = stage.steps.front();
  const bool convolution = is_convolution(*head.op);
  const Shape& out = stage.output_types.front().shape;
  switch (injection.bug) {
    case Bug::kernel_axes_swapped:
    case Bug::weights_transposed: {
      if (!convolution || !head.parameters[0]) return false;
      const Shape& w = head.parameters[0]->shape();
      return injection.bug == Bug::weights_transposed ? w[0] == w[1] && w[0] > 1
                                                      : w.size() == 4 && w[2] == w[3] && w[2] > 1;
    }
    case Bug::bias_dropped:
      return convolution && head.parameters.size() > 1 && head.parameters[1];
    case Bug::wrong_epsilon:
      return index_of_batch_norm(stage) < stage.steps.size();
    case Bug::activation_dropped:
      return stage.steps.size() >= 2 && std::holds_alternative<Unary>(*stage.steps.back().op);
    case Bug::stale_buffer:
      return planes_of(out).H >= 2;
    case Bug::input_returned:
      return stage.outputs.size() == 1 && stage.input_types.front() == stage.output_types.front();
    case Bug::operand_truncated:
      return std::all_of(stage.input_types.begin(), stage.input_types.end(),
                         [](const TensorType& type) { return type.type == Type::float32; });
    default:
      return element_count(out) > 0;
  }
}

std::unique_ptr<Backend> inject(Backend& inner, const Injection& injection) {
  return std::make_unique<Injected>(inner, injection);
}

}  // namespace parity
