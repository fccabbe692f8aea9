// Bad input gets one clear sentence and the right exit code, and never a crash, a hang or a wrong
// answer.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "model/arithmetic/fill.hpp"
#include "model/files/npz.hpp"
#include "tests/cli/onnx_files.hpp"
#include "tests/cli/program.hpp"

namespace parity::test {
namespace {

constexpr const char* diff = "diff m.onnx --b cpu:fp64 --report r.html --report r.json";

/// Runs the diff on bytes that are no good model; nothing may be left but the model.
void expect_refused(const std::string& bytes, int code, const std::string& part) {
  const Workshop workshop;
  workshop.write("m.onnx", bytes);
  const Ended ended = paritylab(workshop, diff);
  EXPECT_EQ(ended.code, code) << ended.err;
  EXPECT_NE(ended.err.find(part), std::string::npos) << ended.err;
  EXPECT_EQ(ended.err.compare(0, 11, "paritylab: "), 0) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(workshop.files(), std::vector<std::string>{"m.onnx"});
}

void expect_refused(const std::function<void(OnnxFile&)>& spoil, int code,
                    const std::string& part) {
  OnnxFile file;
  spoil(file);
  expect_refused(file.bytes(), code, part);
}

TEST(BadModel, TheUnspoiledModelRuns) {
  const Workshop workshop;
  workshop.write("m.onnx", OnnxFile().bytes());
  const Ended ended = paritylab(workshop, diff);
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(workshop.files(), (std::vector<std::string>{"m.onnx", "r.html", "r.json"}));
}

TEST(BadModel, TruncatedAnywhereIsRefused) {
  const std::string whole = OnnxFile().bytes();
  for (std::size_t cut = 1; cut < whole.size(); cut += whole.size() / 7) {
    const Workshop workshop;
    workshop.write("m.onnx", whole.substr(0, whole.size() - cut));
    const Ended ended = paritylab(workshop, diff);
    EXPECT_EQ(ended.code, 3) << "cut " << cut << " bytes: " << ended.err;
    EXPECT_EQ(workshop.files(), std::vector<std::string>{"m.onnx"});
  }
}

TEST(BadModel, RandomBytesAreRefused) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const Counter counter(seed);
    std::string bytes;
    for (std::uint64_t i = 0; i < 4096; ++i) bytes += static_cast<char>(counter.bits(i));
    expect_refused(bytes, 3, "m.onnx");
  }
  expect_refused(std::string(), 3, "m.onnx");
}

TEST(BadModel, EveryFlippedByteEndsWithAnAnswerOrASentence) {
  const std::string whole = OnnxFile().bytes();
  const Counter counter(7);
  const Workshop workshop;
  for (std::uint64_t i = 0; i < 24; ++i) {
    std::string bytes = whole;
    bytes[counter.bits(2 * i) % bytes.size()] ^=
        static_cast<char>(1 + counter.bits(2 * i + 1) % 255);
    workshop.write("m.onnx", bytes);
    const Ended ended = paritylab(workshop, "diff m.onnx --b cpu:fp64");
    EXPECT_LE(ended.code, 4) << "flip " << i << ": " << ended.err;
  }
}

TEST(BadModel, CyclicGraph) {
  expect_refused([](OnnxFile& f) { f.conv->set_input(0, "y"); }, 3, "cycl");
}

TEST(BadModel, MissingInitializer) {
  expect_refused([](OnnxFile& f) { f.graph->clear_initializer(); }, 3, "'w'");
}

TEST(BadModel, UnknownOpNamesNodeAndTheCommandForTheRest) {
  expect_refused(
      [](OnnxFile& f) {
        f.relu->set_op_type("Frobnicate");
        f.relu->set_name("last/Frobnicate");
      },
      3, "Run the part before it with: paritylab run m.onnx --on cpu:fp32 --until '");
  expect_refused([](OnnxFile& f) { f.relu->set_op_type("Frobnicate"); }, 3, "Frobnicate");
}

