#include "model/samples/samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <span>

#include "model/arithmetic/digest.hpp"
#include "model/arithmetic/fill.hpp"
#include "model/error.hpp"
#include "model/generator.hpp"
#include "model/nearest.hpp"
#include "model/ops.hpp"
#include "model/plan.hpp"
#include "model/samples/cases.hpp"

namespace parity {
namespace {

constexpr std::uint64_t weight_seed = 1;
constexpr Generator settling_input{Generator::Kind::pillars, 1};
constexpr Generator default_input{Generator::Kind::pillars, 7};
constexpr std::string_view input_name = "spatial_features";
constexpr float eps_of_second = 1e-3F;  // SECOND and SECFPN; the heads keep the framework's default
constexpr float eps_of_heads = 1e-5F;

/// An edge of the sample and, beside it, the value it has on the settling image.
struct Flow {
  TensorId id;
  Value small;
};

/// What BatchNorm divides out: mean and variance per channel, in index order in double.
struct Statistics {
  std::vector<float> mean, variance;
};
Statistics statistics(const Tensor& z) {
  const std::int64_t C = z.shape()[1];
  const std::int64_t pixels = element_count(z.shape(), 2, z.shape().size());
  const std::span<const float> values = z.values<float>();
  Statistics found;
  for (std::int64_t c = 0; c < C; ++c) {
    // z[0, c, pixel], row-major; the settling image is one item
    const std::span<const float> plane =
        values.subspan(static_cast<std::size_t>(c * pixels), static_cast<std::size_t>(pixels));
    double sum = 0;
    for (const float value : plane) sum += value;
    const double mean = sum / static_cast<double>(pixels);
    double squares = 0;
    for (const float value : plane) squares += (value - mean) * (value - mean);
    found.mean.push_back(static_cast<float>(mean));
    found.variance.push_back(static_cast<float>(squares / static_cast<double>(pixels)));
  }
  return found;
}

/// Builds the graph at full extent and runs every layer on the settling image as it goes.
class Net {
 public:
  Net(std::string name, Backend& settler, const Execution& execution)
      : builder_("sample:" + name), settler_(settler), execution_(execution) {
    Graph& graph = builder_.graph();
    graph.producer = "paritylab samples";
    name_ = std::move(name);
  }

  Flow input(const SecondCase& net) {
    const TensorId id = builder_.add_input(
        std::string(input_name), {Type::float32, {1, net.channels, net.height, net.width}});
    const Tensor image = generate(
        settling_input, {Type::float32, {1, net.channels, net.settling_height, net.settling_width}},
        "settling");
    return {id, settler_.upload(image, execution_)};
  }

  /// One step named as PyTorch's exporter names the node of the module at `path`.
  Flow apply(const Op& op, std::span<const Flow> in,
             const std::vector<std::optional<Tensor>>& parameters, const std::string& path,
             const std::string& op_type, std::string output = {}) {
    const std::string node = path + "/" + op_type;
    if (output.empty()) output = node + "_output_0";
    std::vector<TensorId> ids;
    std::vector<Value> small;
    for (const Flow& flow : in) {
      ids.push_back(flow.id);
      small.push_back(flow.small);
    }
    for (const auto& parameter : parameters)
      if (parameter) digests_.push_back(digest(*parameter));
    const TensorId id =
        builder_.add_step(op, ids, parameters, node, {std::move(output)}, op_type).front();
    return {id, on_settling_image(op, small, parameters, op_type)};
  }

  Flow convolution(const Flow& in, const Op& op, const Shape& weight, std::int64_t fan_in,
                   const std::string& path, const std::string& op_type,
                   std::optional<Tensor> bias = {}, std::string output = {}) {
    const double deviation = std::sqrt(2.0 / static_cast<double>(fan_in));
    const Tensor w = normals(weight, deviation, path + ".weight");
    return apply(op, {&in, 1}, {w, std::move(bias)}, path, op_type, std::move(output));
  }

