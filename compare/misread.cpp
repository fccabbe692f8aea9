#include "compare/misread.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/half.hpp"
#include "model/error.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

const Op& head_of(const PlannedStage& planned) { return *planned.stage.steps.front().op; }

template <class T>
const T* head_as(const PlannedStage& planned) {
  return std::get_if<T>(&head_of(planned));
}

const SlidingWindow* window_of(const Op& op) {
  return visit(
      [](const auto& o) -> const SlidingWindow* {
        if constexpr (requires { o.window; }) return &o.window;
        return nullptr;
      },
      op);
}

std::int64_t groups_of(const PlannedStage& planned) {
  return visit(
      [](const auto& o) -> std::int64_t {
        if constexpr (requires { o.group; }) return o.group;
        return 1;
      },
      head_of(planned));
}

bool is_convolution(const PlannedStage& planned) {
  return head_as<Conv2d>(planned) || head_as<ConvTranspose2d>(planned);
}

bool is_mac(const PlannedStage& planned) {
  return is_convolution(planned) || head_as<MatMul>(planned);
}

/// Whether the head multiplies and adds, a recurrent layer among others.
bool multiplies(const PlannedStage& planned) {
  return is_mac(planned) || head_as<Recurrent>(planned);
}

/// Weights known at import; null for an op without.
const Tensor* weights_of(const PlannedStage& planned) {
  const Step& head = planned.stage.steps.front();
  return is_mac(planned) ? head.parameters[0].get() : nullptr;
}

/// The stage with its head's op replaced by a changed copy.
template <class Change>
PlannedStage with_head(const PlannedStage& planned, Change change) {
  PlannedStage wrong = planned;
  Op op = head_of(planned);
  std::visit([&](auto& o) { change(o); }, static_cast<Op::variant&>(op));
  wrong.stage.steps.front().op = std::make_shared<const Op>(std::move(op));
  return wrong;
}

PlannedStage with_weights(const PlannedStage& planned, Tensor weights) {
  PlannedStage wrong = planned;
  wrong.stage.steps.front().parameters[0] = std::make_shared<const Tensor>(std::move(weights));
  return wrong;
}

/// The tensor of `shape` whose element at `at` is from's element at source(at).
template <class Source>
Tensor gathered(const Tensor& from, const Shape& shape, Source source) {
  const std::span<const float> values = from.values<float>();
  std::vector<float> made(static_cast<std::size_t>(element_count(shape)));
  std::vector<std::int64_t> at(shape.size(), 0);
  for (float& element : made) {
    const std::optional<std::vector<std::int64_t>> index = source(at);
    std::int64_t offset = 0;
    if (index)
      for (std::size_t axis = 0; axis < from.shape().size(); ++axis)
        offset = offset * from.shape()[axis] + (*index)[axis];
    element = index ? values[static_cast<std::size_t>(offset)] : 0.0F;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
  return Tensor::of(shape, std::move(made));
}
using Index = std::vector<std::int64_t>;

/// The same shape, read with other indices.
template <class Change>
Tensor reindexed(const Tensor& from, Change change) {
  return gathered(from, from.shape(), [&](Index at) {
    change(at);
    return std::optional(std::move(at));
  });
}

template <class F>
Tensor mapped(const Tensor& from, F f) {
  const std::span<const float> values = from.values<float>();
  std::vector<float> made(values.begin(), values.end());
  for (float& value : made) value = f(value);
  return Tensor::of(from.shape(), std::move(made));
}

std::vector<double> once(const PlannedStage&) { return {1}; }

/// The amounts 0 to count - 1, of one that says which.
std::vector<double> numbered(std::size_t count) {
  std::vector<double> amounts(count);
  std::iota(amounts.begin(), amounts.end(), 0.0);
  return amounts;
}

/// Sets the end pads so that the window still makes the stage's output extents: a backend whose
/// buffers have the right size and whose indices are wrong.
void keep_extents(SlidingWindow& window, const PlannedStage& planned) {
  const Shape& x = planned.stage.input_types[0].shape;
  const TensorType y =
      visit([&](const auto& o) { return o.infer(step_operand_types(planned.stage)[0]); },
            head_of(planned))[0];
  for (std::size_t axis = 4 - x.size(); axis < 2; ++axis) {
    const std::size_t at = x.size() - 2 + axis;
    const std::int64_t reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1;
    window.pad_end[axis] =
        (y.shape[at] - 1) * window.stride[axis] + reach - x[at] - window.pad_begin[axis];
  }
}

template <class Change>
Misread with_window(const PlannedStage& planned, Change change) {
  return {with_head(planned, [&](auto& o) {
    if constexpr (requires { o.window; }) {
      change(o.window);
      if constexpr (!std::is_same_v<std::decay_t<decltype(o)>, ConvTranspose2d>)
        keep_extents(o.window, planned);
    }
  })};
}

/// A convolution or pool that reads its padding from an input made larger by `fill`, which maps an
/// index outside the image to one inside or to nothing (then `value`).
Misread with_padding(const PlannedStage& planned, float value, bool replicate) {
  const Shape x = planned.stage.input_types[0].shape;
  const SlidingWindow window = *window_of(head_of(planned));
  Shape padded = x;
  const std::size_t axes = x.size() - 2;
  for (std::size_t i = 0; i < axes; ++i)
    padded[2 + i] += window.pad_begin[2 - axes + i] + window.pad_end[2 - axes + i];
  PlannedStage wrong = with_head(planned, [](auto& o) {
    if constexpr (requires { o.window; }) o.window.pad_begin = o.window.pad_end = {0, 0};
  });
  wrong.stage.input_types[0].shape = padded;
  Misread misread{std::move(wrong)};
  misread.operand = [=](std::size_t, const Tensor& input) {
    Tensor made = gathered(input, padded, [&](Index at) -> std::optional<Index> {
      for (std::size_t i = 0; i < axes; ++i) {
        at[2 + i] -= window.pad_begin[2 - axes + i];
        if (!replicate && (at[2 + i] < 0 || at[2 + i] >= x[2 + i])) return std::nullopt;
        at[2 + i] = std::clamp<std::int64_t>(at[2 + i], 0, x[2 + i] - 1);
      }
      return at;
    });
    if (replicate || value == 0) return made;
    std::vector<double> elements = widened(made);
    const Tensor inside = gathered(mapped(input, [](float) { return 1.0F; }), padded,
                                   [&](Index at) -> std::optional<Index> {
                                     for (std::size_t i = 0; i < axes; ++i) {
                                       at[2 + i] -= window.pad_begin[2 - axes + i];
                                       if (at[2 + i] < 0 || at[2 + i] >= x[2 + i])
                                         return std::nullopt;
                                     }
                                     return at;
                                   });
    const std::span<const float> mask = inside.values<float>();
    for (std::size_t i = 0; i < elements.size(); ++i)
      if (mask[i] == 0) elements[i] = value;
    return narrowed(made.type(), elements);
  };
  return misread;
}

bool has_pads(const PlannedStage& planned) {
  const SlidingWindow* window = window_of(head_of(planned));
  if (!window || head_as<ConvTranspose2d>(planned)) return false;
  const auto zero = [](const auto& pads) { return pads[0] <= 0 && pads[1] <= 0; };
  return !zero(window->pad_begin) || !zero(window->pad_end);
}

/// An id that no tensor of the stage has.
std::int32_t unused_tensor(const Stage& stage) {
  std::int32_t unused = 0;
  const auto above = [&](TensorId id) {
    unused = std::max(unused, static_cast<std::int32_t>(id) + 1);
  };
  std::for_each(stage.inputs.begin(), stage.inputs.end(), above);
  for (const Step& step : stage.steps)
    std::for_each(step.outputs.begin(), step.outputs.end(), above);
  return unused;
}

/// The stage with one of its steps, which reads one value, applied to its own result again.
PlannedStage with_step_twice(const PlannedStage& planned, std::size_t step) {
  PlannedStage wrong = planned;
  Stage& stage = wrong.stage;
  const auto at = static_cast<std::ptrdiff_t>(step);
  Step again = stage.steps[step];
  const std::int32_t unused = unused_tensor(stage);
  stage.steps[step].outputs = {TensorId{unused}};
  again.inputs = {TensorId{unused}};
  stage.steps.insert(stage.steps.begin() + at + 1, again);
  wrong.contracts.insert(wrong.contracts.begin() + at, wrong.contracts[step]);
  return wrong;
}

/// The BatchNorm of the stage and its parameters, changed.
template <class Change>
PlannedStage with_norm(const PlannedStage& planned, Change change) {
  PlannedStage wrong = planned;
  Step& step = wrong.stage.steps[batch_norm_of(planned.stage)];
  BatchNorm op = std::get<BatchNorm>(*step.op);
  change(op, step.parameters);
  step.op = std::make_shared<const Op>(op);
  return wrong;
}
bool has_norm(const PlannedStage& planned) {
  return batch_norm_of(planned.stage) < planned.stage.steps.size();
}
std::shared_ptr<const Tensor> constant_like(const Tensor& tensor, float value) {
  return std::make_shared<const Tensor>(mapped(tensor, [&](float) { return value; }));
}

/// The last step when it is that activation.
bool ends_with(const PlannedStage& planned, EpilogueKind function) {
  const auto* last = std::get_if<Unary>(planned.stage.steps.back().op.get());
  return last && last->function == function && planned.stage.steps.size() >= 2;
}
/// Position of the stage's first Gelu; the number of steps where there is none.
std::size_t gelu_of(const Stage& stage) {
  const auto is_gelu = [](const Step& step) {
    const auto* unary = std::get_if<Unary>(step.op.get());
    return unary &&
           (unary->function == EpilogueKind::gelu || unary->function == EpilogueKind::gelu_tanh);
  };
  return static_cast<std::size_t>(std::find_if(stage.steps.begin(), stage.steps.end(), is_gelu) -
                                  stage.steps.begin());
}
bool is_relu(const Op& op) {
  const auto* unary = std::get_if<Unary>(&op);
  return unary && unary->function == EpilogueKind::relu;
}
/// Constants that other libraries, or whoever was told none, give an activation: its attributes a, b.
std::vector<std::array<float, 2>> other_constants(const Unary& right) {
  using K = EpilogueKind;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const UnaryFunction& function = unary_function(right.function);
  std::vector<std::array<float, 2>> others;
  switch (right.function) {
    case K::clip:
      others = {{-infinity, right.b}, {right.a, infinity}};
      // Exchanged bounds leave one of them, whichever is applied last.
      if (std::isfinite(right.a) && std::isfinite(right.b))
        others.insert(others.end(), {{right.b, right.a}, {right.b, right.b}});
      break;
    case K::hard_swish:
      others = {{1.0F / 6, 0.5F}, {0.2F, 0.5F}};
      break;
    case K::hard_sigmoid:
      others = {{0.2F, 0.5F}, {1.0F / 6, 0.5F}};
      break;
    case K::leaky_relu:
      others = {{0.01F, 0}, {0.1F, 0}, {0.2F, 0}, {0.3F, 0}};
      break;
    default:
      if (!function.a.name.empty()) others = {{function.a.otherwise, function.b.otherwise}};
  }
  std::erase(others, std::array<float, 2>{right.a, right.b});
  return others;
}
/// Position of the stage's first activation that could be read with other constants; the number of steps
/// where there is none.
std::size_t constants_of(const Stage& stage) {
  const auto could = [](const Step& step) {
    const auto* unary = std::get_if<Unary>(step.op.get());
    return unary && !other_constants(*unary).empty();
  };
  return static_cast<std::size_t>(std::find_if(stage.steps.begin(), stage.steps.end(), could) -
                                  stage.steps.begin());
}
const Unary& activation_with_constants(const Stage& stage) {
  return std::get<Unary>(*stage.steps[constants_of(stage)].op);
}

/// The last activation replaced by f.
Misread with_activation(const PlannedStage& planned, std::function<double(double)> f) {
  Misread misread{prefix_of(planned, planned.stage.steps.size() - 1)};
  misread.element = std::move(f);
  return misread;
}

/// Every operand of the products rounded first: inputs, and weights where there are any.
template <class Round>
Misread with_operands(const PlannedStage& planned, Round round) {
  Misread misread{planned};
  if (const Tensor* w = weights_of(planned))
    misread.stage = with_weights(planned, mapped(*w, round));
  misread.operand = [=](std::size_t, const Tensor& x) { return mapped(x, round); };
  return misread;
}

Misread with_tensor_core(const PlannedStage& planned, Algorithm algorithm, Rounding rounding) {
  PlannedStage wrong = planned;
  wrong.contracts.front().algorithm = algorithm;
  wrong.contracts.front().rounding = rounding;
  return {wrong};
}
bool runs_tensor_core(const PlannedStage& planned) {
  return planned.contracts.front().rounding.has_value();
}
/// 0: sm_90 and later, 1: sm_80 to sm_89.
Algorithm tensor_core_numbered(double amount) {
  return amount == 0 ? Algorithm::tensor_k8f25 : Algorithm::tensor_k4f24;
}

/// Nearest float with `bits` stored mantissa bits, ties to even; beyond `largest` infinity.
float rounded_to(float x, int bits, float largest) {
  const auto u = bits_of(x);
  if ((u & 0x7f800000U) == 0x7f800000U) return x;
  const int drop = 23 - bits;
  const std::uint32_t half = (1U << (drop - 1)) - 1 + ((u >> drop) & 1U);
  const float y = float_of((u + half) & ~((1U << drop) - 1));
  return std::fabs(y) > largest ? std::copysign(std::numeric_limits<float>::infinity(), x) : y;
}
float to_bfloat(float x) { return rounded_to(x, 7, std::numeric_limits<float>::max()); }

/// Cut to `bits` stored mantissa bits, toward zero.
float truncated(float value, int bits) {
  return float_of(bits_of(value) & ~((1U << (23 - bits)) - 1));
}

bool float_inputs(const PlannedStage& planned) {
  return std::all_of(planned.stage.input_types.begin(), planned.stage.input_types.end(),
                     [](const TensorType& type) { return type.type == Type::float32; });
}

float flushed(float x) {
  return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0F, x) : x;
}

