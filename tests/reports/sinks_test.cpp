#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/error.hpp"
#include "reports/escape.hpp"
#include "reports/numbers.hpp"
#include "reports/reports.hpp"
#include "reports/sha256.hpp"
#include "tests/reports/files.hpp"

namespace parity {
namespace {

TEST(Escape, PrintableShowsWhatWouldAct) {
  EXPECT_EQ(reports::printable("a\x1b[31mb\n"), "a\\u{1b}[31mb\\u{a}");
  EXPECT_EQ(reports::printable("\u202egnp.exe"), "\\u{202e}gnp.exe");
  EXPECT_EQ(reports::printable(std::string("nul\0", 4)), "nul\\u{0}");
  EXPECT_EQ(reports::printable("Übergröße 层"), "Übergröße 层");
}

TEST(Escape, MalformedUtf8BecomesReplacementCharacters) {
  for (const std::string bad :
       {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
    const std::string text = reports::printable(bad);
    EXPECT_NE(text.find("\ufffd"), std::string::npos);
    EXPECT_NO_THROW(nlohmann::json(text).dump());
  }
}

TEST(Escape, MarkupHasNoActiveCharacter) {
  for (const std::string& name : samples::hostile_names())
    EXPECT_EQ(reports::markup(name).find_first_of("<>\"'\n\x1b"), std::string::npos) << name;
}

TEST(Escape, JsonStringsReadBackAsTheyWere) {
  for (const std::string& name : samples::hostile_names()) {
    const std::string text = reports::json_string(name);
    const std::string back = nlohmann::json::parse(text).get<std::string>();
    if (name.find('\xff') == std::string::npos) {
      EXPECT_EQ(back, name);
    }
  }
}

TEST(Escape, MarkdownKeepsSpecsAndDefusesMentions) {
  EXPECT_EQ(reports::markdown("cpu:tf32@sm90"), "cpu:tf32@sm90");
  EXPECT_EQ(reports::markdown("@someone"), "@\u2060someone");
  EXPECT_EQ(reports::markdown("a|b`c`<i>"), "a\\|b\\`c\\`&lt;i&gt;");
  EXPECT_EQ(reports::markdown("http://x www.y.z"), "http&#58;//x www&#46;y.z");
}

TEST(Escape, ShorteningKeepsBothEndsAndWholeCharacters) {
  EXPECT_EQ(reports::shortened("blocks.1.3", 10), "blocks.1.3");
  EXPECT_EQ(reports::shortened("backbone.very.long.conv", 11), "backb….conv");
  EXPECT_EQ(reports::shortened("层层层层层层层层", 9), "层层…层层");
  for (int most = 0; most < 12; ++most)
    EXPECT_LE(reports::columns(reports::shortened("层a层b层c层d", most)), std::max(most, 1));
}

TEST(Numbers, BriefIsWhatAPersonReads) {
  EXPECT_EQ(reports::brief(0), "0");
  EXPECT_EQ(reports::brief(0.14, 2), "0.14");
  EXPECT_EQ(reports::brief(41.3), "41.3");
  EXPECT_EQ(reports::brief(0.0041, 2), "4.1e-3");
  EXPECT_EQ(reports::brief(2970112), "2.97e6");
  EXPECT_EQ(reports::brief(0.9996, 3), "1.00");
  EXPECT_EQ(reports::brief(9999.9, 3), "1.00e4");
  EXPECT_EQ(reports::brief(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(reports::percent(0.306), "31 %");
  EXPECT_EQ(reports::percent(0.003), "0.3 %");
  EXPECT_EQ(reports::percent(1e-6), "<0.1 %");
  EXPECT_EQ(reports::grouped(-2970112), "-2,970,112");
  EXPECT_EQ(reports::grouped(999), "999");
  EXPECT_EQ(reports::scientific(1e-3), "1e-3");
  EXPECT_EQ(reports::scientific(2.5e-2), "2.5e-2");
  EXPECT_EQ(reports::scientific(1), "1");
}

TEST(Numbers, ShortestReadsBackToTheSameBits) {
  samples::Seeded random(3);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t bits = random.bits();
    const auto value = std::bit_cast<double>(bits);
    if (!std::isfinite(value)) continue;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(std::strtod(reports::shortest(value).c_str(), nullptr)),
              bits);
  }
}

TEST(Numbers, CoordinatesAreRowMajor) {
  EXPECT_EQ(reports::coordinates(70, "1x2x64"), "[0,1,6]");
  EXPECT_EQ(reports::coordinates(0, "1"), "[0]");
  EXPECT_EQ(reports::coordinates(128, "1x2x64"), "#128");
  EXPECT_EQ(reports::coordinates(7, "scalar"), "#7");
  EXPECT_EQ(reports::coordinates(7, "0x7"), "#7");
  EXPECT_EQ(reports::coordinates(7, "99999999999999999999"), "#7");
}

TEST(Numbers, BitsHaveTheWidthOfTheElement) {
  EXPECT_EQ(reports::a_bits({0, 1, 2, 0x3f800000, 0x40000000}), "0x3f800000");
  EXPECT_EQ(reports::a_bits({0, 0, 1, 0, 0x3ff0000000000000}), "0x0000000000000000");
  EXPECT_EQ(reports::a_value({0, 0.1f, 0, 0x3dcccccd, 0}), "0.1");
}

TEST(Sha256, GivesThePublishedExamples) {
  const auto hex = [](std::string_view bytes) {
    std::string text;
    for (const std::uint8_t byte : reports::sha256(bytes)) text += fmt::format("{:02x}", byte);
    return text;
  };
  // FIPS 180-4's examples, and lengths around the padding's edge.
  EXPECT_EQ(hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(reports::base64(reports::sha256("abc")),
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

TEST(Formats, SuffixDecides) {
  EXPECT_EQ(format_of("a/b.html"), Format::html);
  EXPECT_EQ(format_of("B.HTM"), Format::html);
  EXPECT_EQ(format_of("x.json"), Format::json);
  EXPECT_EQ(format_of("-"), Format::json);
  EXPECT_EQ(format_of("junit.xml"), Format::junit);
  EXPECT_EQ(format_of("summary.md"), Format::markdown);
  for (const char* path : {"", "x", "x.pdf", ".html", "html", "x.json.gz"}) {
    try {
      format_of(path);
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.fault(), Fault::bad_request);
      EXPECT_NE(std::string(error.what())
                    .find(".html (HTML), .json (JSON), .xml (JUnit XML), .md (Markdown)"),
                std::string::npos);
    }
  }
}

TEST(Markdown, StaysSmallWhateverTheRecord) {
  RunRecord record = samples::large();
  for (StageResult& stage : record.stages)
    stage.name = stage.reason = std::string(5000, '|') + stage.name;
  record.notes.assign(500, std::string(5000, '<'));
  record.lints = record.notes;
  record.command = std::string(100000, '`');
  record.model = std::string(100000, '*');
  EXPECT_LE(write_markdown(record).size(), 60000u);
}

TEST(Markdown, VerdictComesFirstAndNamesCannotAct) {
  const std::string text = write_markdown(samples::large());
  EXPECT_EQ(text.rfind("### ❌ diverged", 0), 0u) << text.substr(0, 100);
  EXPECT_EQ(text.find("<script"), std::string::npos);
  EXPECT_EQ(text.find("<svg"), std::string::npos);
  EXPECT_EQ(text.find("http://"), std::string::npos);
  EXPECT_NE(text.find("e\\[f\\](http&#58;//example.org)"), std::string::npos);
}

}  // namespace
}  // namespace parity
