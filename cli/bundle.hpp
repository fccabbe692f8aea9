#pragma once

#include <string>

#include "compare/repro.hpp"

namespace parity::cli {

/// A bundle that the program was asked to write, a folder or, by its suffix, a .zip: made beside its
/// place and moved there whole.
class BundleFolder {
 public:
  /// Throws Fault::bad_request when there is something at the path already, Fault::io when the
  /// folder cannot be made.
  explicit BundleFolder(std::string path);
  /// Removes what was not committed.
  ~BundleFolder();
  BundleFolder(const BundleFolder&) = delete;
  BundleFolder& operator=(const BundleFolder&) = delete;

  /// Writes manifest.json, model.onnx, inputs.npz and expected.npz. Throws Fault::io.
  void write(const Repro& repro);

 private:
  std::string path_, partial_;
};

/// Reads a bundle, folder or .zip. Throws Fault::bad_input when it is none, damaged, or of another schema version;
/// Fault::bad_model when its model cannot be imported.
Repro read_bundle(const std::string& path);

}  // namespace parity::cli
