#include "model/onnx/inputs.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "model/error.hpp"
#include "model/nearest.hpp"
#include "model/onnx/weights.hpp"
#include "model/text.hpp"

namespace parity::onnx_import {
namespace {

/// An extent as the file declares it: a number, a name, or nothing.
struct Extent {
  std::optional<std::int64_t> value;
  std::string name;
};

struct Declared {
  std::string name;
  std::optional<std::vector<Extent>> shape;  ///< nothing: the file leaves even the rank open
  std::optional<Type> type;
  bool narrow = false;  ///< int32 in the file
  std::string unsupported;
};

Declared declared(const onnx::ValueInfoProto& info) {
  Declared input;
  input.name = info.name();
  if (!info.type().has_tensor_type()) {
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
  if (!tensor.has_shape()) return input;
  input.shape.emplace();
  for (const onnx::TensorShapeProto::Dimension& dim : tensor.shape().dim()) {
    Extent extent;
    if (dim.has_dim_value()) extent.value = dim.dim_value();
    if (dim.has_dim_param()) extent.name = dim.dim_param();
    if (!is_utf8(extent.name))
      throw Error(Fault::bad_model, "dimension " + shown(extent.name) + " of input " +
                                        shown(input.name) +
                                        " has a name that is not UTF-8; the file is damaged");
    // some exporters write -1 for an open extent
    if (extent.value && *extent.value < 0) extent.value.reset();
    input.shape->push_back(std::move(extent));
  }
  return input;
}

std::string text(const std::vector<Extent>& shape) {
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

class Specialiser {
 public:
  Specialiser(const Model& model, const ImportOptions& options, std::vector<std::string>& notes)
      : model_(model), options_(options), notes_(notes) {
    for (const onnx::ValueInfoProto& info : model.proto->graph().input())
      if (model.sources.at(info.name()) == Source::input) inputs_.push_back(declared(info));
  }

  std::vector<DeclaredInput> run() {
    check_names();
    for (const auto& [name, value] : options_.dims) give(name, value, "--dim");
    for (const Declared& input : inputs_) {
      if (const auto shape = options_.shapes.find(input.name); shape != options_.shapes.end())
        match(input, shape->second, Fault::bad_request, "--shape");
      if (const auto bound = options_.bindings.find(input.name); bound != options_.bindings.end()) {
        check_type(input, bound->second.type());
        match(input, bound->second.shape(), Fault::bad_input, "the input given");
      }
    }
    open_first_extents();
    std::vector<DeclaredInput> result;
    for (const Declared& input : inputs_) result.push_back(decided(input));
    return result;
  }

 private:
  void check_names() const {
    std::vector<std::string> names, dims;
    for (const Declared& input : inputs_) {
      names.push_back(input.name);
      if (!input.shape) continue;
      for (const Extent& extent : *input.shape)
        if (!extent.name.empty()) dims.push_back(extent.name);
    }
    const std::string has =
        names.empty() ? std::string("it has no inputs") : "its inputs are " + listed(names);
    const auto check = [&](const std::string& name, Fault fault, const std::string& what) {
      if (std::find(names.begin(), names.end(), name) != names.end()) return;
      const auto source = model_.sources.find(name);
      const bool constant = source != model_.sources.end() && source->second != Source::node;
      throw Error(fault, what + " " + shown(name) + " is no input of " + model_.name + ": " +
                             (constant ? "it is a constant of the model" : has) +
                             did_you_mean(name, names));
    };
    for (const auto& [name, tensor] : options_.bindings)
      check(name, Fault::bad_input, "the tensor given for");
    for (const auto& [name, shape] : options_.shapes)
      check(name, Fault::bad_request, "--shape names");
    for (const auto& [name, value] : options_.dims)
      if (std::find(dims.begin(), dims.end(), name) == dims.end())
        throw Error(Fault::bad_request,
                    "--dim names " + shown(name) + ", which is no dimension of " + model_.name +
                        (dims.empty() ? ": its inputs have no named dimensions" : "") +
                        did_you_mean(name, dims));
  }

  void check_type(const Declared& input, const TensorType& given) const {
    if (!input.type || *input.type == given.type) return;
    std::string advice;
    if (given.type == Type::float64 && *input.type == Type::float32)
      advice =
          ". Convert it, so that the rounding is yours and visible (NumPy: "
          "x.astype(numpy.float32))";
    throw Error(Fault::bad_input, "input " + shown(input.name) + " of " + model_.name +
                                      " must be " + to_string(*input.type) +
                                      ", but the tensor given is " + to_string(given) + advice);
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
    const auto expected = [&](const std::string& why) {
      return Error(fault, "input " + shown(input.name) + " of " + model_.name +
                              " must have shape " +
                              (input.shape ? text(*input.shape) : "of any rank") + ", but " + by +
                              " has shape " + to_string(given) + why);
    };
    // integers may be none (the axes of a reduction over all of them); data without elements
    // computes nothing
    const std::int64_t least = input.type == Type::float32 ? 1 : 0;
    for (const std::int64_t extent : given)
      if (extent < least)
        throw expected(": every extent must be at least " + std::to_string(least));
    if (input.shape) {
      if (input.shape->size() != given.size())
        throw expected(" (rank " + std::to_string(given.size()) + " instead of " +
                       std::to_string(input.shape->size()) + ")");
      for (std::size_t k = 0; k < given.size(); ++k) {
        const Extent& extent = (*input.shape)[k];
        if (extent.value && *extent.value != given[k])
          throw expected(" (axis " + std::to_string(k) + ")");
        if (!extent.value && !extent.name.empty())
          give(extent.name, given[k], by + " for " + shown(input.name));
      }
    }
    const auto [known, added] = given_.emplace(input.name, given);
    if (!added && known->second != given)
      throw expected(", and --shape says " + to_string(known->second));
  }

  /// A first extent is the batch by custom: left open, it becomes 1.
  void open_first_extents() {
    for (const Declared& input : inputs_) {
      if (!input.shape || input.shape->empty() || given_.contains(input.name)) continue;
      const Extent& first = input.shape->front();
      if (first.value || first.name.empty() || dims_.contains(first.name)) continue;
      dims_.emplace(first.name, 1);
      notes_.push_back("dimension " + shown(first.name) + ", the first of input " +
                       shown(input.name) + ", is open in the file and became 1 (--dim " +
                       first.name + "=… changes it)");
    }
  }

  DeclaredInput decided(const Declared& input) {
    if (!input.type) return {input.name, {}, input.unsupported};
    DeclaredInput result{input.name, {*input.type, {}}, {}};
    if (const auto given = given_.find(input.name); given != given_.end()) {
      result.type.shape = given->second;
    } else if (!input.shape) {
      throw Error(Fault::bad_request, "input " + shown(input.name) + " of " + model_.name +
                                          " has no shape in the file; give it with --shape " +
                                          input.name + "=1x3x…, or give the tensor with --input");
    } else {
      for (std::size_t k = 0; k < input.shape->size(); ++k)
        result.type.shape.push_back(extent(input, k));
    }
    for (const std::int64_t extent : result.type.shape)
      if (extent == 0 && *input.type == Type::float32)
        throw Error(Fault::bad_model, "input " + shown(input.name) + " of " + model_.name +
                                          " has shape " + to_string(result.type.shape) +
                                          ": a tensor without elements computes nothing");
    try {
      element_count(result.type.shape);
    } catch (const Error& error) {
      throw Error(Fault::bad_model,
                  "input " + shown(input.name) + " of " + model_.name + ": " + error.what());
    }
    return result;
  }

  std::int64_t extent(const Declared& input, std::size_t k) {
    const Extent& extent = (*input.shape)[k];
    if (extent.value) return *extent.value;
    if (const auto known = dims_.find(extent.name); !extent.name.empty() && known != dims_.end())
      return known->second;
    if (k == 0) {
      notes_.push_back("the first extent of input " + shown(input.name) +
                       " is open in the file and became 1 (--shape " + input.name +
                       "=… changes it)");
      return 1;
    }
    throw Error(Fault::bad_request,
                "input " + shown(input.name) + " of " + model_.name + " has shape " +
                    text(*input.shape) + ", whose axis " + std::to_string(k) +
                    " is open; give it with " +
                    (extent.name.empty() ? "" : "--dim " + extent.name + "=…, with ") + "--shape " +
                    input.name + "=1x3x…, or give the tensor with --input");
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
  return Specialiser(model, options, notes).run();
}

}  // namespace parity::onnx_import
