#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "compare/misread/rows.hpp"
#include "model/ops.hpp"

// The windows of convolutions and pools: kernels, shifts, padding, strides, dilations, groups, means.

namespace parity::misread_rows {
namespace {

const SlidingWindow* window_of(const Op& op) {
  return visit(
      [](const auto& o) -> const SlidingWindow* {
        if constexpr (requires { o.window; }) return &o.window;
        return nullptr;
      },
      op);
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

/// A convolution or pool that reads its padding from an input made larger: the nearest element of the
/// image when it is to `replicate`, else `value`.
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

constexpr auto rows = std::to_array<Misreading>({
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
});

}  // namespace

std::span<const Misreading> windows() { return rows; }

}  // namespace parity::misread_rows