/// Along which axis of the weights k runs, and how long it is inside a group.
struct Contraction {
  std::size_t axis;
  std::int64_t length;
};
std::optional<Contraction> contraction_of(const PlannedStage& planned) {
  const Tensor* w = weights_of(planned);
  if (!w) return std::nullopt;
  const Shape& shape = w->shape();
  if (head_as<Conv2d>(planned)) return Contraction{1, shape[1]};
  if (head_as<ConvTranspose2d>(planned)) return Contraction{0, shape[0] / groups_of(planned)};
  const auto& product = *head_as<MatMul>(planned);
  if (shape.size() < 2) return std::nullopt;
  const bool right = product.constant == MatMul::Constant::right;
  const bool transposed = (right ? product.right : product.left) == MatMul::Stored::transposed;
  const std::size_t axis = shape.size() - (right != transposed ? 2 : 1);
  return Contraction{axis, shape[axis]};
}

/// Which parameters of the head are weights; none where all its operands are values.
std::vector<std::size_t> weight_parameters(const PlannedStage& planned) {
  if (head_as<Recurrent>(planned))
    return {recurrent_parameter::weights, recurrent_parameter::recurrence};
  return weights_of(planned) ? std::vector<std::size_t>{0} : std::vector<std::size_t>{};
}

/// The output channel that element `at` of the head's weights belongs to.
std::int64_t output_channel(const PlannedStage& planned, const Shape& shape, std::int64_t at) {
  const auto along = [&](std::size_t axis) {
    return at / element_count(shape, axis + 1, shape.size()) % shape[axis];
  };
  if (head_as<Conv2d>(planned)) return along(0);
  if (head_as<Recurrent>(planned)) return along(0) * shape[1] + along(1);
  const Contraction k = *contraction_of(planned);
  if (head_as<ConvTranspose2d>(planned)) return along(0) / k.length * shape[1] + along(1);
  // The other one of a matrix' two axes.
  return along(k.axis + 1 == shape.size() ? k.axis - 1 : k.axis + 1);
}

/// How weights are taken through int8, symmetric around zero: their largest magnitude becomes `largest`
/// steps, in each output channel or in the whole tensor.
struct Int8 {
  enum class Scales { per_channel, per_tensor } scales;
  /// 127, by division (ONNX QuantizeLinear, TensorRT), or 127.5, by the reciprocal (PyTorch's observers).
  float largest;
};
Tensor through_int8(const PlannedStage& planned, const Tensor& weights, Int8 how) {
  const std::span<const float> w = weights.values<float>();
  std::vector<std::size_t> group(w.size(), 0);
  if (how.scales == Int8::Scales::per_channel && weights.shape().size() > 1)
    for (std::size_t i = 0; i < w.size(); ++i)
      group[i] = static_cast<std::size_t>(
          output_channel(planned, weights.shape(), static_cast<std::int64_t>(i)));
  std::vector<float> largest(w.size(), 0);
  for (std::size_t i = 0; i < w.size(); ++i)
    largest[group[i]] = std::max(largest[group[i]], std::fabs(w[i]));
  std::vector<float> made(w.size());
  for (std::size_t i = 0; i < w.size(); ++i) {
    const float scale = largest[group[i]] / how.largest;
    if (!std::isfinite(scale)) {
      made[i] = w[i];
    } else if (scale > 0) {
      const float steps = how.largest == 127 ? w[i] / scale : w[i] * (1 / scale);
      // An integer has no -0.
      made[i] = static_cast<float>(std::clamp(static_cast<int>(std::nearbyint(steps)), -128, 127)) *
                scale;
    }
  }
  return Tensor::of(weights.shape(), std::move(made));
}

/// Amounts of weights that were stored in a narrower type.
constexpr std::array<std::string_view, 6> narrower_types{
    "bfloat16",
    "float16",
    "int8 with a scale per output channel, its largest over 127",
    "int8 with one scale, the largest over 127",
    "int8 with a scale per output channel, its largest over 127.5",
    "int8 with one scale, the largest over 127.5"};
Tensor stored_narrower(const PlannedStage& planned, const Tensor& weights, double amount) {
  if (amount == 0) return mapped(weights, to_bfloat);
  if (amount == 1) return mapped(weights, round_to_half);
  const bool per_channel = amount == 2 || amount == 4;
  return through_int8(planned, weights,
                      {per_channel ? Int8::Scales::per_channel : Int8::Scales::per_tensor,
                       amount < 4 ? 127.0F : 127.5F});
}

constexpr std::array<std::array<std::int64_t, 2>, 6> shifts{
    {{-1, -1}, {-1, 0}, {0, -1}, {1, 1}, {1, 0}, {0, 1}}};

/// How far reading the pads as top, bottom, left, right moves the columns.
std::int64_t misordered_by(const PlannedStage& planned) {
  const auto* conv = head_as<Conv2d>(planned);
  if (!conv || planned.stage.input_types[0].shape.size() != 4) return 0;
  return conv->window.pad_end[0] - conv->window.pad_begin[1];
}

/// How many elements of an axis the window reaches less far without its dilation.
std::int64_t narrower_by(const SlidingWindow& window, std::size_t axis) {
  return (window.dilation[axis] - 1) * (window.kernel[axis] - 1);
}

bool shift_matters(const PlannedStage& planned, std::size_t axis) {
  const SlidingWindow& window = *window_of(head_of(planned));
  const bool flat = planned.stage.input_types[0].shape.size() < 4;
  return (axis == 1 || !flat) && (window.kernel[axis] > 1 || window.stride[axis] > 1);
}

const Movement* flattening_of(const PlannedStage& planned) {
  return std::get_if<Movement>(planned.stage.steps.back().op.get());
}
/// The shape that the last step flattens.
Shape before_flattening(const PlannedStage& planned) {
  return step_operand_types(planned.stage).back().inputs[0].shape;
}

/// The output extents of a pool whose end pads are no larger than its begin pads, as exporters write
/// them without ceil_mode.
Shape written_without_ceil(const PlannedStage& planned) {
  const PlannedStage floor = with_head(planned, [](auto& o) {
    if constexpr (requires { o.window; })
      for (std::size_t axis = 0; axis < 2; ++axis)
        o.window.pad_end[axis] = std::min(o.window.pad_end[axis], o.window.pad_begin[axis]);
  });
  return visit([&](const auto& o) { return o.infer(step_operand_types(floor.stage)[0]); },
               head_of(floor))[0]
      .shape;
}

/// What is added to an eps by a backend that has one of the usual others.
std::vector<double> other_epsilons(float epsilon) {
  std::vector<double> amounts;
  for (const float eps : {1e-5F, 1e-3F, 1e-6F, 1e-4F, 1e-12F, 0.0F, 1e-2F, 1e-1F})
    if (eps != epsilon) amounts.push_back(static_cast<double>(eps) - static_cast<double>(epsilon));
  return amounts;
}

template <class Change>
PlannedStage with_recurrent(const PlannedStage& planned, Change change) {
  return with_head(planned, [&](auto& o) {
    if constexpr (std::is_same_v<std::decay_t<decltype(o)>, Recurrent>) change(o);
  });
}

/// What a recurrent layer carries from step to step: h and, of an LSTM, c.
enum class Carried { state, memory };
std::size_t parameter_of(Carried carried) {
  return carried == Carried::state ? recurrent_parameter::state : recurrent_parameter::memory;
}

/// Whether a recurrent layer is given something to begin with other than zeros, which some exporters
/// write down.
bool is_given(const PlannedStage& planned, Carried carried) {
  const auto& layer = *head_as<Recurrent>(planned);
  const Recurrent::Initial from = carried == Carried::state ? layer.state : layer.memory;
  if (from != Recurrent::Initial::parameter) return from == Recurrent::Initial::value;
  const auto values =
      planned.stage.steps.front().parameters[parameter_of(carried)]->values<float>();
  return std::any_of(values.begin(), values.end(), [](float value) { return value != 0.0F; });
}

/// The layer that begins with this instead of what it was given; null: with zeros.
PlannedStage beginning_with(PlannedStage planned, Carried carried,
                            std::shared_ptr<const Tensor> given) {
  Step& head = planned.stage.steps.front();
  auto layer = std::get<Recurrent>(*head.op);
  Recurrent::Initial& from = carried == Carried::state ? layer.state : layer.memory;
  if (from == Recurrent::Initial::value) {
    const bool behind_state =
        carried == Carried::memory && layer.state == Recurrent::Initial::value;
    head.inputs.erase(head.inputs.begin() + (behind_state ? 2 : 1));
  }
  from = given ? Recurrent::Initial::parameter : Recurrent::Initial::zero;
  head.parameters[parameter_of(carried)] = std::move(given);
  head.op = std::make_shared<const Op>(std::move(layer));
  return planned;
}

/// Amounts of what begins otherwise: 0 both, 1 the state, 2 an LSTM's memory.
std::vector<Carried> carried_by(double amount) {
  if (amount == 0) return {Carried::state, Carried::memory};
  return {amount == 1 ? Carried::state : Carried::memory};
}
std::string carried_text(const PlannedStage& planned, double amount) {
  if (head_as<Recurrent>(planned)->cell == Recurrent::Cell::gru) return {};
  return amount == 0 ? " (h and c)" : amount == 1 ? " (h alone)" : " (c alone)";
}

