// The program at its work on a small sample: exit codes, streams, files.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "model/files/npz.hpp"
#include "tests/cli/onnx_files.hpp"
#include "tests/cli/program.hpp"

namespace parity::test {
namespace {

/// The record on standard output, without what may differ between equal runs.
nlohmann::json record_of(const Workshop& workshop, const std::string& arguments,
                         int expected_code) {
  const Ended ended = paritylab(workshop, arguments + " --report -");
  EXPECT_EQ(ended.code, expected_code) << ended.err;
  nlohmann::json record = nlohmann::json::parse(ended.out, nullptr, false);
  EXPECT_FALSE(record.is_discarded()) << ended.out.substr(0, 200);
  record.erase("times");
  record.erase("command");
  return record;
}

TEST(MainJob, ArithmeticExplainsTf32AndATolerancePutsItBeyond) {
  const Workshop workshop;
  const Ended explained = paritylab(workshop, "diff sample:second/narrow --b cpu:tf32@sm_90");
  EXPECT_EQ(explained.code, 0) << explained.err;
  EXPECT_NE(explained.out.find("explained by arithmetic"), std::string::npos);
  const Ended beyond =
      paritylab(workshop, "diff sample:second/narrow --b cpu:tf32@sm_90 --tolerance 1e-6");
  EXPECT_EQ(beyond.code, 1) << beyond.err;
  EXPECT_NE(beyond.out.find("--tolerance"), std::string::npos);
}

TEST(MainJob, OneContractOnTwoSidesIsIdentical) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "diff sample:second/narrow --b cpu:fp32 --tolerance 0");
  EXPECT_EQ(ended.code, 0) << ended.out;
}

TEST(MainJob, ExactProbesAgreeAcrossContractsAndAStageRepeats) {
  const Workshop workshop;
  const Ended probed =
      paritylab(workshop, "diff sample:second/narrow --b cpu:tf32@sm_90 --probe exact");
  EXPECT_EQ(probed.code, 0) << probed.out << probed.err;
  EXPECT_NE(probed.out.find("all 16 stages have the same bits"), std::string::npos) << probed.out;
  EXPECT_NE(probed.out.find("exact probe"), std::string::npos);
  const Ended repeated = paritylab(workshop, "diff sample:second/narrow --b cpu:fp64 --repeat 2");
  EXPECT_EQ(repeated.code, 0) << repeated.out;
  EXPECT_NE(repeated.out.find("2 runs of each side"), std::string::npos) << repeated.out;
}

TEST(MainJob, SelftestPrintsItsFiguresAndTheirSeed) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "selftest --faults 60 --clean 60 --seed 4");
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  for (const char* told : {"named at the exact stage", "called by the right name",
                           "false alarms in 60 runs", "seed 4", "one channel by"})
    EXPECT_NE(ended.out.find(told), std::string::npos) << told;
}

TEST(MainJob, OutsideATerminalNothingIsColouredAndNoProgressIsDrawn) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "diff sample:second/narrow --b cpu:fp64");
  EXPECT_EQ(ended.out.find('\033'), std::string::npos);
  EXPECT_EQ(ended.err, "");
}

TEST(MainJob, JsonOnStandardOutputStandsAlone) {
  const Workshop workshop;
  const Ended ended = paritylab(workshop, "diff sample:second/narrow --b cpu:fp64 --report -");
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_TRUE(nlohmann::json::accept(ended.out));
  EXPECT_NE(ended.err.find("sample:second/narrow"), std::string::npos);
}

TEST(MainJob, ThreadsAndInstructionSetsChangeNothingInTheRecord) {
  const Workshop workshop;
  const std::string diff = "diff sample:second/narrow --b cpu:tf32@sm_80,round=truncate";
  const nlohmann::json expected = record_of(workshop, diff + " --threads 1", 0);
  for (const char* execution : {"--threads 2", "--threads 7", "--threads 2 --isa scalar"}) {
    nlohmann::json record = record_of(workshop, diff + " " + execution, 0);
    for (const char* side : {"a", "b"}) {
      record[side].erase("facts");  // they name threads and instruction set
    }
    nlohmann::json wanted = expected;
    for (const char* side : {"a", "b"}) wanted[side].erase("facts");
    EXPECT_EQ(record, wanted) << execution << "\n"
                              << nlohmann::json::diff(wanted, record).dump(1).substr(0, 2000);
  }
}

