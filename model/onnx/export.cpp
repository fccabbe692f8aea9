#include "model/onnx/export.hpp"

#include <onnx/onnx_pb.h>

#include <array>
#include <set>
#include <string_view>
#include <vector>

#include "model/error.hpp"
#include "model/ops.hpp"

namespace parity {
namespace {

constexpr int exported_ir_version = 10;  // the first that goes with exported_opset

int onnx_type(Type type) {
  switch (type) {
    case Type::float32:
      return onnx::TensorProto::FLOAT;
    case Type::float64:
      return onnx::TensorProto::DOUBLE;
    case Type::int64:
      return onnx::TensorProto::INT64;
    case Type::boolean:
      return onnx::TensorProto::BOOL;
  }
  throw Error(Fault::internal, "an element type that ONNX is not told about");
}

void describe(onnx::ValueInfoProto& info, const TensorInfo& tensor) {
  info.set_name(tensor.name);
  onnx::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx_type(tensor.type.type));
  type.mutable_shape();
  for (const std::int64_t extent : tensor.type.shape)
    type.mutable_shape()->add_dim()->set_dim_value(extent);
}

void put(onnx::TensorProto& proto, const std::string& name, const Tensor& tensor) {
  proto.set_name(name);
  proto.set_data_type(onnx_type(tensor.type().type));
  for (const std::int64_t extent : tensor.shape()) proto.add_dims(extent);
  proto.set_raw_data(tensor.data(), tensor.size_bytes());
}

/// One step on its way to nodes: each op says below what it is in ONNX.
class Exporter {
 public:
  explicit Exporter(const Graph& graph) : graph_(graph) {
    model_.set_ir_version(exported_ir_version);
    model_.set_producer_name("paritylab");
    model_.add_opset_import()->set_version(exported_opset);
    model_.mutable_graph()->set_name(graph.name);
    for (const TensorInfo& tensor : graph.tensors) names_.insert(tensor.name);
  }

  std::string run() {
    for (const TensorId id : graph_.inputs)
      describe(*model_.mutable_graph()->add_input(), graph_.tensor(id));
    for (const Step& step : graph_.steps) {
      step_ = &step;
      node_ = model_.mutable_graph()->add_node();
      node_->set_name(step.scope.empty() ? step.node : "/" + step.scope + "/" + step.op_type);
      visit([&](const auto& op) { write(op); }, *step.op);
      visit([&](const auto& op) { add_outputs(op); }, *step.op);
    }
    for (const TensorId id : graph_.outputs)
      describe(*model_.mutable_graph()->add_output(), graph_.tensor(id));
    if (model_.ByteSizeLong() >= std::size_t{1} << 31)
      throw Error(Fault::bad_request, "the ONNX model of " + graph_.name +
                                          " would be larger than 2 GiB, which is the most that one "
                                          "file may hold; choose a smaller part with --until");
    return model_.SerializeAsString();
  }

 private:
  /// The step's outputs at their places among ONNX's, which are the first ones unless the op says
  /// so.
  template <class T>
  void add_outputs(const T& op) {
    for (std::size_t i = 0; i < step_->outputs.size(); ++i) {
      if constexpr (requires { op.outputs; })
        while (node_->output_size() < op.outputs.at(i)) node_->add_output(std::string());
      node_->add_output(graph_.tensor(step_->outputs[i]).name);
    }
  }

  void value(std::size_t i) { node_->add_input(graph_.tensor(step_->inputs[i]).name); }

  /// A name that nothing else has.
  std::string fresh(const std::string& what) {
    std::string name;
    do name = what + "_" + std::to_string(count_++);
    while (!names_.insert(name).second);
    return name;
  }
  /// Goes on with a further node of the same step, which reads what the last one makes.
  void follow() {
    const std::string name = fresh("value");
    node_->add_output(name);
    node_ = model_.mutable_graph()->add_node();
    node_->add_input(name);
  }