/// What a recurrent layer ends in: h and, of an LSTM, c.
std::vector<Tensor> left_by(const Seat& seat) {
  const bool gru = head_as<Recurrent>(seat.planned)->cell == Recurrent::Cell::gru;
  PlannedStage before = with_recurrent(seat.planned, [&](Recurrent& layer) {
    layer.outputs = gru ? std::vector<int>{1} : std::vector<int>{1, 2};
  });
  Stage& stage = before.stage;
  stage.steps.resize(1);
  before.contracts.resize(1);
  const std::int32_t unused = unused_tensor(stage);
  stage.steps[0].outputs = {TensorId{unused}};
  if (!gru) stage.steps[0].outputs.push_back(TensorId{unused + 1});
  stage.outputs = stage.steps[0].outputs;
  stage.output_types = std::get<Recurrent>(*stage.steps[0].op).infer(step_operand_types(stage)[0]);
  stage.output_names.assign(stage.outputs.size(), {});
  std::vector<Tensor> left;
  for (const Value& value : seat.backend.run(before, seat.inputs, Reading::values, seat.execution))
    left.push_back(to_float32(seat.backend.download(value, seat.execution)));
  return left;
}

/// Orders in which other libraries store a layer's gates, and those that a conversion to ONNX's makes
/// when it goes the wrong way: where each of ONNX's gates (z, r, n; i, o, f, c) is read.
std::vector<std::vector<std::int64_t>> gate_orders(const Recurrent& layer) {
  if (layer.cell == Recurrent::Cell::gru) return {{1, 0, 2}};
  return {{0, 3, 1, 2}, {0, 2, 1, 3}, {0, 3, 2, 1}, {1, 3, 0, 2},
          {1, 3, 2, 0}, {0, 2, 3, 1}, {2, 0, 3, 1}, {3, 0, 2, 1}};
}
/// "i, f, c, o".
std::string gates_in_order(const Recurrent& layer, const std::vector<std::int64_t>& order) {
  const std::string_view gates = layer.cell == Recurrent::Cell::gru ? "zrn" : "iofc";
  std::string text;
  for (std::int64_t place = 0; place < layer.gates(); ++place) {
    const auto gate = std::find(order.begin(), order.end(), place) - order.begin();
    text += (text.empty() ? "" : ", ") + std::string(1, gates[static_cast<std::size_t>(gate)]);
  }
  return text;
}

/// What changes nothing when a step applies it; none where that is no constant behind the value.
std::optional<float> neutral_element(const Binary& op) {
  using Function = Binary::Function;
  switch (op.function) {
    case Function::add:
      return 0.0F;
    case Function::mul:
      return 1.0F;
    case Function::sub:
      return op.constant == Binary::Side::right ? std::optional(0.0F) : std::nullopt;
    case Function::div:
      return op.constant == Binary::Side::right ? std::optional(1.0F) : std::nullopt;
    default:
      return std::nullopt;
  }
}

/// The addition of a constant right behind a product, as a Linear layer on tensors of rank 3 is exported;
/// null where there is none.
const Step* addition_behind(const PlannedStage& planned) {
  const std::vector<Step>& steps = planned.stage.steps;
  if (!head_as<MatMul>(planned) || steps.size() < 2 || steps[1].inputs.size() != 1) return nullptr;
  const auto* added = std::get_if<Binary>(steps[1].op.get());
  return added != nullptr && added->function == Binary::Function::add ? &steps[1] : nullptr;
}

/// A constant that a step adds, subtracts, multiplies by or divides by, and what becomes of it.
struct Misapplied {
  std::size_t step;
  enum class How { left_out, twice } how;
};
/// The bias behind a product is a matter of its own, and a stage with nothing left returns its input.
std::vector<Misapplied> misapplied_constants(const PlannedStage& planned) {
  std::vector<Misapplied> all;
  const std::vector<Step>& steps = planned.stage.steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto* op = std::get_if<Binary>(steps[i].op.get());
    if (!op || steps[i].inputs.size() != 1 || !neutral_element(*op) ||
        steps[i].parameters[0]->type().type != Type::float32)
      continue;
    if (addition_behind(planned) == &steps[i]) continue;
    if (steps.size() > 1) all.push_back({i, Misapplied::How::left_out});
    all.push_back({i, Misapplied::How::twice});
  }
  return all;
}

/// The first transpose that moves elements, together with its shape; null where there is none or where the
/// stage without it would return its input.
struct Transposing {
  std::size_t step;
  Shape made;
};
std::optional<Transposing> transpose_of(const PlannedStage& planned) {
  const Stage& stage = planned.stage;
  const auto moves = [](const Step& step) { return std::holds_alternative<Movement>(*step.op); };
  if (std::all_of(stage.steps.begin(), stage.steps.end(), moves) &&
      stage.input_types[0].shape == stage.output_types[0].shape)
    return std::nullopt;
  const std::vector<OperandTypes> types = step_operand_types(stage);
  for (std::size_t i = 0; i < stage.steps.size(); ++i) {
    const auto* op = std::get_if<Movement>(stage.steps[i].op.get());
    if (!op || op->function != Movement::Function::transpose) continue;
    const Shape& x = types[i].inputs[0].shape;
    std::vector<std::size_t> order = op->permutation(x.size());
    std::erase_if(order, [&](std::size_t axis) { return x[axis] == 1; });
    if (!std::is_sorted(order.begin(), order.end()))
      return Transposing{i, op->infer(types[i])[0].shape};
  }
  return std::nullopt;
}

/// Where the bias of a stage's products lies: a step and which of its parameters.
struct BiasPlace {
  std::size_t step, parameter;
};
std::optional<BiasPlace> bias_of(const PlannedStage& planned) {
  const auto& parameters = planned.stage.steps[0].parameters;
  if (head_as<Recurrent>(planned)) {
    if (!parameters[recurrent_parameter::bias]) return std::nullopt;
    return BiasPlace{0, recurrent_parameter::bias};
  }
  const auto* product = head_as<MatMul>(planned);
  if (product ? product->addend == MatMul::Addend::parameter
              : is_convolution(planned) && parameters.size() > 1 && parameters[1])
    return BiasPlace{0, 1};
  if (addition_behind(planned)) return BiasPlace{1, 0};
  return std::nullopt;
}
const Tensor& bias_at(const PlannedStage& planned, BiasPlace place) {
  return *planned.stage.steps[place.step].parameters[place.parameter];
}
/// The stage with its bias changed.
PlannedStage with_bias(const PlannedStage& planned,
                       const std::function<Tensor(const Tensor&)>& change) {
  PlannedStage wrong = planned;
  const BiasPlace place = *bias_of(planned);
  wrong.stage.steps[place.step].parameters[place.parameter] =
      std::make_shared<const Tensor>(change(bias_at(planned, place)));
  return wrong;
}
/// Of these amounts those whose change of the bias changes a bit of it.
std::vector<double> changing_bias(const PlannedStage& planned, std::vector<double> amounts,
                                  Tensor (*change)(const Tensor& bias, double amount)) {
  const Tensor& bias = bias_at(planned, *bias_of(planned));
  std::erase_if(amounts, [&](double amount) { return same_bits(change(bias, amount), bias); });
  return amounts;
}
Tensor scaled_bias(const Tensor& bias, double factor) {
  // A zero stays: another sign of it is no other bias.
  return mapped(
      bias, [&](float value) { return value == 0 ? value : static_cast<float>(value * factor); });
}

/// A bias whose elements stand elsewhere. 0: each channel has the next one's, 1: the previous one's; of a
/// recurrent layer 2: Wb and Rb are exchanged, 3: Wb holds the sum of both.
Tensor misplaced_bias(const Tensor& bias, double amount) {
  if (amount < 2) {
    // Its channels: the last axis that is longer than 1.
    std::size_t axis = bias.shape().size();
    while (axis > 1 && bias.shape()[axis - 1] == 1) --axis;
    if (axis == 0) return bias;
    const std::int64_t C = bias.shape()[axis - 1];
    return reindexed(
        bias, [&](Index& at) { at[axis - 1] = (at[axis - 1] + (amount == 0 ? 1 : C - 1)) % C; });
  }
  const std::int64_t half = bias.shape()[1] / 2;
  const Tensor exchanged = reindexed(bias, [&](Index& at) { at[1] = (at[1] + half) % (2 * half); });
  if (amount == 2) return exchanged;
  std::vector<double> sum = widened(bias);
  const std::vector<double> other = widened(exchanged);
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const bool input = static_cast<std::int64_t>(i) % (2 * half) < half;
    sum[i] = input ? sum[i] + other[i] : 0;
  }
  return narrowed(bias.type(), sum);
}

/// A layer's bias with some halves left out: 0 all of it, 1 the input's, 2 the recurrent one.
Tensor without_bias(const Tensor& bias, double amount) {
  const std::int64_t half = bias.shape()[1] / 2;
  return gathered(bias, bias.shape(), [&](const Index& at) -> std::optional<Index> {
    if (amount == 0 || at[1] / half == static_cast<std::int64_t>(amount) - 1) return std::nullopt;
    return at;
  });
}
/// Whether leaving that out changes any element.
bool has_bias(const PlannedStage& planned, double amount) {
  const auto& bias = planned.stage.steps[0].parameters[recurrent_parameter::bias];
  return bias && !same_bits(without_bias(*bias, amount), *bias);
}

/// A tensor of two directions with these exchanged.
std::shared_ptr<const Tensor> with_directions_exchanged(const Tensor& tensor, std::size_t axis) {
  return std::make_shared<const Tensor>(
      reindexed(tensor, [&](Index& at) { at[axis] = 1 - at[axis]; }));
}
bool is_bidirectional(const PlannedStage& planned) {
  const auto* layer = head_as<Recurrent>(planned);
  return layer && layer->direction == Recurrent::Direction::bidirectional;
}

/// Each direction computed with the other one's weights.
PlannedStage with_weights_exchanged(const PlannedStage& planned) {
  PlannedStage wrong = planned;
  auto& parameters = wrong.stage.steps[0].parameters;
  for (const std::size_t at : {recurrent_parameter::weights, recurrent_parameter::recurrence,
                               recurrent_parameter::bias, recurrent_parameter::peepholes})
    if (parameters[at]) parameters[at] = with_directions_exchanged(*parameters[at], 0);
  return with_recurrent(wrong, [](Recurrent& layer) { std::swap(layer.forms[0], layer.forms[1]); });
}

/// Each direction's results handed out as the other one's, by a step behind the head.
PlannedStage with_outputs_exchanged(const PlannedStage& planned) {
  const auto& layer = *head_as<Recurrent>(planned);
  const bool time_first = layer.axes == Recurrent::Axes::time_first;
  PlannedStage wrong = planned;
  Stage& stage = wrong.stage;
  const std::int32_t unused = unused_tensor(stage);
  const auto exchanged =
      std::make_shared<const Tensor>(Tensor::of({2}, std::vector<std::int64_t>{1, 0}));
  Contract contract;
  contract.algorithm = Algorithm::move;
  contract.promise = promise_of(Algorithm::move);
  for (std::size_t k = 0; k < layer.outputs.size(); ++k) {
    const std::int64_t of_states = time_first ? 0 : 1;
    Gather gather;
    gather.axis = layer.outputs[k] == 0 ? of_states + 1 : of_states;
    gather.indices = Gather::Operand::parameter;
    Step step;
    step.op = std::make_shared<const Op>(gather);
    step.inputs = {TensorId{unused + static_cast<std::int32_t>(k)}};
    step.outputs = {stage.steps[0].outputs[k]};
    step.parameters = {nullptr, exchanged};
    stage.steps[0].outputs[k] = step.inputs[0];
    const auto at = static_cast<std::ptrdiff_t>(1 + k);
    stage.steps.insert(stage.steps.begin() + at, std::move(step));
    wrong.contracts.insert(wrong.contracts.begin() + at, contract);
  }
  return wrong;
}

