// The incident that ParityLab was built for, on a small SECOND backbone: one command names the
// cause.
#include <gtest/gtest.h>

#include <algorithm>

#include "model/files/npz.hpp"
#include "tests/cli/onnx_files.hpp"
#include "tests/cli/program.hpp"

namespace parity::test {
namespace {

struct Incident {
  const char* name;
  const char* b;
  const char* cause;
};
class Incidents : public testing::TestWithParam<Incident> {};

TEST_P(Incidents, AreExplainedByOneCommand) {
  const Workshop workshop;
  const Ended ended = paritylab(
      workshop, std::string("diff sample:second/narrow --b ") + GetParam().b + " --attribute 2");
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_NE(ended.out.find(std::string("cause: ") + GetParam().cause), std::string::npos)
      << ended.out;
  EXPECT_NE(ended.out.find("all explained bit for bit"), std::string::npos) << ended.out;
}
INSTANTIATE_TEST_SUITE_P(
    Second, Incidents,
    testing::Values(
        Incident{"tf32", "cpu:tf32@sm_90", "tf32 operand rounding (rna)"},
        Incident{"truncated", "cpu:tf32@sm_80,round=truncate", "tf32 operand rounding (truncate)"},
        Incident{"reselected", "cpu:fp32,algorithm=chunk256", "order of summation (chunk256)"},
        Incident{"library", "cpu:fp32,algorithm=gemm:eigen,promise=run_to_run",
                 "order of summation (gemm:eigen)"},
        Incident{"folded", "cpu:fp32,fold_bn=on", "batch norm folded into weights"}),
    [](const auto& incident) { return std::string(incident.param.name); });

/// y = Conv(Relu(z)) + z: z, an output too, has a reader beside the ReLU. In place, the ReLU leaves its
/// own result to it.
enum class Relu { apart, in_place };
std::string preactivated(Relu how) {
  OnnxFile file;
  file.relu->set_output(0, "r");
  file.relu->set_name("act/Relu");
  onnx::TensorProto* weights = file.graph->add_initializer();
  weights->set_name("w2");
  weights->set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t extent : {3, 3, 1, 1}) weights->add_dims(extent);
  for (int i = 0; i < 9; ++i) weights->add_float_data(0.25F * static_cast<float>(i % 4));
  file.node("Conv", "second/Conv", {"r", "w2"}, "c");
  file.node("Add", "skip/Add", {"c", how == Relu::apart ? "z" : "r"}, "y");
  OnnxFile::edge(file.graph->add_output(), "z", {1, 3, 4, 4});
  return file.bytes();
}

TEST(Incidents, AReluInPlaceUnderAResidualBranchIsNamedByOneCommand) {
  const Workshop workshop;
  workshop.write("apart.onnx", preactivated(Relu::apart));
  workshop.write("in_place.onnx", preactivated(Relu::in_place));
  for (const char* model : {"apart", "in_place"})
    ASSERT_EQ(paritylab(workshop, std::string("run ") + model + ".onnx --on cpu:fp32 --capture " +
                                      model + ".npz")
                  .code,
              0);
  const Ended same = paritylab(workshop, "diff apart.onnx --input normal:7 --b capture:apart.npz");
  EXPECT_EQ(same.code, 0) << same.out << same.err;
  const Ended ended =
      paritylab(workshop, "diff apart.onnx --input normal:7 --b capture:in_place.npz");
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  for (const char* told : {"first at skip", "relu in place (proved bit for bit)",
                           "cause: fault: relu in place 100.0 %"})
    EXPECT_NE(ended.out.find(told), std::string::npos) << told << "\n" << ended.out;
}

TEST(Incidents, ATensorRecordedAfterAReluInPlaceIsToldFromAWrongStage) {
  // A hook keeps a reference to z, and the ReLU behind it overwrites what it keeps.
  const Workshop workshop;
  workshop.write("apart.onnx", preactivated(Relu::apart));
  ASSERT_EQ(paritylab(workshop, "run apart.onnx --on cpu:fp32 --capture all.npz").code, 0);
  std::vector<NamedTensor> tensors = read_npz(workshop.path("all.npz"));
  for (NamedTensor& each : tensors) {
    if (each.name != "first") continue;
    std::vector<float> z(each.tensor.values<float>().begin(), each.tensor.values<float>().end());
    for (float& value : z) value = std::max(value, 0.0F);
    each.tensor = Tensor::of(each.tensor.shape(), std::move(z));
  }
  write_npz(workshop.path("hooked.npz"), tensors);
  const Ended ended =
      paritylab(workshop, "diff apart.onnx --input normal:7 --b capture:hooked.npz");
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  for (const char* told : {"first at first", "relu in place (proved",
                           "the recording contradicts itself", "1 diverged, 1 untrusted"})
    EXPECT_NE(ended.out.find(told), std::string::npos) << told << "\n" << ended.out;
}

TEST(Attribute, IsANumberAllOrNone) {
  const Workshop workshop;
  const Ended none =
      paritylab(workshop, "diff sample:second/narrow --b cpu:tf32@sm_90 --attribute none");
  EXPECT_EQ(none.out.find("cause:"), std::string::npos);
  const Ended wrong =
      paritylab(workshop, "diff sample:second/narrow --b cpu:tf32@sm_90 --attribute some");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("--attribute"), std::string::npos) << wrong.err;
}

}  // namespace
}  // namespace parity::test
