// `sweep` and `bench` as a user meets them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/onnx_files.hpp"
#include "tests/cli/program.hpp"

namespace parity::test {
namespace {

TEST(SweepCommand, RunsEveryPointAndSaysWhereItBegins) {
  const Workshop workshop;
  const std::string page = workshop.path("s.html").string();
  const Ended ended =
      paritylab(workshop,
                "sweep sample:second/narrow --until blocks.0.3 --axis b=cpu:fp32,cpu:tf32@sm_90,"
                "round=rn --axis input=normal:7,zeros --json --report " +
                    page);
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto document = nlohmann::json::parse(ended.out);
  ASSERT_EQ(document.at("points").size(), 4U);
  EXPECT_EQ(document.at("axes").at(0).at("values").at(1), "cpu:tf32@sm_90,round=rn");
  EXPECT_EQ(document.at("points").at(0).at("same_bits"), true);
  EXPECT_EQ(document.at("points").at(2).at("same_bits"), false);
  EXPECT_EQ(document.at("points").at(2).at("first_different"), "blocks.0.0");
  EXPECT_NE(ended.err.find("the outputs differ at cpu:tf32@sm_90,round=rn, not at cpu:fp32"),
            std::string::npos)
      << ended.err;
  const std::string html = workshop.read("s.html");
  EXPECT_NE(html.find("<svg"), std::string::npos);
  EXPECT_NE(html.find("blocks.0.0"), std::string::npos);
}

TEST(SweepCommand, ARecordIsRenderedAgain) {
  const Workshop workshop;
  const Ended made =
      paritylab(workshop,
                "sweep sample:second/narrow --until blocks.0.3 --axis b=cpu:fp32,cpu:tf32@sm_90 "
                "--axis input=normal:7,zeros --report s.json --report s.html");
  ASSERT_EQ(made.code, 0) << made.err;
  const Ended again = paritylab(workshop, "report s.json --report again.json --report again.html");
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.out, made.out);
  EXPECT_EQ(workshop.read("again.json"), workshop.read("s.json"));
  EXPECT_EQ(workshop.read("again.html"), workshop.read("s.html"));
  EXPECT_EQ(paritylab(workshop, "report s.json --report s.xml").code, 2);
}

TEST(SweepCommand, ARecordThatIsNoneIsRefusedWithASentence) {
  const Workshop workshop;
  workshop.write("bad.npz", "no archive");
  ASSERT_EQ(paritylab(workshop,
                      "sweep sample:second/narrow --until blocks.0.0 --axis b=cpu:fp32,cpu:fp64 "
                      "--axis input=normal:7,bad.npz --report s.json")
                .code,
            3)
      << "two points refused";
  const std::string record = workshop.read("s.json");
  ASSERT_EQ(paritylab(workshop, "report s.json").code, 0);
  const auto refused = [&](const std::string& text, const std::string& why) {
    workshop.write("changed.json", text);
    const Ended ended = paritylab(workshop, "report changed.json");
    EXPECT_EQ(ended.code, 3) << ended.out << ended.err;
    EXPECT_EQ(ended.err.rfind("paritylab: ", 0), 0U) << ended.err;
    EXPECT_NE(ended.err.find(why), std::string::npos) << ended.err;
  };
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = record;
    const std::size_t at = changed.find(from);
    if (at == std::string::npos) throw std::runtime_error(from);
    return changed.replace(at, from.size(), to);
  };
  refused(with("\"paritylab_sweep\": 1", "\"paritylab_sweep\": 2"), "schema version 2");
  refused(with("\"paritylab_sweep\": 1", "\"paritylab_sweep\": \"1\""), "schema version");
  refused(with("\"paritylab_sweep\": 1", "\"paritylab_bench\": 1"), "paritylab_bench");
  refused(with("\"cpu:fp64\"\n", "\"cpu:exact\"\n"), "combinations of its axes");
  refused(with("\"cpu:fp64\"\n", "\"cpu:fp64\", \"cpu:exact\"\n"),
          "as many as its axes have combinations");
  refused(with("\"same_bits\": true", "\"same_bits\": 7"), "boolean");
  refused(record.substr(0, record.size() / 2), "no JSON");
  refused("{}", "no record of a `diff` or a `sweep`");
  refused("[]", "no record of a `diff` or a `sweep`");
}

TEST(SweepCommand, NamedExtentsOfAnExportWithAndWithoutAnInitialState) {
  const Workshop workshop;
  for (const char* const network : {"codenet.folded", "codenet_state.folded"}) {
    const std::string model =
        std::string(PARITYLAB_SOURCE) + "/tests/data/models/" + network + ".onnx";
    const Ended ended =
        paritylab(workshop, "sweep " + model +
                                " --a cpu:fp64 --axis b=cpu:fp32,cpu:tf32@sm_80,cpu:tf32@sm_90 "
                                "--dim batch=1 --axis seq=1,10,500,1000,1009 --json");
    ASSERT_EQ(ended.code, 0) << ended.err;
    const auto document = nlohmann::json::parse(ended.out);
    EXPECT_EQ(document.at("points").size(), 15U);
    for (const auto& point : document.at("points")) EXPECT_EQ(point.at("exit_code"), 0) << point;
  }
}

