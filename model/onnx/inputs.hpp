#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/onnx/flatten.hpp"
#include "model/onnx/import.hpp"
#include "model/onnx/overview.hpp"

namespace parity::onnx_import {

/// A graph input as the user must provide it; `unsupported` says why the lab cannot hold it.
struct DeclaredInput {
  std::string name;
  TensorType type;
  std::string declared;  ///< as in TensorInfo
  std::string unsupported;
};

/// The inputs with every extent decided: from the file, from a binding, from --shape and --dim; a
/// first extent that is left open becomes 1 with a note. Throws Fault::bad_request when another
/// extent stays open or an option names nothing, Fault::bad_input when a binding does not fit,
/// Fault::bad_model on impossible extents.
std::vector<DeclaredInput> specialise_inputs(const Model& model, const ImportOptions& options,
                                             std::vector<std::string>& notes);

/// The inputs as the file declares them, with the extents that options, bindings and custom decide,
/// and those that are left open. Throws as specialise_inputs does, but for open extents.
struct SurveyedInputs {
  std::vector<DeclaredEdge> inputs;
  std::vector<OpenInput> open;
};
SurveyedInputs survey_inputs(const Model& model, const ImportOptions& options,
                             std::vector<std::string>& notes);

/// An output as the file declares it.
DeclaredEdge declared_output(const onnx::ValueInfoProto& info);

}  // namespace parity::onnx_import
