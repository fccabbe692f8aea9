#include "model/onnx/flatten.hpp"

#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <climits>
#include <functional>
#include <optional>
#include <queue>
#include <set>
#include <utility>

#include "model/error.hpp"
#include "model/nearest.hpp"
#include "model/onnx/file_stream.hpp"
#include "model/onnx/import.hpp"
#include "model/text.hpp"

namespace parity::onnx_import {
namespace {

constexpr std::size_t most_nodes = 100'000;
constexpr int deepest_call = 32;
constexpr std::int64_t oldest_ir = 3, newest_ir = 14;

// Fields that onnx.proto got after the packaged one; the parser keeps them as unknown.
constexpr int node_overload = 8, node_metadata = 9, function_attribute_defaults = 11,
              function_overload = 13;

template <class Message, class Visit>
void each_unknown(const Message& message, int field, Visit visit) {
  const google::protobuf::UnknownFieldSet& unknown =
      message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    const google::protobuf::UnknownField& entry = unknown.field(i);
    if (entry.number() == field &&
        entry.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
      visit(entry.length_delimited());
  }
}

template <class Message>
std::string unknown_text(const Message& message, int field) {
  std::string text;
  each_unknown(message, field, [&](const std::string& value) { text = value; });
  return text;
}

/// The parts of a Python list of plain strings, "['', 'layer1', 'conv']".
std::vector<std::string> python_strings(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while ((at = text.find_first_of("'\"", at)) != std::string::npos) {
    const std::size_t end = text.find(text[at], at + 1);
    if (end == std::string::npos) break;
    parts.push_back(text.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return parts;
}

/// The names in ": Model/layer1: torch.nn.Sequential/conv: aten.conv2d": what stands before each
/// colon.
std::vector<std::string> namespace_parts(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    const std::string part = text.substr(at, end - at);
    parts.push_back(part.substr(0, std::min(part.find(':'), part.size())));
    at = end + 1;
  }
  return parts;
}

/// The module a node came from, by the metadata that exporters write; the last part names the call
/// itself.
std::string scope_of(const onnx::NodeProto& node) {
  std::string scopes, spaces;
  each_unknown(node, node_metadata, [&](const std::string& bytes) {
    onnx::StringStringEntryProto entry;
    if (!entry.ParseFromString(bytes) || !is_utf8(entry.value())) return;
    if (entry.key() == "pkg.torch.onnx.name_scopes") scopes = entry.value();
    if (entry.key() == "namespace") spaces = entry.value();
  });
  std::vector<std::string> parts =
      scopes.empty() ? namespace_parts(spaces) : python_strings(scopes);
  if (parts.size() < 2) return {};
  parts.pop_back();
  return parts.back();
}

std::string described(const onnx::NodeProto& node) {
  if (!node.name().empty())
    return "node " + shown(node.name()) + " (" + shown_type(node.op_type()) + ")";
  return "the " + shown_type(node.op_type()) + " node that makes " +
         shown(node.output_size() > 0 ? node.output(0) : "");
}

std::string function_key(const std::string& domain, const std::string& name,
                         const std::string& overload) {
  return (domain == "ai.onnx" ? std::string() : domain) + '\n' + name + '\n' + overload;
}

std::optional<int> opset_in(
    const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports) {
  std::optional<int> version;
  for (const onnx::OperatorSetIdProto& import : imports)
    if (import.domain().empty() || import.domain() == "ai.onnx")
      version = static_cast<int>(std::clamp<std::int64_t>(import.version(), 0, INT_MAX));
  return version;
}

class Flattener {
 public:
  explicit Flattener(Model& model) : model_(model) {
    for (const onnx::FunctionProto& function : model.proto->functions()) {
      const std::string overload = unknown_text(function, function_overload);
      const bool added =
          functions_.emplace(function_key(function.domain(), function.name(), overload), &function)
              .second;
      if (!added)
        throw Error(Fault::bad_model,
                    model.name + ": function " + shown(function.name()) + " is defined twice");
    }
  }

  void run() {
    for (const onnx::NodeProto& node : model_.proto->graph().node())
      append(std::shared_ptr<const onnx::NodeProto>(model_.proto, &node), model_.opset, {}, 0);
  }

 private:
  using Names = std::unordered_map<std::string, std::string>;

  void append(std::shared_ptr<const onnx::NodeProto> node, int opset, const std::string& scope,
              int depth) {
    const auto function = functions_.find(
        function_key(node->domain(), node->op_type(), unknown_text(*node, node_overload)));
    std::string own_scope = scope_of(*node);
    if (own_scope.empty()) own_scope = scope;
    if (function != functions_.end()) {
      inline_call(*node, *function->second, own_scope, depth + 1);
      return;
    }
    if (model_.nodes.size() >= most_nodes)
      throw Error(Fault::bad_model,
                  model_.name + " has more than " + std::to_string(most_nodes) +
                      " nodes once its functions are inlined; the lab takes no more");
    model_.nodes.push_back({std::move(node), opset, std::move(own_scope)});
  }

  void inline_call(const onnx::NodeProto& call, const onnx::FunctionProto& function,
                   const std::string& scope, int depth) {
    if (depth > deepest_call)
      throw Error(Fault::bad_model,
                  model_.name + ": " + described(call) + " calls functions " +
                      std::to_string(deepest_call) +
                      " deep; the lab inlines no deeper, and a function may not call itself");
    // a call adds work even when its body is empty, so calls count against the nodes too
    if (++calls_ > most_nodes)
      throw Error(Fault::bad_model, model_.name + " calls its functions more than " +
                                        std::to_string(most_nodes) +
                                        " times; the lab takes no more");
    const std::string prefix = unique_prefix(call.name().empty() ? call.op_type() : call.name());
    const int opset = opset_in(function.opset_import()).value_or(model_.opset);
    if (call.input_size() > function.input_size() || call.output_size() > function.output_size())
      throw Error(Fault::bad_model, model_.name + ": " + described(call) +
                                        " passes more operands than function " +
                                        shown(function.name()) + " has");

    Names names;
    for (int i = 0; i < function.input_size(); ++i)
      names[function.input(i)] = i < call.input_size() ? call.input(i) : std::string();
    for (int i = 0; i < call.output_size(); ++i) {
      if (call.output(i).empty()) continue;
      const auto formal = names.find(function.output(i));
      if (formal == names.end()) {
        names[function.output(i)] = call.output(i);
      } else {
        // an output that is an input, or is asked for twice: a copy under the caller's name
        auto copy = std::make_shared<onnx::NodeProto>();
        copy->set_op_type("Identity");
        copy->set_name(prefix);
        copy->add_input(formal->second);
        copy->add_output(call.output(i));
        append(std::move(copy), opset, scope, depth);
      }
    }
    const auto renamed = [&](const std::string& name) -> std::string {
      if (name.empty()) return name;
      const auto found = names.find(name);
      return found != names.end() ? found->second : prefix + "/" + name;
    };
    for (const onnx::NodeProto& inner : function.node()) {
      auto node = std::make_shared<onnx::NodeProto>(inner);
      node->set_name(prefix + "/" + (inner.name().empty() ? inner.op_type() : inner.name()));
      for (std::string& name : *node->mutable_input()) name = renamed(name);
      for (std::string& name : *node->mutable_output()) name = renamed(name);
      bind_attributes(*node, call, function);
      append(std::move(node), opset, scope, depth);
    }
  }

  /// Attributes that refer to the call's get the call's value, else the function's default, else
  /// go.
  static void bind_attributes(onnx::NodeProto& node, const onnx::NodeProto& call,
                              const onnx::FunctionProto& function) {
    google::protobuf::RepeatedPtrField<onnx::AttributeProto> bound;
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (attribute.ref_attr_name().empty()) {
        *bound.Add() = attribute;
        continue;
      }
      std::optional<onnx::AttributeProto> value;
      for (const onnx::AttributeProto& given : call.attribute())
        if (given.name() == attribute.ref_attr_name()) value = given;
      if (!value)
        each_unknown(function, function_attribute_defaults, [&](const std::string& bytes) {
          onnx::AttributeProto otherwise;
          if (otherwise.ParseFromString(bytes) && otherwise.name() == attribute.ref_attr_name())
            value = std::move(otherwise);
        });
      if (!value) continue;
      value->set_name(attribute.name());
      *bound.Add() = std::move(*value);
    }
    node.mutable_attribute()->Swap(&bound);
  }

  std::string unique_prefix(const std::string& name) {
    const int use = ++prefixes_[name];
    return use == 1 ? name : name + "#" + std::to_string(use);
  }

  Model& model_;
  std::unordered_map<std::string, const onnx::FunctionProto*> functions_;
  std::unordered_map<std::string, int> prefixes_;
  std::size_t calls_ = 0;
};

/// Gives every tensor its one producer; names must be UTF-8, because reports print them.
void find_sources(Model& model) {
  const onnx::GraphProto& graph = model.proto->graph();
  const auto check_name = [&](const std::string& name) {
    if (!is_utf8(name))
      throw Error(Fault::bad_model,
                  model.name + ": the name " + shown(name) + " is not UTF-8; the file is damaged");
  };
  const auto define = [&](const std::string& name, Source source, const std::string& by) {
    check_name(name);
    const auto [entry, added] = model.sources.emplace(name, source);
    if (added) return;
    // IR 3 lists initializers among the inputs; then the tensor is a constant
    if (entry->second == Source::input &&
        (source == Source::initializer || source == Source::sparse_initializer)) {
      entry->second = source;
      return;
    }
    throw Error(Fault::bad_model, model.name + ": tensor " + shown(name) +
                                      " is defined twice, the second time by " + by);
  };
  for (const onnx::ValueInfoProto& input : graph.input())
    define(input.name(), Source::input, "a graph input");
  for (const onnx::TensorProto& tensor : graph.initializer())
    define(tensor.name(), Source::initializer, "an initializer");
  for (const onnx::SparseTensorProto& tensor : graph.sparse_initializer())
    define(tensor.values().name(), Source::sparse_initializer, "a sparse initializer");
  for (const FlatNode& node : model.nodes) {
    check_name(node.proto->name());
    check_name(node.proto->op_type());
    for (const std::string& name : node.proto->output())
      if (!name.empty()) define(name, Source::node, described(*node.proto));
  }
}

std::vector<std::string> names_of(const Model& model) {
  std::vector<std::string> names;
  for (const auto& [name, source] : model.sources) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

/// Orders the nodes so that each comes after what it reads, keeping the file's order where it can.
void sort_nodes(Model& model) {
  const std::size_t count = model.nodes.size();
  std::unordered_map<std::string, std::size_t> producer;
  for (std::size_t i = 0; i < count; ++i)
    for (const std::string& name : model.nodes[i].proto->output())
      if (!name.empty()) producer.emplace(name, i);

  std::vector<std::set<std::size_t>> reads(count);
  std::vector<std::vector<std::size_t>> readers(count);
  for (std::size_t i = 0; i < count; ++i)
    for (const std::string& name : model.nodes[i].proto->input()) {
      if (name.empty()) continue;
      const auto found = producer.find(name);
      if (found != producer.end()) {
        if (reads[i].insert(found->second).second) readers[found->second].push_back(i);
      } else if (!model.sources.contains(name)) {
        throw Error(Fault::bad_model,
                    model.name + ": " + described(*model.nodes[i].proto) + " reads tensor " +
                        shown(name) +
                        ", which is no graph input, no initializer and no node's output" +
                        did_you_mean(name, names_of(model)) +
                        " (a missing initializer? then export the model again with its weights)");
      }
    }

  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  std::vector<std::size_t> waiting(count);
  for (std::size_t i = 0; i < count; ++i) {
    waiting[i] = reads[i].size();
    if (waiting[i] == 0) ready.push(i);
  }
  std::vector<std::size_t> order;
  while (!ready.empty()) {
    const std::size_t next = ready.top();
    ready.pop();
    order.push_back(next);
    for (const std::size_t reader : readers[next])
      if (--waiting[reader] == 0) ready.push(reader);
  }
  if (order.size() < count) {
    std::size_t at = 0;
    while (waiting[at] == 0) ++at;
    // every waiting node reads another waiting node, so walking back must meet itself
    std::vector<std::size_t> walk;
    while (std::find(walk.begin(), walk.end(), at) == walk.end()) {
      walk.push_back(at);
      at = *std::find_if(reads[at].begin(), reads[at].end(),
                         [&](std::size_t i) { return waiting[i] > 0; });
    }
    const auto start = std::find(walk.begin(), walk.end(), at);
    std::string text;
    for (auto step = walk.end(); step != start && walk.end() - step < 4;)
      text += described(*model.nodes[*--step].proto) + " → ";
    throw Error(Fault::bad_model, model.name + ": the graph has a cycle of " +
                                      std::to_string(walk.end() - start) +
                                      " nodes, so it has no order to run in: " + text + "…");
  }
  if (std::is_sorted(order.begin(), order.end())) return;
  model.notes.push_back("the file's nodes are not in an order that runs; they were sorted");
  std::vector<FlatNode> sorted;
  for (const std::size_t i : order) sorted.push_back(std::move(model.nodes[i]));
  model.nodes = std::move(sorted);
}

void check_and_flatten(Model& model) {
  const onnx::ModelProto& proto = *model.proto;
  if (!proto.has_graph() || !proto.has_ir_version())
    throw Error(Fault::bad_model, model.name + " is no ONNX model: it has no " +
                                      (proto.has_graph() ? "IR version" : "graph"));
  if (proto.ir_version() < oldest_ir)
    throw Error(Fault::bad_model, model.name + " has IR version " +
                                      std::to_string(proto.ir_version()) +
                                      "; the lab reads version " + std::to_string(oldest_ir) +
                                      " and newer. Export it again with a current exporter.");
  if (proto.ir_version() > newest_ir)
    model.notes.push_back("IR version " + std::to_string(proto.ir_version()) +
                          " is newer than the newest the lab knows (" + std::to_string(newest_ir) +
                          "); what it adds was not read");
  const std::optional<int> opset = opset_in(proto.opset_import());
  if (!opset)
    throw Error(
        Fault::bad_model,
        model.name + " imports no version of the ONNX operator set, so its nodes have no meaning");
  model.opset = *opset;
  if (model.opset < oldest_opset || model.opset > newest_opset)
    throw Error(Fault::bad_model,
                model.name + " uses opset " + std::to_string(model.opset) +
                    "; the lab knows opsets " + std::to_string(oldest_opset) + " to " +
                    std::to_string(newest_opset) +
                    ". Convert the model, or export it with another opset_version.");
  Flattener(model).run();
  find_sources(model);
  sort_nodes(model);
}

}  // namespace

ConstantProtos constants_of(const Model& model) {
  ConstantProtos constants;
  for (const onnx::TensorProto& each : model.proto->graph().initializer())
    constants.emplace(each.name(), &each);
  for (const FlatNode& node : model.nodes)
    if (node.proto->op_type() == "Constant" && node.proto->output_size() > 0)
      for (const onnx::AttributeProto& attribute : node.proto->attribute())
        if (attribute.name() == "value") constants.emplace(node.proto->output(0), &attribute.t());
  return constants;
}

std::string producer_of(const Model& model) {
  const onnx::ModelProto& proto = *model.proto;
  const std::string producer =
      proto.producer_name() +
      (proto.producer_version().empty() ? std::string() : " " + proto.producer_version());
  return is_utf8(producer) ? producer : shown(producer);
}

Model load_model(const std::filesystem::path& file) {
  Model model;
  model.proto = std::make_shared<onnx::ModelProto>();
  model.name = file.filename().string();
  model.folder = file.parent_path();
  HashedFile stream(file);
  google::protobuf::io::CopyingInputStreamAdaptor adaptor(&stream, 1 << 20);
  const bool parsed = model.proto->ParseFromZeroCopyStream(&adaptor);
  stream.check();
  if (!parsed)
    throw Error(Fault::bad_model,
                shown(file.string()) +
                    " is no ONNX model: its bytes do not parse (truncated, or another format)");
  model.digest = stream.digest();
  check_and_flatten(model);
  return model;
}

Model load_model(std::span<const std::byte> bytes, const std::string& name,
                 const std::filesystem::path& folder) {
  Model model;
  model.proto = std::make_shared<onnx::ModelProto>();
  model.name = name;
  model.folder = folder;
  if (bytes.size() > INT_MAX ||
      !model.proto->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    throw Error(
        Fault::bad_model,
        shown(name) + " is no ONNX model: its bytes do not parse (truncated, or another format)");
  model.digest = digest_text(XXH3_128bits(bytes.data(), bytes.size()));
  check_and_flatten(model);
  return model;
}

}  // namespace parity::onnx_import