TEST(BadModel, UnknownAttribute) {
  expect_refused(
      [](OnnxFile& f) {
        auto* attribute = f.conv->add_attribute();
        attribute->set_name("sparkle");
        attribute->set_type(onnx::AttributeProto::INT);
        attribute->set_i(1);
      },
      3, "sparkle");
}

TEST(BadModel, Float16Weights) {
  expect_refused(
      [](OnnxFile& f) {
        f.weights->set_data_type(onnx::TensorProto::FLOAT16);
        f.weights->clear_float_data();
        f.weights->set_raw_data(std::string(3 * 2 * 3 * 3 * 2, '\0'));
      },
      3, "float16");
}

TEST(BadModel, WeightsThatLieAboutTheirSize) {
  expect_refused([](OnnxFile& f) { f.weights->set_dims(0, 300000); }, 3, "'w'");
  expect_refused([](OnnxFile& f) { f.weights->set_dims(0, -3); }, 3, "'w'");
}

TEST(BadModel, ShapeProductThatOverflows) {
  expect_refused(
      [](OnnxFile& f) {
        for (int i = 0; i < 4; ++i) f.weights->set_dims(i, std::int64_t{1} << 33);
      },
      3, "'w'");
  expect_refused(
      [](OnnxFile& f) {
        OnnxFile::edge(f.graph->mutable_input(0), "x",
                       {std::int64_t{1} << 40, 2, std::int64_t{1} << 40, 4});
      },
      3, "'x'");
}

TEST(BadModel, ZeroSizeDimension) {
  expect_refused(
      [](OnnxFile& f) {
        OnnxFile::edge(f.graph->mutable_input(0), "x", {1, 2, 0, 4});
      },
      3, "'x'");
}

TEST(BadModel, ExternalDataOutsideItsFolder) {
  for (const std::string location : {"../outside.bin", "/etc/passwd", "sub/../../outside.bin"}) {
    OnnxFile file;
    file.weights->clear_float_data();
    file.weights->set_data_location(onnx::TensorProto::EXTERNAL);
    auto* entry = file.weights->add_external_data();
    entry->set_key("location");
    entry->set_value(location);
    const Workshop workshop;
    workshop.write("outside.bin", std::string(3 * 2 * 3 * 3 * 4, '\0'));
    workshop.write("inner/m.onnx", file.bytes());
    const Ended ended = paritylab(workshop, "diff inner/m.onnx --b cpu:fp64");
    EXPECT_EQ(ended.code, 3) << location << ": " << ended.err;
  }
}

TEST(BadModel, MissingDataIsNoFaultOfTheOps) {
  OnnxFile file;
  file.weights->clear_float_data();
  file.weights->set_data_location(onnx::TensorProto::EXTERNAL);
  auto* entry = file.weights->add_external_data();
  entry->set_key("location");
  entry->set_value("missing.bin");
  auto* other = file.graph->add_initializer();
  *other = *file.weights;
  other->set_name("w2");
  file.node("Conv", "second/Conv", {"x", "w2"}, "z2");
  file.node("Add", "Add", {"y", "z2"}, "sum");
  file.graph->mutable_output(0)->set_name("sum");
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  const Ended ended = paritylab(workshop, "run m.onnx --on cpu:fp32");
  EXPECT_EQ(ended.code, 3);
  EXPECT_NE(ended.err.find("cannot read the external data 'missing.bin' of tensor 'w'"),
            std::string::npos)
      << ended.err;
  EXPECT_NE(ended.err.find("Constants of 1 more node cannot be used either"), std::string::npos)
      << ended.err;
  EXPECT_EQ(ended.err.find("Refused as well"), std::string::npos) << ended.err;
}

TEST(BadModel, NanWeightsRunAndEndAsUntrusted) {
  OnnxFile file;
  for (int i = 0; i < file.weights->float_data_size(); ++i)
    file.weights->set_float_data(i, std::numeric_limits<float>::quiet_NaN());
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  const Ended ended = paritylab(workshop, "diff m.onnx --b cpu:tf32@sm_90");
  EXPECT_EQ(ended.code, 4) << ended.err;
  EXPECT_NE(ended.out.find("untrusted"), std::string::npos) << ended.out;
}

