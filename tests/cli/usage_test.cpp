// The real program, its words and its exit codes, without a model.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.hpp"

namespace parity::test {
namespace {

TEST(Program, VersionAndHelpGoToStandardOutput) {
  const Workshop workshop;
  const Ended version = paritylab(workshop, "--version");
  EXPECT_EQ(version.code, 0);
  EXPECT_EQ(version.out.compare(0, 11, "paritylab 0"), 0) << version.out;
  const Ended help = paritylab(workshop, "--help");
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("Exit codes"), std::string::npos);
  EXPECT_EQ(help.err, "");
}

TEST(Program, EveryCommandHasHelpWithExitCodes) {
  const Workshop workshop;
  for (const char* command :
       {"diff", "run", "inspect", "report", "algorithms", "devices", "doctor", "mma"}) {
    const Ended help = paritylab(workshop, std::string(command) + " --help");
    EXPECT_EQ(help.code, 0) << command;
    EXPECT_NE(help.out.find("Exit codes:"), std::string::npos) << command;
    EXPECT_EQ(help.err, "") << command;
  }
}

TEST(Program, ACommandWithinACommandHasItsOwnExamples) {
  const Workshop workshop;
  const Ended help = paritylab(workshop, "plan diff --help");
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("  paritylab plan diff old.json new.json"), std::string::npos)
      << help.out;
  EXPECT_EQ(help.out.find("paritylab doctor"), std::string::npos) << help.out;
}

TEST(Program, NothingAskedIsAUsageErrorThatTeaches) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "");
  EXPECT_EQ(ended.code, 2);
  EXPECT_EQ(ended.out, "");
  EXPECT_NE(ended.err.find("Examples:"), std::string::npos);
}

struct Refused {
  std::string arguments, part;
  int code;
  friend void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.arguments; }
};

class Usage : public testing::TestWithParam<Refused> {};

