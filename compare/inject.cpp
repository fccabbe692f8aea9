#include "compare/inject.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "compare/forwarding.hpp"
#include "model/arithmetic/bits.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/error.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

/// An output in the hands of a fault, row-major.
struct Output {
  const Shape& shape;
  std::vector<double>& y;
  Type type;
  double amount;
  Counter random;
  std::uint64_t run;  ///< how often the stage ran before

  std::int64_t size() const { return static_cast<std::int64_t>(y.size()); }
  double& at(std::int64_t i) { return y[static_cast<std::size_t>(i)]; }
  /// A seeded place, moved on to the next element that tells something.
  std::int64_t element() {
    const auto start = static_cast<std::int64_t>(random.bits(0) % y.size());
    for (std::int64_t i = 0; i < size(); ++i) {
      const double value = at((start + i) % size());
      if (std::isfinite(value) && value != 0) return (start + i) % size();
    }
    return start;
  }
  std::int64_t channels() const { return shape.size() >= 2 ? shape[1] : 1; }
  std::int64_t channel_of(std::int64_t i) const {
    return shape.size() >= 2 ? i / element_count(shape, 2, shape.size()) % shape[1] : 0;
  }
  /// f(y) on every element of the channel that holds element().
  template <class F>
  void change_channel(F f) {
    const std::int64_t channel = channel_of(element());
    for (std::int64_t i = 0; i < size(); ++i)
      if (channel_of(i) == channel) at(i) = f(at(i));
  }
  double rms() const {
    double sum = 0;
    for (const double value : y) sum += std::isfinite(value) ? value * value : 0;
    return std::sqrt(sum / static_cast<double>(y.size()));
  }
  /// The bits of an element as it is stored, changed.
  template <class F>
  void change_bits(std::int64_t i, F f) {
    at(i) = type == Type::float64
                ? double_of(f(bits_of(at(i))))
                : static_cast<double>(
                      float_of(static_cast<std::uint32_t>(f(bits_of(static_cast<float>(at(i)))))));
  }
};

/// Extents of a tensor as [outer, H, W]: the last two axes of rank 3 and 4; rank 2 is one plane.
struct Planes {
  std::int64_t outer, H, W;
};
Planes planes_of(const Shape& shape) {
  const std::size_t rank = shape.size();
  if (rank < 2) return {1, 1, element_count(shape)};
  return {element_count(shape, 0, rank - 2), shape[rank - 2], shape[rank - 1]};
}

// Each fault below is one function; its row in the table says what `amount` means.

