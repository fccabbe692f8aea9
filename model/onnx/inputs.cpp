#include "model/onnx/inputs.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "model/error.hpp"
#include "model/named_tensor.hpp"
#include "model/nearest.hpp"
#include "model/onnx/weights.hpp"
#include "model/text.hpp"

namespace parity {
namespace onnx_import {
namespace {

struct Declared {
  DeclaredEdge edge;
  std::optional<Type> type;
  std::string unsupported;
};

Declared declared(const onnx::ValueInfoProto& info) {
  Declared input;
  input.edge.name = info.name();
  if (!info.type().has_tensor_type()) {
    input.edge.type = "no tensor";
    input.unsupported = "it is no tensor (a sequence, map or optional)";
    return input;
  }
  const onnx::TypeProto::Tensor& tensor = info.type().tensor_type();
  switch (tensor.elem_type()) {
    case onnx::TensorProto::FLOAT:
      input.type = Type::float32;
      break;
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::INT32:
      input.type = Type::int64;
      break;
    case onnx::TensorProto::BOOL:
      input.type = Type::boolean;
      break;
    default:
      input.unsupported = "it is " + type_name(tensor.elem_type()) +
                          "; the lab's networks read float32, int64, int32 and bool";
  }
  input.edge.type = type_name(tensor.elem_type());
  if (!tensor.has_shape()) return input;
  input.edge.shape.emplace();
  for (const onnx::TensorShapeProto::Dimension& dim : tensor.shape().dim()) {
    Extent extent;
    if (dim.has_dim_value()) extent.value = dim.dim_value();
    if (dim.has_dim_param()) extent.name = dim.dim_param();
    if (!is_utf8(extent.name))
      throw Error(Fault::bad_model, "dimension " + shown(extent.name) + " of " +
                                        shown(info.name()) +
                                        " has a name that is not UTF-8; the file is damaged");
    // some exporters write -1 for an open extent
    if (extent.value && *extent.value < 0) extent.value.reset();
    input.edge.shape->push_back(std::move(extent));
  }
  return input;
}

class Specialiser {
 public:
  Specialiser(const Model& model, const ImportOptions& options, std::vector<std::string>& notes)
      : model_(model), options_(options), notes_(notes) {
    for (const onnx::ValueInfoProto& info : model.proto->graph().input())
      if (model.sources.at(info.name()) == Source::input) inputs_.push_back(declared(info));
    check_names();
    for (const auto& [name, value] : options_.dims) give(name, value, asked_by(name, "--dim"));
    for (const Declared& input : inputs_) {
      const std::string& name = input.edge.name;
      if (const auto shape = options_.shapes.find(name); shape != options_.shapes.end())
        match(input, shape->second, Fault::bad_request, asked_by(name, "--shape"));
      if (const auto bound = options_.bindings.find(name); bound != options_.bindings.end()) {
        check_type(input, bound->second);
        match(input, bound->second.shape(), Fault::bad_input, "the input given");
      }
    }
    open_first_extents();
  }

  std::vector<DeclaredInput> decided() {
    std::vector<DeclaredInput> result;
    for (const Declared& input : inputs_) result.push_back(decided(input));
    return result;
  }

  SurveyedInputs surveyed() {
    SurveyedInputs result;
    for (const Declared& input : inputs_) {
      result.inputs.push_back(input.edge);
      std::optional<std::vector<Extent>>& shape = result.inputs.back().shape;
      shape = known_shape(input);
      if (!shape) {
        result.open.push_back({input.edge.name, {}, wanted(input)});
        continue;
      }
      OpenInput open{input.edge.name, {}, {}};
      for (const Extent& extent : *shape) {
        if (extent.value) continue;
        open.hint = wanted(input);
        if (!extent.name.empty()) open.dims.push_back(extent.name);
      }
      if (!open.hint.empty()) result.open.push_back(std::move(open));
    }
    return result;
  }

 private:
  /// What messages call the option that gave a shape or a named extent.
  std::string asked_by(const std::string& name, const std::string& otherwise) const {
    const auto found = options_.asked_by.find(name);
    return found == options_.asked_by.end() ? otherwise : found->second;
  }

