#include "model/inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <optional>
#include <set>

#include "model/arithmetic/digest.hpp"
#include "model/error.hpp"
#include "model/files/npy.hpp"
#include "model/files/npz.hpp"
#include "model/generator.hpp"
#include "model/nearest.hpp"
#include "model/onnx/tensor_file.hpp"
#include "model/text.hpp"

namespace parity {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void neither(const std::string& text, const std::string& source) {
  const bool file_like = source.find('/') != std::string::npos || has_suffix(source, ".npz") ||
                         has_suffix(source, ".npy") || has_suffix(source, ".pb");
  if (file_like)
    throw Error(Fault::bad_input,
                "--input " + text + ": there is no file or folder '" + source + "'.");
  // The generator's own refusal lists what there is.
  parse_generator(source);
  throw Error(Fault::internal, "--input " + text + " was taken for neither a file nor a generator");
}

std::vector<std::string> names_of(std::span<const TensorInfo> inputs) {
  std::vector<std::string> names;
  for (const TensorInfo& input : inputs) names.push_back(input.name);
  return names;
}

std::string quoted_list(const std::vector<std::string>& names) {
  return names.empty() ? "none" : fmt::format("'{}'", fmt::join(names, "', '"));
}

/// What the model holds in 32 bits must fit them: no runtime could have been given it.
void require_range(const Tensor& tensor, const TensorInfo& input, const std::string& origin) {
  using Narrow = std::numeric_limits<std::int32_t>;
  if (input.declared != "int32") return;
  const std::span<const std::int64_t> values = tensor.values<std::int64_t>();
  const auto outside = std::find_if(values.begin(), values.end(), [](std::int64_t value) {
    return value < Narrow::min() || value > Narrow::max();
  });
  if (outside == values.end()) return;
  throw Error(Fault::bad_input,
              fmt::format("the input '{}' is {}, but {} holds {} in place {} of {}, which int32 "
                          "cannot hold. Give values from {} to {}.",
                          input.name, type_text(input.type, input.declared), origin, *outside,
                          outside - values.begin(), values.size(), Narrow::min(), Narrow::max()));
}

/// The tensor, when it is what the input wants. Nothing is converted: rounding an input is the
/// user's to see.
Tensor fitted(const NamedTensor& given, const TensorInfo& input, const std::string& origin) {
  const Tensor& tensor = given.tensor;
  if (tensor.type() == input.type) {
    require_range(tensor, input, origin);
    return tensor;
  }
  const std::string advice =
      tensor.shape().size() != input.type.shape.size() ? "the ranks differ"
      : tensor.shape() != input.type.shape
          ? "the shapes differ"
          : "the element types differ, and it takes " + accepted_types(input);
  throw Error(Fault::bad_input, "the input '" + input.name + "' is " +
                                    type_text(input.type, input.declared) + ", but " + origin +
                                    " holds " + type_text(tensor.type(), given.declared) + ": " +
                                    advice + ". Save the tensor as the input wants it.");
}

bool is_float(Type type) { return type == Type::float32 || type == Type::float64; }

/// Whether a generator that was asked for without a name is meant for this input.
bool serves(const Generator& generator, const TensorType& type) {
  switch (generator.kind) {
    case Generator::Kind::zeros:
    case Generator::Kind::ones:
    case Generator::Kind::integers:
      return true;
    case Generator::Kind::pillars:
      return is_float(type.type) && type.shape.size() == 4;
    case Generator::Kind::normal:
    case Generator::Kind::extreme:
    case Generator::Kind::denormal:
      return is_float(type.type);
  }
  return false;
}

std::string default_generator(Type type) {
  if (is_float(type)) return "normal:7";
  return type == Type::int64 ? "integers:7" : "ones";
}

}  // namespace

std::string BoundInput::text() const {
  return type_text(tensor.type(), declared) + " from " + origin + ", digest " +
         to_string(digest(tensor));
}

InputRequests::InputRequests(std::span<const std::string> options) {
  std::set<std::string> seen;
  for (const std::string& text : options) {
    if (!seen.insert(text).second)
      throw Error(Fault::bad_request, "--input " + text + " is given twice; keep one.");
    std::string name, source = text;
    // A file whose own name holds '=' is taken as it is.
    if (const std::size_t equals = text.find('=');
        equals != std::string::npos && !fs::exists(text)) {
      name = text.substr(0, equals);
      source = text.substr(equals + 1);
    }
    if (source.empty())
      throw Error(Fault::bad_request, "--input " + text +
                                          " names no source; write NAME=FILE or NAME=GENERATOR, "
                                          "as in " +
                                          (name.empty() ? std::string("x") : name) + "=normal:7.");
    if (is_generator(source)) {
      parse_generator(source);  // refuses a bad seed now, not after the import
      asked_.push_back({name, source});
    } else if (fs::exists(source)) {
      read_file(name, source);
    } else {
      neither(text, source);
    }
  }
}