  /// BatchNorm with the statistics of what reaches it, then ReLU.
  Flow norm_relu(const Flow& in, float eps, const std::string& norm_path,
                 const std::string& relu_path, std::string output = {}) {
    const Statistics found = statistics(settler_.download(in.small, execution_));
    const auto C = static_cast<std::int64_t>(found.mean.size());
    const Counter scales(weight_seed, norm_path + ".weight");
    std::vector<float> gamma;
    for (std::int64_t c = 0; c < C; ++c)
      gamma.push_back(
          static_cast<float>(0.75 + 0.5 * scales.uniform(static_cast<std::uint64_t>(c))));
    const Tensor beta = normals({C}, 0.2, norm_path + ".bias");
    const Flow normed =
        apply(BatchNorm{eps}, {&in, 1},
              {Tensor::of<float>({C}, gamma), beta, Tensor::of<float>({C}, found.mean),
               Tensor::of<float>({C}, found.variance)},
              norm_path, "BatchNormalization");
    return apply(Unary{EpilogueKind::relu}, {&normed, 1}, {}, relu_path, "Relu", std::move(output));
  }

  /// Normals of a fixed stream, times `deviation`, rounded once.
  static Tensor normals(const Shape& shape, double deviation, const std::string& stream) {
    const Counter counter(weight_seed, stream);
    std::vector<float> elements(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < elements.size(); ++i)
      elements[i] = static_cast<float>(counter.normal(i) * deviation);
    return Tensor::of<float>(shape, std::move(elements));
  }

  std::int64_t channels(const Flow& flow) const { return builder_.type(flow.id).shape[1]; }
  void output(const Flow& flow) { builder_.add_output(flow.id); }

  Graph finish() {
    std::vector<std::uint8_t> letters(name_.begin(), name_.end());
    const auto length = static_cast<std::int64_t>(letters.size());
    digests_.push_back(digest(Tensor::of<std::uint8_t>({length}, std::move(letters))));
    builder_.graph().digest = to_string(combine_items(digests_, Type::float32));
    return builder_.finish();
  }

 private:
  Value on_settling_image(const Op& op, const std::vector<Value>& in,
                          const std::vector<std::optional<Tensor>>& parameters,
                          const std::string& op_type) {
    GraphBuilder small("settling");
    std::vector<TensorId> ids;
    for (const Value& value : in)
      ids.push_back(small.add_input("x" + std::to_string(ids.size()), value.type()));
    small.add_output(small.add_step(op, ids, parameters, op_type, {"y"}, op_type).front());
    const Plan plan = make_plan(cut(small.finish()), Numerics{}, settler_, "settling");
    const PlannedStage& stage = plan.stages.front();
    Value out = settler_.run(stage, in, Reading::values, execution_).front();
    settler_.forget(stage);
    return out;
  }