  void check_names() const {
    std::vector<std::string> names, dims;
    for (const Declared& input : inputs_) {
      names.push_back(input.edge.name);
      if (!input.edge.shape) continue;
      for (const Extent& extent : *input.edge.shape)
        if (!extent.name.empty() && std::find(dims.begin(), dims.end(), extent.name) == dims.end())
          dims.push_back(extent.name);
    }
    const std::string has =
        names.empty() ? std::string("it has no inputs") : "its inputs are " + listed(names);
    const auto check = [&](const std::string& name, Fault fault, const std::string& what) {
      if (std::find(names.begin(), names.end(), name) != names.end()) return;
      const auto source = model_.sources.find(name);
      const bool constant = source != model_.sources.end() && source->second != Source::node;
      throw Error(fault, what + " is no input of " + model_.name + ": " +
                             (constant ? "it is a constant of the model" : has) +
                             did_you_mean(name, names));
    };
    for (const auto& [name, tensor] : options_.bindings)
      check(name, Fault::bad_input, "the tensor given for " + shown(name));
    for (const auto& [name, shape] : options_.shapes)
      check(name, Fault::bad_request,
            asked_by(name, "--shape") + " names " + shown(name) + ", which");
    for (const auto& [name, value] : options_.dims)
      if (std::find(dims.begin(), dims.end(), name) == dims.end())
        throw Error(Fault::bad_request,
                    asked_by(name, "--dim") + " names " + shown(name) +
                        ", which is no dimension of " + model_.name +
                        (dims.empty() ? ": its inputs have no named dimensions"
                                      : ": its named dimensions are " + listed(dims)) +
                        did_you_mean(name, dims));
  }

  static TensorInfo info(const Declared& input) {
    const bool widened = input.edge.type != to_string(*input.type);
    return {input.edge.name, {*input.type, {}}, widened ? input.edge.type : std::string()};
  }

  void check_type(const Declared& input, const Tensor& given) const {
    const Type type = given.type().type;
    if (!input.type || *input.type == type) return;
    const auto declared = options_.binding_types.find(input.edge.name);
    const std::string has =
        type_text(given.type(), declared == options_.binding_types.end() ? "" : declared->second);
    std::string advice;
    if (type == Type::float64 && *input.type == Type::float32)
      advice =
          ". Convert it, so that the rounding is yours and visible (NumPy: "
          "x.astype(numpy.float32))";
    const std::string accepted = accepted_types(info(input));
    throw Error(
        Fault::bad_input,
        "input " + shown(input.edge.name) + " of " + model_.name + " must be " + accepted +
            (accepted == input.edge.type ? "" : " (the file says " + input.edge.type + ")") +
            ", but the tensor given is " + has + advice);
  }

  void give(const std::string& dim, std::int64_t value, const std::string& by) {
    if (value < 1)
      throw Error(Fault::bad_request, by + " gives dimension " + shown(dim) + " the extent " +
                                          std::to_string(value) + "; it must be at least 1");
    const auto [known, added] = dims_.emplace(dim, value);
    if (!added && known->second != value)
      throw Error(Fault::bad_input, by + " makes dimension " + shown(dim) + " of " + model_.name +
                                        " " + std::to_string(value) + ", but elsewhere it is " +
                                        std::to_string(known->second));
  }

  /// Takes the extents of `given` where the file leaves them open; they must agree where it does
  /// not.
  void match(const Declared& input, const Shape& given, Fault fault, const std::string& by) {
    const std::string& name = input.edge.name;
    const std::optional<std::vector<Extent>>& shape = input.edge.shape;
    const auto expected = [&](const std::string& why) {
      return Error(fault, "input " + shown(name) + " of " + model_.name + " must have shape " +
                              (shape ? to_string(*shape) : "of any rank") + ", but " + by +
                              " has shape " + to_string(given) + why);
    };
    // integers may be none (the axes of a reduction over all of them); data without elements
    // computes nothing
    const std::int64_t least = input.type == Type::float32 ? 1 : 0;
    for (const std::int64_t extent : given)
      if (extent < least)
        throw expected(": every extent must be at least " + std::to_string(least));
    if (shape) {
      if (shape->size() != given.size())
        throw expected(" (rank " + std::to_string(given.size()) + " instead of " +
                       std::to_string(shape->size()) + ")");
      for (std::size_t k = 0; k < given.size(); ++k) {
        const Extent& extent = (*shape)[k];
        if (extent.value && *extent.value != given[k])
          throw expected(" (axis " + std::to_string(k) + ")");
        if (!extent.value && !extent.name.empty())
          give(extent.name, given[k], by + " for " + shown(name));
      }
    }
    const auto [known, added] = given_.emplace(name, given);
    if (!added && known->second != given)
      throw expected(", and " + asked_by(name, "--shape") + " says " + to_string(known->second));
  }

  /// A first extent is the batch by custom: left open, it becomes 1.
  void open_first_extents() {
    for (const Declared& input : inputs_) {
      const std::string& name = input.edge.name;
      if (!input.edge.shape || input.edge.shape->empty() || given_.contains(name)) continue;
      const Extent& first = input.edge.shape->front();
      if (first.value || (!first.name.empty() && dims_.contains(first.name))) continue;
      if (first.name.empty()) {
        notes_.push_back("the first extent of input " + shown(name) +
                         " is open in the file and became 1 (--shape " + name + "=… changes it)");
      } else {
        dims_.emplace(first.name, 1);
        notes_.push_back("dimension " + shown(first.name) + ", the first of input " + shown(name) +
                         ", is open in the file and became 1 (--dim " + first.name +
                         "=… changes it)");
      }
    }
  }