void InputRequests::read_file(const std::string& name, const std::string& path) {
  const auto one = [&](NamedTensor tensor) {
    if (!name.empty()) tensor.name = name;
    tensor.tensor = with_canonical_nan(tensor.tensor);
    given_.push_back({std::move(tensor), path, !name.empty()});
  };
  if (fs::is_directory(path)) {
    if (!name.empty())
      throw Error(Fault::bad_request,
                  "--input " + name + "=" + path +
                      " gives a folder to one input; name a file in it, or leave "
                      "the name out.");
    for (NamedTensor& each : read_test_data_set(path).inputs) one(std::move(each));
  } else if (has_suffix(path, ".npz")) {
    std::vector<NamedTensor> tensors = read_npz(path);
    if (tensors.empty())
      throw Error(Fault::bad_input, "the input file '" + path + "' holds no tensor.");
    if (!name.empty()) {
      std::vector<std::string> names;
      for (const NamedTensor& each : tensors) names.push_back(each.name);
      const auto found = std::find_if(tensors.begin(), tensors.end(),
                                      [&](const NamedTensor& each) { return each.name == name; });
      if (found == tensors.end() && tensors.size() != 1)
        throw Error(Fault::bad_input, "the input file '" + path + "' holds no tensor '" + name +
                                          "' but " + quoted_list(names) + ".");
      one(found == tensors.end() ? tensors[0] : *found);
      return;
    }
    for (NamedTensor& each : tensors) one(std::move(each));
  } else if (has_suffix(path, ".npy")) {
    one(read_npy(path));
  } else if (has_suffix(path, ".pb")) {
    one(read_tensor_proto(path));
  } else {
    throw Error(Fault::bad_request, "--input " + path +
                                        " has no suffix that says how to read it; there is .npz, "
                                        ".npy, .pb and a folder test_data_set_N.");
  }
}

std::map<std::string, Tensor> InputRequests::named() const {
  std::map<std::string, Tensor> tensors;
  for (const Given& given : given_)
    if (!given.name().empty()) tensors.insert_or_assign(given.name(), given.tensor.tensor);
  return tensors;
}

std::map<std::string, std::string> InputRequests::declared() const {
  std::map<std::string, std::string> types;
  for (const Given& given : given_)
    if (!given.tensor.declared.empty()) types.insert_or_assign(given.name(), given.tensor.declared);
  return types;
}

void InputRequests::begin_at(const std::string& from) {
  whole_ = "the part from --from " + from + " on";
}

std::string InputRequests::called(const std::vector<std::string>& inputs) const {
  std::string text;
  for (const std::string& input : inputs) {
    text += (text.empty() ? "'" : ", '") + input + "'";
    for (const auto& [alias, name] : aliases_)
      if (name == input && alias != input) text += " (stage '" + alias + "')";
  }
  return text.empty() ? "none" : text;
}

void InputRequests::call(const std::string& alias, const std::string& name) {
  aliases_.emplace_back(alias, name);
  for (Given& given : given_)
    if (given.name() == alias) given.tensor.name = name;
  for (Asked& asked : asked_)
    if (asked.name == alias) asked.name = name;
}

void InputRequests::meet(const std::vector<std::string>& inputs) {
  check_names(inputs);
  std::set<std::string> taken;
  for (const Given& given : given_) taken.insert(given.name());
  for (const Asked& asked : asked_) taken.insert(asked.name);
  auto next = inputs.begin();
  for (Given& given : given_) {
    if (!given.name().empty()) continue;
    next = std::find_if(next, inputs.end(),
                        [&](const std::string& name) { return !taken.contains(name); });
    if (next == inputs.end())
      throw Error(Fault::bad_input, given.origin + " is one tensor too many: " + whole_ + " has " +
                                        called(inputs) + ".");
    given.tensor.name = *next++;
  }
}

void InputRequests::check_names(const std::vector<std::string>& inputs) const {
  const auto no_such_input = [&](const std::string& name, const std::string& origin) {
    std::string hint = did_you_mean(name, inputs);
    return Error(Fault::bad_request, origin + " is meant for the input '" + name + "', which " +
                                         whole_ + " does not have; it has " + called(inputs) +
                                         (hint.empty() ? "." : hint));
  };
  const auto is_input = [&](const std::string& name) {
    return name.empty() || std::find(inputs.begin(), inputs.end(), name) != inputs.end();
  };
  for (const Asked& asked : asked_)
    if (!is_input(asked.name))
      throw no_such_input(asked.name, "--input " + asked.name + "=" + asked.generator);
  for (const Given& given : given_) {
    if (is_input(given.name())) continue;
    if (given.named_by_option) throw no_such_input(given.name(), given.origin);
    // Everything that the file has too much, and what is still wanted.
    std::vector<std::string> extra, missing;
    for (const Given& other : given_)
      if (other.origin == given.origin && !is_input(other.name())) extra.push_back(other.name());
    for (const std::string& input : inputs)
      if (std::none_of(given_.begin(), given_.end(),
                       [&](const Given& other) { return other.name() == input; }))
        missing.push_back(input);
    const std::string holds = given.origin + " holds " + quoted_list(extra);
    if (missing.empty())
      throw Error(Fault::bad_input, holds + " beside the inputs of " + whole_ + ", " +
                                        called(inputs) + ". Save the inputs alone" +
                                        (has_suffix(given.origin, ".npz")
                                             ? ", or take one from the file with --input " +
                                                   inputs.front() + "=" + given.origin + "."
                                             : std::string(".")));
    const std::string hint = did_you_mean(extra.front(), missing);
    throw Error(Fault::bad_input, holds + ", which " + whole_ + " does not have; it has " +
                                      called(inputs) + (hint.empty() ? "." : hint));
  }
}