void flip_bit(Output& o) {
  o.change_bits(o.element(), [&](auto bits) {
    return bits ^ (decltype(bits){1} << static_cast<int>(o.amount));
  });
}
void bump(Output& o) {
  o.change_bits(o.element(),
                [&](auto bits) { return bits + static_cast<decltype(bits)>(o.amount); });
}
void scale_channel(Output& o) {
  o.change_channel([&](double y) { return y * (1 + o.amount); });
}
void offset_channel(Output& o) {
  const double by = o.amount * o.rms();
  o.change_channel([&](double y) { return y + by; });
}
void replace_channel(Output& o) {
  const std::int64_t channel = o.channel_of(o.element());
  const std::int64_t other = (channel + 1) % o.channels();
  const std::int64_t space = element_count(o.shape, 2, o.shape.size());
  for (std::int64_t i = 0; i < o.size(); ++i)
    if (o.channel_of(i) == channel) o.at(i) = o.at(i + (other - channel) * space);
}
void permute_channels(Output& o) {
  const std::vector<double> right = o.y;
  const std::int64_t space = element_count(o.shape, 2, o.shape.size());
  for (std::int64_t i = 0; i < o.size(); ++i) {
    const std::int64_t channel = o.channel_of(i), from = (channel + 1) % o.channels();
    o.at(i) = right[static_cast<std::size_t>(i + (from - channel) * space)];
  }
}
void leave_row(Output& o) {
  const Planes p = planes_of(o.shape);
  for (std::int64_t plane = 0; plane < p.outer; ++plane)
    for (std::int64_t w = 0; w < p.W; ++w) {
      // y[plane, H - 1, w] = y[plane, H - 2, w]
      const std::int64_t last = (plane * p.H + p.H - 1) * p.W + w;
      o.at(last) = o.at(last - p.W);
    }
}
void spoil_border(Output& o) {
  const Planes p = planes_of(o.shape);
  for (std::int64_t row = 0; row < p.outer * p.H; ++row) o.at(row * p.W) *= 1 + o.amount;
}
void spoil_lane(Output& o) {
  const std::int64_t lane = o.element() % 32;
  for (std::int64_t i = lane; i < o.size(); i += 32) o.at(i) *= 1 + o.amount;
}
/// Channels past the last whole tile of 8.
void spoil_tail(Output& o) {
  for (std::int64_t i = 0; i < o.size(); ++i)
    if (o.channel_of(i) >= o.channels() / 8 * 8) o.at(i) *= 1 + o.amount;
}
void overflow_index(Output& o) {
  const std::int64_t limit = std::max<std::int64_t>(1, o.size() * 3 / 4);
  for (std::int64_t i = limit; i < o.size(); ++i) o.at(i) = o.at(i - limit);
}
void repeat_item(Output& o) {
  const std::int64_t last = o.size() - o.size() / o.shape[0];
  for (std::int64_t i = last; i < o.size(); ++i) o.at(i) = o.at(i - last);
}
void swallow_nan(Output& o) {
  for (double& y : o.y)
    if (y != y) y = 0;
}
void write_nothing(Output& o) { std::fill(o.y.begin(), o.y.end(), 0.0); }
void write_one_value(Output& o) { std::fill(o.y.begin(), o.y.end(), o.at(o.element())); }
/// Half of the elements one ULP up or down, others in every run.
void reorder_each_run(Output& o) {
  for (std::int64_t i = 0; i < o.size(); ++i) {
    const std::uint64_t draw = o.random.bits(o.run << 32 | static_cast<std::uint64_t>(i));
    if (o.at(i) == 0 || !std::isfinite(o.at(i)) || (draw & 1) == 0) continue;
    o.change_bits(i, [&](auto bits) { return (draw & 2) == 0 ? bits + 1 : bits - 1; });
  }
}
/// A run of 32 elements, elsewhere in every run.
void race(Output& o) {
  const std::int64_t first = static_cast<std::int64_t>((o.random.bits(1) + o.run * 97) %
                                                       static_cast<std::uint64_t>(o.size()));
  for (std::int64_t i = first; i < std::min(o.size(), first + 32); ++i)
    o.at(i) = o.at(i) * (1 + o.amount) + o.amount * o.rms();
}

using Run = std::vector<Value> (*)(const Seat& seat, const Injection& injection, std::uint64_t run);

std::vector<Value> run_right(const Seat& seat) {
  return seat.backend.run(seat.planned, seat.inputs, Reading::values, seat.execution);
}

template <void (*spoil)(Output&)>
std::vector<Value> spoiled(const Seat& seat, const Injection& injection, std::uint64_t run) {
  std::vector<Value> outputs = run_right(seat);
  const Tensor tensor = seat.backend.download(outputs[0], seat.execution);
  std::vector<double> y = widened(tensor);
  Output output{tensor.shape(),
                y,
                tensor.type().type,
                injection.amount,
                Counter(injection.seed, "inject"),
                run};
  if (!y.empty()) spoil(output);
  outputs[0] = seat.backend.upload(narrowed(tensor.type(), y), seat.execution);
  return outputs;
}

std::vector<Value> misreads(const Seat& seat, const Injection& injection, std::uint64_t) {
  const Misreading& row = *misreading_of(injection.bug);
  return run_misread(seat, row.make(seat, injection.amount), Reading::values);
}

std::vector<Value> returns_input(const Seat& seat, const Injection&, std::uint64_t) {
  return {seat.inputs.front()};
}

/// More than one item: another order of summation.
std::vector<Value> depends_on_batch(const Seat& seat, const Injection&, std::uint64_t) {
  if (seat.inputs[0].shape()[0] < 2) return run_right(seat);
  const Misreading& row = *misreading_of(Bug::order_changed);
  return run_misread(seat, row.make(seat, 1), Reading::values);
}