  /// The declared shape with the extents that are known by now. Nothing: not even the rank.
  std::optional<std::vector<Extent>> known_shape(const Declared& input) const {
    std::optional<std::vector<Extent>> shape = input.edge.shape;
    if (const auto given = given_.find(input.edge.name); given != given_.end()) {
      shape.emplace();
      for (const std::int64_t extent : given->second) shape->push_back({extent, {}});
    }
    for (std::size_t k = 0; shape && k < shape->size(); ++k) {
      Extent& extent = (*shape)[k];
      const auto known = extent.name.empty() ? dims_.end() : dims_.find(extent.name);
      if (extent.value) continue;
      if (known != dims_.end())
        extent.value = known->second;
      else if (k == 0 && extent.name.empty())
        extent.value = 1;  // open_first_extents() said so
    }
    return shape;
  }

  /// How to give the extents of an input that are still open.
  std::string wanted(const Declared& input) const {
    const std::string& name = input.edge.name;
    const std::optional<std::vector<Extent>> shape = known_shape(input);
    if (!shape)
      return "give its extents, joined by x, with --shape " + name +
             "=…, or give the tensor with --input";
    std::vector<std::string> dims;
    bool nameless = false;
    std::string extents;
    for (const Extent& extent : *shape) {
      extents += (extents.empty() ? "" : "x") +
                 (extent.value ? std::to_string(*extent.value) : std::string("…"));
      if (extent.value) continue;
      nameless = nameless || extent.name.empty();
      if (!extent.name.empty() && std::find(dims.begin(), dims.end(), extent.name) == dims.end())
        dims.push_back(extent.name);
    }
    std::string by_name;
    for (const std::string& dim : dims)
      by_name += (by_name.empty() ? "" : " ") + ("--dim " + dim) + "=…";
    if (!by_name.empty()) by_name += nameless ? " as far as they have names, " : ", ";
    return "give it with " + by_name + (by_name.empty() ? "" : "with ") + "--shape " + name + "=" +
           extents + ", or give the tensor with --input";
  }

  DeclaredInput decided(const Declared& input) const {
    const std::string& name = input.edge.name;
    if (!input.type) return {name, {}, {}, input.unsupported};
    DeclaredInput result{name, {*input.type, {}}, info(input).declared, {}};
    const std::optional<std::vector<Extent>> shape = known_shape(input);
    if (!shape)
      throw Error(Fault::bad_request, "input " + shown(name) + " of " + model_.name +
                                          " has no shape in the file; " + wanted(input));
    for (std::size_t k = 0; k < shape->size(); ++k) {
      if (!(*shape)[k].value)
        throw Error(Fault::bad_request, "input " + shown(name) + " of " + model_.name +
                                            " has shape " + to_string(*input.edge.shape) +
                                            ", whose axis " + std::to_string(k) + " is open; " +
                                            wanted(input));
      result.type.shape.push_back(*(*shape)[k].value);
    }
    for (const std::int64_t extent : result.type.shape)
      if (extent == 0 && *input.type == Type::float32)
        throw Error(Fault::bad_model, "input " + shown(name) + " of " + model_.name +
                                          " has shape " + to_string(result.type.shape) +
                                          ": a tensor without elements computes nothing");
    try {
      element_count(result.type.shape);
    } catch (const Error& error) {
      throw Error(Fault::bad_model,
                  "input " + shown(name) + " of " + model_.name + ": " + error.what());
    }
    return result;
  }

  const Model& model_;
  const ImportOptions& options_;
  std::vector<std::string>& notes_;
  std::vector<Declared> inputs_;
  std::map<std::string, std::int64_t> dims_;
  std::map<std::string, Shape> given_;
};

}  // namespace

std::vector<DeclaredInput> specialise_inputs(const Model& model, const ImportOptions& options,
                                             std::vector<std::string>& notes) {
  return Specialiser(model, options, notes).decided();
}

SurveyedInputs survey_inputs(const Model& model, const ImportOptions& options,
                             std::vector<std::string>& notes) {
  return Specialiser(model, options, notes).surveyed();
}

DeclaredEdge declared_output(const onnx::ValueInfoProto& info) {
  DeclaredEdge edge = declared(info).edge;
  if (!is_utf8(edge.name)) edge.name = shown(edge.name);  // an output that nobody makes
  return edge;
}

}  // namespace onnx_import

std::string to_string(const std::vector<Extent>& shape) {
  if (shape.empty()) return "scalar";
  std::string joined;
  for (const Extent& extent : shape) {
    if (!joined.empty()) joined += "x";
    joined += extent.value          ? std::to_string(*extent.value)
              : extent.name.empty() ? "?"
                                    : extent.name;
  }
  return joined;
}

}  // namespace parity
