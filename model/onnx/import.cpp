#include "model/onnx/import.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "model/error.hpp"
#include "model/nearest.hpp"
#include "model/onnx/dispatch.hpp"
#include "model/onnx/flatten.hpp"
#include "model/onnx/fold.hpp"
#include "model/onnx/idioms.hpp"
#include "model/onnx/inputs.hpp"
#include "model/onnx/lints.hpp"
#include "model/onnx/node_view.hpp"
#include "model/onnx/walk.hpp"
#include "model/onnx/weights.hpp"
#include "model/text.hpp"

namespace parity {
namespace onnx_import {
namespace {

/// A tensor that the file alone decides.
struct FileConstant {
  Tensor tensor;  ///< without elements once nobody will read them
  TensorType type;
  std::vector<std::string> lints;
};

/// How many of the tensors that a node makes it has outputs for.
std::size_t named(const FlatNode& node, std::size_t made) {
  return std::min(made, static_cast<std::size_t>(node.proto->output_size()));
}

/// What folding a node took and said; what it made is kept as constants.
struct Fold {
  std::size_t outputs = 0;
  std::int64_t bytes = 0;  ///< of the budget
  std::vector<std::string> lints;
};

/// The initializers, converted when somebody first asks, and what nodes make of them alone. All of
/// it outlives a restart, which must neither convert nor fold again: so the elements of a constant
/// that only folded nodes read are dropped with the last of them, and a large weight and its
/// transpose are not both held until import ends.
class Constants {
 public:
  Constants(const Model& model, const Sandbox& sandbox) : sandbox_(sandbox) {
    for (onnx::TensorProto& tensor : *model.proto->mutable_graph()->mutable_initializer())
      protos_.emplace(tensor.name(), &tensor);
    for (onnx::NodeProto& node : *model.proto->mutable_graph()->mutable_node())
      if (node.op_type() == "Constant") nodes_.emplace(&node, &node);
    for (const FlatNode& node : model.nodes)
      for (const std::string& name : node.proto->input()) ++readers_[name];
    for (const onnx::ValueInfoProto& output : model.proto->graph().output())
      ++readers_[output.name()];
  }

  bool holds(const std::string& name) const {
    return ready_.contains(name) || protos_.contains(name);
  }

  /// Throws Fault::bad_model each time when the tensor cannot be used.
  const FileConstant& get(const std::string& name) {
    if (const auto ready = ready_.find(name); ready != ready_.end()) return ready->second;
    if (const auto failed = failed_.find(name); failed != failed_.end())
      throw Error(failed->second);
    try {
      Constant made = to_constant(*protos_.at(name), sandbox_, Doubles::rounded);
      TensorType type = made.tensor.type();
      return ready_.emplace(name, FileConstant{std::move(made.tensor), std::move(type), made.lints})
          .first->second;
    } catch (const Error& error) {
      failed_.emplace(name, error);
      throw;
    }
  }

  /// Nothing unless an earlier attempt folded the node.
  const Fold* fold_of(const FlatNode& node) const {
    const auto found = folds_.find(&node);
    return found == folds_.end() ? nullptr : &found->second;
  }

  /// Keeps what a node makes of constants alone. It will not read its inputs again.
  void keep(const FlatNode& node, const std::vector<Tensor>& made, Fold fold) {
    for (std::size_t i = 0; i < named(node, made.size()); ++i)
      if (const std::string& name = node.proto->output(static_cast<int>(i)); !name.empty())
        ready_.emplace(name, FileConstant{made[i], made[i].type(), {}});
    folds_.emplace(&node, std::move(fold));
    if (const auto found = nodes_.find(node.proto.get()); found != nodes_.end())
      for (onnx::AttributeProto& attribute : *found->second->mutable_attribute())
        if (attribute.has_t()) drop_elements(*attribute.mutable_t());
    for (const std::string& name : node.proto->input())
      if (!name.empty() && --readers_[name] == 0) ready_.at(name).tensor = Tensor();
  }
  /// Whether a node or a graph output will still ask for it.
  bool is_read(const std::string& name) const {
    const auto found = readers_.find(name);
    return found != readers_.end() && found->second > 0;
  }