/// Runs the good model on an input that does not fit it.
void expect_input_refused(const std::vector<NamedTensor>& tensors, const std::string& part) {
  const Workshop workshop;
  workshop.write("m.onnx", OnnxFile().bytes());
  NpzWriter writer(workshop.path("in.npz").string());
  for (const NamedTensor& each : tensors) writer.add(each.name, each.tensor);
  writer.finish();
  const Ended ended =
      paritylab(workshop, "run m.onnx --on cpu:fp32 --input in.npz --output out.npz");
  EXPECT_EQ(ended.code, 3) << ended.err;
  EXPECT_NE(ended.err.find(part), std::string::npos) << ended.err;
  EXPECT_EQ(workshop.files(), (std::vector<std::string>{"in.npz", "m.onnx"}));
}

Tensor floats(Shape shape) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  return Tensor::of<float>(std::move(shape), std::vector<float>(count, 1));
}

TEST(BadInput, WrongNameRankShapeAndType) {
  expect_input_refused({{"xx", floats({1, 2, 4, 4})}}, "did you mean 'x'?");
  expect_input_refused({{"x", floats({2, 4, 4})}}, "rank");
  expect_input_refused({{"x", floats({1, 2, 4, 5})}}, "1x2x4x5");
  expect_input_refused(
      {{"x", Tensor::of<std::int64_t>({1, 2, 4, 4}, std::vector<std::int64_t>(32, 1))}}, "int64");
  expect_input_refused({{"x", Tensor::of<double>({1, 2, 4, 4}, std::vector<double>(32, 1))}},
                       "float64");
}

TEST(BadInput, TensorsLargerThanTheMachineAreRefusedFromTheirShapes) {
  OnnxFile file;
  for (auto* edge : {file.graph->mutable_input(0), file.graph->mutable_output(0)}) {
    auto* shape = edge->mutable_type()->mutable_tensor_type()->mutable_shape();
    shape->mutable_dim(2)->set_dim_param("h");
    shape->mutable_dim(3)->set_dim_param("w");
  }
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  const std::string huge = " m.onnx --dim h=50000 --dim w=50000";
  for (const std::string command : {"run --on cpu:fp32", "diff --b cpu:fp64"}) {
    const Ended ended = paritylab(workshop, command + huge);
    EXPECT_EQ(ended.code, 5) << ended.err;
    EXPECT_NE(ended.err.find("GiB of memory are available"), std::string::npos) << ended.err;
  }
  const Ended inspected = paritylab(workshop, "inspect" + huge);
  EXPECT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_NE(inspected.out.find("50000x50000"), std::string::npos) << inspected.out;
}

TEST(BadInput, ACaptureBringsItsInputsOrTheyMustBeGiven) {
  const Workshop workshop;
  workshop.write("m.onnx", OnnxFile().bytes());
  const Tensor x = floats({1, 2, 4, 4});
  {
    NpzWriter writer(workshop.path("x.npz").string());
    writer.add("x", x);
    writer.finish();
  }
  ASSERT_EQ(paritylab(workshop, "run m.onnx --on cpu:fp32 --input x.npz --output y.npz").code, 0);
  const Ended refused = paritylab(workshop, "diff m.onnx --b capture:y.npz");
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_NE(refused.err.find("give --input"), std::string::npos) << refused.err;
  EXPECT_EQ(paritylab(workshop, "diff m.onnx --b capture:y.npz --input x.npz").code, 0);
  {
    NpzWriter writer(workshop.path("all.npz").string());
    writer.add("x", x);
    writer.add("y", read_npz(workshop.path("y.npz")).at(0).tensor);
    writer.finish();
  }
  const Ended ended = paritylab(workshop, "diff m.onnx --b capture:all.npz");
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
}