TEST(MainJob, AReportIsRenderedAgainByteForByte) {
  const Workshop workshop;
  const Ended made = paritylab(workshop,
                               "diff sample:second/narrow --b cpu:tf32@sm_90 --report r.json "
                               "--report r.html --report r.xml --report r.md");
  ASSERT_EQ(made.code, 0) << made.err;
  const Ended again = paritylab(workshop,
                                "report r.json --report again.json --report again.html "
                                "--report again.xml --report again.md");
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.out, made.out);
  for (const char* suffix : {".json", ".html", ".xml", ".md"}) {
    EXPECT_FALSE(workshop.read(std::string("r") + suffix).empty()) << suffix;
    EXPECT_EQ(workshop.read(std::string("r") + suffix),
              workshop.read(std::string("again") + suffix))
        << suffix;
  }
}

TEST(MainJob, ARunWritesOutputsByOnnxNameAndStagesByStageName) {
  const Workshop workshop;
  workshop.write("m.onnx", OnnxFile().bytes());
  const Ended ended =
      paritylab(workshop, "run m.onnx --on cpu:fp32 --output out.npz --capture all.npz");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const std::vector<NamedTensor> outputs = read_npz(workshop.path("out.npz"));
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(outputs[0].name, "y");
  EXPECT_EQ(outputs[0].tensor.shape(), (Shape{1, 3, 4, 4}));
  const std::vector<NamedTensor> stages = read_npz(workshop.path("all.npz"));
  ASSERT_EQ(stages.size(), 1U);
  EXPECT_EQ(stages[0].name, "first");
  EXPECT_TRUE(same_bits(stages[0].tensor, outputs[0].tensor));
}

TEST(MainJob, ACaptureOfOurOwnRunIsConsistent) {
  const Workshop workshop;
  ASSERT_EQ(paritylab(workshop, "run sample:second/narrow --on cpu:fp32 --capture all.npz").code,
            0);
  const Ended ended = paritylab(workshop, "diff sample:second/narrow --b capture:all.npz");
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  // TF32 is no FP32: the same numbers from the tensor-core model must be told apart.
  ASSERT_EQ(
      paritylab(workshop, "run sample:second/narrow --on cpu:tf32@sm_90 --capture tf32.npz").code,
      0);
  EXPECT_EQ(paritylab(workshop, "diff sample:second/narrow --b capture:tf32.npz").code, 1);
  EXPECT_EQ(paritylab(workshop, "diff sample:second/narrow --b capture:tf32.npz,math=tf32").code,
            0);
}