TEST_P(Usage, IsOneSentenceOnStandardErrorAndLeavesNothing) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, GetParam().arguments);
  EXPECT_EQ(ended.code, GetParam().code) << ended.err;
  EXPECT_NE(ended.err.find(GetParam().part), std::string::npos) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_TRUE(workshop.files().empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, Usage,
    testing::Values(
        Refused{"dif sample:second/narrow", "did you mean 'diff'?", 2},
        Refused{"diff sample:second/narrow --tolerence 1 --b cpu:fp64",
                "did you mean '--tolerance'?", 2},
        Refused{"diff sample:second/narrow",
                "paritylab diff sample:second/narrow --b cpu:tf32@sm_90\n"
                "  paritylab diff sample:second/narrow --b capture:FILE.npz",
                2},
        Refused{"diff", "MODEL is required", 2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --repeat 0", "--repeat must be 1 or more",
                2},
        Refused{"diff sample:second/narrow --b capture:x.npz --repeat 2", "it is a recording", 2},
        Refused{"diff sample:second/narrow --b capture:x.npz --probe exact", "a recording holds",
                2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --probe random", "knows one kind, 'exact'",
                2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --probe exact --tolerance 1",
                "demands every bit", 2},
        Refused{"selftest --faults -1", "cannot be negative", 2},
        Refused{"diff sample:second/narrow --b cpu:tf32", "sm_80", 2},
        Refused{"diff sample:second/narrow --b cpu:fp16", "there is fp32, tf32, fp64, exact", 2},
        Refused{"diff sample:second/narrow --b tpu:fp32", "did you mean 'cpu'?", 2},
        Refused{"diff sample:second/narrow --b cuda:tf32", "cpu:tf32@sm_90", 5},
        Refused{"diff sample:second/narrow --b cuda:fp32 --report r.html", "no CUDA backend", 5},
        Refused{"diff sample:second/narrow --b cpu:fp64 --report r.pdf", ".html", 2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --report missing/r.html",
                "the output file 'missing/r.html' cannot be written", 5},
        Refused{"diff sample:second/narrow --b cpu:fp64 --report r.html --report r.html",
                "given twice", 2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --tolerance -1", "finite number from 0", 2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --tolerance nan", "finite number from 0",
                2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --threads 0", "--threads", 2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --isa sse", "there is best, scalar", 2},
        Refused{"diff sample:second/narrow --b capture:none.npz", "none.npz", 3},
        Refused{"diff sample:second/narrow --a capture:x.npz --b cpu:fp32", "swap the sides", 2},
        Refused{"diff sample:second/narow --b cpu:fp64", "second/narrow", 2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --shape x=1x2", "fixed shapes", 2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --until blocks.9", "blocks.", 2},
        Refused{"diff none.onnx --b cpu:fp64", "'none.onnx' does not exist", 3},
        Refused{"diff /dev/null --b cpu:fp64", "not a regular file", 3},
        Refused{"mma --arch sm_90 none.csv", "none.csv", 3},
        Refused{"run sample:second/narrow", "--on is missing", 2},
        Refused{"run sample:second/narrow --on cpu:fp32 --output -", "name a file", 2},
        Refused{"run sample:second/narrow --on cpu:fp32 --output o.txt",
                "--output o.txt cannot be written: tensors go into a .npz", 2},
        Refused{"run sample:second/narrow --on cpu:fp32 --capture all", "tensors go into a .npz",
                2},
        Refused{"run sample:second/narrow --on capture:x.npz", "computes nothing", 2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --input nrmal:7", "did you mean 'normal'?",
                2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --input normal", "needs a seed", 2},
        Refused{"diff sample:second/narrow --b cpu:fp64 --input frame.npz", "no file or folder", 3},
        Refused{"diff sample:second/narrow --b cpu:fp64 --input wrong=zeros",
                "which the model does not have", 2},
        // What the line asks of a model that has no such thing, and files that are not there.
        Refused{"diff sample:second/narrow --b cpu:fp64 --decision wrong=argmax", "wrong", 2},
        Refused{"run sample:second/narrow --plan none.json", "none.json", 3},
        Refused{"run sample:second/narrow --on cpu:fp32,plan=none.json", "none.json", 3},
        Refused{"plan diff none.json none.json", "none.json", 3},
        Refused{"repro none.zip", "none.zip", 3},
        Refused{"narrow none.onnx --b cpu:fp64", "none.onnx", 3},
        Refused{"bench none.onnx --on cpu:fp64", "none.onnx", 3},
        Refused{"determinism none.onnx --on cpu:fp64", "none.onnx", 3},
        Refused{"sweep sample:second/narrow --b cpu:fp64 --axis input=zeros,none.npz", "none.npz",
                3},
        Refused{"run sample:second/narrow --on cpu:fp32 --input x=none.npy", "none.npy", 3},
        Refused{"report none.json", "cannot be read", 3}, Refused{"report .", "it is a folder", 3},
        Refused{"diff sample:second/narrow --b capture:.", "no regular file", 3},
        Refused{"inspect .", "is a folder", 3},
        Refused{"run sample:second/narrow --on cpu:fp32 --output a.npz --capture ./a.npz",
                "same file", 2},
        Refused{"run sample:second/narrow --on cpu:fp32 --input normal:7 --input normal:7",
                "given twice", 2}));

TEST(Program, UnwritablePathIsRefusedBeforeTheRun) {
  const Workshop workshop;
  workshop.write("folder.npz/keep", "");
  const Ended ended = paritylab(
      workshop, "run sample:second/narrow --on cpu:fp32 --output folder.npz --capture c.npz");
  EXPECT_EQ(ended.code, 5);
  EXPECT_NE(ended.err.find("it is a folder"), std::string::npos) << ended.err;
  EXPECT_EQ(workshop.files(), (std::vector<std::string>{"folder.npz", "folder.npz/keep"}));
}

TEST(Program, LostStandardOutputIsNoSuccess) {
  const Workshop workshop;
  workshop.write("v.csv", "c,a0,b0\n00000000,3f800000,3f800000\n");
  ASSERT_EQ(paritylab(workshop, "diff sample:second/narrow --b cpu:fp64 --report r.json").code, 0);
  for (const char* arguments :
       {"mma --arch sm_90 v.csv", "inspect sample:second/narrow",
        "inspect sample:second/narrow --json", "run sample:second/narrow --on cpu:fp32",
        "diff sample:second/narrow --b cpu:fp64",
        "diff sample:second/narrow --b cpu:fp64 --report -", "algorithms", "devices", "doctor",
        "report r.json", "--help", "--version"}) {
    const Ended ended = paritylab(workshop, std::string(arguments) + " > /dev/full");
    EXPECT_EQ(ended.code, 5) << arguments << ": " << ended.err;
    EXPECT_NE(ended.err.find("standard output"), std::string::npos) << arguments << ended.err;
  }
}

TEST(Program, DevicesListsTheProcessorAndWhyThereIsNoGpu) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "devices");
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out.compare(0, 3, "cpu"), 0);
  EXPECT_NE(ended.out.find("cpu:tf32@sm_90"), std::string::npos);
}

TEST(Program, AlgorithmsNameTheirPromises) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "algorithms --json");
  ASSERT_EQ(ended.code, 0);
  const auto document = nlohmann::json::parse(ended.out);
  bool chain = false;
  for (const auto& row : document.at("algorithms"))
    if (row.at("algorithm") == "chain") chain = row.at("promise") == "host_to_gpu";
  EXPECT_TRUE(chain);
}

TEST(Program, DoctorSaysWhichVendorVariablesAreSet) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "doctor", "NVIDIA_TF32_OVERRIDE=1");
  EXPECT_NE(ended.out.find("NVIDIA_TF32_OVERRIDE=1"), std::string::npos);
  EXPECT_NE(ended.out.find("a fused multiply-add rounds once"), std::string::npos);
}

}  // namespace
}  // namespace parity::test