 private:
  /// Clearing a field of a message keeps its memory.
  static void drop_elements(onnx::TensorProto& tensor) {
    std::string().swap(*tensor.mutable_raw_data());
    google::protobuf::RepeatedField<float>().Swap(tensor.mutable_float_data());
    google::protobuf::RepeatedField<double>().Swap(tensor.mutable_double_data());
  }

  const Sandbox& sandbox_;
  std::unordered_map<std::string, onnx::TensorProto*> protos_;
  std::unordered_map<const onnx::NodeProto*, onnx::NodeProto*> nodes_;  ///< Constants of the file
  std::unordered_map<std::string, FileConstant> ready_;
  std::unordered_map<std::string, Error> failed_;
  std::unordered_map<std::string, int> readers_;  ///< uses by nodes and graph outputs, yet to come
  std::unordered_map<const FlatNode*, Fold> folds_;
};

/// Thrown through op rooms when a node turns out to need the value of graph inputs that have one:
/// import starts again with these as constants. No std::exception, so that nobody takes it for a
/// failure.
struct Restart {
  std::vector<std::string> inputs;
};

/// Why a tensor is not there.
struct Refused {
  enum class Cause {
    input,    ///< of a type that the lab does not hold
    node,     ///< that cannot be imported
    constant  ///< that cannot be used, so that the node which reads it cannot either
  };
  Cause cause;
  const FlatNode* node;  ///< null for an input
  std::string input;     ///< its name, empty for a node
  std::string why;
  bool missed = true;  ///< false: an output that the lab does not make and that nobody reads
};

/// What stands before why an input is refused.
std::string unusable(const std::string& input) {
  return "input " + shown(input) + " cannot be used: ";
}

/// What is known of a tensor by the time the walk reaches it.
struct Known {
  std::optional<Tensor> constant;
  std::optional<TensorId> id;  ///< as a value of the graph under construction
  TensorType type;
  std::optional<std::size_t> refused;  ///< index of the reason why it is neither
};

/// One attempt at a graph, with the given inputs as constants.
class Importer final : public Surroundings {
 public:
  Importer(const Model& model, const ImportOptions& options, const Sandbox& sandbox,
           Constants& constants, const std::set<std::string>& pinned)
      : model_(model),
        options_(options),
        sandbox_(sandbox),
        constants_(constants),
        pinned_(pinned),
        builder_(model.name),
        budget_(options.largest_folded_bytes) {}

  /// Imports every node that can be; a refusal is kept for who asks for what it would make.
  void walk() {
    describe();
    add_inputs();
    for (std::size_t i = 0; i < model_.nodes.size(); ++i)
      for (const std::string& name : model_.nodes[i].proto->output())
        if (!name.empty()) producer_.emplace(name, i);
    std::size_t done = 0;
    for (const FlatNode& node : model_.nodes) {
      add(node);
      if (options_.observer) options_.observer(++done, model_.nodes.size());
    }
  }

  Graph graph() { return options_.until.empty() ? whole() : part(); }

  Walked walked() {
    Walked result;
    const Graph& graph = builder_.graph();
    result.notes = graph.notes;
    result.lints = graph.lints;
    for (const Step& step : graph.steps)
      if (const std::int64_t macs =
              visit([&](const auto& op) { return op.macs(operand_types(graph, step)); }, *step.op);
          macs > 0)
        result.macs[step.op_type] += macs;
    for (const Refused& refused : refused_) {
      if (!refused.missed) continue;
      const bool input = refused.node == nullptr;
      const std::string prefix =
          input ? unusable(refused.input) : described(*refused.node) + cannot_be_imported;
      result.refused.push_back(
          {refused.node,
           {input ? refused.input : name_of(*refused.node),
            input ? std::string() : refused.node->proto->op_type(),
            refused.why.starts_with(prefix) ? refused.why.substr(prefix.size()) : refused.why}});
    }
    if (result.refused.empty()) return result;
    cut_off();
    if (!builder_.graph().outputs.empty()) result.stages = cut(with_idioms(builder_.finish()));
    return result;
  }

  // What nodes ask, by Surroundings.

  const TensorType& type_of(const std::string& tensor) override { return known(tensor).type; }