/// Both directions taken the other way, with all that is theirs.
Misread with_both_reversed(const PlannedStage& planned) {
  const std::size_t axis = head_as<Recurrent>(planned)->axes == Recurrent::Axes::time_first ? 0 : 1;
  Misread misread{with_outputs_exchanged(with_weights_exchanged(planned))};
  auto& parameters = misread.stage.stage.steps[0].parameters;
  for (const std::size_t at : {recurrent_parameter::state, recurrent_parameter::memory})
    if (parameters[at]) parameters[at] = with_directions_exchanged(*parameters[at], axis);
  misread.operand = [=](std::size_t index, const Tensor& x) {
    return index == 0 ? x : *with_directions_exchanged(x, axis);
  };
  return misread;
}

/// An LSTM's bias with something added to its forget gate's; an absent one counts as zeros.
Tensor with_forget_bias(const PlannedStage& planned, double added) {
  const auto& parameters = planned.stage.steps[0].parameters;
  const Shape& recurrence = parameters[recurrent_parameter::recurrence]->shape();
  const std::int64_t rows = recurrence[1], H = recurrence[2];
  const auto& given = parameters[recurrent_parameter::bias];
  std::vector<double> bias =
      given ? widened(*given)
            : std::vector<double>(static_cast<std::size_t>(recurrence[0] * 2 * rows), 0.0);
  for (std::size_t i = 0; i < bias.size(); ++i) {
    // Wb of i, o, f, c, then Rb.
    const std::int64_t row = static_cast<std::int64_t>(i) % (2 * rows);
    if (row / H == 2) bias[i] += added;
  }
  return narrowed({Type::float32, {recurrence[0], 2 * rows}}, bias);
}

/// Functions that a layer has whose `activations` were not read, or read for one direction only, and those
/// that a relu in place of tanh makes.
std::vector<std::vector<CellForm>> other_cell_functions(const Recurrent& layer) {
  using G = GateFunction;
  const auto differs = [&](const CellForm& x, const CellForm& y) {
    return x.f != y.f || x.g != y.g || (layer.cell == Recurrent::Cell::lstm && x.h != y.h);
  };
  std::vector<std::vector<CellForm>> others;
  const auto add = [&](const CellForm& form) {
    std::vector<CellForm> forms = layer.forms;
    bool other = false;
    for (CellForm& each : forms) {
      other = other || differs(each, form);
      each.f = form.f;
      each.g = form.g;
      each.h = form.h;
    }
    if (other) others.push_back(std::move(forms));
  };
  add({G::sigmoid, G::tanh, G::tanh});
  add({G::sigmoid, G::relu, G::relu});
  if (layer.forms.size() > 1 && differs(layer.forms[0], layer.forms[1])) add(layer.forms[0]);
  return others;
}
/// "Sigmoid, Tanh, Tanh".
std::string functions_of(const Recurrent& layer, const CellForm& form) {
  const auto text = [](GateFunction function) {
    return function == GateFunction::sigmoid ? "Sigmoid"
           : function == GateFunction::tanh  ? "Tanh"
                                             : "Relu";
  };
  std::string all = fmt::format("{}, {}", text(form.f), text(form.g));
  if (layer.cell == Recurrent::Cell::lstm) all += fmt::format(", {}", text(form.h));
  return all;
}

/// Whether two resizes of an x read the same elements by the same weights.
bool same_resize(const Resize& left, const Resize& right, const Shape& x) {
  if (left.mode != right.mode) return false;
  return std::all_of(left.axes.begin(), left.axes.end(), [&](const Resize::Axis& axis) {
    const auto k = static_cast<std::size_t>(axis.axis);
    if (left.mode == Resize::Mode::nearest)
      return left.places(x).parts[k].table == right.places(x).parts[k].table;
    const Resize::Table a = left.table(axis, x[k]), b = right.table(axis, x[k]);
    return a.at == b.at && a.weights == b.weights;
  });
}

/// A stage's resize by another convention or rounding, if that reads other elements or weights.
std::optional<Resize> resized_otherwise(const PlannedStage& planned,
                                        const std::function<void(Resize&)>& change) {
  const auto* right = head_as<Resize>(planned);
  if (!right) return std::nullopt;
  Resize wrong = *right;
  change(wrong);
  if (same_resize(*right, wrong, planned.stage.input_types[0].shape)) return std::nullopt;
  return wrong;
}
std::optional<Resize> with_coordinates(const PlannedStage& planned, double amount) {
  return resized_otherwise(planned, [=](Resize& op) {
    op.coordinates = static_cast<Resize::Coordinates>(static_cast<int>(amount));
  });
}
std::optional<Resize> with_rounding(const PlannedStage& planned, double amount) {
  return resized_otherwise(planned, [=](Resize& op) {
    op.nearest = static_cast<Resize::Nearest>(static_cast<int>(amount));
  });
}
Misread with_resize(const PlannedStage& planned, const std::optional<Resize>& resize) {
  return {with_head(planned, [&](auto& o) {
    if constexpr (std::is_same_v<std::decay_t<decltype(o)>, Resize>) o = resize.value_or(o);
  })};
}

/// The resize of a stage in another mode, under its own convention and those that libraries have for that
/// mode, and by the other one of the two usual cubic coefficients.
std::vector<Resize> interpolated_otherwise(const PlannedStage& planned) {
  using C = Resize::Coordinates;
  using Mode = Resize::Mode;
  using Nearest = Resize::Nearest;
  const auto* right = head_as<Resize>(planned);
  if (!right) return {};
  std::vector<Resize> ways;
  const auto add = [&](const Resize& way) {
    const auto alike = [&](const Resize& other) {
      return same_resize(way, other, planned.stage.input_types[0].shape);
    };
    if (!alike(*right) && std::none_of(ways.begin(), ways.end(), alike)) ways.push_back(way);
  };
  Resize way = *right;
  for (const Mode mode : {Mode::nearest, Mode::linear, Mode::cubic}) {
    if (mode == right->mode) continue;
    way.mode = mode;
    if (mode == Mode::nearest) {
      for (const C coordinates : {right->coordinates, C::asymmetric})
        for (const Nearest rounding : {right->nearest, Nearest::floor, Nearest::prefer_floor}) {
          way.coordinates = coordinates;
          way.nearest = rounding;
          add(way);
        }
    } else {
      for (const C coordinates : {right->coordinates, C::half_pixel, C::align_corners}) {
        way.coordinates = coordinates;
        add(way);
      }
    }
  }
  way = *right;
  for (const float coefficient : {-0.75F, -0.5F}) {
    way.cubic_a = coefficient;
    add(way);
  }
  return ways;
}
/// "nearest, asymmetric, floor".
std::string described(const Resize& resize) {
  std::string text = fmt::format("{}, {}", name(resize.mode), name(resize.coordinates));
  if (resize.mode == Resize::Mode::nearest) text += fmt::format(", {}", name(resize.nearest));
  if (resize.mode == Resize::Mode::cubic) text += fmt::format(", {:.4g}", resize.cubic_a);
  return text;
}

