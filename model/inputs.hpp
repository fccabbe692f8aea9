#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/graph.hpp"
#include "model/named_tensor.hpp"
#include "model/tensor.hpp"

namespace parity {

/// An input with its elements, and where they came from: "pillars:7", "frame.npz".
struct BoundInput {
  std::string name;
  Tensor tensor;
  std::string origin;
  std::string declared = {};  ///< as in TensorInfo

  /// "float32 1x64x512x512 from pillars:7, digest 3f…": what a record says of it.
  std::string text() const;
};

/// What `--input [NAME=]SPEC`, repeatable, asks for. SPEC is a file (.npz, .npy, .pb), a folder
/// test_data_set_N, or a generator (model/generator.hpp).
///
/// A file's tensors go to the inputs of their names; a tensor without a name (.npy, a .pb without
/// one) takes NAME, else the inputs in order that no other request names. A generator without NAME
/// serves every input that nothing else serves and that it can make.
class InputRequests {
 public:
  /// Parses and reads the files. Throws Fault::bad_request for a SPEC that is neither a file nor a
  /// generator, Fault::bad_input for a file that is not what it says.
  explicit InputRequests(std::span<const std::string> options);

  /// Tensors that files give to inputs whose names are known without the model: an importer takes
  /// extents and the values that shapes need from them.
  std::map<std::string, Tensor> named() const;
  /// What their files call the element types that the lab holds in a wider one: "int32".
  std::map<std::string, std::string> declared() const;
  /// Whether any file was given.
  bool has_files() const { return !given_.empty(); }
  /// From now on the inputs are those of the part that begins at this stage or tensor, and messages
  /// say so.
  void begin_at(const std::string& from);
  /// From now on, what is asked for or given under `alias` is meant for the input `name`.
  void call(const std::string& alias, const std::string& name);
  /// Gives each tensor without a name the next input that no other request names. Throws
  /// Fault::bad_input when there are too many of them, or when a file names what is no input,
  /// Fault::bad_request when an option does.
  void meet(const std::vector<std::string>& inputs);

  /// One tensor per input, in order. An input that no request serves takes the generator that
  /// `declared` has for its name, else normal:7 (float), integers:7 (int64) or ones (bool);
  /// generated elements depend on the input's position. Throws Fault::bad_request for an option that
  /// names no input, and Fault::bad_input, naming input, file and nearest name: a tensor for no input, a shape, type or value that does not fit, a file
  /// that holds some of the model's inputs but not all.
  std::vector<BoundInput> bind(
      std::span<const TensorInfo> inputs,
      std::span<const std::pair<std::string, std::string>> declared = {}) const;
  /// The same checks on the same requests, but an input of more bytes than `largest` that a
  /// generator would fill comes back without elements: what its memory is for can be refused first.
  std::vector<BoundInput> bind_small(std::span<const TensorInfo> inputs,
                                     std::span<const std::pair<std::string, std::string>> declared,
                                     std::int64_t largest) const;

 private:
  struct Given {
    NamedTensor tensor;  ///< by the input's name; empty: by order
    std::string origin;
    bool named_by_option = false;  ///< else by the file
    const std::string& name() const { return tensor.name; }
  };
  struct Asked {
    std::string name;  ///< of the input; empty: for all that are left
    std::string generator;
  };
  void read_file(const std::string& name, const std::string& path);
  void check_names(const std::vector<std::string>& inputs) const;
  /// "'x', 'y' (stage 'conv1')": the inputs by all the names that they go by.
  std::string called(const std::vector<std::string>& inputs) const;

  std::vector<Given> given_;
  std::vector<Asked> asked_;
  std::vector<std::pair<std::string, std::string>> aliases_;  ///< alias, input
  std::string whole_ = "the model";                           ///< what has the inputs
};

/// Parses "1x3x224x224" or "scalar". Throws Fault::bad_request.
Shape parse_shape(std::string_view text);
/// Splits "NAME=VALUE" at the last '='. Throws Fault::bad_request, naming the flag, when either is
/// missing.
std::pair<std::string, std::string> name_and_value(const std::string& flag,
                                                   const std::string& text);

}  // namespace parity