  std::optional<Tensor> value_of(const std::string& tensor, Wanted wanted) override {
    const Known& k = known(tensor);
    if (k.constant || wanted == Wanted::if_known) return k.constant;
    if (std::optional<std::vector<std::string>> inputs = inputs_behind(tensor))
      throw Restart{*std::move(inputs)};
    return std::nullopt;
  }

  const Sandbox& sandbox() const override { return sandbox_; }
  void lint(const std::string& sentence) override { builder_.graph().lints.push_back(sentence); }

 private:
  void describe() {
    Graph& graph = builder_.graph();
    const onnx::ModelProto& proto = *model_.proto;
    graph.digest = model_.digest;
    graph.producer = producer_of(model_);
    graph.ir_version = proto.ir_version();
    graph.opset = model_.opset;
    graph.notes = model_.notes;
  }

  void add_inputs() {
    for (const DeclaredInput& input : specialise_inputs(model_, options_, builder_.graph().notes)) {
      Known k;
      k.type = input.type;
      if (!input.unsupported.empty()) {
        k.refused = refused_.size();
        refused_.push_back(
            {Refused::Cause::input, nullptr, input.name, unusable(input.name) + input.unsupported});
      } else if (pinned_.contains(input.name)) {
        k.constant = with_canonical_nan(options_.bindings.at(input.name));
        builder_.graph().notes.push_back(
            "input " + shown(input.name) +
            " is needed before the network runs and became a constant");
      } else {
        k.id = builder_.add_input(input.name, input.type, input.declared);
      }
      known_.emplace(input.name, std::move(k));
    }
  }

  /// What is known of a tensor; initializers become known here. Throws Fault::bad_model when one is
  /// unusable.
  Known& known(const std::string& name) {
    if (const auto found = known_.find(name); found != known_.end()) return found->second;
    Known k;
    if (model_.sources.at(name) == Source::sparse_initializer)
      throw Error(Fault::bad_model,
                  "cannot use tensor " + shown(name) +
                      ": it is a sparse initializer; export the model with dense weights");
    const FileConstant& constant = constants_.get(name);
    for (const std::string& sentence : constant.lints) lint(sentence);
    k.constant = constant.tensor;
    k.type = constant.type;
    return known_.emplace(name, std::move(k)).first->second;
  }

  /// The graph inputs that a computed tensor depends on, when giving them as constants would make
  /// it one: each has a binding, and the tensor holds integers or booleans or is an input itself.
  std::optional<std::vector<std::string>> inputs_behind(const std::string& tensor) {
    std::vector<std::string> inputs, open = {tensor};
    std::unordered_set<std::string> seen = {tensor};
    while (!open.empty()) {
      const std::string name = std::move(open.back());
      open.pop_back();
      const Known& k = known(name);
      if (k.constant) continue;
      const auto producer = producer_.find(name);
      if (producer == producer_.end()) {
        const bool data = k.type.type == Type::float32 && name != tensor;
        if (data || !options_.bindings.contains(name)) return std::nullopt;
        inputs.push_back(name);
        continue;
      }
      for (const std::string& input : model_.nodes[producer->second].proto->input())
        if (!input.empty() && seen.insert(input).second) open.push_back(input);
    }
    if (inputs.empty()) return std::nullopt;
    return inputs;
  }

  /// A node that no step can be may still fold once the integers it reads are constants.
  void pin_integers(const FlatNode& node) {
    for (const std::string& name : node.proto->input()) {
      const auto found = known_.find(name);
      if (name.empty() || found == known_.end() || found->second.constant || found->second.refused)
        continue;
      if (found->second.type.type == Type::float32) continue;
      if (std::optional<std::vector<std::string>> inputs = inputs_behind(name))
        throw Restart{*std::move(inputs)};
    }
  }

  void refuse(const FlatNode& node, Refused::Cause cause, const std::string& sentence) {
    for (const std::string& name : node.proto->output())
      if (!name.empty()) known_[name].refused = refused_.size();
    const std::string prefix = described(node);
    refused_.push_back(
        {cause, &node, std::string(),
         sentence.starts_with(prefix) ? sentence : prefix + cannot_be_imported + sentence});
  }