TEST(BadInput, TheModelIsNeverWrittenOver) {
  const Workshop workshop;
  const std::string bytes = OnnxFile().bytes();
  workshop.write("m.onnx", bytes);
  for (const char* arguments :
       {"run m.onnx --on cpu:fp32 --output ./m.onnx", "run m.onnx --on cpu:fp32 --capture m.onnx",
        "diff m.onnx --b cpu:fp64 --save-plan-a m.onnx"}) {
    const Ended ended = paritylab(workshop, arguments);
    EXPECT_EQ(ended.code, 2) << arguments << ended.err;
    EXPECT_EQ(workshop.read("m.onnx"), bytes);
  }
}

TEST(BadInput, NpzThatIsNone) {
  const Workshop workshop;
  workshop.write("m.onnx", OnnxFile().bytes());
  workshop.write("in.npz", "PK\003\004 and then nothing of the kind");
  const Ended ended = paritylab(workshop, "run m.onnx --on cpu:fp32 --input in.npz");
  EXPECT_EQ(ended.code, 3) << ended.err;
  EXPECT_NE(ended.err.find("in.npz"), std::string::npos) << ended.err;
}

TEST(BadInput, ArraysBesideTheInputsAreNamed) {
  expect_input_refused({{"x", floats({1, 2, 4, 4})}, {"label", floats({1})}, {"meta", floats({2})}},
                       "in.npz holds 'label', 'meta' beside the inputs of the model, 'x'. Save the "
                       "inputs alone, or take one from the file with --input x=in.npz");
  expect_input_refused({{"xx", floats({1, 2, 4, 4})}, {"label", floats({1})}},
                       "in.npz holds 'xx', 'label', which the model does not have; it has 'x'; did "
                       "you mean 'x'?");
}

TEST(BadInput, OneArrayGivesTheExtentsOfTheOneInput) {
  OnnxFile file;
  auto* shape = file.graph->mutable_input(0)->mutable_type()->mutable_tensor_type();
  shape->mutable_shape()->mutable_dim(2)->set_dim_param("height");
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 7, 4), }";
  header.resize(117, ' ');
  header += '\n';
  workshop.write("in.npy", std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(118) + '\0' +
                               header + std::string(2 * 7 * 4 * 4, '\0'));
  const Ended ended = paritylab(workshop, "run m.onnx --on cpu:fp32 --input in.npy");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("float32 1x2x7x4 from in.npy"), std::string::npos) << ended.out;
  const Ended again =
      paritylab(workshop, "run m.onnx --on cpu:fp32 --input x=zeros --input in.npy");
  EXPECT_EQ(again.code, 3);
  EXPECT_NE(again.err.find("in.npy is one tensor too many"), std::string::npos) << again.err;
}

/// A .npy of one axis, its elements as they lie.
std::string npy_of(const std::string& descr, std::size_t count, const std::string& elements) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" +
                       std::to_string(count) + ",), }";
  header.resize(117, ' ');
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(118) + '\0' + header + '\n' +
         elements;
}

TEST(BadInput, IntegersAreHeldToTheWidthThatTheFileDeclares) {
  OnnxFile file;
  file.graph->clear_node();
  file.graph->clear_initializer();
  OnnxFile::edge(file.graph->mutable_input(0), "ids", {2});
  OnnxFile::edge(file.graph->mutable_output(0), "y", {2});
  for (auto* edge : {file.graph->mutable_input(0), file.graph->mutable_output(0)})
    edge->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::INT32);
  file.node("Add", "Add", {"ids", "ids"}, "y");
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  workshop.write("f.onnx", OnnxFile().bytes());
  const auto given = [&](std::vector<std::int64_t> values) {
    NpzWriter writer(workshop.path("in.npz").string());
    writer.add("ids", Tensor::of<std::int64_t>({2}, std::move(values)));
    writer.finish();
    return paritylab(workshop, "run m.onnx --on cpu:fp32 --input in.npz");
  };
  EXPECT_EQ(given({-2147483648, 2147483647}).code, 0);
  for (const std::int64_t beyond : {std::int64_t{2147483648}, std::int64_t{-2147483649}}) {
    const Ended ended = given({7, beyond});
    EXPECT_EQ(ended.code, 3) << ended.err;
    EXPECT_NE(ended.err.find("the input 'ids' is int32 2, but in.npz holds " +
                             std::to_string(beyond) + " in place 1 of 2"),
              std::string::npos)
        << ended.err;
  }
  workshop.write("i4.npy", npy_of("<i4", 2, std::string(8, '\0')));
  const Ended ended = paritylab(workshop, "run f.onnx --on cpu:fp32 --input i4.npy");
  EXPECT_EQ(ended.code, 3) << ended.err;
  EXPECT_NE(ended.err.find("the tensor given is int32 2"), std::string::npos) << ended.err;
}

