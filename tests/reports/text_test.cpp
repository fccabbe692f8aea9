#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "reports/escape.hpp"
#include "reports/reports.hpp"
#include "tests/reports/files.hpp"

namespace parity {
namespace {

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) result.push_back(line);
  return result;
}

TEST(Text, IsTheGoldenText) {
  for (const auto& [name, record] : samples::all())
    if (name != "large" && name != "empty")
      samples::expect_golden(name + ".txt", write_text(record));
}

TEST(Text, AnswersStandInOrder) {
  const std::string text = write_text(samples::clean_tf32());
  const std::size_t places[] = {text.find("explained by arithmetic"), text.find("comes from"),
                                text.find("gets large"), text.find("turn it off")};
  for (const std::size_t place : places) EXPECT_NE(place, std::string::npos) << text;
  EXPECT_TRUE(std::is_sorted(std::begin(places), std::end(places)));
}

TEST(Text, NamesTheFirstDivergenceAndItsWorstElementInDecimalAndHex) {
  const RunRecord record = samples::diverged();
  const std::string text = write_text(record);
  EXPECT_NE(text.find("✗ diverged: first at blocks.1.9 (Conv+BN+Relu), stage 8 of 19"),
            std::string::npos)
      << text;
  const Comparison& c = *record.stages[7].introduced;
  EXPECT_NE(text.find(fmt::format("(0x{:08x})", c.worst->a_bits)), std::string::npos) << text;
  EXPECT_NE(text.find(fmt::format("(0x{:08x})", c.worst->b_bits)), std::string::npos) << text;
}

TEST(Text, ANaNIsNotGivenAnotherElementsMagnitude) {
  RunRecord record = samples::diverged();
  Comparison& c = *record.stages[7].introduced;
  c.nan_mismatches = 1;
  c.worst->b = std::numeric_limits<double>::quiet_NaN();
  c.worst->b_bits = 0x7fffffff;
  c.worst_share = std::numeric_limits<double>::infinity();
  const std::string text = write_text(record);
  EXPECT_NE(text.find("NaN or infinite on one side at ["), std::string::npos) << text;
  EXPECT_NE(text.find("of the others at most"), std::string::npos) << text;
  EXPECT_NE(text.find("1 element is NaN or infinite on one side only"), std::string::npos) << text;
}

TEST(Text, StagesThatRanAloneHaveNoSourceAndNoGrowth) {
  RunRecord record = samples::identical();
  for (StageResult& stage : record.stages) stage.accumulated.reset();
  const std::string text = write_text(record);
  EXPECT_NE(text.find("every stage ran alone"), std::string::npos) << text;
  EXPECT_EQ(text.find("gets large"), std::string::npos) << text;
}

TEST(Text, SaysWhatItsFiguresMeasure) {
  RunRecord record = samples::diverged();
  EXPECT_NE(write_text(record).find("relative to the RMS of a: "), std::string::npos);
  EXPECT_NE(write_text(record).find("l: b fed with a's inputs"), std::string::npos);
  record.b.backend = "capture";
  EXPECT_NE(write_text(record).find("l: a fed with b's inputs"), std::string::npos);
}

TEST(Text, ARatioOfWhatIsNotFiniteIsNoFigure) {
  RunRecord record = samples::clean_tf32();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (StageResult& stage : record.stages) {
    stage.amplification = stage.id == 0 ? std::numeric_limits<double>::quiet_NaN() : infinity;
    if (stage.split) stage.split->inherited = infinity;
  }
  for (const std::string& text : {write_text(record), write_markdown(record), write_html(record)}) {
    EXPECT_EQ(text.find("×inf"), std::string::npos);
    EXPECT_EQ(text.find("×NaN"), std::string::npos);
    EXPECT_EQ(text.find("inherited inf;"), std::string::npos);
    EXPECT_EQ(text.find("inherited inf)"), std::string::npos);
  }
}

TEST(Text, WhatIsExplainedBitForBitIsMeasuredAsTheCausesAre) {
  RunRecord record = samples::clean_tf32();
  std::vector<StageResult*> attributed;
  for (StageResult& stage : record.stages)
    if (stage.attribution) attributed.push_back(&stage);
  ASSERT_EQ(attributed.size(), 3U);
  const auto told = [&](double first, double second) {
    for (StageResult* stage : attributed) stage->attribution->certificate.clear();
    attributed[0]->share_of_final = first;
    attributed[1]->share_of_final = second;
    attributed[1]->attribution->certificate = "chain";
    attributed[2]->share_of_final = 0;
    attributed[2]->attribution->certificate = "chain";
    record.answers.attributed_share = first + second;
    record.answers.causes = {{Cause::rest, "not explained", first}};
    return write_text(record);
  };
  // What makes nothing of the final error is no part of its causes.
  EXPECT_NE(told(1, 0).find("not explained 100.0 % (in the 1 stage that makes 100 % of it; none "
                            "explained bit for bit)"),
            std::string::npos);
  EXPECT_NE(told(0.9999, 1e-4)
                .find("not explained 100.0 % (in the 2 stages that make 100 % of it; "
                      "1, with <0.1 % of it, explained bit for bit)"),
            std::string::npos);
}

