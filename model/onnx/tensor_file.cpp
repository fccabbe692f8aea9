#include "model/onnx/tensor_file.hpp"

#include "model/onnx/file_stream.hpp"
#include "model/onnx/weights.hpp"
#include "model/text.hpp"

namespace parity {

NamedTensor read_tensor_proto(const std::filesystem::path& file) {
  onnx_import::HashedFile stream(file);
  google::protobuf::io::CopyingInputStreamAdaptor adaptor(&stream);
  onnx::TensorProto proto;
  const bool parsed = proto.ParseFromZeroCopyStream(&adaptor);
  stream.check();
  if (!parsed || !proto.has_data_type())
    throw Error(Fault::bad_input,
                "cannot read " + shown(file.string()) + ": it is no serialized TensorProto");
  try {
    const std::string type = onnx_import::type_name(proto.data_type());
    NamedTensor read{
        proto.name(),
        onnx_import::to_constant(proto, {file.parent_path(), {}}, onnx_import::Doubles::kept)
            .tensor,
        {}};
    if (type != to_string(read.tensor.type().type)) read.declared = type;
    return read;
  } catch (const Error& error) {
    if (error.fault() != Fault::bad_model) throw;
    throw Error(Fault::bad_input, "cannot read " + shown(file.string()) + ": " + error.what());
  }
}

TestDataSet read_test_data_set(const std::filesystem::path& folder) {
  const auto read_all = [&](const std::string& stem) {
    std::vector<NamedTensor> tensors;
    for (;;) {
      const std::filesystem::path file =
          folder / (stem + "_" + std::to_string(tensors.size()) + ".pb");
      if (!std::filesystem::exists(file)) return tensors;
      tensors.push_back(read_tensor_proto(file));
    }
  };
  TestDataSet set{read_all("input"), read_all("output")};
  if (set.inputs.empty() && set.outputs.empty())
    throw Error(Fault::bad_input, "cannot read the test data in " + shown(folder.string()) +
                                      ": it holds neither input_0.pb nor output_0.pb");
  return set;
}

}  // namespace parity