TEST(BadInput, OfACutSaysWhichTensorsItTakesAndWhichTheFileHas) {
  const Workshop workshop;
  const std::string sample = "run sample:second/narrow --on cpu:fp32 ";
  {
    NpzWriter writer(workshop.path("whole.npz").string());
    writer.add("spatial_features", floats({1, 2, 3, 4}));
    writer.finish();
  }
  const Ended ended = paritylab(workshop, sample + "--from blocks.0.3 --input whole.npz");
  EXPECT_EQ(ended.code, 3) << ended.err;
  EXPECT_NE(ended.err.find("whole.npz holds 'spatial_features', which the part from --from "
                           "blocks.0.3 on does not have; it has '"),
            std::string::npos)
      << ended.err;
  EXPECT_NE(ended.err.find("(stage 'blocks.0.0')"), std::string::npos) << ended.err;
}

TEST(BadInput, NpyThatLiesAboutItsSize) {
  const Workshop workshop;
  workshop.write("m.onnx", OnnxFile().bytes());
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 4000000000, 4), }";
  header.resize(117, ' ');
  header += '\n';
  workshop.write("in.npy", std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(118) + '\0' +
                               header + std::string(128, '\0'));
  const Ended ended = paritylab(workshop, "run m.onnx --on cpu:fp32 --input in.npy");
  EXPECT_EQ(ended.code, 3) << ended.err;
}

TEST(BadUsage, AnExtentOrShapeGivenTwiceIsRefused) {
  OnnxFile file;
  auto* shape = file.graph->mutable_input(0)->mutable_type()->mutable_tensor_type();
  shape->mutable_shape()->mutable_dim(2)->set_dim_param("height");
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  for (const char* twice : {"--dim height=4 --dim height=5", "--dim height=4 --dim height=4",
                            "--shape x=1x2x4x4 --shape x=1x2x5x4"}) {
    const Ended ended = paritylab(workshop, std::string("run m.onnx --on cpu:fp32 ") + twice);
    EXPECT_EQ(ended.code, 2) << twice;
    EXPECT_NE(ended.err.find("twice; keep one"), std::string::npos) << ended.err;
  }
}

TEST(BadUsage, TheEndsOfAPartInReversedOrderAreSaidToBeSo) {
  OnnxFile file;
  auto* square = file.graph->add_initializer();
  *square = *file.weights;
  square->set_name("w2");
  square->set_dims(1, 3);
  for (int i = 0; i < 3 * 3 * 3; ++i) square->add_float_data(1);
  auto* pads = file.node("Conv", "second/Conv", {"y", "w2"}, "s");
  *pads->add_attribute() = file.conv->attribute(0);
  file.graph->mutable_output(0)->set_name("s");
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  const std::string run = "run m.onnx --on cpu:fp32 ";
  EXPECT_EQ(paritylab(workshop, run + "--from first --until second").code, 0);
  for (const char* reversed :
       {"--from second --until first", "--from s --until first", "--from s --until y"}) {
    const Ended ended = paritylab(workshop, run + reversed);
    EXPECT_EQ(ended.code, 2) << reversed;
    EXPECT_NE(ended.err.find("--from must come before --until"), std::string::npos) << ended.err;
  }
  const Ended unknown = paritylab(workshop, run + "--from third --until first");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("'third' is no stage and no tensor"), std::string::npos)
      << unknown.err;
}

