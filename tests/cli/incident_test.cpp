// The incident that ParityLab was built for, on a small SECOND backbone: one command names the
// cause.
#include <gtest/gtest.h>

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