  void add(const FlatNode& node) {
    Refused::Cause cause = Refused::Cause::constant;
    try {
      for (const std::string& name : node.proto->input()) {
        if (name.empty()) continue;
        if (const std::optional<std::size_t> reason = known(name).refused) {
          for (const std::string& output : node.proto->output())
            if (!output.empty()) known_[output].refused = reason;
          return;
        }
      }
      cause = Refused::Cause::node;
      import(node);
    } catch (const Error& error) {
      // only what is wrong with the model is a refusal; an unreadable file or exhausted memory is
      // not
      if (error.fault() != Fault::bad_model) throw;
      pin_integers(node);
      refuse(node, cause, error.what());
    }
  }

  void import(const FlatNode& node) {
    const onnx::NodeProto& proto = *node.proto;
    const ProtoView view(node, *this);
    if (const std::optional<std::string> refusal = refusal_of(node)) view.refuse(*refusal);
    if (folds(node, view)) return;
    std::optional<ImportedOp> imported = import_op(view);
    if (!imported)
      view.refuse(shown(proto.op_type()) +
                  " runs only at import, and not all that it reads is known by then");
    if (imported->outputs.empty() && !view.has_output(0)) view.refuse("it has no first output");
    std::vector<TensorId> inputs;
    for (const int index : imported->inputs) {
      if (!view.has_input(index)) view.refuse("input " + std::to_string(index + 1) + " is missing");
      inputs.push_back(value(proto.input(index)));
    }
    const std::vector<std::string> constants = names_of_constants(view, proto, *imported);
    append(*std::move(imported), std::move(inputs), node, constants);
  }

  /// Makes constants of the node's outputs when its inputs are constants and it can be folded.
  bool folds(const FlatNode& node, const ProtoView& view) {
    const onnx::NodeProto& proto = *node.proto;
    std::vector<std::string>& lints = builder_.graph().lints;
    if (const Fold* earlier = constants_.fold_of(node)) {
      budget_ -= earlier->bytes;
      lints.insert(lints.end(), earlier->lints.begin(), earlier->lints.end());
      refuse_outputs(node, earlier->outputs);
      return true;  // known() finds the outputs
    }
    const std::int64_t before = budget_;
    const std::size_t said = lints.size();
    const std::optional<std::vector<Tensor>> folded = fold(view, budget_);
    if (!folded) return false;
    const bool by_the_file_alone = std::all_of(
        proto.input().begin(), proto.input().end(),
        [&](const std::string& name) { return name.empty() || constants_.holds(name); });
    if (by_the_file_alone) {
      constants_.keep(node, *folded,
                      {folded->size(),
                       before - budget_,
                       {lints.begin() + static_cast<std::ptrdiff_t>(said), lints.end()}});
      for (const std::string& name : proto.input())
        if (!name.empty() && !constants_.is_read(name)) known_.at(name).constant = Tensor();
    } else {
      for (std::size_t i = 0; i < named(node, folded->size()); ++i)
        if (const std::string& name = proto.output(static_cast<int>(i)); !name.empty())
          known_[name] = {(*folded)[i], std::nullopt, (*folded)[i].type(), std::nullopt};
    }
    refuse_outputs(node, folded->size());
    return true;
  }

  /// What the file calls each parameter: the input that has its elements.
  static std::vector<std::string> names_of_constants(const ProtoView& view,
                                                     const onnx::NodeProto& proto,
                                                     const ImportedOp& imported) {
    std::vector<std::string> names(imported.parameters.size());
    for (std::size_t p = 0; p < names.size(); ++p)
      for (int i = 0; imported.parameters[p] && i < proto.input_size(); ++i) {
        if (!view.has_input(i)) continue;
        const std::optional<Tensor> constant = view.constant(i);
        if (constant && constant->data() == imported.parameters[p]->data())
          names[p] = proto.input(i);
      }
    return names;
  }

