#include "model/samples/topologies.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "model/arithmetic/fill.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

constexpr std::array<std::string_view, 11> names = {
    "plain", "strided", "residual",      "neck",   "grouped",  "deconv",
    "mlp",   "pyramid", "preactivation", "mobile", "recurrent"};

/// Draws in order from one stream.
class Dice {
 public:
  Dice(std::uint64_t seed, std::string_view stream) : counter_(seed, stream) {}
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(counter_.bits(next_++) %
                                             static_cast<std::uint64_t>(most - least + 1));
  }
  bool chance(int in) { return between(1, in) == 1; }
  double uniform() { return counter_.uniform(next_++); }
  double normal() { return counter_.normal(next_++); }

 private:
  Counter counter_;
  std::uint64_t next_ = 0;
};

SlidingWindow window(std::int64_t kernel, std::int64_t stride, std::int64_t pad) {
  return {{kernel, kernel}, {stride, stride}, {1, 1}, {pad, pad}, {pad, pad}};
}

class Net {
 public:
  Net(Topology topology, std::uint64_t seed, Dressing dressing)
      : dice_(seed, name(topology)),
        graph_(std::string(name(topology)) + "." + std::to_string(seed)),
        dressing_(dressing) {}

  Dice& dice() { return dice_; }

  TensorId input(std::int64_t channels, std::int64_t height, std::int64_t width) {
    const std::int64_t items = dice_.between(1, 2);
    return graph_.add_input("x", {Type::float32, {items, channels, height, width}});
  }

  /// Steps of items of features.
  TensorId sequence(std::int64_t steps, std::int64_t features) {
    const std::int64_t items = dice_.between(1, 2);
    return graph_.add_input("x", {Type::float32, {steps, items, features}});
  }