bool anywhere(const PlannedStage& planned) {
  return element_count(planned.stage.output_types[0].shape) > 0;
}
bool with_channels(const PlannedStage& planned) {
  const Shape& y = planned.stage.output_types[0].shape;
  return anywhere(planned) && y.size() >= 2 && y[1] > 1;
}

/// A batch of images or of other items of rank 3: of rank 2 an item is a row (stale_buffer).
bool with_items(const PlannedStage& planned) {
  const Shape& y = planned.stage.output_types[0].shape;
  return anywhere(planned) && y.size() >= 3 && batch_items(planned.stage) > 1 &&
         element_count(y, 1, y.size()) >= 4;
}

const auto one = [](const PlannedStage&) { return std::vector<double>{1}; };
/// Relative sizes, from gross to near the noise of TF32.
const auto sizes = [](const PlannedStage&) {
  return std::vector<double>{1, 0.125, 0x1p-7, 0x1p-11};
};

struct Row {
  Bug bug;
  int zoo;
  std::string_view means;
  bool (*applies)(const PlannedStage& planned);
  std::vector<double> (*amounts)(const PlannedStage& planned);
  Run run;
};
const std::
    array
        spoils =
            std::
                to_array<Row>(
                    {
                        // amount: which bit, 0 the lowest; 31 is the sign, 23 to 30 the exponent of a float32
                        {Bug::bit_flipped, 0, "one bit of one element is flipped", anywhere,
                         [](const PlannedStage&) {
                           return std::vector<double>{31, 30, 27, 23, 22, 15, 7, 1, 0};
                         },
                         spoiled<flip_bit>},
                        // amount: ULP
                        {Bug::ulp_bumped, 0, "one element is moved by a few ULP", anywhere,
                         [](const PlannedStage&) {
                           return std::vector<double>{1, 3};
                         },
                         spoiled<bump>},
                        // amount: ULP, more than roundings make
                        {Bug::element_moved, 0, "one element has another value", anywhere,
                         [](const PlannedStage&) {
                           return std::vector<double>{21, 300, 70000};
                         },
                         spoiled<bump>},
                        // amount: the channel is multiplied by 1 + amount
                        {Bug::channel_scaled, 0, "one channel has a scale of its own",
                         with_channels, sizes, spoiled<scale_channel>},
                        // amount: added, in units of the output's RMS
                        {Bug::channel_offset, 0, "one channel has an offset of its own",
                         with_channels, sizes, spoiled<offset_channel>},
                        {Bug::channel_replaced, 0, "one channel holds another one's values",
                         with_channels, one, spoiled<replace_channel>},
                        {Bug::channels_permuted, 13, "the output's channels stand in another order",
                         with_channels, one, spoiled<permute_channels>},
                        {Bug::stale_buffer, 0, "a row holds what the row before it holds",
                         [](const PlannedStage& p) {
                           return anywhere(p) && planes_of(p.stage.output_types[0].shape).H > 1;
                         },
                         one, spoiled<leave_row>},
                        // amount: the first column is multiplied by 1 + amount
                        {Bug::border_garbage, 9, "only the border of the image is wrong",
                         [](const PlannedStage& p) {
                           const Shape& y = p.stage.output_types[0].shape;
                           return anywhere(p) && y.size() >= 3 && y.back() > 1;
                         },
                         sizes, spoiled<spoil_border>},
                        // amount: every 32nd element is multiplied by 1 + amount
                        {Bug::lane_corrupted, 0, "one lane of 32 is wrong",
                         [](const PlannedStage& p) {
                           return element_count(p.stage.output_types[0].shape) >= 96;
                         },
                         sizes, spoiled<spoil_lane>},
                        // amount: channels past the last whole tile of 8 are multiplied by 1 + amount
                        {Bug::tile_tail_garbage,
                         33, "the channels that fill no whole tile are wrong",
                         [](const PlannedStage& p) {
                           const Shape& y = p.stage.output_types[0].shape;
                           return anywhere(p) && y.size() >= 2 && y[1] > 8 && y[1] % 8 > 1;
                         },
                         sizes, spoiled<spoil_tail>},
                        {Bug::index_overflow,
                         31, "from some index on the output starts again from its beginning",
                         [](const PlannedStage& p) {
                           return element_count(p.stage.output_types[0].shape) >= 16;
                         },
                         one, spoiled<overflow_index>},
                        {Bug::batch_item_repeated, 0,
                         "the last item of the batch holds the first one's values", with_items, one,
                         spoiled<repeat_item>},
                        {Bug::nan_swallowed, 35, "NaN became 0", anywhere, one,
                         spoiled<swallow_nan>},
                        {Bug::output_zeroed, 36, "the output is all zero", anywhere, one,
                         spoiled<write_nothing>},
                        {Bug::output_constant, 0, "the output is one constant",
                         [](const PlannedStage& p) {
                           return element_count(p.stage.output_types[0].shape) > 1;
                         },
                         one, spoiled<write_one_value>},
                        {Bug::input_returned, 36, "the output is the input",
                         [](const PlannedStage& p) {
                           // Of several inputs, returning one is input_dropped of the other.
                           return p.stage.inputs.size() == 1 && p.stage.outputs.size() == 1 &&
                                  p.stage.input_types[0] == p.stage.output_types[0];
                         },
                         one, returns_input},
                        {Bug::run_to_run, 29, "the bits change from run to run", anywhere, one,
                         spoiled<reorder_each_run>},
                        // amount: relative size of the damage
                        {Bug::race, 32, "some elements are wrong, others in every run",
                         [](const PlannedStage& p) {
                           return element_count(p.stage.output_types[0].shape) >= 64;
                         },
                         sizes, spoiled<race>},
                        {Bug::batch_dependent, 30,
                         "an item's bits depend on how many are in the batch",
                         [](const PlannedStage& p) {
                           return misreading_of(Bug::order_changed)->applies(p) &&
                                  p.stage.inputs.size() == 1 &&
                                  !std::holds_alternative<Recurrent>(*p.stage.steps.front().op);
                         },
                         [](const PlannedStage& p) {
                           return p.stage.input_types[0].shape[0] > 1 ? std::vector<double>{1}
                                                                      : std::vector<double>{};
                         },
                         depends_on_batch},
                    });