TEST(BadUsage, ANameThatTheModelDoesNotHaveIsTheLinesFaultUnlessAFileGivesIt) {
  const Workshop workshop;
  workshop.write("m.onnx", OnnxFile().bytes());
  workshop.write("x.npy", npy_of("<f4", 2, std::string(8, '\0')));
  const std::string run = "run m.onnx --on cpu:fp32 ";
  for (const char* wrong : {"--input wrong=zeros", "--input wrong=x.npy", "--dim wrong=1",
                            "--shape wrong=1x2x4x4", "--from wrong", "--until wrong"}) {
    const Ended ended = paritylab(workshop, run + wrong);
    EXPECT_EQ(ended.code, 2) << wrong << ": " << ended.err;
    EXPECT_NE(ended.err.find("wrong"), std::string::npos) << ended.err;
  }
}

TEST(BadUsage, ANumberThatIsNoneIsNamedInASentence) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "diff sample:second/narrow --b cpu:fp64 --tolerance abc");
  EXPECT_EQ(ended.code, 2);
  EXPECT_NE(ended.err.find("--tolerance takes a number, not 'abc'"), std::string::npos)
      << ended.err;
}

TEST(BadFile, OfJsonIsRefusedWithoutALibrarysVocabulary) {
  const Workshop workshop;
  ASSERT_EQ(
      paritylab(workshop, "run sample:second/narrow --on cpu:fp32 --save-plan good.json").code, 0);
  const std::string good = workshop.read("good.json");
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("{\"stages\": 7}"),
        good.substr(0, good.size() / 2)}) {
    workshop.write("bad.json", text);
    for (const char* command : {"plan diff good.json bad.json", "report bad.json",
                                "run sample:second/narrow --plan bad.json",
                                "run sample:second/narrow --on cpu:fp32 --plan bad.json",
                                "diff sample:second/narrow --b cpu:fp32,plan=bad.json"}) {
      const Ended ended = paritylab(workshop, command);
      EXPECT_EQ(ended.code, 3) << command << ": " << ended.err;
      EXPECT_NE(ended.err.find("bad.json"), std::string::npos) << command << ": " << ended.err;
      EXPECT_EQ(ended.err.find("json.exception"), std::string::npos) << ended.err;
      EXPECT_EQ(ended.err.find("syntax error"), std::string::npos) << ended.err;
    }
  }
}

TEST(BadUsage, AnOutputOntoWhatIsReadIsRefused) {
  const Workshop workshop;
  const std::string sample = "run sample:second/narrow --on cpu:fp32 ";
  ASSERT_EQ(
      paritylab(workshop, sample + "--until blocks.0.0 --save-plan p.json --capture all.npz").code,
      0);
  const std::string plan = workshop.read("p.json"), all = workshop.read("all.npz");
  for (const char* onto :
       {"run sample:second/narrow --until blocks.0.0 --plan p.json --output p.json",
        "run sample:second/narrow --until blocks.0.0 --on cpu:fp32,plan=p.json --output ./p.json",
        "run sample:second/narrow --from blocks.0.3 --input blocks.0.0=all.npz --on cpu:fp32 "
        "--output all.npz",
        "diff sample:second/narrow --until blocks.0.0 --b cpu:fp32,plan=p.json --report p.json",
        "diff sample:second/narrow --b capture:all.npz --save-plan-a all.npz"}) {
    const Ended ended = paritylab(workshop, onto);
    EXPECT_EQ(ended.code, 2) << onto << ": " << ended.err;
    EXPECT_EQ(workshop.read("p.json"), plan) << onto;
    EXPECT_EQ(workshop.read("all.npz"), all) << onto;
  }
}

}  // namespace
}  // namespace parity::test