  void append(ImportedOp imported, std::vector<TensorId> inputs, const FlatNode& node,
              std::span<const std::string> constants = {}) {
    const onnx::NodeProto& proto = *node.proto;
    const std::size_t made = check_results(imported, inputs);
    std::vector<std::string> outputs;
    for (const int index : imported.outputs) outputs.push_back(proto.output(index));
    const bool all = outputs.empty();
    for (int i = 0; all && i < proto.output_size() && outputs.size() < made; ++i)
      outputs.push_back(proto.output(i));
    const std::vector<TensorId> ids =
        builder_.add_step(std::move(imported.op), std::move(inputs), std::move(imported.parameters),
                          proto.name(), outputs, proto.op_type(), node.scope, constants);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].empty()) continue;
      Known k;
      k.id = ids[i];
      k.type = builder_.type(ids[i]);
      known_[outputs[i]] = std::move(k);
    }
    refuse_outputs(node, all ? made : static_cast<std::size_t>(imported.outputs.back()) + 1);
  }

  /// How many outputs the op makes; throws when one has no elements or too many.
  std::size_t check_results(const ImportedOp& imported, const std::vector<TensorId>& inputs) const {
    OperandTypes types;
    for (const TensorId id : inputs) types.inputs.push_back(builder_.type(id));
    for (const std::optional<Tensor>& parameter : imported.parameters)
      types.parameters.push_back(parameter ? std::optional(parameter->type()) : std::nullopt);
    const std::vector<TensorType> results =
        visit([&](const auto& op) { return op.infer(types); }, imported.op);
    for (const TensorType& result : results)
      if (element_count(result.shape) == 0)
        throw Error(Fault::bad_model, "its result has shape " + to_string(result.shape) +
                                          ", and a tensor without elements computes nothing");
    return results.size();
  }

  /// Outputs beyond those an op makes (a Dropout's mask) exist only for who does not read them.
  void refuse_outputs(const FlatNode& node, std::size_t made) {
    for (std::size_t i = made; i < static_cast<std::size_t>(node.proto->output_size()); ++i) {
      const std::string& name = node.proto->output(static_cast<int>(i));
      if (name.empty()) continue;
      known_[name].refused = refused_.size();
      refused_.push_back({Refused::Cause::node, &node, std::string(),
                          described(node) + ": the lab does not make its output " +
                              std::to_string(i + 1) + ", tensor " + shown(name),
                          constants_.is_read(name)});
    }
  }

  /// A tensor as a value of the graph; a constant becomes a step of its own.
  TensorId value(const std::string& name) {
    Known& k = known(name);
    if (k.id) return *k.id;
    const ConstantView view(*k.constant, name, model_.opset);
    std::optional<ImportedOp> imported = import_op(view);
    if (!imported) view.refuse("the lab has no operator Constant");
    k.id = builder_.add_step(std::move(imported->op), {}, std::move(imported->parameters), {},
                             {name}, "Constant")[0];
    return *k.id;
  }

  /// The whole network: every graph output.
  Graph whole() {
    for (const onnx::ValueInfoProto& info : model_.proto->graph().output()) {
      require_tensor(info.name());
      const Known& k = known(info.name());
      if (k.refused) throw unsupported(*k.refused);
    }
    for (const onnx::ValueInfoProto& info : model_.proto->graph().output()) {
      add_output(info.name());
      declare(info);
    }
    if (builder_.graph().outputs.empty())
      throw Error(Fault::bad_model,
                  model_.name +
                      " computes nothing that can be compared: it has no output that a float32 "
                      "operation makes");
    return with_idioms(builder_.finish());
  }

  /// Keeps what the file calls the elements of an output that the lab holds in a wider type.
  void declare(const onnx::ValueInfoProto& info) {
    const Known& k = known(info.name());
    const std::string type = declared_output(info).type;
    if (k.id && k.type.type == Type::int64 && type == "int32")
      builder_.graph().tensors[index_of(*k.id)].declared = type;
  }

  void require_tensor(const std::string& name) const {
    if (!model_.sources.contains(name))
      throw Error(Fault::bad_model, model_.name + ": its output " + shown(name) +
                                        " is made by no node and is no input");
  }