  /// An initializer of its own.
  void constant(const Tensor& tensor) {
    const std::string name = fresh("constant");
    put(*model_.mutable_graph()->add_initializer(), name, tensor);
    node_->add_input(name);
  }
  void constant(const std::vector<std::int64_t>& numbers) {
    constant(Tensor::of<std::int64_t>({static_cast<std::int64_t>(numbers.size())}, numbers));
  }
  /// The place of an absent input.
  void nothing() { node_->add_input(std::string()); }
  /// Numbers of steps, which ONNX wants in 32 bits.
  void lengths(const std::vector<std::int64_t>& numbers) {
    const std::string name = fresh("constant");
    onnx::TensorProto& proto = *model_.mutable_graph()->add_initializer();
    proto.set_name(name);
    proto.set_data_type(onnx::TensorProto::INT32);
    proto.add_dims(static_cast<std::int64_t>(numbers.size()));
    for (const std::int64_t each : numbers) proto.add_int32_data(static_cast<std::int32_t>(each));
    node_->add_input(name);
  }
  const Tensor* parameter(std::size_t i) const { return step_->parameters[i].get(); }
  std::size_t rank_of_input() const {
    return graph_.tensor(step_->inputs.front()).type.shape.size();
  }

  onnx::AttributeProto& attribute(const std::string& name,
                                  onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto& made = *node_->add_attribute();
    made.set_name(name);
    made.set_type(type);
    return made;
  }
  void integer(const std::string& name, std::int64_t value) {
    attribute(name, onnx::AttributeProto::INT).set_i(value);
  }
  void real(const std::string& name, float value) {
    attribute(name, onnx::AttributeProto::FLOAT).set_f(value);
  }
  void text(const std::string& name, std::string_view value) {
    attribute(name, onnx::AttributeProto::STRING).set_s(std::string(value));
  }
  void integers(const std::string& name, const std::vector<std::int64_t>& values) {
    onnx::AttributeProto& made = attribute(name, onnx::AttributeProto::INTS);
    for (const std::int64_t each : values) made.add_ints(each);
  }

  /// The last `axes` of the two spatial numbers: a 1-D window has only the second.
  static std::vector<std::int64_t> last(const std::array<std::int64_t, 2>& pair, std::size_t axes) {
    return {pair.end() - static_cast<std::ptrdiff_t>(axes), pair.end()};
  }
  void window(const SlidingWindow& window) {
    const std::size_t axes = rank_of_input() - 2;
    std::vector<std::int64_t> pads = last(window.pad_begin, axes);
    const std::vector<std::int64_t> end = last(window.pad_end, axes);
    pads.insert(pads.end(), end.begin(), end.end());
    integers("kernel_shape", last(window.kernel, axes));
    integers("strides", last(window.stride, axes));
    integers("dilations", last(window.dilation, axes));
    integers("pads", pads);
  }
  void type(const char* op_type) { node_->set_op_type(op_type); }