TEST(Text, HeadlineAndTableGiveOneShareOfTheBound) {
  RunRecord record = samples::clean_tf32();
  // Nearer to its own bound than the introduced error is to both together.
  StageResult& stage = record.stages[1];
  stage.exact_b->worst_share = 0.4217;
  samples::settle(record);
  const auto row_of = [&](const std::string& text, const std::string& name) {
    const std::size_t at = text.find(name, text.find("accumulated"));
    return text.substr(at, text.find('\n', at) - at);
  };
  for (const std::string& text : {write_text(record), write_markdown(record)}) {
    EXPECT_NE(text.find("of bound at most 0.42, at blocks.0.3"), std::string::npos) << text;
    EXPECT_NE(text.find("of bound", text.find("verdict")), std::string::npos);
    EXPECT_NE(row_of(text, "blocks.0.3").find(" 0.42 "), std::string::npos)
        << row_of(text, "blocks.0.3");
  }
  const std::string page = write_html(record);
  EXPECT_NE(page.find("of bound at most 0.42, at blocks.0.3"), std::string::npos);
  EXPECT_NE(page.find(">of bound</th>"), std::string::npos);
  EXPECT_NE(page.find(">0.42</td>"), std::string::npos);
  EXPECT_NE(write_junit(record).find("name=\"share_of_bound\" value=\"0.42\""), std::string::npos);
}

TEST(Text, AStageThatSaysNothingTakesNoShareOfABound) {
  RunRecord record = samples::clean_tf32();
  StageResult& stage = record.stages[1];
  stage.verdict = Verdict::untrusted;
  stage.introduced->worst_share = stage.exact_a->worst_share = stage.exact_b->worst_share = 7.5e-21;
  samples::settle(record);
  for (const std::string& text :
       {write_text(record), write_markdown(record), write_html(record), write_junit(record)})
    EXPECT_EQ(text.find("e-21"), std::string::npos);
}

TEST(Text, AnEmulationThatExplainsNoMoreThanChanceIsNotNamed) {
  RunRecord record = samples::clean_tf32();
  for (StageResult& stage : record.stages)
    if (stage.attribution) {
      stage.attribution->certificate.clear();
      stage.attribution->nearest = "chunk256";
      stage.attribution->nearest_residual = 0.996;
    }
  for (const std::string& text : {write_text(record), write_html(record)}) {
    EXPECT_EQ(text.find("nearest emulation"), std::string::npos);
    EXPECT_EQ(text.find("<p class=\"dim\">.</p>"), std::string::npos);
  }
  for (StageResult& stage : record.stages)
    if (stage.attribution) stage.attribution->nearest_residual = 0.25;
  EXPECT_NE(write_text(record).find("nearest emulation chunk256, which leaves 25 % of"),
            std::string::npos);
}

TEST(Text, WhatIsNotFiniteIsSaidToBeSoAndNoFigure) {
  RunRecord record = samples::clean_tf32();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  for (StageResult& stage : record.stages)
    if (stage.statistics && stage.statistics->inherited)
      stage.statistics->inherited->measured = stage.statistics->inherited->unexplained = nan;
  for (const std::string& text : {write_text(record), write_html(record)}) {
    EXPECT_NE(text.find("not measured: NaN or infinity among what reached the 512 sampled"),
              std::string::npos);
    EXPECT_EQ(text.find("rms NaN"), std::string::npos);
  }
}

TEST(Text, ABlockWithoutAComparedEndHasNoFigure) {
  RunRecord record = samples::diverged();
  record.blocks.front().max_abs = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(write_text(record).find("max |b − a| – at its end"), std::string::npos);
}

TEST(Text, UntrustedIsNoAgreement) {
  const std::string text = write_text(samples::untrusted());
  EXPECT_NE(text.find("? untrusted: 1 of 19 stages"), std::string::npos) << text;
  EXPECT_EQ(text.find("identical"), std::string::npos);
  EXPECT_EQ(text.find("explained by arithmetic"), std::string::npos);
}

TEST(Text, NoStageIsNoAgreement) {
  EXPECT_NE(write_text(RunRecord{}).find("? not run: no stage was compared"), std::string::npos);
}

TEST(Text, ColourNeverSaysWhatTheWordsDoNot) {
  for (const auto& [name, record] : samples::all()) {
    TextStyle style;
    const std::string plain = write_text(record, style);
    style.colour = Colour::ansi;
    std::string coloured = write_text(record, style);
    EXPECT_NE(coloured, plain) << name;
    for (std::size_t at; (at = coloured.find('\x1b')) != std::string::npos;)
      coloured.erase(at, coloured.find('m', at) - at + 1);
    EXPECT_EQ(coloured, plain) << name;
  }
}

TEST(Text, TableFitsTheWindowOrHasDroppedAllItMay) {
  for (const int width : {60, 80, 100, 120, 160}) {
    TextStyle style;
    style.width = width;
    bool in_table = false;
    for (const std::string& line : lines(write_text(samples::clean_tf32(), style))) {
      in_table = (in_table || line.rfind("  stage", 0) == 0) && !line.empty();
      if (!in_table || line.find("of the final error") != std::string::npos) continue;
      EXPECT_LE(reports::columns(line), width) << line;
    }
  }
}

TEST(Text, LargeRunsShowWhatAnswersAndCountTheRest) {
  const RunRecord record = samples::large();
  const std::size_t important = lines(write_text(record)).size();
  TextStyle all;
  all.rows = Rows::all;
  EXPECT_LT(important, 120u);
  EXPECT_GE(lines(write_text(record, all)).size(), record.stages.size());
}

TEST(Text, HostileNamesReachNoTerminal) {
  for (const char c : write_text(samples::large()))
    EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
}

TEST(Text, AsciiIsAscii) {
  TextStyle style;
  style.glyphs = Glyphs::ascii;
  for (const auto& [name, record] : samples::all())
    for (const char c : write_text(record, style))
      ASSERT_LT(static_cast<unsigned char>(c), 0x80) << name;
}

}  // namespace
}  // namespace parity
