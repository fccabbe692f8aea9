// `paritylab mma`: what goes in comes out, plus one column.
#include "cli/mma.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "model/error.hpp"

namespace parity::cli {
namespace {

std::string mma(const std::string& text, Arch arch,
                std::optional<Rounding> rounding = std::nullopt) {
  std::istringstream in(text);
  std::ostringstream out;
  run_mma(in, out, arch, rounding);
  return out.str();
}

struct Refused {
  Fault fault;
  std::string sentence;
};
Refused refused(const std::string& text, Arch arch = Arch::sm_90) {
  try {
    mma(text, arch);
  } catch (const Error& error) {
    return {error.fault(), error.what()};
  }
  ADD_FAILURE() << "accepted: " << text;
  return {};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string last_cell(const std::string& line) { return line.substr(line.rfind(',') + 1); }

TEST(Mma, AddsOneColumnAndPassesTheRestThrough) {
  EXPECT_EQ(mma("# a remark, with commas\nid,tag,conf,c,a0,b0,d_sm80\n7,one plus "
                "six,probe,3F800000,40000000,0x40400000,-\n\n# end\n",
                Arch::sm_80),
            "# a remark, with commas\nid,tag,conf,c,a0,b0,d_sm80,d\n"
            "7,one plus six,probe,3F800000,40000000,0x40400000,-,40e00000\n\n# end\n");
}

TEST(Mma, QuotedCommasBelongToTheirCell) {
  EXPECT_EQ(
      mma("\"c\",note,a0,b0\n3F800000,\"one, plus \"\"six\"\"\",40000000,\"40400000\"\n",
          Arch::sm_80),
      "\"c\",note,a0,b0,d\n3F800000,\"one, plus \"\"six\"\"\",40000000,\"40400000\",40e00000\n");
  EXPECT_NE(
      refused("c,note,a0,b0\n3F800000,\"open,40000000,40400000\n").sentence.find("cells where"),
      std::string::npos);
}

/// The committed vectors hold both cores' answers in columns of their own, which pass through.
TEST(Mma, GivesEveryArchItsCoreOnTheCommittedVectors) {
  std::ifstream file(std::string(PARITYLAB_SOURCE) + "/tests/data/tensor_core/mma_k8.csv");
  std::stringstream text;
  text << file.rdbuf();
  const std::vector<std::string> before = lines_of(text.str());
  ASSERT_GT(before.size(), 600U);
  struct Expectation {
    Arch arch;
    int cells_from_the_end;  // of the expected answer: k4f24, then k8f25
  };
  for (const Expectation& expectation : {Expectation{Arch::sm_80, 2},
                                         {Arch::sm_86, 2},
                                         {Arch::sm_87, 2},
                                         {Arch::sm_89, 2},
                                         {Arch::sm_90, 1},
                                         {Arch::sm_100, 1},
                                         {Arch::sm_120, 1}}) {
    const std::vector<std::string> after = lines_of(mma(text.str(), expectation.arch));
    ASSERT_EQ(after.size(), before.size());
    int rows = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (before[i].starts_with('#')) {
        EXPECT_EQ(after[i], before[i]);
        continue;
      }
      ASSERT_TRUE(after[i].starts_with(before[i] + ",")) << after[i];
      if (rows++ == 0) continue;  // the header
      std::string expected = before[i];
      if (expectation.cells_from_the_end == 2) expected.resize(expected.rfind(','));
      EXPECT_EQ(last_cell(after[i]), last_cell(expected)) << after[i];
    }
    EXPECT_GT(rows, 600);
  }
}

TEST(Mma, FeedsOperandsRawUnlessARoundingIsGiven) {
  const std::string text = "c,a0,b0\n00000000,3f801800,3f800000\n00000000,3f801000,3f800000\n";
  EXPECT_EQ(
      mma(text, Arch::sm_90),
      "c,a0,b0,d\n00000000,3f801800,3f800000,3f800000\n00000000,3f801000,3f800000,3f800000\n");
  EXPECT_EQ(mma(text, Arch::sm_90, Rounding::truncate), mma(text, Arch::sm_90));
  EXPECT_EQ(
      mma(text, Arch::sm_90, Rounding::rna),
      "c,a0,b0,d\n00000000,3f801800,3f800000,3f802000\n00000000,3f801000,3f800000,3f802000\n");
  EXPECT_EQ(
      mma(text, Arch::sm_90, Rounding::rn),
      "c,a0,b0,d\n00000000,3f801800,3f800000,3f802000\n00000000,3f801000,3f800000,3f800000\n");
}

TEST(Mma, NeverRoundsTheAccumulator) {
  const std::string text = "c,a0,b0\n3f801fff,00000000,00000000\n";
  for (const Rounding rounding : {Rounding::rna, Rounding::truncate, Rounding::rn}) {
    EXPECT_EQ(mma(text, Arch::sm_90, rounding), "c,a0,b0,d\n3f801fff,00000000,00000000,3f801fff\n");
  }
}

TEST(Mma, TakesColumnsInAnyOrderAndAnyCount) {
  EXPECT_EQ(mma("b1,a1,c,a0,b0\n40000000,40000000,3f800000,3f800000,3f800000\n", Arch::sm_80),
            "b1,a1,c,a0,b0,d\n40000000,40000000,3f800000,3f800000,3f800000,40c00000\n");
  std::string header = "c", row = "3f800000";
  for (const char* prefix : {",a", ",b"}) {
    for (int k = 0; k < 19; ++k) {
      header += prefix + std::to_string(k);
      row += ",3f800000";
    }
  }
  EXPECT_EQ(mma(header + "\n" + row + "\n", Arch::sm_90), header + ",d\n" + row + ",41a00000\n");
}

TEST(Mma, KeepsLineEndsAndEndsTheLastLine) {
  EXPECT_EQ(mma("# x\r\nc,a0,b0\r\n00000000,00000000,00000000\r\n", Arch::sm_90),
            "# x\r\nc,a0,b0,d\r\n00000000,00000000,00000000,00000000\r\n");
  EXPECT_EQ(mma("c,a0,b0\n00000000,00000000,00000000", Arch::sm_90),
            "c,a0,b0,d\n00000000,00000000,00000000,00000000\n");
  EXPECT_EQ(mma("\xef\xbb\xbf"
                "c,a0,b0\n00000000,00000000,00000000\n",
                Arch::sm_90),
            "\xef\xbb\xbf"
            "c,a0,b0,d\n00000000,00000000,00000000,00000000\n");
}

TEST(Mma, RefusesAColumnDAsAUsageError) {
  const Refused no = refused("c,a0,b0,d\n0,0,0,0\n");
  EXPECT_EQ(no.fault, Fault::bad_request);
  EXPECT_NE(no.sentence.find("'d'"), std::string::npos) << no.sentence;
}

TEST(Mma, RefusesAnArchWithoutATf32TensorCore) {
  for (const Arch arch : {Arch::none, Arch::sm_75}) {
    EXPECT_EQ(refused("c,a0,b0\n", arch).fault, Fault::bad_request);
  }
}

TEST(Mma, RefusesIncompleteHeaders) {
  for (const char* text : {"", "# only a remark\n", "a0,b0\n", "c\n", "c,a0\n", "c,a0,a1,b0\n",
                           "c,a1,b1\n", "c,a0,a2,b0,b2\n", "c,a0,b0,a0\n", "c,c,a0,b0\n",
                           "id,kind,a(64),b(64),d_sm80_rna,d_sm90_rna\n"}) {
    EXPECT_EQ(refused(text).fault, Fault::bad_input) << text;
  }
}

TEST(Mma, NamesLineAndColumnOfAMalformedRow) {
  for (const char* cell : {"", "0", "3f80", "3f8000000", "0x3f80", "xyz", "3f80000g", "1234567890",
                           "-1", "0x", "1.5"}) {
    const Refused no = refused("# remark\nc,a0,b0\n00000000,00000000,00000000\n00000000," +
                               std::string(cell) + ",00000000\n");
    EXPECT_EQ(no.fault, Fault::bad_input);
    EXPECT_NE(no.sentence.find("line 4"), std::string::npos) << no.sentence;
    EXPECT_NE(no.sentence.find("'a0'"), std::string::npos) << no.sentence;
  }
  for (const char* row : {"0,0", "0,0,0,0", ","}) {
    const Refused no = refused("c,a0,b0\n" + std::string(row) + "\n");
    EXPECT_EQ(no.fault, Fault::bad_input);
    EXPECT_NE(no.sentence.find("line 2"), std::string::npos) << no.sentence;
  }
}

}  // namespace
}  // namespace parity::cli