  void convolution(const SlidingWindow& sliding, std::int64_t group) {
    value(0);
    constant(*parameter(0));
    if (parameter(1)) constant(*parameter(1));
    integer("group", group);
    window(sliding);
  }
  void write(const Conv2d& op) {
    type("Conv");
    convolution(op.window, op.group);
  }
  void write(const ConvTranspose2d& op) {
    type("ConvTranspose");
    convolution(op.window, op.group);
    integers("output_padding", last(op.extra, rank_of_input() - 2));
  }
  void write(const MatMul& op) {
    const bool plain = op.addend == MatMul::Addend::none && op.alpha == 1 &&
                       op.left == MatMul::Stored::as_read && op.right == MatMul::Stored::as_read;
    type(plain ? "MatMul" : "Gemm");
    std::size_t next = 0;
    op.constant == MatMul::Constant::left ? constant(*parameter(0)) : value(next++);
    op.constant == MatMul::Constant::right ? constant(*parameter(0)) : value(next++);
    if (plain) return;
    if (op.addend == MatMul::Addend::parameter) constant(*parameter(1));
    if (op.addend == MatMul::Addend::value) value(next);
    real("alpha", op.alpha);
    real("beta", op.beta);
    integer("transA", op.left == MatMul::Stored::transposed);
    integer("transB", op.right == MatMul::Stored::transposed);
  }
  void write(const BatchNorm& op) {
    type("BatchNormalization");
    value(0);
    for (std::size_t i = 0; i < 4; ++i) constant(*parameter(i));
    real("epsilon", op.epsilon);
  }
  /// x sigmoid(a x), in operators that every runtime knows.
  void swish(float a) {
    value(0);
    if (a != 1) {
      type("Mul");
      constant(Tensor::of<float>({}, {a}));
      follow();
    }
    type("Sigmoid");
    follow();
    type("Mul");
    value(0);
  }
  void write(const Unary& op) {
    using K = EpilogueKind;
    if (op.function == K::swish) return swish(op.a);
    const UnaryFunction& function = unary_function(op.function);
    node_->set_op_type(std::string(function.onnx_type));
    value(0);
    if (op.function == K::clip) {
      constant(Tensor::of<float>({}, {op.a}));
      constant(Tensor::of<float>({}, {op.b}));
      return;
    }
    if (op.function == K::gelu_tanh) text("approximate", "tanh");
    if (!function.a.name.empty()) real(std::string(function.a.name), op.a);
    if (!function.b.name.empty()) real(std::string(function.b.name), op.b);
  }
  /// One or more operands, of two one maybe the constant.
  void operands(bool constant_first) {
    const bool has_constant = !step_->parameters.empty();
    if (has_constant && constant_first) constant(*parameter(0));
    for (std::size_t i = 0; i < step_->inputs.size(); ++i) value(i);
    if (has_constant && !constant_first) constant(*parameter(0));
  }
  void write(const Binary& op) {
    const bool two = step_->inputs.size() + step_->parameters.size() == 2;
    node_->set_op_type(op.function == Binary::Function::add && !two ? "Sum"
                                                                    : std::string(op.kind()));
    operands(op.constant == Binary::Side::left);
  }
  void write(const Predicate& op) {
    node_->set_op_type(std::string(op.kind()));
    operands(op.constant == Predicate::Side::left);
  }
  void write(const Choice& op) {
    type("Where");
    std::size_t next_value = 0, next_parameter = 0;
    for (const bool is_constant : op.constant)
      is_constant ? constant(*parameter(next_parameter++)) : value(next_value++);
  }
  void write(const Cast& op) {
    type("Cast");
    value(0);
    integer("to", op.onnx_type());
  }
  void write(const MaxPool& op) {
    type("MaxPool");
    value(0);
    window(op.window);
  }
  void write(const Reduce& op) {
    switch (op.function) {
      case Reduce::Function::sum:
        type("ReduceSum");
        break;
      case Reduce::Function::mean:
        type("ReduceMean");
        break;
      case Reduce::Function::max:
        type("ReduceMax");
        break;
      case Reduce::Function::min:
        type("ReduceMin");
        break;
      case Reduce::Function::l1:
        type("ReduceL1");
        break;
      case Reduce::Function::l2:
        type("ReduceL2");
        break;
      case Reduce::Function::sum_square:
        type("ReduceSumSquare");
        break;
      case Reduce::Function::prod:
        type("ReduceProd");
        break;
    }
    value(0);
    if (op.axes.empty())
      integer("noop_with_empty_axes", 1);
    else
      constant(op.axes);
    integer("keepdims", op.reduced == Reduce::Axes::kept);
  }
  void write(const Softmax& op) {
    const Shape& x = graph_.tensor(step_->inputs[0]).type.shape;
    const SoftmaxExtents e = extents(op, x);
    const char* const kind = op.function == Softmax::Function::softmax ? "Softmax" : "LogSoftmax";
    if (op.row == Softmax::Row::along_the_axis || e.n == x.back()) {
      type(kind);
      value(0);
      integer("axis", op.row == Softmax::Row::along_the_axis
                          ? op.axis
                          : static_cast<std::int64_t>(x.size()) - 1);
      return;
    }
    // Since opset 13 a row is one axis.
    const std::string name = node_->name();
    type("Reshape");
    node_->clear_name();
    value(0);
    constant(std::vector<std::int64_t>{e.outer, e.n});
    follow();
    type(kind);
    node_->set_name(name);
    integer("axis", 1);
    follow();
    type("Reshape");
    constant(std::vector<std::int64_t>(x.begin(), x.end()));
  }
  void write(const Normalization& op) {
    value(0);
    real("epsilon", op.epsilon);
    switch (op.rows) {
      case Normalization::Rows::layer: {
        type("LayerNormalization");
        const Shape& x = graph_.tensor(step_->inputs[0]).type.shape;
        for (std::size_t i = 0; i < 2 && parameter(i); ++i)
          constant(parameter(i)->reshaped({x.begin() + op.axis, x.end()}));
        integer("axis", op.axis);
        return;
      }
      case Normalization::Rows::instance:
        type("InstanceNormalization");
        break;
      case Normalization::Rows::group:
        type("GroupNormalization");
        integer("num_groups", op.groups);
        break;
    }
    for (std::size_t i = 0; i < 2; ++i) constant(*parameter(i));
  }
  void write(const Recurrent& op) {
    namespace place = recurrent_parameter;
    const bool gru = op.cell == Recurrent::Cell::gru;
    type(gru ? "GRU" : "LSTM");
    std::size_t next = 1;
    const auto either = [&](Recurrent::Initial from, std::size_t at) {
      if (from == Recurrent::Initial::value) return value(next++);
      parameter(at) ? constant(*parameter(at)) : nothing();
    };
    value(0);
    for (const std::size_t at : {place::weights, place::recurrence, place::bias})
      parameter(at) ? constant(*parameter(at)) : nothing();
    op.lengths.empty() ? nothing() : lengths(op.lengths);
    either(op.state, place::state);
    if (!gru) either(op.memory, place::memory);
    if (parameter(place::peepholes)) constant(*parameter(place::peepholes));
    integer("hidden_size", parameter(place::recurrence)->shape()[2]);
    text("direction", op.direction == Recurrent::Direction::forward   ? "forward"
                      : op.direction == Recurrent::Direction::reverse ? "reverse"
                                                                      : "bidirectional");
    integer("layout", op.axes == Recurrent::Axes::batch_first);
    if (gru) integer("linear_before_reset", op.reset == Recurrent::Reset::after_the_product);
    if (op.forms.front().clip > 0) real("clip", op.forms.front().clip);
    onnx::AttributeProto& names = attribute("activations", onnx::AttributeProto::STRINGS);
    for (const CellForm& form : op.forms) {
      names.add_strings(name_of(form.f));
      names.add_strings(name_of(form.g));
      if (!gru) names.add_strings(name_of(form.h));
    }
  }
  static const char* name_of(GateFunction function) {
    switch (function) {
      case GateFunction::sigmoid:
        return "Sigmoid";
      case GateFunction::tanh:
        return "Tanh";
      case GateFunction::relu:
        return "Relu";
    }
    throw Error(Fault::internal, "a gate's function that ONNX is not told about");
  }
  void write(const Concat& op) {
    type("Concat");
    for (std::size_t i = 0; i < step_->inputs.size(); ++i) value(i);
    integer("axis", op.axis);
  }
  void write(const Movement& op) {
    value(0);
    switch (op.function) {
      case Movement::Function::identity:
        type("Identity");
        break;
      case Movement::Function::reshape:
        type("Reshape");
        constant(op.numbers);
        integer("allowzero", op.zero == Movement::Zero::is_the_extent);
        break;
      case Movement::Function::flatten:
        type("Flatten");
        integer("axis", op.numbers.at(0));
        break;
      case Movement::Function::squeeze:
        type("Squeeze");
        if (!op.numbers.empty()) constant(op.numbers);
        break;
      case Movement::Function::unsqueeze:
        type("Unsqueeze");
        constant(op.numbers);
        break;
      case Movement::Function::transpose:
        type("Transpose");
        if (!op.numbers.empty()) integers("perm", op.numbers);
        break;
    }
  }
  void write(const AveragePool& op) {
    type("AveragePool");
    value(0);
    SlidingWindow asked = op.window;
    for (std::size_t axis = 0; axis < 2; ++axis) asked.pad_end[axis] -= op.beyond[axis];
    window(asked);
    integer("ceil_mode", op.beyond != std::array<std::int64_t, 2>{0, 0});
    integer("count_include_pad", op.pads == AveragePool::Pads::included);
  }
  void write(const Gather& op) {
    type(std::string(op.kind()).c_str());
    std::size_t next = 0;
    op.data == Gather::Operand::value ? value(next++) : constant(*parameter(0));
    op.indices == Gather::Operand::value ? value(next) : constant(*parameter(1));
    if (op.function == Gather::Function::points)
      integer("batch_dims", op.batch_axes);
    else
      integer("axis", op.axis);
  }
  void write(const Pieces& op) {
    type("Split");
    value(0);
    if (!op.sizes.empty()) constant(op.sizes);
    integer("axis", op.axis);
    if (op.sizes.empty()) integer("num_outputs", op.count);
  }
  void write(const Placement& op) {
    type(std::string(op.kind()).c_str());
    value(0);
    switch (op.function) {
      case Placement::Function::slice:
        for (std::int64_t Placement::Range::*const part :
             {&Placement::Range::start, &Placement::Range::end, &Placement::Range::axis,
              &Placement::Range::step}) {
          std::vector<std::int64_t> numbers;
          for (const Placement::Range& range : op.ranges) numbers.push_back(range.*part);
          constant(numbers);
        }
        break;
      case Placement::Function::pad: {
        constant(op.numbers);
        const bool constant_mode = op.padding == Placement::Padding::constant;
        if (constant_mode) constant(scalar(graph_.tensor(step_->inputs[0]).type.type, op.fill));
        text("mode", constant_mode                               ? "constant"
                     : op.padding == Placement::Padding::reflect ? "reflect"
                     : op.padding == Placement::Padding::edge    ? "edge"
                                                                 : "wrap");
        break;
      }
      case Placement::Function::expand:
      case Placement::Function::tile:
        constant(op.numbers);
        break;
      case Placement::Function::depth_to_space:
        text("mode", op.depth == Placement::Depth::dcr ? "DCR" : "CRD");
        [[fallthrough]];
      case Placement::Function::space_to_depth:
        integer("blocksize", op.numbers.at(0));
        break;
    }
  }
  /// A scalar constant of a type.
  static Tensor scalar(Type type, double value) {
    switch (type) {
      case Type::float32:
        return Tensor::of<float>({}, {static_cast<float>(value)});
      case Type::float64:
        return Tensor::of<double>({}, {value});
      case Type::int64:
        return Tensor::of<std::int64_t>({}, {static_cast<std::int64_t>(value)});
      case Type::boolean:
        return Tensor::of<std::uint8_t>({}, {static_cast<std::uint8_t>(value != 0)});
    }
    throw Error(Fault::internal, "a scalar of a type that ONNX is not told about");
  }
  void write(const Resize& op) {
    type("Resize");
    value(0);
    text("mode", name(op.mode));
    text("coordinate_transformation_mode", name(op.coordinates));
    text("nearest_mode", name(op.nearest));
    real("cubic_coeff_a", op.cubic_a);
    integer("exclude_outside", op.outside == Resize::Outside::excluded);
    resize_to(op);
  }
  /// By sizes where these give the op's scales again, else by scales in float32, which a Resize that
  /// began with scales has.
  void resize_to(const Resize& op) {
    const Shape& x = graph_.tensor(step_->inputs[0]).type.shape;
    std::vector<std::int64_t> sizes(x.begin(), x.end());
    std::vector<float> scales(x.size(), 1.0F);
    bool by_sizes = true;
    for (const Resize::Axis& axis : op.axes) {
      const auto k = static_cast<std::size_t>(axis.axis);
      sizes[k] = axis.extent;
      scales[k] = static_cast<float>(axis.scale);
      by_sizes =
          by_sizes && axis.scale == static_cast<double>(axis.extent) / static_cast<double>(x[k]);
    }
    node_->add_input(std::string());
    if (by_sizes) {
      node_->add_input(std::string());
      constant(sizes);
    } else {
      const auto rank = static_cast<std::int64_t>(scales.size());
      constant(Tensor::of<float>({rank}, std::move(scales)));
    }
  }
  void write(const Scatter& op) {
    type(std::string(op.kind()).c_str());
    value(0);
    op.indices == Scatter::Operand::value ? value(1) : constant(*parameter(0));
    value(step_->inputs.size() - 1);
    if (op.function == Scatter::Function::elements) integer("axis", op.axis);
    switch (op.reduction) {
      case Scatter::Reduction::replace:
        break;
      case Scatter::Reduction::add:
        text("reduction", "add");
        break;
      case Scatter::Reduction::mul:
        text("reduction", "mul");
        break;
      case Scatter::Reduction::max:
        text("reduction", "max");
        break;
      case Scatter::Reduction::min:
        text("reduction", "min");
        break;
    }
  }
  void write(const TopK& op) {
    type(std::string(op.kind()).c_str());
    value(0);
    integer("axis", op.axis);
    if (op.results == TopK::Results::values_and_indices) {
      constant(std::vector<std::int64_t>{op.count});
      integer("largest", op.first == TopK::First::largest);
      return;
    }
    integer("keepdims", op.reduced == TopK::Axes::kept);
    integer("select_last_index", op.tie == TopK::Tie::highest);
  }
  void write(const Constant&) {
    type("Constant");
    put(*attribute("value", onnx::AttributeProto::TENSOR).mutable_t(), "value", *parameter(0));
  }

  const Graph& graph_;
  onnx::ModelProto model_;
  std::set<std::string> names_;
  std::size_t count_ = 0;
  const Step* step_ = nullptr;
  onnx::NodeProto* node_ = nullptr;
};

}  // namespace

std::string export_onnx(const Graph& graph) { return Exporter(graph).run(); }

}  // namespace parity
