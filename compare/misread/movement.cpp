#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "compare/misread/rows.hpp"
#include "model/ops.hpp"

// What moves elements: resizes, the order of inputs and channels, flattening, transposes.

namespace parity::misread_rows {
namespace {

const Movement* flattening_of(const PlannedStage& planned) {
  return std::get_if<Movement>(planned.stage.steps.back().op.get());
}

/// The shape that the last step flattens.
Shape before_flattening(const PlannedStage& planned) {
  return step_operand_types(planned.stage).back().inputs[0].shape;
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

constexpr auto rows = std::to_array<Misreading>({
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
    {Bug::transpose_dropped, 12,
     "a transpose is left out, its shape taken without moving an element",
     [](const PlannedStage& p) { return transpose_of(p).has_value(); }, once,
     [](const Seat& s, double) {
       const Transposing transpose = *transpose_of(s.planned);
       Misread misread{s.planned};
       misread.stage.stage.steps[transpose.step].op = std::make_shared<const Op>(
           Movement{Movement::Function::reshape, transpose.made, Movement::Zero::is_the_extent});
       return misread;
     }},
});

}  // namespace

std::span<const Misreading> movement() { return rows; }

}  // namespace parity::misread_rows