  std::string name_;
  GraphBuilder builder_;
  Backend& settler_;
  Execution execution_;
  std::vector<Digest> digests_;
};

Conv2d convolution_of(std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
  Conv2d op;
  op.window.kernel = {kernel, kernel};
  op.window.stride = {stride, stride};
  op.window.pad_begin = op.window.pad_end = {padding, padding};
  return op;
}

std::vector<Flow> backbone(Net& net, const SecondCase& of, Flow x) {
  std::vector<Flow> outputs;
  for (std::size_t b = 0; b < of.strides.size(); ++b) {
    const std::string block = "/blocks." + std::to_string(b);
    for (std::int64_t layer = 0; layer <= of.layers[b]; ++layer) {
      const auto at = [&](std::int64_t offset) {
        return block + "/blocks." + std::to_string(b) + "." + std::to_string(3 * layer + offset);
      };
      const std::int64_t IC = net.channels(x);
      const Flow z = net.convolution(x, convolution_of(3, layer == 0 ? of.strides[b] : 1, 1),
                                     {of.widths[b], IC, 3, 3}, 9 * IC, at(0), "Conv");
      const std::string output = layer == of.layers[b] ? "block_" + std::to_string(b) : "";
      x = net.norm_relu(z, eps_of_second, at(1), at(2), output);
    }
    outputs.push_back(x);
  }
  return outputs;
}

Flow neck(Net& net, const SecondCase& of, const std::vector<Flow>& features) {
  std::vector<Flow> branches;
  for (std::size_t b = 0; b < features.size(); ++b) {
    const NeckBranch& branch = of.neck[b];
    const std::string deblock = "/neck/deblocks." + std::to_string(b);
    const auto at = [&](int offset) {
      return deblock + "/deblocks." + std::to_string(b) + "." + std::to_string(offset);
    };
    const std::int64_t IC = net.channels(features[b]), k = branch.factor;
    Flow z;
    if (branch.direction == NeckBranch::Direction::up) {
      ConvTranspose2d op;
      op.window.kernel = op.window.stride = {k, k};
      z = net.convolution(features[b], op, {IC, branch.channels, k, k}, IC, at(0), "ConvTranspose");
    } else {
      z = net.convolution(features[b], convolution_of(k, k, 0), {branch.channels, IC, k, k},
                          IC * k * k, at(0), "Conv");
    }
    branches.push_back(net.norm_relu(z, eps_of_second, at(1), at(2)));
  }
  return net.apply(Concat{1}, branches, {}, "/neck", "Concat", "features");
}

void heads(Net& net, const SecondCase& of, const Flow& features) {
  const auto bias = [](std::int64_t channels, const std::string& path) {
    return Net::normals({channels}, 0.1, path + ".bias");
  };
  const auto conv3x3 = [&](const Flow& x, std::int64_t OC, const std::string& path,
                           std::string output = {}) {
    const std::int64_t IC = net.channels(x);
    return net.convolution(x, convolution_of(3, 1, 1), {OC, IC, 3, 3}, 9 * IC, path, "Conv",
                           bias(OC, path), std::move(output));
  };
  const Flow z = conv3x3(features, of.shared, "/shared/shared.0");
  const Flow shared = net.norm_relu(z, eps_of_heads, "/shared/shared.1", "/shared/shared.2");
  for (std::size_t t = 0; t < of.tasks.size(); ++t)
    for (const Quantity& quantity : of.tasks[t]) {
      const std::string name(quantity.name);
      const std::string head = "/heads." + std::to_string(t) + "/" + name + "/" + name + ".";
      const Flow hidden = conv3x3(shared, of.head, head + "0");
      const Flow active = net.norm_relu(hidden, eps_of_heads, head + "1", head + "2");
      net.output(conv3x3(active, quantity.channels, head + "3", name + "_" + std::to_string(t)));
    }
}

enum class Reach { second, second_fpn, centerpoint };
struct FamilyRow {
  Reach reach;
  std::string_view name, description;
};
constexpr std::array families{
    FamilyRow{Reach::second, "second", "SECOND backbone"},
    FamilyRow{Reach::second_fpn, "second_fpn", "SECOND backbone and SECFPN neck"},
    FamilyRow{Reach::centerpoint, "centerpoint", "CenterPoint after the scatter"},
};

}  // namespace

const std::vector<SampleInfo>& samples() {
  static const std::vector<SampleInfo> all = [] {
    std::vector<SampleInfo> list;
    for (const FamilyRow& row : families)
      for (const SecondCase& net : second_cases())
        list.push_back({fmt::format("{}/{}", row.name, net.name),
                        fmt::format("{}, {}, 1x{}x{}x{}", row.description, net.user, net.channels,
                                    net.height, net.width),
                        {{std::string(input_name), default_input.text()}}});
    return list;
  }();
  return all;
}

const SampleInfo& sample_named(std::string_view name) {
  const std::string wanted =
      std::string(name) + (name.find('/') == std::string_view::npos ? "/A" : "");
  std::vector<std::string> names;
  for (const SampleInfo& sample : samples()) {
    if (sample.name == wanted) return sample;
    names.push_back(sample.name);
  }
  throw Error(Fault::bad_request, fmt::format("the sample '{}' does not exist; there is {}{}", name,
                                              fmt::join(names, ", "), did_you_mean(wanted, names)));
}

Graph sample_graph(std::string_view name, Backend& settler, const Execution& execution) {
  const std::string& full = sample_named(name).name;
  const std::size_t slash = full.find('/');
  const auto family = std::find_if(families.begin(), families.end(), [&](const FamilyRow& row) {
    return row.name == full.substr(0, slash);
  });
  const auto net_case =
      std::find_if(second_cases().begin(), second_cases().end(),
                   [&](const SecondCase& net) { return net.name == full.substr(slash + 1); });

  Net net(full, settler, execution);
  const std::vector<Flow> blocks = backbone(net, *net_case, net.input(*net_case));
  if (family->reach == Reach::second) {
    for (const Flow& block : blocks) net.output(block);
    return net.finish();
  }
  const Flow features = neck(net, *net_case, blocks);
  if (family->reach == Reach::second_fpn)
    net.output(features);
  else
    heads(net, *net_case, features);
  return net.finish();
}

}  // namespace parity