const auto rows = std::to_array<Misreading>({
    {Bug::kernel_axes_swapped, 11, "the kernel is read with its rows and columns exchanged",
     [](const PlannedStage& p) {
       const Tensor* w = is_convolution(p) ? weights_of(p) : nullptr;
       return w && w->shape().size() == 4 && w->shape()[2] == w->shape()[3] && w->shape()[2] > 1;
     },
     once,
     [](const Seat& s, double) {
       return Misread{with_weights(s.planned, reindexed(*weights_of(s.planned), [](Index& at) {
                                     std::swap(at[2], at[3]);
                                   }))};
     }},
    {Bug::kernel_flipped, 10, "the kernel is read rotated by half a turn (a true convolution)",
     [](const PlannedStage& p) {
       return is_convolution(p) &&
              element_count(weights_of(p)->shape(), 2, weights_of(p)->shape().size()) > 1;
     },
     once,
     [](const Seat& s, double) {
       const Shape shape = weights_of(s.planned)->shape();
       return Misread{with_weights(s.planned, reindexed(*weights_of(s.planned), [&](Index& at) {
                                     for (std::size_t axis = 2; axis < shape.size(); ++axis)
                                       at[axis] = shape[axis] - 1 - at[axis];
                                   }))};
     }},
    {Bug::weights_transposed, 11, "the weights are read with input and output channels exchanged",
     [](const PlannedStage& p) {
       const Tensor* w = weights_of(p);
       if (!w || w->shape().size() < 2) return false;
       const std::size_t first = is_convolution(p) ? 0 : w->shape().size() - 2;
       return w->shape()[first] == w->shape()[first + 1] && w->shape()[first] > 1;
     },
     once,
     [](const Seat& s, double) {
       const std::size_t first =
           is_convolution(s.planned) ? 0 : weights_of(s.planned)->shape().size() - 2;
       return Misread{with_weights(s.planned, reindexed(*weights_of(s.planned), [&](Index& at) {
                                     std::swap(at[first], at[first + 1]);
                                   }))};
     }},
    {Bug::weights_misordered, 11, "the weights' memory is read as kernel-major (HWIO)",
     [](const PlannedStage& p) {
       const Tensor* w = is_convolution(p) ? weights_of(p) : nullptr;
       return w && element_count(w->shape(), 2, w->shape().size()) > 1 &&
              w->shape()[0] * w->shape()[1] > 1;
     },
     once,
     [](const Seat& s, double) {
       // The element at [o, i, kernel...] is taken from where [kernel..., i, o] would lie.
       const Tensor& w = *weights_of(s.planned);
       const std::int64_t O = w.shape()[0], I = w.shape()[1];
       const Tensor flat = w.reshaped({w.size()});
       return Misread{with_weights(s.planned, gathered(flat, w.shape(), [&](const Index& at) {
                                     std::int64_t offset = 0;
                                     for (std::size_t axis = 2; axis < at.size(); ++axis)
                                       offset = offset * w.shape()[axis] + at[axis];
                                     return std::optional(Index{(offset * I + at[1]) * O + at[0]});
                                   }))};
     }},
    // amount: which of `shifts`
    {Bug::window_shifted, 7, "every window is read off by a pixel (asymmetric SAME padding)",
     [](const PlannedStage& p) {
       return is_convolution(p) && (shift_matters(p, 0) || shift_matters(p, 1));
     },
     [](const PlannedStage& p) {
       std::vector<double> amounts;
       for (std::size_t i = 0; i < shifts.size(); ++i)
         if ((shifts[i][0] == 0 || shift_matters(p, 0)) &&
             (shifts[i][1] == 0 || shift_matters(p, 1)) &&
             // Which is pads_misordered by another name.
             (shifts[i][0] != 0 || shifts[i][1] != misordered_by(p)))
           amounts.push_back(static_cast<double>(i));
       return amounts;
     },
     [](const Seat& s, double amount) {
       const auto& by = shifts[static_cast<std::size_t>(amount)];
       return with_window(s.planned, [&](SlidingWindow& window) {
         for (std::size_t axis = 0; axis < 2; ++axis) {
           window.pad_begin[axis] += by[axis];
           window.pad_end[axis] -= by[axis];
         }
       });
     }},
    {Bug::pads_misordered, 8, "the pads are read as top, bottom, left, right",
     [](const PlannedStage& p) { return misordered_by(p) != 0; }, once,
     [](const Seat& s, double) {
       return with_window(s.planned,
                          [](SlidingWindow& window) { window.pad_begin[1] = window.pad_end[0]; });
     }},
    {Bug::padding_replicated, 9, "padding repeats the border instead of being no term",
     [](const PlannedStage& p) { return has_pads(p) && !head_as<MaxPool>(p); }, once,
     [](const Seat& s, double) { return with_padding(s.planned, 0, true); }},
    // amount: the value of the padding
    {Bug::padding_not_zero, 9, "padding holds a value other than zero",
     [](const PlannedStage& p) { return has_pads(p) && !head_as<MaxPool>(p); }, once,
     [](const Seat& s, double amount) {
       return with_padding(s.planned, static_cast<float>(amount), false);
     },
     Amount::real,
     [](const PlannedStage&, double amount) { return fmt::format(" ({:.6g})", amount); }},
    {Bug::stride_swapped, 14, "the strides of rows and columns are exchanged",
     [](const PlannedStage& p) {
       const SlidingWindow* w = window_of(head_of(p));
       return w && head_as<Conv2d>(p) && p.stage.input_types[0].shape.size() == 4 &&
              w->stride[0] != w->stride[1];
     },
     once,
     [](const Seat& s, double) {
       return with_window(s.planned, [](SlidingWindow& w) { std::swap(w.stride[0], w.stride[1]); });
     }},
    {Bug::dilation_swapped, 14, "the dilations of rows and columns are exchanged",
     [](const PlannedStage& p) {
       const SlidingWindow* w = window_of(head_of(p));
       return w && head_as<Conv2d>(p) && p.stage.input_types[0].shape.size() == 4 &&
              w->dilation[0] != w->dilation[1];
     },
     once,
     [](const Seat& s, double) {
       return with_window(s.planned,
                          [](SlidingWindow& w) { std::swap(w.dilation[0], w.dilation[1]); });
     }},
    // amount 0: the window begins where it did; 1: it keeps its middle, as under pads made for it
    {Bug::dilation_ignored, 14, "the dilations are taken as 1",
     [](const PlannedStage& p) {
       const SlidingWindow* w = window_of(head_of(p));
       return w && head_as<Conv2d>(p) && (narrower_by(*w, 0) > 0 || narrower_by(*w, 1) > 0);
     },
     [](const PlannedStage&) {
       return std::vector<double>{0, 1};
     },
     [](const Seat& s, double amount) {
       return with_window(s.planned, [&](SlidingWindow& w) {
         for (std::size_t axis = 0; axis < 2; ++axis) {
           if (amount == 1) w.pad_begin[axis] -= narrower_by(w, axis) / 2;
           w.dilation[axis] = 1;
         }
       });
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return std::string(amount == 0 ? " (under the same pads)" : " (around the same middle)");
     }},
    // amount 0: the channels of the groups interleave; 1: each group reads the next one's channels
    {Bug::groups_misread, 15, "groups read each other's channels",
     [](const PlannedStage& p) { return groups_of(p) > 1; },
     [](const PlannedStage& p) {
       const std::int64_t channels = p.stage.input_types[0].shape[1];
       return channels == groups_of(p) ? std::vector<double>{1} : std::vector<double>{0, 1};
     },
     [](const Seat& s, double amount) {
       const std::int64_t G = groups_of(s.planned);
       const std::int64_t C = s.planned.stage.input_types[0].shape[1], per_group = C / G;
       Misread misread{s.planned};
       misread.operand = [=](std::size_t, const Tensor& x) {
         return reindexed(x, [&](Index& at) {
           const std::int64_t g = at[1] / per_group, i = at[1] % per_group;
           at[1] = amount == 0 ? i * G + g : (at[1] + per_group) % C;
         });
       };
       return misread;
     }},
    // amount: the tile; the terms past its last whole multiple are left out
    {Bug::tail_dropped, 33, "the last terms of each sum, which fill no whole tile, are left out",
     [](const PlannedStage& p) {
       const auto k = contraction_of(p);
       return k && k->length > 4 && k->length % 16 != 0;
     },
     [](const PlannedStage& p) {
       std::vector<double> amounts;
       const std::int64_t K = contraction_of(p)->length;
       std::int64_t last = 0;
       for (const std::int64_t tile : {4, 8, 16, 32})
         if (K > tile && K % tile != 0 && K % tile != last) {
           last = K % tile;
           amounts.push_back(static_cast<double>(tile));
         }
       return amounts;
     },
     [](const Seat& s, double amount) {
       const Contraction k = *contraction_of(s.planned);
       const auto tile = static_cast<std::int64_t>(amount);
       const std::int64_t kept = k.length / tile * tile;
       const Tensor& w = *weights_of(s.planned);
       return Misread{with_weights(
           s.planned, gathered(w, w.shape(), [&](const Index& at) -> std::optional<Index> {
             if (at[k.axis] % k.length >= kept) return std::nullopt;
             return at;
           }))};
     }},
    // amount: of a recurrent layer 0 all of it, 1 the input's half, 2 the recurrent half
    {Bug::bias_dropped, 6, "the bias is left out",
     [](const PlannedStage& p) {
       return head_as<Recurrent>(p) ? has_bias(p, 0) : bias_of(p).has_value();
     },
     [](const PlannedStage& p) {
       if (!head_as<Recurrent>(p)) return std::vector<double>{0};
       const bool input = has_bias(p, 1), recurrent = has_bias(p, 2);
       return input && recurrent ? std::vector<double>{2, 1, 0}
                                 : std::vector<double>{input ? 1.0 : 2.0};
     },
     [](const Seat& s, double amount) {
       const BiasPlace place = *bias_of(s.planned);
       Misread misread{with_head(s.planned, [&](auto& o) {
         if constexpr (std::is_same_v<std::decay_t<decltype(o)>, MatMul>)
           if (place.step == 0) o.addend = MatMul::Addend::none;
       })};
       auto& bias = misread.stage.stage.steps[place.step].parameters[place.parameter];
       if (head_as<Recurrent>(s.planned))
         bias = std::make_shared<const Tensor>(without_bias(*bias, amount));
       else
         bias = place.step == 0 ? nullptr : constant_like(*bias, 0);
       return misread;
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return std::string(amount == 1   ? " (the input's half, Wb)"
                          : amount == 2 ? " (the recurrent half, Rb)"
                                        : "");
     }},
    // amount: the factor
    {Bug::bias_misscaled, 6, "the bias is added",
     [](const PlannedStage& p) { return bias_of(p).has_value(); },
     [](const PlannedStage& p) {
       return changing_bias(p, {2, 0.5, -1}, scaled_bias);
     },
     [](const Seat& s, double factor) {
       return Misread{with_bias(
           s.planned, [=](const Tensor& bias) { return scaled_bias(bias, factor); })};
     },
     Amount::choice,
     [](const PlannedStage&, double factor) {
       return std::string(factor == 2     ? " twice (once folded and once more)"
                          : factor == 0.5 ? " by half"
                                          : " with the other sign");
     }},
    // amount: see misplaced_bias()
    {Bug::bias_misplaced, 6, "the bias stands in another place",
     [](const PlannedStage& p) { return bias_of(p).has_value(); },
     [](const PlannedStage& p) {
       const auto* layer = head_as<Recurrent>(p);
       if (!layer) return changing_bias(p, {0, 1}, misplaced_bias);
       // Elsewhere both halves are added to one sum.
       if (layer->reset != Recurrent::Reset::after_the_product) return std::vector<double>();
       return changing_bias(p, {2, 3}, misplaced_bias);
     },
     [](const Seat& s, double amount) {
       return Misread{with_bias(
           s.planned, [=](const Tensor& bias) { return misplaced_bias(bias, amount); })};
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return std::string(amount == 0   ? " (each channel has the next one's)"
                          : amount == 1 ? " (each channel has the previous one's)"
                          : amount == 2 ? " (Wb and Rb are exchanged)"
                                        : " (Rb is added to Wb)");
     }},
    {Bug::folded_twice, 6, "BatchNorm is applied twice (folded into the weights and kept)",
     has_norm, once,
     [](const Seat& s, double) {
       return Misread{with_step_twice(s.planned, batch_norm_of(s.planned.stage))};
     }},
    {Bug::shift_dropped, 6, "BatchNorm's shift is left out, as when its bias is lost in folding",
     has_norm, once,
     [](const Seat& s, double) {
       return Misread{with_norm(s.planned, [](BatchNorm&, auto& p) {
         p[1] = constant_like(*p[1], 0);
         p[2] = constant_like(*p[2], 0);
       })};
     }},
    // amount: added to eps
    {Bug::wrong_epsilon, 1, "BatchNorm computes with another eps", has_norm,
     [](const PlannedStage& p) {
       return other_epsilons(
           std::get<BatchNorm>(*p.stage.steps[batch_norm_of(p.stage)].op).epsilon);
     },
     [](const Seat& s, double amount) {
       return Misread{with_norm(s.planned, [&](BatchNorm& norm, auto&) {
         norm.epsilon = static_cast<float>(static_cast<double>(norm.epsilon) + amount);
       })};
     },
     Amount::real,
     [](const PlannedStage&, double amount) { return fmt::format(" (off by {:+.3g})", amount); }},
    {Bug::batch_statistics, 2, "BatchNorm uses the statistics of this batch (training mode)",
     has_norm, once,
     [](const Seat& s, double) {
       const PlannedStage before = prefix_of(s.planned, batch_norm_of(s.planned.stage));
       const Value z = before.stage.steps.empty()
                           ? s.inputs[0]
                           : s.backend.run(before, s.inputs, Reading::values, s.execution)[0];
       const std::vector<double> values = widened(s.backend.download(z, s.execution));
       const std::int64_t C = z.shape()[1];
       const std::int64_t pixels = element_count(z.shape(), 2, z.shape().size());
       std::vector<double> sum(static_cast<std::size_t>(C)), squares = sum;
       const double n = static_cast<double>(values.size()) / static_cast<double>(C);
       const auto channel = [&](std::size_t i) {
         return static_cast<std::size_t>(static_cast<std::int64_t>(i) / pixels % C);
       };
       for (std::size_t i = 0; i < values.size(); ++i) sum[channel(i)] += values[i];
       for (double& each : sum) each /= n;
       for (std::size_t i = 0; i < values.size(); ++i) {
         const double d = values[i] - sum[channel(i)];
         squares[channel(i)] += d * d / n;
       }
       return Misread{with_norm(s.planned, [&](BatchNorm&, auto& p) {
         p[2] = std::make_shared<const Tensor>(narrowed(p[2]->type(), sum));
         p[3] = std::make_shared<const Tensor>(narrowed(p[3]->type(), squares));
       })};
     }},
    {Bug::variance_unbiased, 4, "BatchNorm's variance is scaled by n/(n - 1)", has_norm, once,
     [](const Seat& s, double) {
       const std::size_t at = batch_norm_of(s.planned.stage);
       const Shape x = step_operand_types(s.planned.stage)[at].inputs[0].shape;
       const auto n = static_cast<double>(element_count(x) / x[1]);
       return Misread{with_norm(s.planned, [&](BatchNorm&, auto& p) {
         p[3] = std::make_shared<const Tensor>(
             mapped(*p[3], [&](float v) { return static_cast<float>(v * n / (n - 1)); }));
       })};
     }},
    {Bug::scale_shift_swapped, 5, "BatchNorm's gamma and beta are exchanged", has_norm, once,
     [](const Seat& s, double) {
       return Misread{with_norm(s.planned, [](BatchNorm&, auto& p) { std::swap(p[0], p[1]); })};
     }},
    {Bug::mean_variance_swapped, 5, "BatchNorm's mean and variance are exchanged", has_norm, once,
     [](const Seat& s, double) {
       return Misread{with_norm(s.planned, [](BatchNorm&, auto& p) { std::swap(p[2], p[3]); })};
     }},
    // amount: which of other_constants()
    {Bug::constants_misread, 24, "the activation has other constants than it was given",
     [](const PlannedStage& p) { return constants_of(p.stage) < p.stage.steps.size(); },
     [](const PlannedStage& p) {
       return numbered(other_constants(activation_with_constants(p.stage)).size());
     },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       Step& step = misread.stage.stage.steps[constants_of(s.planned.stage)];
       auto unary = std::get<Unary>(*step.op);
       const auto other = other_constants(unary).at(static_cast<std::size_t>(amount));
       unary.a = other[0];
       unary.b = other[1];
       step.op = std::make_shared<const Op>(unary);
       // Of other constants nothing is proven; whoever has them has no such promise to keep.
       if (!unary.correct_kind())
         misread.stage.contracts[constants_of(s.planned.stage)].functions = Functions::own;
       return misread;
     },
     Amount::choice,
     [](const PlannedStage& p, double amount) {
       const Unary& right = activation_with_constants(p.stage);
       const auto other = other_constants(right).at(static_cast<std::size_t>(amount));
       const UnaryFunction& function = unary_function(right.function);
       // HardSwish has its constants by definition.
       const std::string_view a = function.a.name.empty() ? "slope" : function.a.name;
       std::string text = fmt::format(" ({} {:.4g} for {:.4g}", a, other[0], right.a);
       if (!function.b.name.empty())
         text += fmt::format(", {} {:.4g} for {:.4g}", function.b.name, other[1], right.b);
       return text + ")";
     }},
    // amount: which of misapplied_constants()
    {Bug::constant_misapplied, 0, "a constant",
     [](const PlannedStage& p) { return !misapplied_constants(p).empty(); },
     [](const PlannedStage& p) { return numbered(misapplied_constants(p).size()); },
     [](const Seat& s, double amount) {
       const Misapplied wrong =
           misapplied_constants(s.planned).at(static_cast<std::size_t>(amount));
       if (wrong.how == Misapplied::How::twice)
         return Misread{with_step_twice(s.planned, wrong.step)};
       Misread misread{s.planned};
       Step& step = misread.stage.stage.steps[wrong.step];
       step.parameters[0] =
           constant_like(*step.parameters[0], *neutral_element(std::get<Binary>(*step.op)));
       return misread;
     },
     Amount::choice,
     [](const PlannedStage& p, double amount) {
       const Misapplied wrong = misapplied_constants(p).at(static_cast<std::size_t>(amount));
       const Step& step = p.stage.steps[wrong.step];
       return fmt::format(" is {} ({})",
                          wrong.how == Misapplied::How::twice ? "applied twice" : "left out",
                          step.node.empty() ? step.op_type : step.node);
     }},
    {Bug::activation_dropped, 36, "the activation is left out",
     [](const PlannedStage& p) {
       return p.stage.steps.size() >= 2 && std::holds_alternative<Unary>(*p.stage.steps.back().op);
     },
     once,
     [](const Seat& s, double) {
       return Misread{prefix_of(s.planned, s.planned.stage.steps.size() - 1)};
     }},
    // amount: the slope at 0
    {Bug::sigmoid_hardened, 24, "sigmoid is the piecewise linear one",
     [](const PlannedStage& p) { return ends_with(p, EpilogueKind::sigmoid); },
     [](const PlannedStage&) {
       return std::vector<double>{1.0 / 6, 0.2};
     },
     [](const Seat& s, double slope) {
       return with_activation(s.planned,
                              [=](double x) { return std::clamp(slope * x + 0.5, 0.0, 1.0); });
     },
     Amount::real},
    {Bug::gelu_by_another_formula, 23, "GELU is the tanh formula for the erf one, or the reverse",
     [](const PlannedStage& p) { return gelu_of(p.stage) < p.stage.steps.size(); }, once,
     [](const Seat& s, double) {
       Misread misread{s.planned};
       Step& step = misread.stage.stage.steps[gelu_of(s.planned.stage)];
       auto gelu = std::get<Unary>(*step.op);
       gelu.function =
           gelu.function == EpilogueKind::gelu ? EpilogueKind::gelu_tanh : EpilogueKind::gelu;
       step.op = std::make_shared<const Op>(gelu);
       return misread;
     }},
    // amount: the slope below 0
    {Bug::relu_leaks, 24, "ReLU lets part of negative values through",
     [](const PlannedStage& p) { return ends_with(p, EpilogueKind::relu); },
     [](const PlannedStage&) {
       return std::vector<double>{0.01, 0.1, 0.2};
     },
     [](const Seat& s, double slope) {
       return with_activation(s.planned, [=](double x) { return x < 0 ? slope * x : x; });
     },
     Amount::real},
    // amount: the cap
    {Bug::relu_capped, 24, "ReLU is cut off above",
     [](const PlannedStage& p) { return ends_with(p, EpilogueKind::relu); },
     [](const PlannedStage&) {
       return std::vector<double>{6, 1};
     },
     [](const Seat& s, double cap) {
       return with_activation(s.planned, [=](double x) { return x > cap ? cap : relu(x); });
     },
     Amount::real},
    {Bug::pool_pads_zero, 17, "the pool's padding takes part as 0 instead of being no term",
     [](const PlannedStage& p) { return head_as<MaxPool>(p) && has_pads(p); }, once,
     [](const Seat& s, double) { return with_padding(s.planned, 0, false); }},
    {Bug::pool_ceil_lost, 16, "the windows of ceil_mode at the end were never written",
     [](const PlannedStage& p) {
       if (!head_as<MaxPool>(p) || p.stage.steps.size() != 1) return false;
       const Shape written = written_without_ceil(p);
       return written != p.stage.output_types[0].shape && element_count(written) > 0;
     },
     once,
     [](const Seat& s, double) {
       Misread misread{s.planned};
       misread.result = [written = written_without_ceil(s.planned)](const Shape& shape,
                                                                    std::vector<double>& y) {
         const std::size_t rank = shape.size();
         for (std::size_t i = 0; i < y.size(); ++i) {
           const auto at = static_cast<std::int64_t>(i);
           const bool inside =
               at % shape[rank - 1] < written[rank - 1] &&
               (rank < 4 || at / shape[rank - 1] % shape[rank - 2] < written[rank - 2]);
           if (!inside) y[i] = 0;
         }
       };
       return misread;
     }},
    {Bug::mean_undivided, 16, "the mean is not divided by its count",
     [](const PlannedStage& p) {
       const auto* reduce = head_as<Reduce>(p);
       return reduce && reduce->function == Reduce::Function::mean &&
              reduce->terms(p.stage.input_types[0]) > 1;
     },
     once,
     [](const Seat& s, double) {
       return Misread{with_head(s.planned, [](auto& o) {
         if constexpr (std::is_same_v<std::decay_t<decltype(o)>, Reduce>)
           o.function = Reduce::Function::sum;
       })};
     }},
    {Bug::pads_miscounted, 16, "the mean counts its padding, or leaves out what it should count",
     [](const PlannedStage& p) { return head_as<AveragePool>(p) && has_pads(p); }, once,
     [](const Seat& s, double) {
       return Misread{with_head(s.planned, [](auto& o) {
         if constexpr (std::is_same_v<std::decay_t<decltype(o)>, AveragePool>)
           o.pads = o.pads == AveragePool::Pads::included ? AveragePool::Pads::excluded
                                                          : AveragePool::Pads::included;
       })};
     }},
    // amount: the convention, in the order of Resize::Coordinates
    {Bug::resize_misplaced, 18, "the resize places its pixels by another convention",
     [](const PlannedStage& p) { return head_as<Resize>(p) != nullptr; },
     [](const PlannedStage& p) {
       std::vector<double> amounts;
       for (const auto coordinates :
            {Resize::Coordinates::half_pixel, Resize::Coordinates::align_corners,
             Resize::Coordinates::asymmetric})
         if (with_coordinates(p, static_cast<double>(coordinates)))
           amounts.push_back(static_cast<double>(coordinates));
       return amounts;
     },
     [](const Seat& s, double amount) {
       return with_resize(s.planned, with_coordinates(s.planned, amount));
     }},
    // amount: the rounding, in the order of Resize::Nearest
    {Bug::resize_rounded, 19, "the resize takes the other one of two pixels that are near",
     [](const PlannedStage& p) {
       const auto* resize = head_as<Resize>(p);
       return resize && resize->mode == Resize::Mode::nearest;
     },
     [](const PlannedStage& p) {
       std::vector<double> amounts;
       for (int rounding = 0; rounding < 4; ++rounding)
         if (with_rounding(p, rounding)) amounts.push_back(rounding);
       return amounts;
     },
     [](const Seat& s, double amount) {
       return with_resize(s.planned, with_rounding(s.planned, amount));
     }},
    // amount: which of interpolated_otherwise()
    {Bug::resize_interpolated, 18, "the resize interpolates in another mode",
     [](const PlannedStage& p) { return head_as<Resize>(p) != nullptr; },
     [](const PlannedStage& p) { return numbered(interpolated_otherwise(p).size()); },
     [](const Seat& s, double amount) {
       return with_resize(s.planned,
                          interpolated_otherwise(s.planned).at(static_cast<std::size_t>(amount)));
     },
     Amount::choice,
     [](const PlannedStage& p, double amount) {
       const Resize other = interpolated_otherwise(p).at(static_cast<std::size_t>(amount));
       return fmt::format(" ({} for {})", described(other), described(*head_as<Resize>(p)));
     }},
    {Bug::inputs_reversed, 12, "the inputs are taken in the reverse order",
     [](const PlannedStage& p) { return head_as<Concat>(p) && p.stage.inputs.size() > 1; }, once,
     [](const Seat& s, double) {
       Misread misread{s.planned};
       auto& inputs = misread.stage.stage.steps[0].inputs;
       std::reverse(inputs.begin(), inputs.end());
       return misread;
     }},
    // amount: which input
    {Bug::input_dropped, 36, "one input is taken as zeros",
     [](const PlannedStage& p) { return p.stage.inputs.size() > 1 && !head_as<Recurrent>(p); },
     [](const PlannedStage& p) { return numbered(p.stage.inputs.size()); },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       misread.operand = [=](std::size_t index, const Tensor& x) {
         if (index != static_cast<std::size_t>(amount)) return x;
         return mapped(x, [](float) { return 0.0F; });
       };
       return misread;
     }},
    {Bug::channels_reversed, 13, "the input's channels are read in the reverse order (RGB as BGR)",
     [](const PlannedStage& p) {
       const Shape& x = p.stage.input_types[0].shape;
       const auto* norm = head_as<Normalization>(p);
       const bool rows = head_as<Recurrent>(p) || head_as<MatMul>(p) || head_as<Softmax>(p) ||
                         (norm && norm->rows == Normalization::Rows::layer);
       return p.stage.inputs.size() == 1 && x.size() >= 3 && x[1] > 1 && !rows;
     },
     once,
     [](const Seat& s, double) {
       Misread misread{s.planned};
       misread.operand = [](std::size_t, const Tensor& x) {
         return reindexed(x, [&](Index& at) { at[1] = x.shape()[1] - 1 - at[1]; });
       };
       return misread;
     }},
    {Bug::flattened_channels_last, 12, "the image is flattened with its channels last",
     [](const PlannedStage& p) {
       if (!flattening_of(p)) return false;
       const Shape x = before_flattening(p);
       const Shape& y = p.stage.output_types[0].shape;
       return x.size() >= 3 && y.size() == 2 && x[0] == y[0] && x[1] > 1 &&
              element_count(x, 2, x.size()) > 1;
     },
     once,
     [](const Seat& s, double) {
       const Shape x = before_flattening(s.planned);
       const std::int64_t C = x[1], P = element_count(x, 2, x.size());
       Misread misread{s.planned};
       misread.result = [=](const Shape&, std::vector<double>& y) {
         const std::vector<double> right = y;
         for (std::int64_t i = 0; i < static_cast<std::int64_t>(y.size()); ++i) {
           const std::int64_t item = i / (C * P), c = i % C, pixel = i % (C * P) / C;
           y[static_cast<std::size_t>(i)] =
               right[static_cast<std::size_t>((item * C + c) * P + pixel)];
         }
       };
       return misread;
     }},
    {Bug::transpose_dropped, 12, "a transpose is left out, its shape taken without moving an element",
     [](const PlannedStage& p) { return transpose_of(p).has_value(); }, once,
     [](const Seat& s, double) {
       const Transposing transpose = *transpose_of(s.planned);
       Misread misread{s.planned};
       misread.stage.stage.steps[transpose.step].op = std::make_shared<const Op>(
           Movement{Movement::Function::reshape, transpose.made, Movement::Zero::is_the_extent});
       return misread;
     }},
    // amount: which input had been overwritten when it was read; -1: the output was, afterwards
    {Bug::relu_in_place, 0, "a ReLU that works in place has overwritten",
     [](const PlannedStage& p) { return float_inputs(p) && !is_relu(*p.stage.steps.front().op); },
     [](const PlannedStage& p) {
       std::vector<double> amounts = numbered(p.stage.inputs.size());
       if (!is_relu(*p.stage.steps.back().op)) amounts.push_back(-1);
       return amounts;
     },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       if (amount < 0)
         misread.element = [](double y) { return relu(y); };
       else
         misread.operand = [=](std::size_t index, const Tensor& x) {
           if (index != static_cast<std::size_t>(amount)) return x;
           return mapped(x, [](float value) { return relu(value); });
         };
       return misread;
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return std::string(amount < 0 ? " the output" : " an input");
     }},
    {Bug::reset_misplaced, 20,
     "the reset gate acts on the wrong side of the recurrent product (linear_before_reset)",
     [](const PlannedStage& p) {
       const auto* layer = head_as<Recurrent>(p);
       return layer && layer->cell == Recurrent::Cell::gru;
     },
     once,
     [](const Seat& s, double) {
       return Misread{with_recurrent(s.planned, [](Recurrent& layer) {
         layer.reset = layer.reset == Recurrent::Reset::after_the_product
                           ? Recurrent::Reset::before_the_product
                           : Recurrent::Reset::after_the_product;
       })};
     }},
    // amount: which order (gate_orders)
    {Bug::gates_misordered, 21, "the gates of the weights are read in another order",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; },
     [](const PlannedStage& p) {
       return numbered(gate_orders(*head_as<Recurrent>(p)).size());
     },
     [](const Seat& s, double amount) {
       const auto& layer = *head_as<Recurrent>(s.planned);
       const std::vector<std::int64_t> order =
           gate_orders(layer).at(static_cast<std::size_t>(amount));
       Misread misread{s.planned};
       auto& parameters = misread.stage.stage.steps[0].parameters;
       const std::int64_t H = parameters[recurrent_parameter::recurrence]->shape()[2];
       for (const std::size_t at : {recurrent_parameter::weights, recurrent_parameter::recurrence,
                                    recurrent_parameter::bias})
         if (parameters[at])
           parameters[at] =
               std::make_shared<const Tensor>(reindexed(*parameters[at], [&](Index& index) {
                 const std::int64_t gate = index[1] / H, gates = layer.gates();
                 index[1] += (order[static_cast<std::size_t>(gate % gates)] - gate % gates) * H;
               }));
       return misread;
     },
     Amount::choice,
     [](const PlannedStage& p, double amount) {
       const auto& layer = *head_as<Recurrent>(p);
       const std::vector<std::int64_t> order =
           gate_orders(layer).at(static_cast<std::size_t>(amount));
       std::vector<std::int64_t> onnx(order.size()), back(order.size());
       for (std::size_t gate = 0; gate < order.size(); ++gate) {
         onnx[gate] = static_cast<std::int64_t>(gate);
         back[static_cast<std::size_t>(order[gate])] = onnx[gate];
       }
       std::string text = fmt::format(" ({} taken for {}", gates_in_order(layer, onnx),
                                      gates_in_order(layer, order));
       if (back != order) text += ", or stored as " + gates_in_order(layer, back);
       return text + ")";
     }},
    // amount: what is ignored (carried_by)
    {Bug::initial_state_ignored, 0, "the initial state is taken as zeros",
     [](const PlannedStage& p) {
       return head_as<Recurrent>(p) &&
              (is_given(p, Carried::state) || is_given(p, Carried::memory));
     },
     [](const PlannedStage& p) {
       const bool state = is_given(p, Carried::state), memory = is_given(p, Carried::memory);
       return state && memory ? std::vector<double>{0, 1, 2}
                              : std::vector<double>{state ? 1.0 : 2.0};
     },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       for (const Carried carried : carried_by(amount))
         misread.stage = beginning_with(std::move(misread.stage), carried, nullptr);
       return misread;
     },
     Amount::choice, carried_text},
    // amount: what is left over (carried_by)
    {Bug::initial_state_stale, 0, "it begins in the state that the run before it ended in",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; },
     [](const PlannedStage& p) {
       return head_as<Recurrent>(p)->cell == Recurrent::Cell::gru ? std::vector<double>{1}
                                                                  : std::vector<double>{0, 1, 2};
     },
     [](const Seat& s, double amount) {
       const std::vector<Tensor> left = left_by(s);
       Misread misread{s.planned};
       for (const Carried carried : carried_by(amount))
         misread.stage = beginning_with(
             std::move(misread.stage), carried,
             std::make_shared<const Tensor>(left.at(carried == Carried::state ? 0 : 1)));
       return misread;
     },
     Amount::choice, carried_text},
    {Bug::sequence_reversed, 0, "the steps are taken in the other direction",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; }, once,
     [](const Seat& s, double) {
       if (is_bidirectional(s.planned)) return with_both_reversed(s.planned);
       return Misread{with_recurrent(s.planned, [](Recurrent& layer) {
         layer.direction = layer.direction == Recurrent::Direction::forward
                               ? Recurrent::Direction::reverse
                               : Recurrent::Direction::forward;
       })};
     }},
    // amount 0: each direction's result stands where the other's should; 1: each is computed with the
    // other's weights
    {Bug::directions_swapped, 0, "the two directions are exchanged", is_bidirectional,
     [](const PlannedStage&) {
       return std::vector<double>{0, 1};
     },
     [](const Seat& s, double amount) {
       return Misread{amount == 0 ? with_outputs_exchanged(s.planned)
                                  : with_weights_exchanged(s.planned)};
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return std::string(amount == 0 ? " (their results)" : " (their weights)");
     }},
    {Bug::recurrence_transposed, 0, "the recurrent weights are read transposed, gate by gate",
     [](const PlannedStage& p) {
       return head_as<Recurrent>(p) &&
              p.stage.steps[0].parameters[recurrent_parameter::recurrence]->shape()[2] > 1;
     },
     once,
     [](const Seat& s, double) {
       Misread misread{s.planned};
       auto& R = misread.stage.stage.steps[0].parameters[recurrent_parameter::recurrence];
       const std::int64_t H = R->shape()[2];
       // R[d, gate * H + i, j] = R[d, gate * H + j, i]
       R = std::make_shared<const Tensor>(reindexed(*R, [&](Index& at) {
         const std::int64_t first = at[1] / H * H, i = at[1] - first;
         at[1] = first + at[2];
         at[2] = i;
       }));
       return misread;
     }},
    {Bug::recurrence_dropped, 0, "no step reads the state before it (the recurrent weights are zero)",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; }, once,
     [](const Seat& s, double) {
       Misread misread{s.planned};
       auto& R = misread.stage.stage.steps[0].parameters[recurrent_parameter::recurrence];
       R = constant_like(*R, 0);
       return misread;
     }},
    // amount: added to it
    {Bug::forget_bias_misread, 0, "the bias of the forget gate",
     [](const PlannedStage& p) {
       const auto* layer = head_as<Recurrent>(p);
       return layer && layer->cell == Recurrent::Cell::lstm;
     },
     [](const PlannedStage&) {
       return std::vector<double>{1, -1};
     },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       misread.stage.stage.steps[0].parameters[recurrent_parameter::bias] =
           std::make_shared<const Tensor>(with_forget_bias(s.planned, amount));
       return misread;
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return std::string(amount > 0 ? " has 1 added once more (forget_bias, unit_forget_bias)"
                                     : " lacks the 1 that was added to it");
     }},
    // amount: which of other_cell_functions()
    {Bug::cell_functions_misread, 0, "the cell has other functions than it was given",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; },
     [](const PlannedStage& p) {
       return numbered(other_cell_functions(*head_as<Recurrent>(p)).size());
     },
     [](const Seat& s, double amount) {
       return Misread{with_recurrent(s.planned, [&](Recurrent& layer) {
         layer.forms = other_cell_functions(layer).at(static_cast<std::size_t>(amount));
       })};
     },
     Amount::choice,
     [](const PlannedStage& p, double amount) {
       const auto& layer = *head_as<Recurrent>(p);
       const auto other = other_cell_functions(layer).at(static_cast<std::size_t>(amount));
       const std::size_t last = other.size() - 1;
       return fmt::format(" ({} for {})", functions_of(layer, other[last]),
                          functions_of(layer, layer.forms[last]));
     }},
    // amount: the clip; 0: none
    {Bug::cell_clip_misread, 0, "the arguments of the cell's functions are cut off",
     [](const PlannedStage& p) { return head_as<Recurrent>(p) != nullptr; },
     [](const PlannedStage& p) {
       return head_as<Recurrent>(p)->forms[0].clip > 0 ? std::vector<double>{0}
                                                       : std::vector<double>{1, 3};
     },
     [](const Seat& s, double clip) {
       return Misread{with_recurrent(s.planned, [&](Recurrent& layer) {
         for (CellForm& form : layer.forms) form.clip = static_cast<float>(clip);
       })};
     },
     Amount::choice,
     [](const PlannedStage& p, double clip) {
       const auto shown = [](double x) { return x > 0 ? fmt::format("at {:.4g}", x) : "nowhere"; };
       const double right = head_as<Recurrent>(p)->forms[0].clip;
       return fmt::format(" {}, not {} (clip)", shown(clip), shown(right));
     }},
    // amount: added to eps
    {Bug::row_epsilon, 22, "the normalization computes with another eps",
     [](const PlannedStage& p) { return head_as<Normalization>(p) != nullptr; },
     [](const PlannedStage& p) { return other_epsilons(head_as<Normalization>(p)->epsilon); },
     [](const Seat& s, double amount) {
       return Misread{with_head(s.planned, [&](auto& o) {
         if constexpr (std::is_same_v<std::decay_t<decltype(o)>, Normalization>)
           o.epsilon = static_cast<float>(static_cast<double>(o.epsilon) + amount);
       })};
     },
     Amount::real},
    // amount: the axis taken instead
    {Bug::softmax_axis, 0, "the softmax runs along another axis",
     [](const PlannedStage& p) {
       const auto* softmax = head_as<Softmax>(p);
       return softmax && softmax->row == Softmax::Row::along_the_axis &&
              p.stage.input_types[0].shape.size() > 1;
     },
     [](const PlannedStage& p) {
       std::vector<double> amounts;
       for (std::size_t axis = 0; axis < p.stage.input_types[0].shape.size(); ++axis)
         if (static_cast<std::int64_t>(axis) != head_as<Softmax>(p)->axis)
           amounts.push_back(static_cast<double>(axis));
       return amounts;
     },
     [](const Seat& s, double amount) {
       return Misread{with_head(s.planned, [&](auto& o) {
         if constexpr (std::is_same_v<std::decay_t<decltype(o)>, Softmax>)
           o.axis = static_cast<std::int64_t>(amount);
       })};
     }},
    // amount: which tensor core
    {Bug::tf32_unnoticed, 25, "the operands were rounded to TF32",
     [](const PlannedStage& p) { return multiplies(p) && !runs_tensor_core(p); },
     [](const PlannedStage&) {
       return std::vector<double>{0, 1};
     },
     [](const Seat& s, double amount) {
       return with_tensor_core(s.planned, tensor_core_numbered(amount), Rounding::rna);
     }},
    {Bug::tf32_truncated, 26, "the operands were cut to TF32 without rounding",
     [](const PlannedStage& p) {
       return multiplies(p) && p.contracts.front().rounding != Rounding::truncate;
     },
     [](const PlannedStage&) {
       return std::vector<double>{0, 1};
     },
     [](const Seat& s, double amount) {
       return with_tensor_core(s.planned, tensor_core_numbered(amount), Rounding::truncate);
     }},
    {Bug::half_operands, 27, "the operands were rounded to float16", is_mac, once,
     [](const Seat& s, double) { return with_operands(s.planned, round_to_half); }},
    {Bug::bfloat_operands, 27, "the operands were rounded to bfloat16", is_mac, once,
     [](const Seat& s, double) { return with_operands(s.planned, to_bfloat); }},
    // amount: which of narrower_types
    {Bug::weights_narrowed, 27, "the weights, and they alone, were stored as",
     [](const PlannedStage& p) { return !weight_parameters(p).empty(); },
     [](const PlannedStage&) { return numbered(narrower_types.size()); },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       auto& parameters = misread.stage.stage.steps[0].parameters;
       for (const std::size_t at : weight_parameters(s.planned))
         parameters[at] = std::make_shared<const Tensor>(
             stored_narrower(s.planned, *parameters[at], amount));
       return misread;
     },
     Amount::choice,
     [](const PlannedStage&, double amount) {
       return fmt::format(" {}", narrower_types.at(static_cast<std::size_t>(amount)));
     }},
    // amount: stored mantissa bits that are kept
    {Bug::operand_truncated, 27, "the inputs lost their low mantissa bits", float_inputs,
     [](const PlannedStage&) {
       std::vector<double> amounts;
       for (int bits = 2; bits <= 22; ++bits) amounts.push_back(bits);
       return amounts;
     },
     [](const Seat& s, double amount) {
       Misread misread{s.planned};
       misread.operand = [=](std::size_t, const Tensor& x) {
         return mapped(x, [&](float v) { return truncated(v, static_cast<int>(amount)); });
       };
       return misread;
     },
     Amount::choice,
     [](const PlannedStage&, double amount) { return fmt::format(" ({} are left)", amount); }},
    {Bug::subnormals_flushed, 34, "subnormal operands and results became zero", float_inputs, once,
     [](const Seat& s, double) {
       Misread misread = with_operands(s.planned, flushed);
       misread.element = [](double y) {
         return std::fabs(y) < static_cast<double>(std::numeric_limits<float>::min())
                    ? std::copysign(0.0, y)
                    : y;
       };
       return misread;
     }},
    {Bug::order_changed, 37, "the terms were summed in another order (gemm:eigen)",
     [](const PlannedStage& p) {
       return multiplies(p) && p.contracts.front().algorithm == Algorithm::chain;
     },
     once,
     [](const Seat& s, double) {
       Misread misread{s.planned};
       misread.stage.contracts.front().algorithm = Algorithm::gemm_eigen;
       misread.stage.contracts.front().promise = promise_of(Algorithm::gemm_eigen);
       return misread;
     }},
});