  TensorId conv(TensorId x, std::int64_t channels, SlidingWindow window, std::int64_t group = 1) {
    const std::int64_t in = graph_.type(x).shape[1];
    Conv2d op{group, window};
    return mac(op, x, {channels, in / group, window.kernel[0], window.kernel[1]}, channels,
               in / group * window.kernel[0] * window.kernel[1], "Conv");
  }
  TensorId deconv(TensorId x, std::int64_t channels, SlidingWindow window) {
    const std::int64_t in = graph_.type(x).shape[1];
    ConvTranspose2d op;
    op.window = window;
    return mac(op, x, {in, channels, window.kernel[0], window.kernel[1]}, channels, in,
               "ConvTranspose");
  }
  TensorId product(TensorId x, std::int64_t features) {
    const std::int64_t in = graph_.type(x).shape.back();
    const Tensor w = normals({in, features}, std::sqrt(2.0 / static_cast<double>(in)));
    MatMul op;
    // A Gemm takes matrices only.
    if (dressing_ == Dressing::bare || shape(x).size() != 2)
      return step(op, {x}, {w, std::nullopt}, "MatMul");
    op.addend = MatMul::Addend::parameter;
    return step(op, {x}, {w, normals({features}, 0.3)}, "Gemm");
  }
  TensorId norm(TensorId x) {
    if (dressing_ == Dressing::bare) return x;
    const std::int64_t C = graph_.type(x).shape[1];
    std::vector<float> gamma, variance;
    for (std::int64_t c = 0; c < C; ++c) {
      gamma.push_back(static_cast<float>(0.5 + dice_.uniform()));
      variance.push_back(static_cast<float>(0.3 + 2.5 * dice_.uniform()));
    }
    const float eps = dice_.chance(2) ? 1e-3F : 1e-5F;
    return step(
        BatchNorm{eps}, {x},
        {Tensor::of({C}, gamma), normals({C}, 0.3), normals({C}, 0.3), Tensor::of({C}, variance)},
        "BatchNormalization");
  }
  TensorId relu(TensorId x) { return step(Unary{EpilogueKind::relu}, {x}, {}, "Relu"); }
  TensorId gelu(TensorId x) {
    const bool by_tanh = dice_.chance(2);
    return step(Unary{by_tanh ? EpilogueKind::gelu_tanh : EpilogueKind::gelu}, {x}, {}, "Gelu");
  }
  /// One of those that have constants, not always the default ones.
  TensorId activation(TensorId x) {
    switch (dice_.between(1, 5)) {
      case 1:
        return step(Unary{EpilogueKind::clip, 0, 6}, {x}, {}, "Clip");
      case 2:
        return step(Unary{EpilogueKind::clip, -0.5F, 1.5F}, {x}, {}, "Clip");
      case 3:
        return step(Unary{EpilogueKind::hard_swish, 1.0F / 6, 0.5F}, {x}, {}, "HardSwish");
      case 4:
        return step(Unary{EpilogueKind::leaky_relu, 0.1F}, {x}, {}, "LeakyRelu");
      default:
        return step(Unary{EpilogueKind::elu, 0.5F}, {x}, {}, "Elu");
    }
  }
  TensorId hard_sigmoid(TensorId x) {
    return step(Unary{EpilogueKind::hard_sigmoid, 1.0F / 6, 0.5F}, {x}, {}, "HardSigmoid");
  }
  /// A recurrent layer of either cell, its directions side by side among the features.
  TensorId recurrent(TensorId x, Recurrent op, std::int64_t hidden) {
    constexpr std::array directions = {Recurrent::Direction::forward, Recurrent::Direction::reverse,
                                       Recurrent::Direction::bidirectional};
    op.direction = directions.at(static_cast<std::size_t>(dice_.between(0, 2)));
    const bool normalised = dressing_ == Dressing::normalised;
    const std::int64_t D = op.directions(), rows = op.gates() * hidden;
    const std::int64_t T = shape(x)[0], N = shape(x)[1], I = shape(x)[2];
    op.forms.resize(static_cast<std::size_t>(D));
    std::vector<std::optional<Tensor>> parameters(recurrent_parameter::count);
    const auto weights = [&](std::int64_t terms) {
      return normals({D, rows, terms}, 1 / std::sqrt(static_cast<double>(terms)));
    };
    parameters[recurrent_parameter::weights] = weights(I);
    parameters[recurrent_parameter::recurrence] = weights(hidden);
    if (normalised) parameters[recurrent_parameter::bias] = normals({D, 2 * rows}, 0.3);
    const auto begin = [&](Recurrent::Initial& from, std::size_t at) {
      if (!normalised || dice_.chance(2)) return;
      from = Recurrent::Initial::parameter;
      parameters[at] = normals({D, N, hidden}, 0.5);
    };
    begin(op.state, recurrent_parameter::state);
    const bool lstm = op.cell == Recurrent::Cell::lstm;
    if (lstm) begin(op.memory, recurrent_parameter::memory);
    const TensorId y = step(op, {x}, std::move(parameters), lstm ? "LSTM" : "GRU");
    if (D == 1) return step(Movement{Movement::Function::squeeze, {1}}, {y}, {}, "Squeeze");
    const TensorId t =
        step(Movement{Movement::Function::transpose, {0, 2, 1, 3}}, {y}, {}, "Transpose");
    return step(Movement{Movement::Function::reshape, {T, N, D * hidden}}, {t}, {}, "Reshape");
  }
  TensorId layer_norm(TensorId x) {
    if (dressing_ == Dressing::bare) return x;
    const std::int64_t F = shape(x)[2];
    const std::vector<float> gamma = gains(F);
    return step(Normalization{Normalization::Rows::layer, 2, 1, dice_.chance(2) ? 1e-3F : 1e-5F},
                {x}, {Tensor::of({F}, gamma), normals({F}, 0.3)}, "LayerNormalization");
  }
  TensorId softmax(TensorId x) {
    return step(Softmax{Softmax::Function::softmax, 2}, {x}, {}, "Softmax");
  }
  /// Each feature by a constant of its own.
  TensorId scaled(TensorId x) {
    const std::int64_t F = shape(x)[2];
    return step(Binary{Binary::Function::mul}, {x}, {Tensor::of({1, 1, F}, gains(F))}, "Mul");
  }
  TensorId sigmoid(TensorId x) { return step(Unary{EpilogueKind::sigmoid}, {x}, {}, "Sigmoid"); }
  TensorId layer(TensorId x, std::int64_t channels, SlidingWindow window, std::int64_t group = 1) {
    return relu(norm(conv(x, channels, window, group)));
  }
  TensorId add(TensorId a, TensorId b) {
    return step(Binary{Binary::Function::add}, {a, b}, {}, "Add");
  }
  TensorId pool(TensorId x, SlidingWindow window) {
    return step(MaxPool{window}, {x}, {}, "MaxPool");
  }
  TensorId average(TensorId x, SlidingWindow window, AveragePool::Pads pads) {
    return step(AveragePool{window, {0, 0}, pads}, {x}, {}, "AveragePool");
  }
  TensorId twice(TensorId x, Resize op) {
    for (const std::int64_t axis : {2, 3})
      op.axes.push_back({axis, 2 * shape(x)[static_cast<std::size_t>(axis)], 2});
    return step(op, {x}, {}, "Resize");
  }
  std::vector<TensorId> halves(TensorId x) {
    const std::string place = "/" + std::to_string(steps_++) + "/Split";
    return graph_.add_step(Pieces{1, 2}, {x}, {}, place, {place + "_output_0", place + "_output_1"},
                           "Split");
  }
  TensorId mean(TensorId x) {
    return step(Reduce{Reduce::Function::mean, {2, 3}, Reduce::Axes::kept}, {x}, {},
                "GlobalAveragePool");
  }
  TensorId concat(std::vector<TensorId> parts) {
    return step(Concat{1}, std::move(parts), {}, "Concat");
  }
  TensorId flatten(TensorId x) {
    return step(Movement{Movement::Function::flatten, {1}}, {x}, {}, "Flatten");
  }
  const Shape& shape(TensorId x) const { return graph_.type(x).shape; }
  void output(TensorId x) { graph_.add_output(x); }
  Graph finish() { return graph_.finish(); }