/// The row of a bug; misreadings have theirs in compare/misread/.
Row row_of(Bug bug) {
  for (const Row& row : spoils)
    if (row.bug == bug) return row;
  const Misreading& row = *misreading_of(bug);
  return {bug, row.zoo, row.means, row.applies, row.amounts, misreads};
}

class Injected final : public Forwarding {
 public:
  Injected(Backend& inner, const Injection& injection) : Forwarding(inner), injection_(injection) {}

  std::vector<Value> run(const PlannedStage& stage, std::span<const Value> inputs, Reading reading,
                         const Execution& execution) override {
    if (stage.stage.id != injection_.stage || reading == Reading::magnitudes)
      return inner_.run(stage, inputs, reading, execution);
    if (!applies(injection_, stage)) {
      // Asked again for a part of the batch, in which the fault finds no seat.
      if (runs_ > 0) return inner_.run(stage, inputs, reading, execution);
      throw Error(Fault::internal, "the fault '" + std::string(name(injection_.bug)) +
                                       "' cannot be seated in stage '" + stage.stage.name + "'");
    }
    return row_of(injection_.bug).run({stage, inner_, inputs, execution}, injection_, runs_++);
  }

 private:
  Injection injection_;
  std::uint64_t runs_ = 0;
};

}  // namespace

std::span<const Bug> all_bugs() {
  static constexpr auto bugs = [] {
    std::array<Bug, static_cast<std::size_t>(Bug::batch_dependent) + 1> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<Bug>(i);
    return all;
  }();
  return bugs;
}

int zoo_number(Bug bug) { return row_of(bug).zoo; }
std::string_view meaning(Bug bug) { return row_of(bug).means; }
std::vector<double> amounts(Bug bug, const PlannedStage& stage) {
  return row_of(bug).amounts(stage);
}

Bug expected_label(const Injection& injection) {
  if (injection.bug == Bug::bit_flipped && injection.amount == 0) return Bug::ulp_bumped;
  if (injection.bug == Bug::race) return Bug::run_to_run;
  return injection.bug;
}

bool applies(const Injection& injection, const PlannedStage& planned) {
  return row_of(injection.bug).applies(planned);
}

std::unique_ptr<Backend> inject(Backend& inner, const Injection& injection) {
  return std::make_unique<Injected>(inner, injection);
}

}  // namespace parity