constexpr std::array bug_names = std::to_array<std::string_view>({"kernel_axes_swapped",
                                                                  "kernel_flipped",
                                                                  "weights_transposed",
                                                                  "weights_misordered",
                                                                  "window_shifted",
                                                                  "pads_misordered",
                                                                  "padding_replicated",
                                                                  "padding_not_zero",
                                                                  "stride_swapped",
                                                                  "dilation_swapped",
                                                                  "dilation_ignored",
                                                                  "groups_misread",
                                                                  "tail_dropped",
                                                                  "bias_dropped",
                                                                  "bias_misscaled",
                                                                  "bias_misplaced",
                                                                  "folded_twice",
                                                                  "shift_dropped",
                                                                  "wrong_epsilon",
                                                                  "batch_statistics",
                                                                  "variance_unbiased",
                                                                  "scale_shift_swapped",
                                                                  "mean_variance_swapped",
                                                                  "constants_misread",
                                                                  "activation_dropped",
                                                                  "constant_misapplied",
                                                                  "relu_in_place",
                                                                  "sigmoid_hardened",
                                                                  "gelu_by_another_formula",
                                                                  "relu_leaks",
                                                                  "relu_capped",
                                                                  "pool_pads_zero",
                                                                  "pool_ceil_lost",
                                                                  "mean_undivided",
                                                                  "pads_miscounted",
                                                                  "resize_misplaced",
                                                                  "resize_rounded",
                                                                  "resize_interpolated",
                                                                  "inputs_reversed",
                                                                  "input_dropped",
                                                                  "channels_reversed",
                                                                  "flattened_channels_last",
                                                                  "transpose_dropped",
                                                                  "reset_misplaced",
                                                                  "gates_misordered",
                                                                  "initial_state_ignored",
                                                                  "initial_state_stale",
                                                                  "sequence_reversed",
                                                                  "directions_swapped",
                                                                  "recurrence_transposed",
                                                                  "recurrence_dropped",
                                                                  "forget_bias_misread",
                                                                  "cell_functions_misread",
                                                                  "cell_clip_misread",
                                                                  "row_epsilon",
                                                                  "softmax_axis",
                                                                  "tf32_unnoticed",
                                                                  "tf32_truncated",
                                                                  "half_operands",
                                                                  "bfloat_operands",
                                                                  "weights_narrowed",
                                                                  "operand_truncated",
                                                                  "subnormals_flushed",
                                                                  "order_changed",
                                                                  "bit_flipped",
                                                                  "ulp_bumped",
                                                                  "element_moved",
                                                                  "channel_scaled",
                                                                  "channel_offset",
                                                                  "channel_replaced",
                                                                  "channels_permuted",
                                                                  "stale_buffer",
                                                                  "border_garbage",
                                                                  "lane_corrupted",
                                                                  "tile_tail_garbage",
                                                                  "index_overflow",
                                                                  "batch_item_repeated",
                                                                  "nan_swallowed",
                                                                  "output_zeroed",
                                                                  "output_constant",
                                                                  "input_returned",
                                                                  "run_to_run",
                                                                  "race",
                                                                  "batch_dependent"});