TEST(MainJob, APlanIsSavedAndReplayed) {
  const Workshop workshop;
  const nlohmann::json made = record_of(
      workshop, "diff sample:second/narrow --b cpu:tf32@sm_90,conv=tf32 --save-plan-b p.json", 0);
  const nlohmann::json replayed =
      record_of(workshop, "diff sample:second/narrow --b cpu:tf32@sm_90,plan=p.json", 0);
  const Ended refused = paritylab(workshop, "diff sample:second/narrow --b cpu:fp32,plan=p.json");
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_NE(refused.err.find("conv=fp32"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("conv=tf32"), std::string::npos) << refused.err;
  ASSERT_FALSE(made.at("stages").empty());
  for (std::size_t i = 0; i < made.at("stages").size(); ++i)
    EXPECT_EQ(made["stages"][i].at("contract_b"), replayed["stages"][i].at("contract_b"));
}

TEST(MainJob, APartRunsFromAStageToAStage) {
  const Workshop workshop;
  const nlohmann::json record = record_of(
      workshop, "diff sample:second/narrow --b cpu:tf32@sm_90 --from blocks.0.3 --until blocks.0.9",
      0);
  std::set<std::string> names;
  for (const auto& stage : record.at("stages")) names.insert(stage.at("name"));
  EXPECT_EQ(names, (std::set<std::string>{"blocks.0.3", "blocks.0.6", "blocks.0.9"}));
}

TEST(MainJob, APartBeginsFromTheCaptureOfItsPredecessor) {
  const Workshop workshop;
  ASSERT_EQ(paritylab(workshop, "run sample:second/narrow --on cpu:fp32 --capture all.npz").code,
            0);
  const std::string part =
      "run sample:second/narrow --on cpu:fp32 --from blocks.0.3 --until blocks.0.3";
  const Ended ended = paritylab(workshop, part + " --input blocks.0.0=all.npz --output y.npz");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const std::vector<NamedTensor> whole = read_npz(workshop.path("all.npz"));
  const std::vector<NamedTensor> made = read_npz(workshop.path("y.npz"));
  ASSERT_EQ(made.size(), 1U);
  int found = 0;
  for (const NamedTensor& tensor : whole) {
    if (tensor.name != "blocks.0.3") continue;
    ++found;
    EXPECT_TRUE(same_bits(tensor.tensor, made[0].tensor));
  }
  EXPECT_EQ(found, 1);
}

TEST(MainJob, NoOutputFallsOntoWhatIsRead) {
  const Workshop workshop;
  ASSERT_EQ(paritylab(workshop,
                      "run sample:second/narrow --on cpu:fp32 --capture x.npz --save-plan p.json")
                .code,
            0);
  const std::string input = workshop.read("x.npz"), plan = workshop.read("p.json");
  for (const char* arguments :
       {"run sample:second/narrow --on cpu:fp32 --input x.npz --output x.npz",
        "run sample:second/narrow --on cpu:fp32 --input a=./x.npz --capture x.npz",
        "run sample:second/narrow --plan p.json --digests p.json",
        "run sample:second/narrow --on cpu:fp32,plan=p.json --save-plan p.json",
        "diff sample:second/narrow --b cpu:fp32,plan=p.json --save-plan-b p.json"}) {
    const Ended ended = paritylab(workshop, arguments);
    EXPECT_EQ(ended.code, 2) << arguments << ": " << ended.err;
    EXPECT_NE(ended.err.find("also what is read"), std::string::npos) << ended.err;
  }
  EXPECT_EQ(workshop.read("x.npz"), input);
  EXPECT_EQ(workshop.read("p.json"), plan);
}

TEST(MainJob, VendorVariablesAreFactsOfBothSidesAndSteerNothing) {
  const Workshop workshop;
  const std::string diff = "diff sample:second/narrow --b cpu:fp64 --report ";
  ASSERT_EQ(paritylab(workshop, diff + "plain.json").code, 0);
  ASSERT_EQ(paritylab(workshop, diff + "set.json", "NVIDIA_TF32_OVERRIDE=1").code, 0);
  const auto plain = nlohmann::json::parse(workshop.read("plain.json"));
  const auto set = nlohmann::json::parse(workshop.read("set.json"));
  EXPECT_EQ(plain.at("stages").size(), set.at("stages").size());
  for (std::size_t i = 0; i < plain.at("stages").size(); ++i)
    EXPECT_EQ(plain["stages"][i].at("digest_b"), set["stages"][i].at("digest_b"));
  for (const char* side : {"a", "b"})
    EXPECT_NE(set.at(side).at("facts").dump().find("NVIDIA_TF32_OVERRIDE"), std::string::npos);
}

TEST(MainJob, InspectAgreesWithTheRunAboutStages) {
  const Workshop workshop;
  const Ended inspected = paritylab(workshop, "inspect sample:second/narrow --json");
  ASSERT_EQ(inspected.code, 0) << inspected.err;
  const auto document = nlohmann::json::parse(inspected.out);
  const nlohmann::json record = record_of(workshop, "diff sample:second/narrow --b cpu:fp64", 0);
  ASSERT_EQ(document.at("stages").size(), record.at("stages").size());
  EXPECT_GT(document.at("macs"), 0);
  EXPECT_GT(document.at("predicted_bytes").at("diff").at("total"), 0);
}

}  // namespace
}  // namespace parity::test
