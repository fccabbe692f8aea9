#pragma once

#include <filesystem>
#include <vector>

#include "model/named_tensor.hpp"

namespace parity {

/// Reads one serialized TensorProto (.pb). int32 is widened to int64. Throws Fault::bad_input when
/// it is none or of a type the lab does not hold, Fault::io when it cannot be read.
NamedTensor read_tensor_proto(const std::filesystem::path& file);

/// An ONNX test_data_set folder: input_0.pb, input_1.pb, … and output_0.pb, …, in the order of the
/// model's inputs (initializers not counted) and outputs.
struct TestDataSet {
  std::vector<NamedTensor> inputs, outputs;
};
/// Throws what read_tensor_proto throws, and Fault::bad_input when the folder holds no input_0.pb
/// and no output_0.pb.
TestDataSet read_test_data_set(const std::filesystem::path& folder);

}  // namespace parity