TEST(SweepCommand, RefusesWhatItCannotVary) {
  const Workshop workshop;
  const std::string sweep = "sweep sample:second/narrow ";
  EXPECT_EQ(paritylab(workshop, sweep + "--b cpu:fp64").code, 2);
  EXPECT_EQ(paritylab(workshop, sweep + "--axis input=zeros").code, 2);
  EXPECT_EQ(paritylab(workshop, sweep + "--b cpu:fp64 --axis input=zeros,zeros").code, 2);
  EXPECT_EQ(paritylab(workshop, sweep + "--b cpu:fp64 --axis input=zeros, --axis a=cpu:fp32").code,
            2);
  EXPECT_EQ(paritylab(workshop, sweep + "--b cpu:fp64 --axis colour=red,blue").code, 2);
  EXPECT_EQ(paritylab(workshop, sweep + "--b cpu:fp64 --axis b=cpu:fp32").code, 2);
  EXPECT_EQ(paritylab(workshop, sweep + "--b cpu:fp64 --dim seq=1 --axis seq=1,2").code, 2);
  EXPECT_EQ(paritylab(workshop, sweep + "--b cpu:fp64 --axis seq=1,2").code, 2);
  EXPECT_EQ(paritylab(workshop, sweep + "--axis b=cpu:fp32,capture:x.npz").code, 2);
  EXPECT_EQ(paritylab(workshop, sweep + "--b cpu:fp64 --axis input=zeros,ones --report s.xml").code,
            2);
}

TEST(SweepCommand, NamesTheAxisAndTheValueThatIsWrong) {
  OnnxFile file;
  auto* shape = file.graph->mutable_input(0)->mutable_type()->mutable_tensor_type();
  shape->mutable_shape()->mutable_dim(2)->set_dim_param("height");
  const Workshop workshop;
  workshop.write("m.onnx", file.bytes());
  const std::pair<const char*, const char*> wrong[] = {
      {"height=4,0", "--axis height=0 cannot be used: an extent must be at least 1"},
      {"height=4,99999999999999999999", "--axis height=99999999999999999999 cannot be used"},
      {"heigth=4,5", "--axis heigth=4 names 'heigth', which is no dimension of m.onnx"},
      {"height=4,five", "has the value 'five', which is no extent"},
      {"x=1x2x4x4,1x2x4x5", "--axis x=1x2x4x5 has shape 1x2x4x5 (axis 3)"},
      {"x=1x2x4x4,1xx4", "--axis x=1xx4 cannot be used"},
      {"xx=1x2x4x4", "--axis xx=1x2x4x4 names 'xx', which is no input of m.onnx"},
      {"colour=red,blue", "has the value 'red', which is neither an extent nor a shape"},
      {"a=fp32", "has the value 'fp32', which is no side"},
      {"c=cpu:fp32", "a side's axis is called a or b"},
      {"a=cpu:fp32,cpu:fp31", "--axis a=cpu:fp31 cannot be used"},
      {"height=4,,5", "has an empty value in place 2"},
      {"input=zeros,nrmal:7", "--axis input=nrmal:7 cannot be used"}};
  for (const auto& [axis, sentence] : wrong) {
    const Ended ended =
        paritylab(workshop, std::string("sweep m.onnx --b cpu:fp64 --axis ") + axis);
    EXPECT_EQ(ended.code, 2) << axis << ended.err;
    EXPECT_NE(ended.err.find(sentence), std::string::npos) << axis << ": " << ended.err;
    EXPECT_EQ(ended.err.find("--dim"), std::string::npos) << ended.err;
  }
}

TEST(BenchCommand, TimesStagesAndHoldsABudget) {
  const Workshop workshop;
  const std::string bench = "bench sample:second/narrow --until blocks.0.3 --on cpu:fp32 --runs 3 ";
  const Ended ended = paritylab(workshop, bench + "--json --budget 1000s");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const auto document = nlohmann::json::parse(ended.out);
  EXPECT_EQ(document.at("seconds").size(), 3U);
  EXPECT_EQ(document.at("stages").size(), 2U);
  EXPECT_EQ(document.at("stages").at(1).at("name"), "blocks.0.3");
  EXPECT_EQ(document.at("budget").at("kept"), true);
  const Ended slow = paritylab(workshop, bench + "--budget 1e12Hz");
  EXPECT_EQ(slow.code, 1);
  EXPECT_NE(slow.out.find("exceeded"), std::string::npos) << slow.out;
}

TEST(BenchCommand, RefusesABudgetThatIsNoTime) {
  const Workshop workshop;
  const std::string bench = "bench sample:second/narrow --on cpu:fp32 --budget ";
  for (const char* const budget : {"50", "ms", "-1ms", "50 parsecs", "0ms", "infms"})
    EXPECT_EQ(paritylab(workshop, bench + "'" + budget + "'").code, 2) << budget;
  EXPECT_EQ(paritylab(workshop, "bench sample:second/narrow").code, 2);
}

}  // namespace
}  // namespace parity::test