  /// Outputs that no step makes have nothing to compare; they are left out with a note.
  void add_output(const std::string& name) {
    Known& k = known(name);
    Graph& graph = builder_.graph();
    const bool input =
        k.id && std::find(graph.inputs.begin(), graph.inputs.end(), *k.id) != graph.inputs.end();
    if (input || (k.constant && !k.id && k.type.type != Type::float32)) {
      graph.notes.push_back(
          "output " + shown(name) +
          (input ? " is an input unchanged" : " is a constant, " + to_string(k.type)) +
          "; there is nothing to compare in it");
      return;
    }
    const TensorId id = value(name);
    if (std::find(graph.outputs.begin(), graph.outputs.end(), id) == graph.outputs.end())
      builder_.add_output(id);
  }

  /// Makes outputs of whatever ends where refused nodes begin, and of options_.until.
  void cut_off() {
    const std::string& until = options_.until;
    std::set<std::string> ends;
    for (const onnx::ValueInfoProto& info : model_.proto->graph().output())
      if (model_.sources.contains(info.name())) ends.insert(info.name());
    for (const Refused& refused : refused_)
      if (refused.node != nullptr)
        for (const std::string& name : refused.node->proto->input())
          if (!name.empty()) ends.insert(name);
    if (model_.sources.contains(until)) ends.insert(until);
    for (const std::string& name : ends) {
      const auto found = known_.find(name);
      if (found == known_.end() || found->second.refused || !found->second.id) continue;
      add_output(name);
    }
  }

  /// The part up to options_.until: everything that could be imported is kept, cut off where
  /// refused nodes begin, so that stages have the names and limits they have in the whole network.
  Graph part() {
    const std::string& until = options_.until;
    if (model_.sources.contains(until)) {
      const Known& k = known(until);
      if (k.refused) throw unsupported(*k.refused);
      if (k.constant && !k.id)
        throw Error(Fault::bad_request, "--until names " + shown(until) +
                                            ", which is a constant of " + model_.name +
                                            " and is not computed");
    }
    cut_off();
    const Graph everything = with_idioms(builder_.finish());
    try {
      return part_of(everything, {}, until);
    } catch (const Error& error) {
      if (refused_.empty() || error.fault() != Fault::bad_request) throw;
      throw Error(error.fault(), std::string(error.what()) +
                                     ". Part of the model is not supported: " + refused_[0].why);
    }
  }

  /// The sentence for a network that needs what was refused, with the part that would run.
  Error unsupported(std::size_t reason) {
    std::string sentence = model_.name + ": " + refused_[reason].why;
    std::map<std::string, int> others;
    int without_constants = 0;
    for (std::size_t i = 0; i < refused_.size(); ++i) {
      if (i == reason || !refused_[i].missed) continue;
      if (refused_[i].cause == Refused::Cause::constant) ++without_constants;
      if (refused_[i].cause == Refused::Cause::node) ++others[refused_[i].node->proto->op_type()];
    }
    const auto add_sentence = [&](const std::string& more) {
      sentence += std::string(sentence.ends_with("?") || sentence.ends_with(".") ? "" : ".") + more;
    };
    if (!others.empty()) {
      std::string list;
      for (const auto& [op_type, count] : others)
        list += (list.empty() ? " " : ", ") + std::to_string(count) + " " + shown(op_type);
      add_sentence(" Refused as well:" + list);
    }
    if (without_constants > 0)
      add_sentence(" Constants of " + std::to_string(without_constants) + " more node" +
                   (without_constants == 1 ? "" : "s") + " cannot be used either");
    const std::string tensor = last_computed_before(reason);
    if (!tensor.empty()) {
      const std::string path = (model_.folder / model_.name).string();
      const bool plain = path.find_first_of(" \t'\"$&;()*?<>|\\`") == std::string::npos;
      add_sentence(" Run the part before it with: paritylab run " + (plain ? path : shown(path)) +
                   " --on cpu:fp32 --until " + shown(tensor) + as_asked());
    }
    return Error(Fault::bad_model, sentence);
  }

  /// The words that gave this import its extents, for a command that shall work as printed.
  std::string as_asked() const {
    std::string words;
    for (const auto& [name, extent] : options_.dims)
      words += " --dim " + name + "=" + std::to_string(extent);
    for (const auto& [name, shape] : options_.shapes)
      words += " --shape " + name + "=" + to_string(shape);
    if (!options_.bindings.empty()) words += ", and the same --input";
    return words;
  }