static_assert(bug_names.size() == static_cast<std::size_t>(Bug::batch_dependent) + 1);

}  // namespace

std::string_view name(Bug bug) { return bug_names.at(static_cast<std::size_t>(bug)); }

std::span<const Misreading> misreadings() { return rows; }

const Misreading* misreading_of(Bug bug) {
  for (const Misreading& row : rows)
    if (row.bug == bug) return &row;
  return nullptr;
}

std::size_t batch_norm_of(const Stage& stage) {
  std::size_t i = 0;
  while (i < stage.steps.size() && !std::holds_alternative<BatchNorm>(*stage.steps[i].op)) ++i;
  return i;
}

std::int64_t batch_items(const Stage& stage) {
  if (stage.inputs.empty() || std::holds_alternative<Recurrent>(*stage.steps.front().op)) return 1;
  const Shape &x = stage.input_types[0].shape, &y = stage.output_types[0].shape;
  return x.empty() || y.empty() || x[0] != y[0] ? 1 : y[0];
}

PlannedStage prefix_of(const PlannedStage& planned, std::size_t steps) {
  PlannedStage first = planned;
  Stage& stage = first.stage;
  stage.steps.resize(steps);
  first.contracts.resize(steps);
  if (steps == 0 || steps == planned.stage.steps.size()) return first;
  const Step& last = stage.steps.back();
  const std::vector<OperandTypes> types = step_operand_types(stage);
  stage.outputs = last.outputs;
  stage.output_types = visit([&](const auto& o) { return o.infer(types.back()); }, *last.op);
  stage.output_names.resize(1);
  return first;
}