std::vector<BoundInput> InputRequests::bind(
    std::span<const TensorInfo> inputs,
    std::span<const std::pair<std::string, std::string>> declared) const {
  return bind_small(inputs, declared, std::numeric_limits<std::int64_t>::max());
}

std::vector<BoundInput> InputRequests::bind_small(
    std::span<const TensorInfo> inputs,
    std::span<const std::pair<std::string, std::string>> declared,
    const std::int64_t largest) const {
  const auto made = [&](const std::string& generator, std::size_t i) {
    const TensorType& type = inputs[i].type;
    const std::int64_t most = largest / static_cast<std::int64_t>(byte_width(type.type));
    if (element_count(type.shape) > most) return Tensor();
    return generate(parse_generator(generator), type, "input" + std::to_string(i));
  };
  const std::vector<std::string> names = names_of(inputs);
  std::vector<std::optional<BoundInput>> bound(inputs.size());
  const auto position = [&](const std::string& name) -> std::optional<std::size_t> {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    return static_cast<std::size_t>(found - names.begin());
  };
  check_names(names);

  // Named tensors of files.
  std::set<std::string> partial_files;
  for (const Given& given : given_) {
    if (given.name().empty()) continue;
    const std::optional<std::size_t> at = position(given.name());
    if (bound[*at])
      throw Error(Fault::bad_request, "the input '" + given.name() + "' is given twice, by " +
                                          bound[*at]->origin + " and by " + given.origin +
                                          "; keep one.");
    bound[*at] = {given.name(), fitted(given.tensor, inputs[*at], given.origin), given.origin};
    if (has_suffix(given.origin, ".npz")) partial_files.insert(given.origin);
  }
  // Generators for one input.
  for (const Asked& asked : asked_) {
    if (asked.name.empty()) continue;
    const std::optional<std::size_t> at = position(asked.name);
    if (bound[*at])
      throw Error(Fault::bad_request, "the input '" + asked.name + "' is given twice, by " +
                                          bound[*at]->origin + " and by " + asked.generator +
                                          "; keep one.");
    bound[*at] = {asked.name, made(asked.generator, *at), asked.generator};
  }
  // Tensors without a name, in order.
  std::size_t next = 0;
  for (const Given& given : given_) {
    if (!given.name().empty()) continue;
    while (next < bound.size() && bound[next]) ++next;
    if (next == bound.size())
      throw Error(Fault::bad_input, given.origin + " is one tensor too many: " + whole_ + " has " +
                                        called(names) + ".");
    bound[next] = {names[next], fitted(given.tensor, inputs[next], given.origin), given.origin};
  }
  // What is left: generators without a name, then what is declared, then the defaults.
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (bound[i]) continue;
    std::string generator;
    for (const Asked& asked : asked_)
      if (asked.name.empty() && serves(parse_generator(asked.generator), inputs[i].type))
        generator = asked.generator;
    if (generator.empty() && !partial_files.empty())
      throw Error(Fault::bad_input,
                  *partial_files.begin() + " holds inputs of " + whole_ + " but not '" + names[i] +
                      "'; add it to the file, or give --input " + names[i] + "=normal:7.");
    for (const auto& [name, text] : declared)
      if (generator.empty() && name == names[i]) generator = text;
    if (generator.empty()) generator = default_generator(inputs[i].type.type);
    bound[i] = {names[i], made(generator, i), generator};
  }
  std::vector<BoundInput> all;
  for (std::size_t i = 0; i < bound.size(); ++i) {
    all.push_back(std::move(*bound[i]));
    all.back().declared = inputs[i].declared;
  }
  return all;
}

Shape parse_shape(std::string_view text) {
  if (text == "scalar") return {};
  Shape shape;
  for (std::string_view rest = text;;) {
    std::int64_t extent = 0;
    const auto [end, fault] = std::from_chars(rest.data(), rest.data() + rest.size(), extent);
    const auto used = static_cast<std::size_t>(end - rest.data());
    if (fault == std::errc::result_out_of_range)
      throw Error(Fault::bad_request,
                  "'" + std::string(text) + "' has an extent that no tensor can have.");
    if (fault != std::errc() || extent < 0 || (used < rest.size() && rest[used] != 'x'))
      throw Error(Fault::bad_request, "'" + std::string(text) +
                                          "' is no shape; write the extents joined by x, as in "
                                          "1x3x224x224.");
    shape.push_back(extent);
    if (used == rest.size()) return shape;
    rest.remove_prefix(used + 1);
  }
}

std::pair<std::string, std::string> name_and_value(const std::string& flag,
                                                   const std::string& text) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    throw Error(Fault::bad_request,
                flag + " " + text + " cannot be read; write " + flag + " NAME=VALUE.");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace parity