 private:
  TensorId mac(const Op& op, TensorId x, const Shape& weights, std::int64_t channels,
               std::int64_t terms, const std::string& type) {
    std::optional<Tensor> bias;
    const Tensor w = normals(weights, std::sqrt(2.0 / static_cast<double>(terms)));
    if (dressing_ == Dressing::normalised && dice_.chance(2)) bias = normals({channels}, 0.3);
    return step(op, {x}, {w, bias}, type);
  }
  TensorId step(const Op& op, std::vector<TensorId> inputs,
                std::vector<std::optional<Tensor>> parameters, const std::string& type) {
    const std::string place = "/" + std::to_string(steps_++) + "/" + type;
    return graph_
        .add_step(op, std::move(inputs), std::move(parameters), place, {place + "_output_0"}, type)
        .front();
  }
  /// Between 0.5 and 1.5.
  std::vector<float> gains(std::int64_t count) {
    std::vector<float> elements(static_cast<std::size_t>(count));
    for (float& element : elements) element = static_cast<float>(0.5 + dice_.uniform());
    return elements;
  }
  Tensor normals(const Shape& shape, double deviation) {
    std::vector<float> elements(static_cast<std::size_t>(element_count(shape)));
    for (float& element : elements) element = static_cast<float>(dice_.normal() * deviation);
    return Tensor::of(shape, std::move(elements));
  }

  Dice dice_;
  GraphBuilder graph_;
  Dressing dressing_;
  int steps_ = 0;
};

void plain(Net& net) {
  Dice& dice = net.dice();
  TensorId x = net.input(dice.between(3, 12), dice.between(5, 9), dice.between(5, 9));
  for (std::int64_t i = dice.between(3, 4); i > 0; --i)
    x = net.layer(x, dice.between(6, 21), window(3, 1, 1));
  x = net.layer(x, net.shape(x)[1], window(3, 1, 1));
  net.output(net.sigmoid(net.conv(x, dice.between(2, 5), window(1, 1, 0))));
}

void strided(Net& net) {
  Dice& dice = net.dice();
  TensorId x = net.input(dice.between(3, 9), 2 * dice.between(6, 9), 2 * dice.between(6, 9));
  x = net.layer(x, dice.between(6, 13), window(3, 2, 1));
  SlidingWindow oblong{{3, 5}, {1, 1}, {1, 1}, {1, 2}, {1, 2}};
  x = net.layer(x, dice.between(6, 13), oblong);
  SlidingWindow dilated{{3, 3}, {1, 1}, {1, 2}, {1, 2}, {1, 2}};
  x = net.norm(net.conv(x, dice.between(6, 13), dilated));
  // A pool of values of both signs, padded; not ceil_mode where the pads are even.
  SlidingWindow pool = window(3, 1, 1);
  if (dice.chance(2)) pool = {{2, 2}, {1, 1}, {1, 1}, {0, 0}, {1, 1}};
  x = net.pool(x, pool);
  SlidingWindow lopsided{{3, 3}, {2, 1}, {1, 1}, {1, 2}, {0, 0}};
  x = net.relu(net.norm(net.conv(x, dice.between(6, 13), lopsided)));
  net.output(net.conv(x, dice.between(2, 6), window(3, 1, 1)));
}