  /// The latest computed value that the refused node reads, else the latest there is.
  std::string last_computed_before(std::size_t reason) {
    const Graph& graph = builder_.graph();
    const auto computed = [&](const std::string& name) -> std::optional<TensorId> {
      const auto found = known_.find(name);
      if (found == known_.end() || !found->second.id || !producer_.contains(name))
        return std::nullopt;
      return found->second.id;
    };
    std::string best;
    std::optional<TensorId> latest;
    if (refused_[reason].node != nullptr)
      for (const std::string& name : refused_[reason].node->proto->input())
        if (const std::optional<TensorId> id = computed(name);
            id && (!latest || index_of(*latest) < index_of(*id))) {
          latest = id;
          best = name;
        }
    if (!best.empty()) return best;
    for (auto step = graph.steps.rbegin(); step != graph.steps.rend(); ++step)
      for (const TensorId id : step->outputs)
        if (const std::string& name = graph.tensor(id).name; computed(name)) return name;
    return {};
  }

  const Model& model_;
  const ImportOptions& options_;
  const Sandbox& sandbox_;
  Constants& constants_;
  const std::set<std::string>& pinned_;
  GraphBuilder builder_;
  std::int64_t budget_;
  std::unordered_map<std::string, Known> known_;
  std::unordered_map<std::string, std::size_t> producer_;
  std::vector<Refused> refused_;
};

/// Walks the model until no input has to become a constant any more, and uses the importer.
template <class F>
auto with_importer(const Model& model, const ImportOptions& options, const F& use) {
  const Sandbox sandbox{model.folder, options.external_roots};
  Constants constants(model, sandbox);
  std::set<std::string> pinned;
  for (;;) {
    try {
      Importer importer(model, options, sandbox, constants, pinned);
      importer.walk();
      return use(importer);
    } catch (const Restart& restart) {
      // each restart pins at least one more input, so there are at most as many as inputs
      pinned.insert(restart.inputs.begin(), restart.inputs.end());
    }
  }
}

Graph import_model(const Model& model, const ImportOptions& options) {
  const Remarks remarks = remarks_on(model);
  Graph graph = with_importer(model, options, [](Importer& importer) { return importer.graph(); });
  graph.notes.insert(graph.notes.end(), remarks.notes.begin(), remarks.notes.end());
  graph.lints.insert(graph.lints.end(), remarks.lints.begin(), remarks.lints.end());
  return graph;
}

}  // namespace

Walked walk(const Model& model, const ImportOptions& options) {
  return with_importer(model, options, [](Importer& importer) { return importer.walked(); });
}

}  // namespace onnx_import

Graph import_onnx(const std::filesystem::path& file, const ImportOptions& options) {
  return onnx_import::import_model(onnx_import::load_model(file), options);
}

Graph import_onnx(std::span<const std::byte> bytes, const std::string& name,
                  const std::filesystem::path& folder, const ImportOptions& options) {
  return onnx_import::import_model(onnx_import::load_model(bytes, name, folder), options);
}

std::vector<std::string> onnx_input_names(const std::filesystem::path& file) {
  const onnx_import::Model model = onnx_import::load_model(file);
  std::vector<std::string> names;
  for (const onnx::ValueInfoProto& input : model.proto->graph().input())
    if (model.sources.at(input.name()) == onnx_import::Source::input) names.push_back(input.name());
  return names;
}

std::vector<ModelInput> onnx_inputs(const std::filesystem::path& file,
                                    const ImportOptions& options) {
  const onnx_import::Model model = onnx_import::load_model(file);
  std::vector<std::string> notes;
  std::vector<ModelInput> inputs;
  for (const onnx_import::DeclaredInput& input :
       onnx_import::specialise_inputs(model, options, notes)) {
    if (!input.unsupported.empty())
      throw Error(Fault::bad_model, "input " + shown(input.name) + " of " + model.name +
                                        " cannot be used: " + input.unsupported);
    inputs.push_back({input.name, input.type, input.declared});
  }
  return inputs;
}

}  // namespace parity