PlannedStage suffix_of(const PlannedStage& planned, std::size_t first) {
  PlannedStage last = planned;
  if (first == 0) return last;
  Stage& stage = last.stage;
  const Step& before = planned.stage.steps[first - 1];
  stage.inputs = before.outputs;
  stage.input_types =
      visit([&](const auto& o) { return o.infer(step_operand_types(planned.stage)[first - 1]); },
            *before.op);
  stage.input_names.assign(stage.inputs.size(), {});
  stage.macs = 0;
  const auto count = static_cast<std::ptrdiff_t>(first);
  stage.steps.erase(stage.steps.begin(), stage.steps.begin() + count);
  last.contracts.erase(last.contracts.begin(), last.contracts.begin() + count);
  return last;
}

std::vector<double> widened(const Tensor& tensor) {
  if (tensor.type().type == Type::float64) {
    const std::span<const double> values = tensor.values<double>();
    return {values.begin(), values.end()};
  }
  const std::span<const float> values = tensor.values<float>();
  return {values.begin(), values.end()};
}

Tensor narrowed(const TensorType& type, std::span<const double> elements) {
  if (type.type == Type::float64)
    return Tensor::of(type.shape, std::vector<double>(elements.begin(), elements.end()));
  std::vector<float> values(elements.size());
  std::transform(elements.begin(), elements.end(), values.begin(),
                 [](double value) { return static_cast<float>(value); });
  return Tensor::of(type.shape, std::move(values));
}

std::vector<Value> run_misread(const Seat& seat, const Misread& misread, Reading reading) {
  std::vector<Value> inputs(seat.inputs.begin(), seat.inputs.end());
  if (misread.operand)
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Type type = inputs[i].type().type;
      if (type != Type::float32 && type != Type::float64) continue;  // integers are no operands
      inputs[i] = seat.backend.upload(
          misread.operand(i, to_float32(seat.backend.download(inputs[i], seat.execution))),
          seat.execution);
    }
  // Copies of its own, so that nothing packed for the right stage is taken for this one.
  PlannedStage stage = misread.stage;
  for (Step& step : stage.stage.steps)
    for (auto& parameter : step.parameters)
      if (parameter) parameter = std::make_shared<const Tensor>(*parameter);
  std::vector<Value> outputs = seat.backend.run(stage, inputs, reading, seat.execution);
  seat.backend.forget(stage);
  if (reading == Reading::magnitudes || (!misread.element && !misread.result)) return outputs;
  const Tensor made = seat.backend.download(outputs[0], seat.execution);
  std::vector<double> y = widened(made);
  if (misread.element)
    for (double& value : y) value = misread.element(value);
  if (misread.result) misread.result(made.shape(), y);
  outputs[0] = seat.backend.upload(narrowed(made.type(), y), seat.execution);
  return outputs;
}

}  // namespace parity