void residual(Net& net) {
  Dice& dice = net.dice();
  TensorId x = net.input(dice.between(3, 12), dice.between(5, 9), dice.between(5, 9));
  x = net.layer(x, dice.between(8, 17), window(3, 1, 1));
  for (int block = 0; block < 2; ++block) {
    const std::int64_t C = net.shape(x)[1];
    const TensorId inner = net.layer(x, C, window(3, 1, 1));
    x = net.relu(net.add(x, net.norm(net.conv(inner, C, window(3, 1, 1)))));
  }
  net.output(net.conv(x, dice.between(2, 6), window(1, 1, 0)));
}

void neck(Net& net) {
  Dice& dice = net.dice();
  TensorId x = net.input(dice.between(3, 9), 2 * dice.between(3, 5), 2 * dice.between(3, 5));
  const TensorId fine = net.layer(x, dice.between(6, 12), window(3, 1, 1));
  const TensorId coarse = net.layer(fine, dice.between(8, 17), window(3, 2, 1));
  const std::int64_t C = dice.between(5, 11);
  const TensorId up = net.relu(net.norm(net.deconv(coarse, C, window(2, 2, 0))));
  const TensorId side = net.layer(fine, C, window(1, 1, 0));
  const TensorId features = net.concat({side, up});
  net.output(net.conv(features, dice.between(2, 4), window(3, 1, 1)));
  net.output(net.sigmoid(net.conv(features, dice.between(1, 3), window(1, 1, 0))));
}

void grouped(Net& net) {
  Dice& dice = net.dice();
  const std::int64_t G = dice.between(2, 4);
  TensorId x = net.input(dice.between(3, 9), dice.between(6, 9), dice.between(6, 9));
  x = net.layer(x, G * dice.between(3, 6), window(3, 1, 1));
  const std::int64_t C = net.shape(x)[1];
  x = net.layer(x, C, window(3, 1, 1), C);
  x = net.layer(x, G * dice.between(3, 6), window(1, 1, 0));
  x = net.layer(x, G * dice.between(2, 5), window(3, dice.between(1, 2), 1), G);
  x = net.layer(x, dice.between(5, 11), window(1, 1, 0));
  net.output(net.conv(x, dice.between(2, 4), window(3, 1, 1)));
}

void deconv(Net& net) {
  Dice& dice = net.dice();
  TensorId x = net.input(dice.between(4, 12), dice.between(3, 5), dice.between(3, 5));
  x = net.layer(x, dice.between(6, 13), window(3, 1, 1));
  x = net.relu(net.norm(net.deconv(x, dice.between(6, 11), window(2, 2, 0))));
  x = net.relu(net.norm(net.deconv(x, dice.between(5, 9), window(3, 1, 1))));
  x = net.relu(net.norm(net.deconv(x, dice.between(4, 7), window(3, 2, 1))));
  net.output(net.conv(x, dice.between(2, 4), window(3, 1, 1)));
}

void mlp(Net& net) {
  Dice& dice = net.dice();
  TensorId x = net.input(dice.between(3, 9), 2 * dice.between(3, 4), 2 * dice.between(3, 4));
  x = net.layer(x, dice.between(6, 13), window(3, 1, 1));
  SlidingWindow halving = window(2, 2, 0);
  halving.pad_end = {1, 1};
  const TensorId small =
      net.pool(net.norm(net.conv(x, dice.between(5, 9), window(2, 1, 0))), halving);
  TensorId image =
      net.flatten(net.relu(net.norm(net.conv(small, dice.between(3, 5), window(3, 1, 1)))));
  const std::int64_t F = dice.between(9, 21);
  image = net.gelu(net.product(image, F));
  image = net.relu(net.product(image, F));
  net.output(net.sigmoid(net.product(image, dice.between(3, 9))));
  net.output(net.product(net.flatten(net.mean(x)), dice.between(3, 9)));
}

void pyramid(Net& net) {
  Dice& dice = net.dice();
  TensorId x = net.input(dice.between(3, 9), 2 * dice.between(3, 5), 2 * dice.between(3, 5));
  const TensorId fine = net.layer(x, 2 * dice.between(3, 6), window(3, 1, 1));
  TensorId coarse = net.norm(net.conv(fine, dice.between(5, 9), window(3, 2, 1)));
  coarse = net.average(coarse, window(3, 1, 1),
                       dice.chance(2) ? AveragePool::Pads::included : AveragePool::Pads::excluded);
  const bool nearest = dice.chance(2);
  const TensorId up = net.twice(
      coarse, {nearest ? Resize::Mode::nearest : Resize::Mode::linear,
               nearest ? Resize::Coordinates::asymmetric : Resize::Coordinates::half_pixel,
               {},
               Resize::Nearest::floor});
  const std::vector<TensorId> halves = net.halves(fine);
  net.output(net.conv(net.concat({halves[0], up}), dice.between(2, 4), window(3, 1, 1)));
  net.output(net.sigmoid(net.conv(halves[1], dice.between(1, 3), window(1, 1, 0))));
}

void preactivation(Net& net) {
  Dice& dice = net.dice();
  TensorId x = net.input(dice.between(3, 12), dice.between(5, 9), dice.between(5, 9));
  x = net.norm(net.conv(x, dice.between(8, 15), window(3, 1, 1)));
  for (int block = 0; block < 2; ++block)
    x = net.add(net.norm(net.conv(net.relu(x), net.shape(x)[1], window(3, 1, 1))), x);
  net.output(net.conv(net.relu(net.norm(x)), dice.between(2, 6), window(1, 1, 0)));
}

void mobile(Net& net) {
  Dice& dice = net.dice();
  TensorId x = net.input(dice.between(3, 9), dice.between(6, 9), dice.between(6, 9));
  x = net.activation(net.norm(net.conv(x, dice.between(6, 11), window(3, 1, 1))));
  const std::int64_t C = net.shape(x)[1], wide = 2 * C;
  TensorId y = net.activation(net.norm(net.conv(x, wide, window(1, 1, 0))));
  y = net.activation(net.norm(net.conv(y, wide, window(3, 1, 1), wide)));
  x = net.add(x, net.norm(net.conv(y, C, window(1, 1, 0))));
  x = net.activation(net.norm(net.conv(x, dice.between(5, 11), window(3, 2, 1))));
  net.output(net.hard_sigmoid(net.conv(x, dice.between(2, 4), window(1, 1, 0))));
}

void over_time(Net& net) {
  Dice& dice = net.dice();
  TensorId x = net.sequence(dice.between(3, 6), dice.between(4, 9));
  Recurrent gru;
  if (dice.chance(2)) gru.reset = Recurrent::Reset::after_the_product;
  x = net.layer_norm(net.recurrent(x, gru, dice.between(5, 9)));
  x = net.recurrent(x, {.cell = Recurrent::Cell::lstm}, dice.between(5, 9));
  net.output(net.softmax(net.scaled(net.product(x, dice.between(5, 9)))));
}

}  // namespace

std::string_view name(Topology topology) { return names.at(static_cast<std::size_t>(topology)); }

std::span<const Topology> all_topologies() {
  static constexpr std::array all = {Topology::plain,  Topology::strided,  Topology::residual,
                                     Topology::neck,   Topology::grouped,  Topology::deconv,
                                     Topology::mlp,    Topology::pyramid,  Topology::preactivation,
                                     Topology::mobile, Topology::recurrent};
  return all;
}

Graph small_network(Topology topology, std::uint64_t seed, Dressing dressing) {
  Net net(topology, seed, dressing);
  constexpr std::array<void (*)(Net&), 11> builders = {plain,         strided, residual, neck,
                                                       grouped,       deconv,  mlp,      pyramid,
                                                       preactivation, mobile,  over_time};
  builders.at(static_cast<std::size_t>(topology))(net);
  return net.finish();
}

}  // namespace parity
